/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: integers come out as protobuf writes them, and their size is known before.
 * Method: the borders of every length, read back by hand.
 */
#include "cmocka_all.h"
#include "mesh/varint.h"

static void assert_written(uint64_t value, size_t size)
{
    uint8_t bytes[MESH_VARINT_SIZE_MAX];
    uint64_t back = 0;

    assert_int_equal(mesh_varint_size(value), size);
    assert_int_equal(mesh_varint_write(bytes, value), size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(bytes[i] >= 0x80, i + 1 < size);
        back |= (uint64_t)(bytes[i] & 0x7F) << (7 * i);
    }
    assert_true(back == value);
}

static void test_every_length_is_written_and_foretold(void **state)
{
    (void)state;
    assert_written(0, 1);
    for (size_t size = 1; size < MESH_VARINT_SIZE_MAX; size++) {
        const uint64_t next = UINT64_C(1) << (7 * size);
        assert_written(next - 1, size);
        assert_written(next, size + 1);
    }
    assert_written(UINT64_MAX, MESH_VARINT_SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_is_written_and_foretold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
