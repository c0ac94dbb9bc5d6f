/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every body is refused or read as the README says, and what fits becomes the protobuf that
 * grpc-server reads.
 * Method: tables of bodies; the wire bytes are unpacked with protobuf-c.
 */
#include "body.h"
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "support.h"
#include "tweetmesh/v1/ingest.pb-c.h"
#include "wire.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GOOD "{\"text\":\"rain\",\"country\":\"gt\"}"
#define NOW_MS 1795219200123

static struct mesh_streams *streams;

static struct body_head head_of(enum body_format format)
{
    return (struct body_head){
        .stream = mesh_streams_at(streams, 0), .format = format, .trace = mesh_trace_new()};
}

static void expect_refusal(enum body_format format, struct mesh_bytes text, enum problem_kind kind)
{
    struct body_head head = head_of(format);
    struct body_refusal refusal = {0};
    struct events events;
    assert_false(body_read(&head, text, NOW_MS, &events, &refusal));
    assert_int_equal(refusal.kind, kind);
    assert_true(refusal.detail[0] != '\0');
}

static void test_bodies_that_are_no_events_are_refused_whole(void **state)
{
    (void)state;
    static const struct {
        enum body_format format;
        enum problem_kind kind;
        const char *text;
    } cases[] = {
        {BODY_JSON, PROBLEM_EMPTY_BODY, ""},
        {BODY_NDJSON, PROBLEM_EMPTY_BODY, ""},
        {BODY_JSON, PROBLEM_NOT_JSON, " "},
        {BODY_JSON, PROBLEM_NOT_JSON, "{\"text\":"},
        {BODY_JSON, PROBLEM_NOT_JSON, GOOD " x"},
        {BODY_JSON, PROBLEM_NOT_JSON, "[" GOOD ",]"},
        {BODY_JSON, PROBLEM_NOT_JSON, GOOD "\n" GOOD},
        {BODY_JSON, PROBLEM_NOT_JSON, "{'text':1}"},
        {BODY_JSON, PROBLEM_NOT_JSON, "{\"n\":NaN}"},
        {BODY_JSON, PROBLEM_NOT_JSON, "\xEF\xBB\xBF" GOOD},
        {BODY_JSON, PROBLEM_NOT_JSON, "{\"text\":\"\xC3\xA9\"} \xC3\xA9"},
        {BODY_JSON, PROBLEM_NOT_UTF8, "{\"text\":\"\xC3(\"}"},
        {BODY_JSON, PROBLEM_NOT_UTF8, "{\"text\":\"x\"}\xFF"},
        {BODY_JSON, PROBLEM_NOT_UTF8, "{\"text\":\"\xED\xA0\x80\"}"},
        {BODY_JSON, PROBLEM_DOES_NOT_FIT, "[]"},
        {BODY_NDJSON, PROBLEM_DOES_NOT_FIT, "\n\r\n \t\n"},
        {BODY_NDJSON, PROBLEM_NOT_JSON, GOOD "\n{\"text\":\n" GOOD},
        {BODY_NDJSON, PROBLEM_NOT_UTF8, GOOD "\n{\"text\":\"\xFF\"}\n"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        expect_refusal(cases[i].format, mesh_bytes_of_text(cases[i].text), cases[i].kind);
    }
    expect_refusal(BODY_JSON, mesh_bytes_of("\0", 1), PROBLEM_NOT_JSON);
    expect_refusal(BODY_NDJSON, mesh_bytes_of("\0\n", 2), PROBLEM_NOT_JSON);
}

static void test_a_broken_line_is_named(void **state)
{
    (void)state;
    struct body_head head = head_of(BODY_NDJSON);
    struct body_refusal refusal = {0};
    struct events events;
    assert_false(body_read(&head, mesh_bytes_of_text(GOOD "\n\n{]\n"), NOW_MS, &events, &refusal));
    assert_non_null(strstr(refusal.detail, "line 3"));
}

static void test_at_most_a_thousand_events_are_taken(void **state)
{
    (void)state;
    for (size_t count = 1000; count <= 1001; count++) {
        struct mesh_buffer json = {0};
        struct mesh_buffer lines = {0};
        for (size_t i = 0; i < count; i++) {
            mesh_buffer_add_text(&json, i == 0 ? "[" : ",");
            mesh_buffer_add_text(&json, GOOD);
            mesh_buffer_add_text(&lines, GOOD "\n");
        }
        mesh_buffer_add_text(&json, "]");
        if (count > 1000) {
            expect_refusal(BODY_JSON, mesh_buffer_bytes(&json), PROBLEM_TOO_MANY_EVENTS);
            expect_refusal(BODY_NDJSON, mesh_buffer_bytes(&lines), PROBLEM_TOO_MANY_EVENTS);
        } else {
            struct events events;
            support_events(streams, json.data, &events);
            assert_int_equal(events.count, count);
            assert_int_equal(events.refused, 0);
            assert_false(events.single);
            events_done(&events);
        }
        mesh_buffer_done(&json);
        mesh_buffer_done(&lines);
    }
}

static void test_what_fits_becomes_protobuf(void **state)
{
    (void)state;
    struct body_head head = head_of(BODY_JSON);
    struct body_refusal refusal = {0};
    struct events events;
    assert_true(body_read(&head, mesh_bytes_of_text("[" GOOD ",{\"text\":1}," GOOD "]"), NOW_MS,
                          &events, &refusal));
    assert_int_equal(events.count, 3);
    assert_int_equal(events.refused, 1);
    assert_true(events_sends(&events, 0));
    assert_false(events_sends(&events, 1));
    assert_int_equal(events.at[1].code, MESH_INVALID_ARGUMENT);
    assert_int_equal(events.at[1].reasons.count, 2);

    struct mesh_buffer message = {0};
    uint8_t sequence[WIRE_SEQUENCE_SIZE_MAX];
    size_t size = wire_write_sequence(sequence, UINT64_MAX);
    mesh_buffer_add(&message, mesh_bytes_of(sequence, size));
    mesh_buffer_add(&message, mesh_buffer_bytes(&events.wire));
    Tweetmesh__V1__PublishRequest *request =
        tweetmesh__v1__publish_request__unpack(NULL, message.size, (const uint8_t *)message.data);
    assert_non_null(request);
    assert_true(request->sequence == UINT64_MAX);
    assert_int_equal(request->n_events, 2);
    assert_string_equal(request->events[0]->stream, "tweets");
    assert_string_equal(request->events[0]->id, events.at[0].id.text);
    assert_string_equal(request->events[1]->id, events.at[2].id.text);
    assert_string_not_equal(request->events[0]->id, request->events[1]->id);
    assert_true(request->events[0]->received_at == NOW_MS);
    assert_string_equal(request->events[0]->traceparent, head.trace.traceparent);
    const char *payload = "{\"text\":\"rain\",\"country\":\"Guatemala\"}";
    assert_int_equal(request->events[0]->payload.len, strlen(payload));
    assert_memory_equal(request->events[0]->payload.data, payload, strlen(payload));
    tweetmesh__v1__publish_request__free_unpacked(request, NULL);
    mesh_buffer_done(&message);
    events_done(&events);
}

static void test_a_key_gives_the_same_ids_by_place(void **state)
{
    (void)state;
    struct events first;
    struct events second;
    struct body_head head = head_of(BODY_JSON);
    struct body_refusal refusal = {0};
    head.key = mesh_bytes_of_text("order-7");
    assert_true(body_read(&head, mesh_bytes_of_text("[{}," GOOD "]"), NOW_MS, &first, &refusal));
    assert_true(
        body_read(&head, mesh_bytes_of_text("[" GOOD "," GOOD "]"), NOW_MS + 9, &second, &refusal));
    assert_string_equal(first.at[1].id.text, second.at[1].id.text);
    assert_string_not_equal(second.at[0].id.text, second.at[1].id.text);
    events_done(&first);
    events_done(&second);
}

static void test_reasons_of_one_request_are_bounded(void **state)
{
    (void)state;
    struct mesh_buffer json = {0};
    for (size_t i = 0; i < 1000; i++) {
        mesh_buffer_add_text(&json, i == 0 ? "[" : ",");
        mesh_buffer_add_text(&json, "{\"a\":1,\"b\":1,\"c\":1,\"d\":1}");
    }
    mesh_buffer_add_text(&json, "]");
    struct events events;
    support_events(streams, json.data, &events);
    size_t reasons = 0;
    for (size_t i = 0; i < events.count; i++) {
        assert_true(events.at[i].reasons.count > 0);
        reasons += events.at[i].reasons.count;
    }
    assert_true(reasons <= 1000 + EVENTS_EXTRA_REASONS_MAX);
    events_done(&events);
    mesh_buffer_done(&json);
}

static void test_content_types(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool good;
        enum body_format format;
    } cases[] = {
        {"application/json", true, BODY_JSON},
        {"Application/JSON; charset=UTF-8", true, BODY_JSON},
        {"application/json;charset=\"utf-8\"", true, BODY_JSON},
        {"application/x-ndjson", true, BODY_NDJSON},
        {"application/ndjson", true, BODY_NDJSON},
        {"application/json; charset=latin1", false, 0},
        {"application/jsonx", false, 0},
        {"text/plain", false, 0},
        {"", false, 0},
        {NULL, false, 0},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        enum body_format format = BODY_JSON;
        assert_int_equal(body_format_read(cases[i].type, &format), cases[i].good);
        assert_true(!cases[i].good || format == cases[i].format);
    }
    bool gzip = true;
    assert_true(body_encoding_read(NULL, &gzip) && !gzip);
    assert_true(body_encoding_read("identity", &gzip) && !gzip);
    assert_true(body_encoding_read("gzip", &gzip) && gzip);
    assert_false(body_encoding_read("br", &gzip));
    assert_false(body_encoding_read("gzip, gzip", &gzip));
}

