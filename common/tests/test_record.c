/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a record is read from Kafka as it was written; what the archive could not hold is told as
 * poison, and an event that only an older schema let through is not.
 * Method: tables of record values against a small stream.
 */
#include "../src/stream_file.h"
#include "cmocka_all.h"
#include "mesh/event.h"

#include <string.h>

static const struct mesh_stream *stream_of(struct mesh_arena *arena)
{
    static const char json[] =
        "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","
        "\"count_by\":\"kind\",\"schema\":{\"type\":\"object\",\"properties\":{\"kind\":{\"enum\":"
        "[\"b\",\"a\"]}}}}";
    struct mesh_error err = {0};
    const struct mesh_stream *stream = mesh_stream_parse(mesh_bytes_of_text(json), arena, &err);
    assert_non_null(stream);
    return stream;
}

#define ID "018f4d4e-7c1a-7a30-9b1e-5f3c2d1e0a9b"
#define FRONT "{\"id\":\"" ID "\",\"received_at\":\"2026-11-20T23:21:07.123Z\""

static void test_poison_records_are_told(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", "is not JSON"},
        {"{", "is not JSON"},
        {"\xFF", "is not JSON"},
        {"[]", "is not a JSON object"},
        {"null", "is not a JSON object"},
        {"{}", "id is missing or no UUID"},
        {"{\"id\":1}", "id is missing or no UUID"},
        {"{\"id\":\"018F4D4E-7C1A-7A30-9B1E-5F3C2D1E0A9B\"}", "id is missing or no UUID"},
        {"{\"id\":\"" ID "\"}", "received_at is missing or no RFC 3339 date-time"},
        {"{\"id\":\"" ID "\",\"received_at\":\"2026-11-20\"}",
         "received_at is missing or no RFC 3339 date-time"},
        {"{\"id\":\"" ID "\",\"received_at\":1}",
         "received_at is missing or no RFC 3339 date-time"},
        {FRONT ",\"_id\":1}", "a member has a reserved name"},
        {FRONT ",\"kafka\":1}", "a member has a reserved name"},
        {FRONT ",\"id\":\"" ID "\"}", "a member is there twice"},
        {FRONT ",\"a\":1,\"a\":1}", "a member is there twice"},
        {FRONT ",\"a\":1,\"\\u0061\":1}", "a member is there twice"},
        {FRONT ",\"tr\\u0061ceparent\":1}", "a member has a reserved name"},
        {FRONT ",\"\":1}", "a member has a name that MongoDB cannot take"},
        {FRONT ",\"a\":[{\"b\":{\"c.\":1}}]}", "a member has a name that MongoDB cannot take"},
        {FRONT ",\"$a\":1}", "a member has a name that MongoDB cannot take"},
        {FRONT ",\"a\":[{\"b.c\":1}]}", "a member has a name that MongoDB cannot take"},
        {FRONT ",\"a\\u0000\":1}", "a member has a name that MongoDB cannot take"},
        {FRONT ",\"a\":[[[[[[[[1]]]]]]]]}", "is nested too deeply"},
        {FRONT ",\"a\":9223372036854775808}", "a number does not fit in 64 bits"},
        {FRONT ",\"a\":[18446744073709551616]}", "a number does not fit in 64 bits"},
    };
    struct mesh_arena *arena = mesh_arena_new(4096);
    const struct mesh_stream *stream = stream_of(arena);
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        struct mesh_record record = {0};
        const char *reason = NULL;
        assert_false(mesh_record_read(stream, mesh_bytes_of_text(table[i][0]), &record, &reason));
        assert_string_equal(reason, table[i][1]);
        assert_null(record.doc);
    }
    mesh_arena_free(arena);
}

static void test_a_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const struct {
        const char *normalised;
        const char *written;
        uint8_t group;
    } table[] = {
        {"{}", FRONT "}", 2},
        {"{\"kind\":\"a\"}", FRONT ",\"kind\":\"a\"}", 1},
        {"{\"text\":\"é\",\"kind\":\"b\"}", FRONT ",\"text\":\"é\",\"kind\":\"b\"}", 0},
        /* An older schema may have let these through. */
        {"{\"kind\":\"old\"}", FRONT ",\"kind\":\"old\"}", 2},
        {"{\"kind\":7,\"more\":[[]]}", FRONT ",\"kind\":7,\"more\":[[]]}", 2},
    };
    struct mesh_arena *arena = mesh_arena_new(4096);
    const struct mesh_stream *stream = stream_of(arena);
    struct mesh_buffer out = {0};
    struct mesh_id id = {0};
    assert_true(mesh_id_parse(mesh_bytes_of_text(ID), &id));
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        struct mesh_record record = {0};
        const char *reason = NULL;
        mesh_event_write_record(&id, INT64_C(1795216867123),
                                mesh_bytes_of_text(table[i].normalised), &out);
        assert_string_equal(out.data, table[i].written);
        assert_true(mesh_record_read(stream, mesh_buffer_bytes(&out), &record, &reason));
        assert_string_equal(record.id.text, ID);
        assert_true(record.received_at_ms == INT64_C(1795216867123));
        assert_int_equal(record.group, table[i].group);
        mesh_record_done(&record);
        mesh_buffer_reset(&out);
    }
    mesh_buffer_done(&out);
    mesh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poison_records_are_told),
        cmocka_unit_test(test_a_record_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
