/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a request's bytes become records, or reasons; nothing from outside costs more than its size
 * allows.
 * Method: requests packed by protobuf-c, and bytes written by hand where it would not write them.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/event.h"
#include "mesh/metrics.h"
#include "mesh/spans.h"
#include "request.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <stdlib.h>
#include <string.h>

static const int64_t now_ms = 1795000000000;
static const char id[] = "01a1fb60-864f-782e-9065-1a06fdb5b637";
static const char trace[] = "00-7bb97f58f35e84a5ef89325dd52264ec-ab9fa6328f755d71-00";

static struct mesh_streams *streams;

static int streams_load(void **state)
{
    struct mesh_error err = {0};

    (void)state;
    streams = mesh_streams_load("streams", &err);
    assert_non_null(streams);
    return 0;
}

static int streams_free(void **state)
{
    (void)state;
    mesh_streams_free(streams);
    return 0;
}

static Tweetmesh__V1__Event event_of(const char *payload)
{
    Tweetmesh__V1__Event event = TWEETMESH__V1__EVENT__INIT;

    event.stream = (char *)"tweets";
    event.payload = (ProtobufCBinaryData){.data = (uint8_t *)payload, .len = strlen(payload)};
    return event;
}

/* Packs, unpacks and checks a request of one event. */
static struct request *checked(const Tweetmesh__V1__Event *event)
{
    Tweetmesh__V1__PublishRequest message = TWEETMESH__V1__PUBLISH_REQUEST__INIT;
    Tweetmesh__V1__Event *events[] = {(Tweetmesh__V1__Event *)event};
    struct mesh_error err = {0};

    message.events = events;
    message.n_events = 1;
    size_t size = tweetmesh__v1__publish_request__get_packed_size(&message);
    uint8_t *bytes = mesh_alloc(size);
    (void)tweetmesh__v1__publish_request__pack(&message, bytes);
    struct request *request = request_new(streams, mesh_bytes_of(bytes, size), &err);
    assert_non_null(request);
    request_check(request, now_ms);
    free(bytes); /* nothing may point into it any more */
    return request;
}

static Tweetmesh__V1__PublishReply *reply_of(struct request *request)
{
    size_t size = request_reply_size(request);
    uint8_t *bytes = mesh_alloc(size);

    request_reply_write(request, bytes);
    Tweetmesh__V1__PublishReply *reply = tweetmesh__v1__publish_reply__unpack(NULL, size, bytes);
    free(bytes);
    assert_non_null(reply);
    return reply;
}

static void assert_refused(const Tweetmesh__V1__Event *event, const char *reason)
{
    struct request *request = checked(event);
    Tweetmesh__V1__PublishReply *reply = reply_of(request);

    assert_int_equal(reply->codes[0], MESH_INVALID_ARGUMENT);
    assert_int_equal(reply->n_problems, 1);
    assert_string_equal(reply->problems[0]->reason, reason);
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    request_free(request);
}

static void test_bad_envelopes_are_refused_with_a_reason(void **state)
{
    static const char good[] = "{\"text\":\"a\",\"country\":\"GT\"}";
    Tweetmesh__V1__Event event = event_of(good);

    (void)state;
    event.stream = (char *)"none";
    assert_refused(&event, "the stream is not declared");
    event = event_of(good);
    event.id = (char *)"01A1FB60-864F-782E-9065-1A06FDB5B637";
    assert_refused(&event, "the id is not a UUID in lower case");
    event = event_of("{\"text\":");
    assert_refused(&event, "the payload is not JSON in UTF-8");
    event = event_of("");
    assert_refused(&event, "the payload is not JSON in UTF-8");
}

static void test_a_payload_above_the_limit_is_refused(void **state)
{
    char *payload = mesh_alloc_zeroed(MESH_EVENT_BYTES_MAX + 2, 1);

    (void)state;
    memset(payload, ' ', MESH_EVENT_BYTES_MAX + 1);
    Tweetmesh__V1__Event event = event_of(payload);
    assert_refused(&event, "the payload is larger than 16 KiB");
    free(payload);
}

static void test_many_small_fields_are_refused_before_they_cost_memory(void **state)
{
    enum { FIELDS = 2 * 1024 * 1024 };
    struct mesh_error err = {0};
    uint8_t *bytes = mesh_alloc((size_t)FIELDS * 2);

    (void)state;
    for (size_t i = 0; i < FIELDS; i++) {
        bytes[2 * i] = 15 << 3; /* an unknown number field */
        bytes[2 * i + 1] = 0;
    }
    assert_null(request_new(streams, mesh_bytes_of(bytes, (size_t)FIELDS * 2), &err));
    for (size_t i = 0; i < FIELDS; i++) {
        bytes[2 * i] = 2 << 3 | 2; /* an empty event */
    }
    assert_null(request_new(streams, mesh_bytes_of(bytes, (size_t)FIELDS * 2), &err));
    assert_string_equal(err.text, "the request holds more than 1000 events");
    free(bytes);
}

