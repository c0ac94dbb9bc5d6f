/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written for grpc-server is a PublishRequest with the events that were added.
 * Method: events whose payloads lie around each border of a length's size, one behind the other,
 * read back by protobuf-c.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/event.h"
#include "mesh/trace.h"
#include "tweetmesh/v1/ingest.pb-c.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static const size_t sizes[] = {2, 15, 16, 126, 127, 128, 129, 16382, 16383, MESH_EVENT_BYTES_MAX};

/* Writes and reads back events that all have this trace, or none. */
static void write_and_read(const char *traceparent)
{
    char *payload = mesh_alloc(MESH_EVENT_BYTES_MAX);
    memset(payload, 'x', MESH_EVENT_BYTES_MAX);
    const struct mesh_id id = mesh_id_new(INT64_C(1795216867123));
    struct mesh_buffer out = {0};
    uint8_t sequence[WIRE_SEQUENCE_SIZE_MAX];
    size_t sequence_size = wire_write_sequence(sequence, UINT64_MAX);
    mesh_buffer_add(&out, mesh_bytes_of(sequence, sequence_size));
    for (size_t i = 0; i < MESH_COUNT_OF(sizes); i++) {
        wire_add_event(&out, &(struct wire_event){.stream = "tweets",
                                                  .id = &id,
                                                  .traceparent = traceparent,
                                                  .received_at_ms = (int64_t)1 << (4 * i),
                                                  .payload = mesh_bytes_of(payload, sizes[i])});
        assert_int_equal(out.data[out.size], '\0');
    }
    Tweetmesh__V1__PublishRequest *request =
        tweetmesh__v1__publish_request__unpack(NULL, out.size, (const uint8_t *)out.data);
    assert_non_null(request);
    assert_true(request->sequence == UINT64_MAX);
    assert_int_equal(request->n_events, MESH_COUNT_OF(sizes));
    for (size_t i = 0; i < MESH_COUNT_OF(sizes); i++) {
        const Tweetmesh__V1__Event *event = request->events[i];
        assert_string_equal(event->stream, "tweets");
        assert_string_equal(event->id, id.text);
        assert_string_equal(event->traceparent, traceparent);
        assert_true(event->received_at == UINT64_C(1) << (4 * i));
        assert_int_equal(event->payload.len, sizes[i]);
        assert_memory_equal(event->payload.data, payload, sizes[i]);
    }
    tweetmesh__v1__publish_request__free_unpacked(request, NULL);
    mesh_buffer_done(&out);
    free(payload);
}

static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    write_and_read(TRACEPARENT);
    write_and_read("");
}

static void test_no_trace_is_no_field(void **state)
{
    (void)state;
    const struct mesh_id id = mesh_id_new(INT64_C(1795216867123));
    size_t size[2];
    for (size_t i = 0; i < MESH_COUNT_OF(size); i++) {
        struct mesh_buffer out = {0};
        wire_add_event(&out, &(struct wire_event){.stream = "tweets",
                                                  .id = &id,
                                                  .traceparent = i == 0 ? "" : TRACEPARENT,
                                                  .received_at_ms = 1,
                                                  .payload = mesh_bytes_of_text("{}")});
        size[i] = out.size;
        mesh_buffer_done(&out);
    }
    assert_int_equal(size[1] - size[0], 2 + MESH_TRACEPARENT_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_no_trace_is_no_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
