/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the same source gives the same id everywhere and for ever; different sources never do.
 * Method: sources that would be equal if parts were only glued together; a fixed id that a later
 * version must still give; many fresh ids compared; every byte at every place of a good id.
 */
#include "cmocka_all.h"
#include "mesh/id.h"

#include <stdlib.h>
#include <string.h>

static struct mesh_id derive(const char *stream, const char *client, const char *key, size_t index)
{
    return mesh_id_derive(&(struct mesh_id_source){
        .stream = stream,
        .client = mesh_bytes_of_text(client),
        .key = mesh_bytes_of_text(key),
        .index = index,
    });
}

static void test_what_is_no_canonical_uuid_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0190b0f0-0000-7000-8000-00000000000",
        "0190b0f0-0000-7000-8000-0000000000000",
        "0190B0F0-0000-7000-8000-000000000000",
        "0190b0f0x0000-7000-8000-000000000000",
        "0190b0f0-0000-7000-8000-00000000000g",
        "{190b0f0-0000-7000-8000-00000000000}",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        struct mesh_id id = {.text = "untouched"};
        assert_false(mesh_id_parse(mesh_bytes_of_text(bad[i]), &id));
        assert_string_equal(id.text, "untouched");
    }
}

static void test_every_byte_at_every_place_is_told(void **state)
{
    (void)state;
    static const char good[] = "0190b0f0-1234-7567-89ab-cdef00112233";
    for (size_t place = 0; place < MESH_ID_LENGTH; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof(good)];
            struct mesh_id id = {.text = "untouched"};
            memcpy(text, good, sizeof(good));
            text[place] = (char)byte;
            const bool is_hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            const bool is_good = good[place] == '-' ? byte == '-' : is_hex;
            assert_int_equal(mesh_id_parse(mesh_bytes_of(text, MESH_ID_LENGTH), &id), is_good);
            assert_string_equal(id.text, is_good ? text : "untouched");
        }
    }
    struct mesh_id id;
    assert_false(mesh_id_parse(mesh_bytes_of(NULL, 0), &id));
}

static void test_different_sources_give_different_ids(void **state)
{
    (void)state;
    struct mesh_id ids[] = {
        derive("tweets", "", "ab", 0), derive("tweets", "a", "b", 0),
        derive("tweetsa", "", "b", 0), derive("tweets", "ab", "", 0),
        derive("tweets", "", "ab", 1), derive("tweets", "", "ab1", 0),
    };
    for (size_t i = 0; i < MESH_COUNT_OF(ids); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(ids[i].text, ids[j].text);
        }
    }
}

static void test_a_derived_id_stays_the_same_for_ever(void **state)
{
    (void)state;
    struct mesh_id id = derive("tweets", "", "order-1", 0);
    /* Python: hashlib.sha256 over length-prefixed parts; version 8, variant 2. */
    assert_string_equal(id.text, "be4f626c-deeb-85f2-b83c-b480700dc294");
    struct mesh_id parsed;
    assert_true(mesh_id_parse(mesh_bytes_of_text(id.text), &parsed));
    assert_string_equal(parsed.text, id.text);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct mesh_id *)a)->text, ((const struct mesh_id *)b)->text);
}

static void test_fresh_ids_are_unique_and_ordered_by_time(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct mesh_id *ids = calloc(COUNT, sizeof(*ids));
    assert_non_null(ids);
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = mesh_id_new(1795216867123);
        assert_memory_equal(ids[i].text, "01a1fb43-7f33", 13);
        assert_int_equal(ids[i].text[14], '7');
        assert_non_null(strchr("89ab", ids[i].text[19]));
    }
    qsort(ids, COUNT, sizeof(*ids), compare_ids);
    for (size_t i = 1; i < COUNT; i++) {
        assert_string_not_equal(ids[i].text, ids[i - 1].text);
    }
    free(ids);
    assert_true(strcmp(mesh_id_new(1000).text, mesh_id_new(2000).text) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_canonical_uuid_is_refused),
        cmocka_unit_test(test_every_byte_at_every_place_is_told),
        cmocka_unit_test(test_different_sources_give_different_ids),
        cmocka_unit_test(test_a_derived_id_stays_the_same_for_ever),
        cmocka_unit_test(test_fresh_ids_are_unique_and_ordered_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