static void test_cut_and_odd_bytes_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x08", 1},             /* a number field without its number */
        {"\x12\x05\x0a", 3},     /* an event that is said to be longer */
        {"\x12\x02\x0a\x7f", 4}, /* the same inside the event */
        {"\x0b", 1},             /* a group */
        {"\x12\x01\x0b", 3},     /* a group inside the event */
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, /* a number without an end */
        {"\x11\x01\x02", 3},                                  /* eight bytes that are two */
        {"\x15\x01", 2},                                      /* four bytes that are one */
        {"\x0a\x00\x12\x00", 4},                              /* a sequence that is text */
        {"\x10\x01", 2},                                      /* events that are a number */
        {"\x12\x02\x0a\x00\x10\x01", 6}, /* an event, and one that is a number */
        {"\x12\x02\x08\x01", 4},         /* a stream that is a number */
        {"\x12\x02\x22\x00", 4},         /* a time that is text */
        {"", 0},
    };
    struct mesh_error err = {0};

    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        assert_null(request_new(streams, mesh_bytes_of(cases[i].bytes, cases[i].size), &err));
        assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    }
}

/* What a later version adds is passed over; of a field that is there twice the last counts. */
static void test_unknown_and_repeated_fields_are_no_trouble(void **state)
{
    static const char message[] = "\x38\x01"                   /* field 7: 1 */
                                  "\x08\x05\x08\xac\x02"       /* sequence: 5, then 300 */
                                  "\x12\x3b"                   /* an event of 59 bytes */
                                  "\x0a\x04none\x0a\x06tweets" /* stream: twice */
                                  "\x1a\x01{"                  /* payload: twice */
                                  "\x1a\x1b{\"text\":\"a\",\"country\":\"GT\"}" /* 27 bytes */
                                  "\x3a\x02xx"                                  /* field 7 */
                                  "\x31\x01\x02\x03\x04\x05\x06\x07\x08"
                                  "\x12\x00"; /* an event without anything */
    struct mesh_error err = {0};
    struct request *request =
        request_new(streams, mesh_bytes_of(message, sizeof message - 1), &err);

    (void)state;
    assert_non_null(request);
    request_check(request, now_ms);
    assert_int_equal(request_batch(request)->count, 2);
    assert_int_equal(request_batch(request)->at[0].code, MESH_OK);
    Tweetmesh__V1__PublishReply *reply = reply_of(request);
    assert_int_equal(reply->sequence, 300);
    assert_int_equal(reply->codes[1], MESH_INVALID_ARGUMENT);
    assert_string_equal(reply->problems[0]->reason, "the stream is not declared");
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    request_free(request);
}

/* As a text that C would end at the NUL they would do. */
static void test_a_nul_is_no_end_of_a_name(void **state)
{
    static const char message[] = "\x12\x27\x0a\x08tweets\0x"
                                  "\x1a\x1b{\"text\":\"a\",\"country\":\"GT\"}";
    struct mesh_error err = {0};
    struct request *request =
        request_new(streams, mesh_bytes_of(message, sizeof message - 1), &err);

    (void)state;
    assert_non_null(request);
    request_check(request, now_ms);
    assert_int_equal(request_batch(request)->at[0].code, MESH_INVALID_ARGUMENT);
    request_free(request);
}

/* Three events, of which only the last has a trace; checked. */
static struct request *checked_with_one_trace(void)
{
    Tweetmesh__V1__Event bare = event_of("{\"text\":\"a\",\"country\":\"GT\"}");
    Tweetmesh__V1__Event traced = bare;
    Tweetmesh__V1__PublishRequest message = TWEETMESH__V1__PUBLISH_REQUEST__INIT;
    Tweetmesh__V1__Event *events[] = {&bare, &bare, &traced};
    uint8_t bytes[256];
    struct mesh_error err = {0};

    traced.traceparent = (char *)trace;
    message.events = events;
    message.n_events = MESH_COUNT_OF(events);
    assert_true(tweetmesh__v1__publish_request__get_packed_size(&message) <= sizeof bytes);
    size_t size = tweetmesh__v1__publish_request__pack(&message, bytes);
    struct request *request = request_new(streams, mesh_bytes_of(bytes, size), &err);
    assert_non_null(request);
    request_check(request, now_ms);
    return request;
}

static void test_without_spans_no_trace_begins_here(void **state)
{
    struct request *request = checked_with_one_trace();
    const struct publication *at = request_batch(request)->at;

    (void)state;
    assert_string_equal(at[0].trace.traceparent, "");
    assert_string_equal(at[1].trace.traceparent, "");
    assert_string_equal(at[2].trace.traceparent, trace);
    assert_string_not_equal(at[0].id.text, at[1].id.text);
    request_free(request);
}

/* With spans one is made, for what came together, not for each. What is not sampled has no spans,
 * but its trace goes on, whatever its flags. */
