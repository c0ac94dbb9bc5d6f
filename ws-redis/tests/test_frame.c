/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: only frames within every limit come through, with their groups as the stream knows them.
 * Method: frames packed by protobuf-c with one thing wrong each; cut and random bytes.
 */
#include "cmocka_all.h"
#include "frame.h"
#include "mesh/alloc.h"
#include "stream_fixture.h"
#include "tweetmesh/v1/counts.pb-c.h"

#include <stdlib.h>
#include <string.h>

static struct {
    struct mesh_streams *streams;
    struct frame_reader *reader;
    struct frame frame;
} test;

static int start(void **state)
{
    (void)state;
    test.streams = stream_fixture_new();
    test.reader = frame_reader_new(test.streams);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    frame_reader_free(test.reader);
    mesh_streams_free(test.streams);
    return 0;
}

static enum frame_result read_packed(const Tweetmesh__V1__CountFrame *message)
{
    const size_t size = tweetmesh__v1__count_frame__get_packed_size(message);
    uint8_t *packed = mesh_alloc(size + 1);
    (void)tweetmesh__v1__count_frame__pack(message, packed);
    const enum frame_result result =
        frame_read(test.reader, mesh_bytes_of(packed, size), &test.frame);
    free(packed);
    return result;
}

/* A good frame, of which each case changes one thing. */
static Tweetmesh__V1__CountFrame good_message(void)
{
    static uint8_t groups[] = {0, 255, 1};
    static char *names[] = {"Peru", "Chile"};
    Tweetmesh__V1__CountFrame message = TWEETMESH__V1__COUNT_FRAME__INIT;
    message.stream = "test";
    message.partition = 3;
    message.first_offset = 1000;
    message.groups = (ProtobufCBinaryData){sizeof(groups), groups};
    message.group_names = names;
    message.n_group_names = 2;
    message.accepted_at = 5;
    return message;
}

static void test_bytes_that_are_no_frame_are_malformed(void **state)
{
    (void)state;
    const uint8_t wrong_wire_type[] = {0x0d, 1};
    const uint8_t endless_length[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f};
    uint8_t *big = mesh_alloc_zeroed(FRAME_BYTES_MAX + 1, 1);
    assert_int_equal(frame_read(test.reader, mesh_bytes_of(wrong_wire_type, 2), &test.frame),
                     FRAME_MALFORMED);
    assert_int_equal(frame_read(test.reader, mesh_bytes_of(endless_length, 6), &test.frame),
                     FRAME_MALFORMED);
    assert_int_equal(frame_read(test.reader, mesh_bytes_of(big, FRAME_BYTES_MAX + 1), &test.frame),
                     FRAME_MALFORMED);
    free(big);
}

static void test_cut_frames_never_come_through_as_more(void **state)
{
    (void)state;
    struct mesh_buffer packed = {0};
    stream_fixture_frame(1, 7, "0101", &packed);
    for (size_t size = 0; size < packed.size; size++) {
        const enum frame_result result =
            frame_read(test.reader, mesh_bytes_of(packed.data, size), &test.frame);
        assert_true(result != FRAME_GOOD || test.frame.count <= 4);
    }
    mesh_buffer_done(&packed);
}

static void test_unknown_stream_is_told(void **state)
{
    (void)state;
    Tweetmesh__V1__CountFrame message = good_message();
    message.stream = "other";
    assert_int_equal(read_packed(&message), FRAME_NO_STREAM);
    message.stream = "";
    assert_int_equal(read_packed(&message), FRAME_NO_STREAM);
}

