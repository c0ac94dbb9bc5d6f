/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is sent is the PublishRequest that the server will see. Method: protobuf-c reads back
 * what was written by hand.
 */
#include "lines_fixture.h"
#include "mesh/id.h"
#include "messages.h"
#include "tweetmesh/v1/ingest.pb-c.h"

static struct messages *messages_of(const char *text, const char *stream, uint64_t batch)
{
    struct mesh_error err = {0};
    struct lines *lines = lines_of(text, &err);
    assert_non_null(lines);
    struct messages *messages = messages_new(lines, stream, batch, &err);
    assert_non_null(messages);
    lines_free(lines);
    return messages;
}

/* The caller frees it. */
static Tweetmesh__V1__PublishRequest *written(struct messages *messages, uint64_t number,
                                              uint64_t events, uint64_t sequence)
{
    size_t size_max = messages_size(messages, number, events) + MESSAGES_SEQUENCE_BYTES_MAX;
    uint8_t *bytes = malloc(size_max);
    assert_non_null(bytes);
    size_t size = messages_write(messages, number, events, sequence, bytes);
    assert_in_range(size, 1, size_max);
    Tweetmesh__V1__PublishRequest *request =
        tweetmesh__v1__publish_request__unpack(NULL, size, bytes);
    free(bytes);
    assert_non_null(request);
    assert_int_equal(request->sequence, sequence);
    assert_int_equal(request->n_events, events);
    return request;
}

static void expect_event(const Tweetmesh__V1__PublishRequest *request, size_t index,
                         const char *payload)
{
    const Tweetmesh__V1__Event *event = request->events[index];
    struct mesh_id id;
    assert_string_equal(event->stream, "tweets");
    assert_true(mesh_id_parse(mesh_bytes_of_text(event->id), &id));
    assert_int_equal(event->payload.len, strlen(payload));
    assert_memory_equal(event->payload.data, payload, event->payload.len);
    assert_int_equal(event->received_at, 0);
}

static void test_lines_go_round_and_round(void **state)
{
    (void)state;
    struct messages *messages = messages_of("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", "tweets", 2);
    static const char *const wanted[][2] = {{"{\"a\":1}", "{\"a\":2}"}, {"{\"a\":3}", "{\"a\":1}"}};
    for (uint64_t number = 0; number < 4; number++) {
        Tweetmesh__V1__PublishRequest *request = written(messages, number, 2, number + 1);
        expect_event(request, 0, wanted[number % 2][0]);
        expect_event(request, 1, wanted[number % 2][1]);
        tweetmesh__v1__publish_request__free_unpacked(request, NULL);
    }
    messages_free(messages);
}

static void test_no_id_comes_twice(void **state)
{
    (void)state;
    struct messages *messages = messages_of("{}\n", "tweets", 3);
    Tweetmesh__V1__PublishRequest *first = written(messages, 0, 3, 1);
    Tweetmesh__V1__PublishRequest *second = written(messages, 0, 3, 2);
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            assert_string_not_equal(first->events[i]->id, second->events[j]->id);
            assert_true(i == j || strcmp(first->events[i]->id, first->events[j]->id) != 0);
        }
    }
    tweetmesh__v1__publish_request__free_unpacked(first, NULL);
    tweetmesh__v1__publish_request__free_unpacked(second, NULL);
    messages_free(messages);
}

static void test_a_message_may_be_cut_short(void **state)
{
    (void)state;
    struct messages *messages = messages_of("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", "tweets", 3);
    Tweetmesh__V1__PublishRequest *request = written(messages, 5, 1, UINT64_MAX);
    expect_event(request, 0, "{\"a\":1}");
    tweetmesh__v1__publish_request__free_unpacked(request, NULL);
    messages_free(messages);
}

static void test_a_long_payload_has_a_long_length(void **state)
{
    (void)state;
    static char line[20001];
    memset(line, 'x', sizeof(line) - 1);
    struct messages *messages = messages_of(line, "tweets", MESSAGES_BATCH_MAX / 10);
    Tweetmesh__V1__PublishRequest *request =
        written(messages, 0, MESSAGES_BATCH_MAX / 10, UINT64_C(1) << 40);
    expect_event(request, 99, line);
    tweetmesh__v1__publish_request__free_unpacked(request, NULL);
    messages_free(messages);
}

static void test_what_the_contract_forbids_is_refused(void **state)
{
    (void)state;
    static char line[20001];
    static char stream[MESSAGES_STREAM_BYTES_MAX + 2];
    struct mesh_error err = {0};
    memset(line, 'x', sizeof(line) - 1);
    memset(stream, 's', sizeof(stream) - 1);
    struct lines *lines = lines_of(line, &err);
    assert_null(messages_new(lines, "tweets", MESSAGES_BATCH_MAX, &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    assert_null(messages_new(lines, stream, 1, &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    lines_free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_go_round_and_round),
        cmocka_unit_test(test_no_id_comes_twice),
        cmocka_unit_test(test_a_message_may_be_cut_short),
        cmocka_unit_test(test_a_long_payload_has_a_long_length),
        cmocka_unit_test(test_what_the_contract_forbids_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
