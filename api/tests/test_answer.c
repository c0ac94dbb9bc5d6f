/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a client is told exactly what became of each event, by the right status.
 * Method: outcomes are set by hand; answers are compared as text.
 */
#include "answer.h"
#include "cmocka_all.h"
#include "support.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GOOD "{\"text\":\"rain\",\"country\":\"gt\"}"
#define BAD "{\"text\":\"rain\",\"country\":7}"

static struct mesh_streams *streams;

static void set(struct events *events, size_t index, enum mesh_code code, int32_t partition,
                int64_t offset)
{
    events->at[index].code = code;
    events->at[index].partition = partition;
    events->at[index].offset = offset;
    strcpy(events->at[index].id.text, "01a1fb67-e3ff-78a6-8b0d-40214dc0600b");
}

static void expect(struct events *events, int status, const char *body)
{
    struct answer answer;
    answer_events(events, &answer);
    assert_string_equal(answer.body.data, body);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.content_type, status < 300 ? ANSWER_JSON : ANSWER_PROBLEM);
    assert_int_equal(answer.retry_after, status == 503);
    mesh_buffer_done(&answer.body);
    events_done(events);
}

static void test_one_event(void **state)
{
    (void)state;
    static const struct {
        enum mesh_code code;
        int32_t partition;
        int64_t offset;
        int status;
        const char *body;
    } cases[] = {
        {MESH_OK, 3, 1234, 202,
         "{\"id\":\"01a1fb67-e3ff-78a6-8b0d-40214dc0600b\",\"partition\":3,\"offset\":1234}"},
        {MESH_OK, 3, -1, 202,
         "{\"id\":\"01a1fb67-e3ff-78a6-8b0d-40214dc0600b\",\"partition\":3,\"offset\":null}"},
        {MESH_OK, 2147483647, INT64_MAX, 202,
         "{\"id\":\"01a1fb67-e3ff-78a6-8b0d-40214dc0600b\",\"partition\":2147483647,"
         "\"offset\":9223372036854775807}"},
        {MESH_UNAVAILABLE, -1, -1, 503,
         "{\"type\":\"urn:tweetmesh:problem:unavailable\",\"title\":\"Storage is unavailable; "
         "nothing "
         "was stored\",\"status\":503,\"detail\":\"send it again later\"}"},
        {MESH_RESOURCE_EXHAUSTED, -1, -1, 503,
         "{\"type\":\"urn:tweetmesh:problem:overloaded\",\"title\":\"Too much is in flight; "
         "nothing "
         "was stored\",\"status\":503,\"detail\":\"send it again later\"}"},
        {MESH_DEADLINE_EXCEEDED, -1, -1, 504,
         "{\"type\":\"urn:tweetmesh:problem:outcome-unknown\",\"title\":\"The outcome is unknown\","
         "\"status\":504,\"detail\":\"it may or may not be stored: send it again with the same "
         "Idempotency-Key\"}"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        struct events events;
        support_events(streams, GOOD, &events);
        set(&events, 0, cases[i].code, cases[i].partition, cases[i].offset);
        expect(&events, cases[i].status, cases[i].body);
    }
}

static void test_one_event_that_does_not_fit(void **state)
{
    (void)state;
    struct events events;
    support_events(streams, BAD, &events);
    expect(
        &events, 422,
        "{\"type\":\"urn:tweetmesh:problem:does-not-fit\",\"title\":\"The event does not fit the "
        "stream's schema\",\"status\":422,\"detail\":\"errors names each place and what is wrong "
        "there\",\"errors\":[{\"pointer\":\"/country\",\"reason\":\"must "
        "be a string\"}]}");
}

static void test_a_list_of_one_is_answered_as_a_list(void **state)
{
    (void)state;
    struct events events;
    support_events(streams, "[" GOOD "]", &events);
    set(&events, 0, MESH_OK, 0, 7);
    expect(&events, 202,
           "{\"accepted\":1,\"rejected\":0,\"results\":[{\"id\":\"01a1fb67-e3ff-78a6-8b0d-"
           "40214dc0600b\",\"partition\":0,\"offset\":7}]}");
}

static void test_a_list_taken_in_part(void **state)
{
    (void)state;
    struct events events;
    support_events(streams, "[" GOOD "," BAD "," GOOD "]", &events);
    set(&events, 0, MESH_OK, 0, 7);
    set(&events, 2, MESH_UNAVAILABLE, -1, -1);
    expect(
        &events, 207,
        "{\"accepted\":1,\"rejected\":2,\"results\":[{\"id\":\"01a1fb67-e3ff-78a6-8b0d-"
        "40214dc0600b\",\"partition\":0,\"offset\":7},{\"index\":1,\"problem\":{\"type\":\"urn:"
        "tweetmesh:problem:does-not-fit\",\"title\":\"The event does not fit the stream's schema\","
        "\"status\":422,\"detail\":\"errors names each place and what is wrong "
        "there\",\"errors\":[{\"pointer\":\"/country\",\"reason\":\"must be a string\"}]}},"
        "{\"index\":2,\"problem\":{\"type\":\"urn:tweetmesh:problem:unavailable\",\"title\":"
        "\"Storage is unavailable; nothing was stored\",\"status\":503,\"detail\":\"send it again "
        "later\"}}]}");
}

static void test_a_list_that_does_not_fit_at_all(void **state)
{
    (void)state;
    struct events events;
    support_events(streams, "[" BAD ",5]", &events);
    expect(
        &events, 422,
        "{\"type\":\"urn:tweetmesh:problem:does-not-fit\",\"title\":\"The event does not fit the "
        "stream's schema\",\"status\":422,\"detail\":\"none of the events fits; nothing was "
        "stored\",\"errors\":[{\"pointer\":\"/0/country\",\"reason\":\"must be a string\"},"
        "{\"pointer\":\"/1\",\"reason\":\"must be an object\"}]}");
}

static int status_of(enum mesh_code first, enum mesh_code second)
{
    struct events events;
    struct answer answer;
    support_events(streams, "[" GOOD "," GOOD "]", &events);
    set(&events, 0, first, -1, -1);
    set(&events, 1, second, -1, -1);
    answer_events(&events, &answer);
    int status = answer.status;
    assert_int_equal(answer.retry_after, status == 503);
    mesh_buffer_done(&answer.body);
    events_done(&events);
    return status;
}

static void test_a_list_that_failed_as_a_whole(void **state)
{
    (void)state;
    assert_int_equal(status_of(MESH_UNAVAILABLE, MESH_RESOURCE_EXHAUSTED), 503);
    assert_int_equal(status_of(MESH_UNAVAILABLE, MESH_DEADLINE_EXCEEDED), 504);
    assert_int_equal(status_of(MESH_DEADLINE_EXCEEDED, MESH_DEADLINE_EXCEEDED), 504);
    assert_int_equal(status_of(MESH_OK, MESH_DEADLINE_EXCEEDED), 207);
    assert_int_equal(status_of(MESH_INVALID_ARGUMENT, MESH_UNAVAILABLE), 207);
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
        cmocka_unit_test(test_one_event),
        cmocka_unit_test(test_one_event_that_does_not_fit),
        cmocka_unit_test(test_a_list_of_one_is_answered_as_a_list),
        cmocka_unit_test(test_a_list_taken_in_part),
        cmocka_unit_test(test_a_list_that_does_not_fit_at_all),
        cmocka_unit_test(test_a_list_that_failed_as_a_whole),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
