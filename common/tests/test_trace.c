/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a well-formed traceparent goes on with its trace id, or as it is; a malformed one starts a
 * new trace, or none.
 * Method: the rules of the W3C recommendation, one broken at a time; every byte at every place of a
 * good one.
 */
#include "cmocka_all.h"
#include "mesh/trace.h"

#include <string.h>

static const char good[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static void test_malformed_ones_start_a_new_trace(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        assert_false(mesh_trace_valid(mesh_bytes_of_text(bad[i])));
        struct mesh_trace trace = mesh_trace_continue(mesh_bytes_of_text(bad[i]));
        assert_true(mesh_trace_valid(mesh_bytes_of_text(trace.traceparent)));
        assert_string_equal(trace.traceparent + 53, "00");
        struct mesh_trace none = {.traceparent = ""};
        assert_false(mesh_trace_copy(mesh_bytes_of_text(bad[i]), &none));
        assert_string_equal(none.traceparent, "");
    }
}

static void test_every_byte_at_every_place_is_told(void **state)
{
    (void)state;
    for (size_t place = 0; place < MESH_TRACEPARENT_LENGTH; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof(good)];
            memcpy(text, good, sizeof(good));
            text[place] = (char)byte;
            const bool is_fixed = place < 2 || good[place] == '-';
            const bool is_hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            assert_int_equal(mesh_trace_valid(mesh_bytes_of(text, MESH_TRACEPARENT_LENGTH)),
                             is_fixed ? byte == good[place] : is_hex);
        }
    }
    assert_false(mesh_trace_valid(mesh_bytes_of(NULL, 0)));
}

static void test_a_trace_goes_on_with_a_parent_of_ours(void **state)
{
    (void)state;
    struct mesh_trace trace = mesh_trace_continue(mesh_bytes_of_text(good));
    assert_true(mesh_trace_valid(mesh_bytes_of_text(trace.traceparent)));
    assert_memory_equal(trace.traceparent, good, 36);
    assert_memory_not_equal(trace.traceparent + 36, good + 36, 16);
    assert_string_equal(trace.traceparent + 52, "-01");
}

static void test_a_copy_is_what_the_caller_sent(void **state)
{
    (void)state;
    char sent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, and more";
    struct mesh_trace trace;
    assert_false(mesh_trace_copy(mesh_bytes_of_text(NULL), &trace));
    assert_true(mesh_trace_copy(mesh_bytes_of(sent, MESH_TRACEPARENT_LENGTH), &trace));
    assert_string_equal(trace.traceparent, good);
}

static void test_new_traces_differ(void **state)
{
    (void)state;
    struct mesh_trace last = mesh_trace_new();
    for (int i = 0; i < 1000; i++) {
        struct mesh_trace trace = mesh_trace_new();
        assert_true(mesh_trace_valid(mesh_bytes_of_text(trace.traceparent)));
        assert_string_not_equal(trace.traceparent, last.traceparent);
        last = trace;
    }
}

static void test_a_trace_survives_being_taken_apart(void **state)
{
    (void)state;
    struct mesh_trace_context context = {.flags = 0};
    struct mesh_trace again;
    assert_false(mesh_trace_read(mesh_bytes_of_text("00-0-0-0"), &context));
    assert_true(mesh_trace_read(mesh_bytes_of_text(good), &context));
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.trace_id[15], 0x36);
    assert_int_equal(context.span_id[7], 0xb7);
    assert_int_equal(context.flags, MESH_TRACE_SAMPLED);
    mesh_trace_write(&context, &again);
    assert_string_equal(again.traceparent, good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_ones_start_a_new_trace),
        cmocka_unit_test(test_every_byte_at_every_place_is_told),
        cmocka_unit_test(test_a_trace_goes_on_with_a_parent_of_ours),
        cmocka_unit_test(test_a_copy_is_what_the_caller_sent),
        cmocka_unit_test(test_new_traces_differ),
        cmocka_unit_test(test_a_trace_survives_being_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
