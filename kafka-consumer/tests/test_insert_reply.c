/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: from MongoDB's reply each entry learns its own fate, and a reply that leaves anything open
 * decides nothing.
 * Method: a table of replies as JSON, in the form in which the driver hands them over.
 */
#include "cmocka_all.h"
#include "insert_reply.h"

#include <string.h>

enum { COUNT = 4 };

struct expectation {
    const char *reply;
    bool whole;
    enum entry_state states[COUNT];
};

static const struct expectation table[] = {
    /* Whole command lost, or half of it. */
    {"{}", false, {0}},
    {"{\"nInserted\":3}", false, {0}},
    {"{\"nInserted\":4,\"writeConcernErrors\":[{\"code\":64,\"errmsg\":\"timeout\"}]}", false, {0}},
    {"{\"nInserted\":2,\"writeErrors\":[{\"index\":1,\"code\":11000}]}", false, {0}},
    /* All accounted for. */
    {"{\"nInserted\":4}", true, {ENTRY_ARCHIVED, ENTRY_ARCHIVED, ENTRY_ARCHIVED, ENTRY_ARCHIVED}},
    {"{\"nInserted\":2,\"writeErrors\":[{\"index\":0,\"code\":11000,\"errmsg\":\"E11000\"},"
     "{\"index\":3,\"code\":121,\"errmsg\":\"no\"}]}",
     true,
     {ENTRY_LOOK_UP, ENTRY_ARCHIVED, ENTRY_ARCHIVED, ENTRY_POISON}},
    /* A server that steps down answers some documents with "not primary". */
    {"{\"nInserted\":2,\"writeErrors\":[{\"index\":1,\"code\":10107},{\"index\":2,\"code\":2}]}",
     true,
     {ENTRY_ARCHIVED, ENTRY_INSERT, ENTRY_POISON, ENTRY_ARCHIVED}},
    /* Nonsense from a server must not lead out of bounds. */
    {"{\"nInserted\":2,\"writeErrors\":[{\"index\":-1,\"code\":2},{\"index\":99,\"code\":2}]}",
     true,
     {ENTRY_ARCHIVED, ENTRY_ARCHIVED, ENTRY_ARCHIVED, ENTRY_ARCHIVED}},
};

static void test_each_reply_in_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        struct entry entries[COUNT] = {0};
        struct entry *wanted[COUNT];
        bson_t *reply = bson_new_from_json((const uint8_t *)table[i].reply, -1, NULL);
        assert_non_null(reply);
        for (size_t n = 0; n < COUNT; n++) {
            entries[n].state = ENTRY_INSERT;
            wanted[n] = &entries[n];
        }
        assert_int_equal(insert_reply_is_whole(reply, COUNT), table[i].whole);
        if (table[i].whole) {
            insert_reply_read(wanted, COUNT, reply);
            for (size_t n = 0; n < COUNT; n++) {
                assert_int_equal(entries[n].state, table[i].states[n]);
            }
        }
        bson_destroy(reply);
    }
}

static void test_poison_keeps_the_code_of_the_server(void **state)
{
    (void)state;
    struct entry entry = {.state = ENTRY_INSERT};
    struct entry *wanted[] = {&entry};
    bson_t *reply = bson_new_from_json(
        (const uint8_t *)"{\"nInserted\":0,\"writeErrors\":[{\"index\":0,\"code\":10334}]}", -1,
        NULL);

    insert_reply_read(wanted, 1, reply);
    assert_int_equal(entry.state, ENTRY_POISON);
    assert_int_equal(entry.server_code, 10334);
    assert_non_null(entry.reason);
    bson_destroy(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_reply_in_the_table),
        cmocka_unit_test(test_poison_keeps_the_code_of_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
