/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: pieces of an arena never overlap, are aligned, and a reset makes room again.
 * Method: many pieces of changing size, each filled with its own byte and read back at the end.
 */
#include "cmocka_all.h"
#include "mesh/arena.h"

#include <stdalign.h>
#include <string.h>

#define PIECES 500

static void test_freeing_nothing_is_allowed(void **state)
{
    (void)state;
    mesh_arena_free(NULL);
}

static void test_pieces_do_not_overlap(void **state)
{
    (void)state;
    struct mesh_arena *arena = mesh_arena_new(256);
    for (int round = 0; round < 3; round++) {
        uint8_t *pieces[PIECES];
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = (i * 37) % 700; /* smaller and larger than a block */
            pieces[i] = mesh_arena_alloc(arena, size);
            assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int)(i % 251), size);
        }
        for (size_t i = 0; i < PIECES; i++) {
            for (size_t at = 0; at < (i * 37) % 700; at++) {
                assert_int_equal(pieces[i][at], i % 251);
            }
        }
        mesh_arena_reset(arena);
    }
    mesh_arena_free(arena);
}

static void test_copies_are_terminated_and_may_be_empty(void **state)
{
    (void)state;
    struct mesh_arena *arena = mesh_arena_new(64);
    struct mesh_bytes copy = mesh_arena_copy(arena, mesh_bytes_of_text("hello"));
    assert_string_equal((const char *)copy.data, "hello");
    assert_int_equal(copy.size, 5);
    copy = mesh_arena_copy(arena, mesh_bytes_of(NULL, 0));
    assert_string_equal((const char *)copy.data, "");
    mesh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freeing_nothing_is_allowed),
        cmocka_unit_test(test_pieces_do_not_overlap),
        cmocka_unit_test(test_copies_are_terminated_and_may_be_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