static void test_each_limit_holds(void **state)
{
    (void)state;
    static uint8_t many[MESH_COUNTERS_RANGE_MAX + 1];
    static char *many_names[MESH_GROUP_COUNT_MAX + 1];
    char long_name[FRAME_NAME_BYTES_MAX + 2];
    memset(long_name, 'x', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    for (size_t i = 0; i < MESH_COUNT_OF(many_names); i++) {
        many_names[i] = "Peru";
    }

    Tweetmesh__V1__CountFrame message = good_message();
    message.partition = MESH_COUNTERS_PARTITION_COUNT_MAX;
    assert_int_equal(read_packed(&message), FRAME_INVALID);

    message = good_message();
    message.first_offset = MESH_COUNTERS_OFFSET_MAX + 1;
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    message.first_offset = UINT64_MAX;
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    message.first_offset = MESH_COUNTERS_OFFSET_MAX;
    assert_int_equal(read_packed(&message), FRAME_GOOD);

    message = good_message();
    message.groups.len = 0;
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    message.groups = (ProtobufCBinaryData){sizeof(many), many};
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    message.groups.len--;
    assert_int_equal(read_packed(&message), FRAME_GOOD);

    message = good_message();
    message.group_names = many_names;
    message.n_group_names = MESH_COUNT_OF(many_names);
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    message.n_group_names--;
    assert_int_equal(read_packed(&message), FRAME_GOOD);

    char *bad_names[] = {"", "\xff", "\xed\xa0\x80", long_name};
    for (size_t i = 0; i < MESH_COUNT_OF(bad_names); i++) {
        char *names[] = {"Peru", bad_names[i]};
        message = good_message();
        message.group_names = names;
        assert_int_equal(read_packed(&message), FRAME_INVALID);
    }
}

static void test_group_without_a_name_is_invalid(void **state)
{
    (void)state;
    uint8_t groups[] = {0, 2};
    Tweetmesh__V1__CountFrame message = good_message();
    message.groups = (ProtobufCBinaryData){2, groups};
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    groups[1] = MESH_GROUP_NOT_COUNTED; /* only the consumer may say that */
    assert_int_equal(read_packed(&message), FRAME_INVALID);
}

static void test_unknown_group_becomes_a_hole(void **state)
{
    (void)state;
    struct mesh_buffer packed = {0};
    stream_fixture_frame(1, 7, "02-1", &packed);
    assert_int_equal(frame_read(test.reader, mesh_buffer_bytes(&packed), &test.frame), FRAME_GOOD);
    assert_int_equal(test.frame.events, 2);
    assert_int_equal(test.frame.unknown, 1);
    assert_int_equal(test.frame.groups[1], MESH_GROUP_HOLE);
    mesh_buffer_done(&packed);
}

static void test_health_comes_in_frames_without_a_stream(void **state)
{
    (void)state;
    Tweetmesh__V1__ProgramHealth health[FRAME_PROGRAMS_MAX + 1];
    Tweetmesh__V1__ProgramHealth *programs[FRAME_PROGRAMS_MAX + 1];
    Tweetmesh__V1__CountFrame message = TWEETMESH__V1__COUNT_FRAME__INIT;
    for (size_t i = 0; i < MESH_COUNT_OF(health); i++) {
        health[i] = (Tweetmesh__V1__ProgramHealth)TWEETMESH__V1__PROGRAM_HEALTH__INIT;
        health[i].program = "api";
        health[i].instance = "pod:8081";
        health[i].ready = i == 1;
        programs[i] = &health[i];
    }
    message.programs = programs;
    assert_int_equal(read_packed(&message), FRAME_NO_STREAM); /* nothing at all */
    message.n_programs = MESH_COUNT_OF(health);
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    message.n_programs = FRAME_PROGRAMS_MAX;
    assert_int_equal(read_packed(&message), FRAME_HEALTH);
    assert_int_equal(test.frame.program_count, FRAME_PROGRAMS_MAX);
    assert_string_equal(test.frame.programs[1].name, "api");
    assert_string_equal(test.frame.programs[1].instance, "pod:8081");
    assert_true(test.frame.programs[1].ready);
    assert_false(test.frame.programs[0].ready);
    message.stream = "no-such-stream";
    assert_int_equal(read_packed(&message), FRAME_NO_STREAM);
    message.stream = "";
    health[2].instance = "a b";
    assert_int_equal(read_packed(&message), FRAME_INVALID);
    health[2].instance = "";
    assert_int_equal(read_packed(&message), FRAME_INVALID);
}

static void test_names_become_the_streams_groups(void **state)
{
    (void)state;
    Tweetmesh__V1__CountFrame message = good_message();
    assert_int_equal(read_packed(&message), FRAME_GOOD);
    assert_string_equal(test.frame.stream->name, "test");
    assert_int_equal(test.frame.partition, 3);
    assert_int_equal(test.frame.first_offset, 1000);
    assert_int_equal(test.frame.count, 3);
    assert_int_equal(test.frame.events, 2);
    assert_int_equal(test.frame.accepted_at, 5);
    assert_string_equal(test.frame.stream->group_names[test.frame.groups[0]], "Peru");
    assert_int_equal(test.frame.groups[1], MESH_GROUP_HOLE);
    assert_string_equal(test.frame.stream->group_names[test.frame.groups[2]], "Chile");
}

static void test_traces_that_make_no_sense_are_left_out(void **state)
{
    (void)state;
    uint8_t id[MESH_TRACE_ID_SIZE] = {7};
    uint8_t zeros[MESH_TRACE_ID_SIZE] = {0};
    const ProtobufCBinaryData trace_id = {MESH_TRACE_ID_SIZE, id};
    const ProtobufCBinaryData span_id = {MESH_SPAN_ID_SIZE, id};
    const ProtobufCBinaryData no_trace_id = {MESH_TRACE_ID_SIZE, zeros};
    const struct {
        uint32_t index;
        ProtobufCBinaryData trace_id;
        ProtobufCBinaryData span_id;
    } tried[] = {
        {0, trace_id, span_id}, /* good */
        {1, trace_id, span_id}, /* a hole */
        {3, trace_id, span_id}, /* beyond the frame */
        {0, no_trace_id, span_id}, {0, span_id, span_id},  {0, trace_id, trace_id},
        {0, trace_id, {0, NULL}},  {2, trace_id, span_id}, /* good */
    };
    Tweetmesh__V1__HintTrace traces[MESH_COUNT_OF(tried)];
    Tweetmesh__V1__HintTrace *pointers[FRAME_TRACES_MAX + 5];
    for (size_t i = 0; i < MESH_COUNT_OF(tried); i++) {
        tweetmesh__v1__hint_trace__init(&traces[i]);
        traces[i].index = tried[i].index;
        traces[i].trace_id = tried[i].trace_id;
        traces[i].span_id = tried[i].span_id;
        pointers[i] = &traces[i];
    }
    Tweetmesh__V1__CountFrame message = good_message();
    message.traces = pointers;
    message.n_traces = MESH_COUNT_OF(tried);
    assert_int_equal(read_packed(&message), FRAME_GOOD);
    assert_int_equal(test.frame.events, 2);
    assert_int_equal(test.frame.trace_count, 2);
    assert_int_equal(test.frame.traces[1].index, 2);
    assert_memory_equal(test.frame.traces[1].send.trace_id, id, MESH_TRACE_ID_SIZE);
    assert_memory_equal(test.frame.traces[1].send.span_id, id, MESH_SPAN_ID_SIZE);

    for (size_t i = 0; i < MESH_COUNT_OF(pointers); i++) {
        pointers[i] = &traces[0];
    }
    message.n_traces = MESH_COUNT_OF(pointers);
    assert_int_equal(read_packed(&message), FRAME_GOOD);
    assert_int_equal(test.frame.trace_count, FRAME_TRACES_MAX);
    message = good_message();
    assert_int_equal(read_packed(&message), FRAME_GOOD);
    assert_int_equal(test.frame.trace_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_that_are_no_frame_are_malformed),
        cmocka_unit_test(test_cut_frames_never_come_through_as_more),
        cmocka_unit_test(test_unknown_stream_is_told),
        cmocka_unit_test(test_each_limit_holds),
        cmocka_unit_test(test_group_without_a_name_is_invalid),
        cmocka_unit_test(test_unknown_group_becomes_a_hole),
        cmocka_unit_test(test_health_comes_in_frames_without_a_stream),
        cmocka_unit_test(test_names_become_the_streams_groups),
        cmocka_unit_test(test_traces_that_make_no_sense_are_left_out),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
