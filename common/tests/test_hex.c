/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: bytes become two lower-case digits each, and only such digits are taken for digits.
 * Method: every byte written, against printf; every byte at every place of a number that is good
 * without it, for the lengths that ids and traces have.
 */
#include "../src/hex.h"
#include "cmocka_all.h"
#include "mesh/macros.h"

#include <stdio.h>

static void test_every_byte_is_written(void **state)
{
    (void)state;
    uint8_t bytes[256];
    char text[2 * sizeof(bytes)];
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    mesh_hex_write(text, bytes, sizeof(bytes));
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        char expected[3];
        (void)snprintf(expected, sizeof(expected), "%02x", i);
        assert_memory_equal(text + (size_t)2 * i, expected, 2);
    }
}

static void test_every_byte_at_every_place_is_told(void **state)
{
    (void)state;
    static const size_t lengths[] = {2, 16, 32};
    for (size_t i = 0; i < MESH_COUNT_OF(lengths); i++) {
        const size_t length = lengths[i];
        for (size_t place = 0; place < length; place++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                uint8_t text[32];
                memset(text, '0', sizeof(text));
                text[place] = (uint8_t)byte;
                const bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
                assert_int_equal(mesh_hex_valid(text, length), is_digit);
                assert_int_equal(mesh_hex_zero(text, length), byte == '0');
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_is_written),
        cmocka_unit_test(test_every_byte_at_every_place_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