static void test_keys(void **state)
{
    (void)state;
    char long_key[257];
    memset(long_key, 'k', 256);
    long_key[256] = '\0';
    assert_true(body_key_valid(mesh_bytes_of_text("a")));
    assert_true(body_key_valid(mesh_bytes_of(long_key, 255)));
    assert_false(body_key_valid(mesh_bytes_of(long_key, 256)));
    assert_false(body_key_valid(mesh_bytes_of_text("")));
    assert_false(body_key_valid(mesh_bytes_of_text("a b")));
    assert_false(body_key_valid(mesh_bytes_of_text("\xC3\xA9")));
}

/* Packs zeros or text; the caller frees. */
static struct mesh_bytes pack(const void *data, size_t size)
{
    z_stream zlib = {0};
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&zlib, size);
    uint8_t *out = mesh_alloc(room);
    zlib.next_in = (Bytef *)(uintptr_t)data;
    zlib.avail_in = (uInt)size;
    zlib.next_out = out;
    zlib.avail_out = (uInt)room;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    deflateEnd(&zlib);
    return mesh_bytes_of(out, zlib.total_out);
}

static void test_gzip_is_undone_within_the_limit(void **state)
{
    (void)state;
    struct body_refusal refusal = {0};
    struct mesh_buffer plain = {0};
    struct mesh_bytes packed = pack(GOOD, strlen(GOOD));
    assert_true(body_inflate(packed, &plain, &refusal));
    assert_string_equal(plain.data, GOOD);
    mesh_buffer_done(&plain);

    assert_false(body_inflate(mesh_bytes_of(packed.data, packed.size - 1), &plain, &refusal));
    assert_int_equal(refusal.kind, PROBLEM_BAD_GZIP);
    mesh_buffer_done(&plain);
    assert_false(body_inflate(mesh_bytes_of_text(GOOD), &plain, &refusal));
    assert_int_equal(refusal.kind, PROBLEM_BAD_GZIP);
    mesh_buffer_done(&plain);
    free((void *)(uintptr_t)packed.data);

    size_t bomb_size = (size_t)64 * BODY_BYTES_MAX;
    uint8_t *zeros = mesh_alloc_zeroed(1, bomb_size);
    for (size_t size = BODY_BYTES_MAX; size <= bomb_size; size = size * 8 + 1) {
        packed = pack(zeros, size);
        bool good = body_inflate(packed, &plain, &refusal);
        assert_int_equal(good, size == BODY_BYTES_MAX);
        assert_true(plain.size <= BODY_BYTES_MAX);
        assert_true(good || refusal.kind == PROBLEM_TOO_LARGE);
        mesh_buffer_done(&plain);
        free((void *)(uintptr_t)packed.data);
    }
    free(zeros);
}

static int setup(void **state)
{
    (void)state;
    streams = support_streams();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mesh_streams_free(streams);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_that_are_no_events_are_refused_whole),
        cmocka_unit_test(test_a_broken_line_is_named),
        cmocka_unit_test(test_at_most_a_thousand_events_are_taken),
        cmocka_unit_test(test_what_fits_becomes_protobuf),
        cmocka_unit_test(test_a_key_gives_the_same_ids_by_place),
        cmocka_unit_test(test_reasons_of_one_request_are_bounded),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_gzip_is_undone_within_the_limit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
