/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: JSON becomes the BSON that it looks like, what MongoDB cannot hold is refused with a
 * reason, a server that is not there is an error in time, and no password gets into a message.
 * Method: tables of JSON and the driver's own canonical extended JSON; a port where nothing
 * listens.
 */
#include "cmocka_all.h"
#include "mesh/mongo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *append(const char *json, bson_t *out)
{
    static const char *const skip[] = {"id", NULL};
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);

    assert_non_null(doc);
    const char *reason = mesh_mongo_append_members(out, yyjson_doc_get_root(doc), skip);
    yyjson_doc_free(doc);
    return reason;
}

static void test_what_cannot_be_a_document_is_refused(void **state)
{
    (void)state;
    char deep[512] = "{\"a\":";
    bson_t out = BSON_INITIALIZER;

    (void)memset(deep + 5, '[', 100);
    (void)memset(deep + 105, ']', 100);
    deep[205] = '}';
    assert_string_equal(append(deep, &out), "is nested too deeply");
    bson_reinit(&out);
    assert_string_equal(append("{\"a\\u0000b\":1}", &out), "has a NUL in a member's name");
    bson_destroy(&out);
}

static void test_a_document_that_grows_too_big_is_refused(void **state)
{
    (void)state;
    struct mesh_buffer json = {0};
    bson_t out = BSON_INITIALIZER;

    mesh_buffer_add_text(&json, "{\"a\":[");
    for (size_t i = 0; i < 1500000; i++) {
        mesh_buffer_add_text(&json, "[],"); /* 3 bytes of JSON, about 14 of BSON */
    }
    mesh_buffer_add_text(&json, "0]}");
    assert_string_equal(append(json.data, &out), "is too big for a document");
    bson_destroy(&out);
    mesh_buffer_done(&json);
}

static void test_json_becomes_the_same_bson(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *bson;
    } cases[] = {
        {"{}", "{ }"},
        {"{\"id\":\"x\",\"text\":\"ol\\u00e9 \\u0000!\"}", NULL},
        {"{\"a\":null,\"b\":true,\"c\":false}", "{ \"a\" : null, \"b\" : true, \"c\" : false }"},
        {"{\"n\":-1}", "{ \"n\" : { \"$numberLong\" : \"-1\" } }"},
        {"{\"n\":9223372036854775807}",
         "{ \"n\" : { \"$numberLong\" : \"9223372036854775807\" } }"},
        {"{\"n\":1.5}", "{ \"n\" : { \"$numberDouble\" : \"1.5\" } }"},
        {"{\"a\":[1,[\"x\"],{}],\"id\":3}",
         "{ \"a\" : [ { \"$numberLong\" : \"1\" }, [ \"x\" ], { } ] }"},
        {"{\"o\":{\"id\":\"kept below the root\"}}",
         "{ \"o\" : { \"id\" : \"kept below the root\" } }"},
    };

    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        bson_t out = BSON_INITIALIZER;
        assert_null(append(cases[i].json, &out));
        if (cases[i].bson != NULL) {
            char *text = bson_as_canonical_extended_json(&out, NULL);
            assert_string_equal(text, cases[i].bson);
            bson_free(text);
        }
        assert_true(bson_validate(&out, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL));
        bson_destroy(&out);
    }
}

static void test_an_integer_beyond_int64_is_the_nearest_double(void **state)
{
    (void)state;
    bson_t out = BSON_INITIALIZER;
    bson_iter_t at;

    assert_null(append("{\"n\":18446744073709551615}", &out));
    assert_true(bson_iter_init_find(&at, &out, "n"));
    assert_true(BSON_ITER_HOLDS_DOUBLE(&at));
    assert_true(bson_iter_double(&at) == 18446744073709551616.0);
    bson_destroy(&out);
}

static void test_a_wrong_uri_is_refused_without_its_password(void **state)
{
    (void)state;
    struct mesh_error err = {0};

    assert_false(mesh_mongo_uri_valid("mongodb://user:hidden@[::1", &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    assert_null(strstr(err.text, "hidden"));
    assert_true(mesh_mongo_uri_valid("mongodb://127.0.0.1:27017", &err));
}

static void test_a_server_that_is_not_there_is_unavailable(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct mesh_mongo *mongo = mesh_mongo_new(
        &(struct mesh_mongo_options){
            .uri = "mongodb://127.0.0.1:1", .app_name = "test", .timeout_ms = 100},
        &err);

    assert_non_null(mongo);
    assert_false(mesh_mongo_ping(mongo, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    mesh_mongo_free(mongo);
}

static void test_errors_become_our_codes(void **state)
{
    (void)state;
    static const struct {
        uint32_t domain, code;
        enum mesh_code expected;
    } cases[] = {
        {MONGOC_ERROR_SERVER, 10107, MESH_UNAVAILABLE},
        {MONGOC_ERROR_SERVER, 13, MESH_PERMISSION_DENIED},
        {MONGOC_ERROR_SERVER, 18, MESH_UNAUTHENTICATED},
        {MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, MESH_UNAUTHENTICATED},
        {MONGOC_ERROR_SERVER, 121, MESH_INVALID_ARGUMENT},
        {MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, MESH_UNAVAILABLE},
    };

    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        struct mesh_error err = {0};
        bson_error_t error = {.domain = cases[i].domain, .code = cases[i].code, .message = "x"};
        assert_false(mesh_mongo_fail(&err, &error));
        assert_int_equal(err.code, cases[i].expected);
    }
    assert_false(mesh_mongo_is_refusal(11000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_a_document_is_refused),
        cmocka_unit_test(test_a_document_that_grows_too_big_is_refused),
        cmocka_unit_test(test_json_becomes_the_same_bson),
        cmocka_unit_test(test_an_integer_beyond_int64_is_the_nearest_double),
        cmocka_unit_test(test_a_wrong_uri_is_refused_without_its_password),
        cmocka_unit_test(test_a_server_that_is_not_there_is_unavailable),
        cmocka_unit_test(test_errors_become_our_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
