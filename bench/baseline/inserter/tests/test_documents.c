/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: documents have the members that kafka-consumer gives them, in its order. Method: the keys
 * and types of what is written, from events as clients send them and as Kafka holds them.
 */
#include "documents.h"
#include "lines_fixture.h"

static const char sent[] = "{\"text\":\"hot\",\"country\":\"Chad\"}\n";
static const char stored[] = "{\"id\":\"0\",\"received_at\":\"then\",\"text\":\"hot\","
                             "\"country\":\"Chad\"}\n";

static void expect_document(const bson_t *document, int partition, int64_t offset)
{
    static const struct {
        const char *name;
        bson_type_t type;
    } wanted[] = {{"_id", BSON_TYPE_UTF8},
                  {"text", BSON_TYPE_UTF8},
                  {"country", BSON_TYPE_UTF8},
                  {"received_at", BSON_TYPE_DATE_TIME},
                  {"kafka", BSON_TYPE_DOCUMENT}};
    bson_iter_t at;
    bson_iter_t inner;
    assert_true(bson_validate(document, BSON_VALIDATE_UTF8, NULL));
    assert_true(bson_iter_init(&at, document));
    for (size_t i = 0; i < MESH_COUNT_OF(wanted); i++) {
        assert_true(bson_iter_next(&at));
        assert_string_equal(bson_iter_key(&at), wanted[i].name);
        assert_int_equal(bson_iter_type(&at), wanted[i].type);
    }
    assert_true(bson_iter_recurse(&at, &inner));
    assert_true(bson_iter_find(&inner, "topic") && bson_iter_find(&inner, "partition"));
    assert_int_equal(bson_iter_int32(&inner), partition);
    assert_true(bson_iter_find(&inner, "offset"));
    assert_int_equal(bson_iter_int64(&inner), offset);
    assert_false(bson_iter_next(&at));
}

static void test_documents_are_those_of_kafka_consumer(void **state)
{
    static const char *const texts[] = {sent, stored};
    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(texts); i++) {
        struct mesh_error err = {0};
        struct lines *lines = lines_of(texts[i], &err);
        struct documents *documents = documents_new(lines, &err);
        assert_non_null(documents);
        bson_t *document = bson_new();
        documents_write(documents, 7, document);
        expect_document(document, 3, 1);
        documents_write(documents, 8, document);
        expect_document(document, 0, 2);
        bson_destroy(document);
        documents_free(documents);
        lines_free(lines);
    }
}

static void test_no_id_comes_twice(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct lines *lines = lines_of(stored, &err);
    struct documents *documents = documents_new(lines, &err);
    assert_non_null(documents);
    bson_t *first = bson_new();
    bson_t *second = bson_new();
    bson_iter_t first_id;
    bson_iter_t second_id;
    documents_write(documents, 0, first);
    documents_write(documents, 0, second);
    assert_true(bson_iter_init_find(&first_id, first, "_id"));
    assert_true(bson_iter_init_find(&second_id, second, "_id"));
    assert_string_not_equal(bson_iter_utf8(&first_id, NULL), bson_iter_utf8(&second_id, NULL));
    bson_destroy(first);
    bson_destroy(second);
    documents_free(documents);
    lines_free(lines);
}

static void test_what_is_no_event_is_refused(void **state)
{
    static const char *const bad[] = {"{\"a\":1}\n[1]\n", "{\"a\":1\n", "text\n"};
    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        struct mesh_error err = {0};
        struct lines *lines = lines_of(bad[i], &err);
        assert_null(documents_new(lines, &err));
        assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
        lines_free(lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_are_those_of_kafka_consumer),
        cmocka_unit_test(test_no_id_comes_twice),
        cmocka_unit_test(test_what_is_no_event_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