static void test_with_spans_events_without_a_trace_share_one(void **state)
{
    static const struct mesh_spans_config config = {.endpoint = "http://127.0.0.1:1",
                                                    .traces_endpoint = "",
                                                    .headers = "",
                                                    .timeout_ms = 1,
                                                    .sampler = "parentbased_always_off",
                                                    .sampler_arg = "",
                                                    .service_name = "",
                                                    .resource_attributes = "",
                                                    .batch_len_max = 1,
                                                    .queue_len_max = 1,
                                                    .delay_ms = 1,
                                                    .export_ms_max = 1};
    struct mesh_error err = {0};

    (void)state;
    assert_true(mesh_spans_start(&config, "test", &err));
    struct request *request = checked_with_one_trace();
    const struct publication *at = request_batch(request)->at;
    assert_true(mesh_trace_valid(mesh_bytes_of_text(at[0].trace.traceparent)));
    assert_string_equal(at[0].trace.traceparent, at[1].trace.traceparent);
    assert_string_equal(at[2].trace.traceparent, trace);
    request_free(request);
    mesh_spans_stop(0);
    mesh_metrics_done();
}

static void test_a_good_event_becomes_a_record(void **state)
{
    static const char wanted[] =
        "{\"id\":\"01a1fb60-864f-782e-9065-1a06fdb5b637\",\"received_at\":"
        "\"2026-11-18T11:06:39.999Z\",\"text\":\"a\",\"country\":\"Guatemala\"}";
    Tweetmesh__V1__Event event = event_of("{ \"texto\": \"a\", \"pais\": \"gt\" }");

    (void)state;
    event.id = (char *)id;
    event.traceparent = (char *)trace;
    event.received_at = (uint64_t)now_ms - 1;
    struct request *request = checked(&event);
    const struct publication *publication = &request_batch(request)->at[0];
    assert_int_equal(publication->code, MESH_OK);
    assert_string_equal(publication->id.text, id);
    assert_string_equal(publication->trace.traceparent, trace);
    assert_int_equal(publication->received_at_ms, now_ms - 1);
    assert_int_equal(publication->value.size, sizeof wanted - 1);
    assert_memory_equal(publication->value.data, wanted, sizeof wanted - 1);
    Tweetmesh__V1__PublishReply *reply = reply_of(request);
    assert_int_equal(reply->n_ids, 0); /* the client knows it */
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    request_free(request);
}

/* Clocks of two machines differ, or one was just set: the event is good all the same. */
static void test_a_time_too_far_ahead_becomes_now(void **state)
{
    const uint64_t limit = (uint64_t)now_ms + REQUEST_AHEAD_MS_MAX;
    const struct {
        uint64_t told;
        int64_t taken;
    } cases[] = {{limit, (int64_t)limit}, {limit + 1, now_ms}, {UINT64_MAX, now_ms}};

    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        Tweetmesh__V1__Event event = event_of("{\"text\":\"a\",\"country\":\"GT\"}");
        event.received_at = cases[i].told;
        struct request *request = checked(&event);
        const struct publication *publication = &request_batch(request)->at[0];
        assert_int_equal(publication->code, MESH_OK);
        assert_int_equal(publication->received_at_ms, cases[i].taken);
        request_free(request);
    }
}

static void test_what_the_client_left_out_is_made(void **state)
{
    Tweetmesh__V1__Event event = event_of("{\"text\":\"a\",\"country\":\"GT\"}");

    (void)state;
    event.traceparent = (char *)"00-broken";
    struct request *request = checked(&event);
    const struct publication *publication = &request_batch(request)->at[0];
    assert_int_equal(publication->received_at_ms, now_ms);
    assert_string_equal(publication->trace.traceparent, ""); /* a broken one is as good as none */
    Tweetmesh__V1__PublishReply *reply = reply_of(request);
    assert_int_equal(reply->n_ids, 1);
    assert_string_equal(reply->ids[0], publication->id.text);
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    request_free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_envelopes_are_refused_with_a_reason),
        cmocka_unit_test(test_a_payload_above_the_limit_is_refused),
        cmocka_unit_test(test_many_small_fields_are_refused_before_they_cost_memory),
        cmocka_unit_test(test_cut_and_odd_bytes_are_refused),
        cmocka_unit_test(test_unknown_and_repeated_fields_are_no_trouble),
        cmocka_unit_test(test_a_nul_is_no_end_of_a_name),
        cmocka_unit_test(test_without_spans_no_trace_begins_here),
        cmocka_unit_test(test_with_spans_events_without_a_trace_share_one),
        cmocka_unit_test(test_a_good_event_becomes_a_record),
        cmocka_unit_test(test_a_time_too_far_ahead_becomes_now),
        cmocka_unit_test(test_what_the_client_left_out_is_made),
    };

    return cmocka_run_group_tests_name("request", tests, streams_load, streams_free);
}
