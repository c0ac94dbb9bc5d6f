/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a record is found by partition and offset alone, and no other is.
 * Method: records added in disorder, with partitions and offsets that are each other's.
 */
#include "cmocka_all.h"
#include "positions.h"

enum { PARTITIONS = 5, OFFSETS = 200 };

static void test_nothing_is_in_an_empty_list(void **state)
{
    (void)state;
    struct positions positions = {0};

    positions_sort(&positions);
    assert_null(positions_find(&positions, 0, 0));
    positions_done(&positions);
}

static void test_every_record_is_found_and_no_other(void **state)
{
    (void)state;
    struct positions positions = {0};

    /* Even offsets only, the last first; 2^32 apart, so that no half of a number suffices. */
    for (int32_t i = PARTITIONS * OFFSETS - 1; i >= 0; i--) {
        int64_t offset = i / PARTITIONS;
        if (offset % 2 == 0) {
            positions_add(&positions, (struct position){.partition = i % PARTITIONS,
                                                        .offset = offset << 32,
                                                        .group = (uint8_t)(offset)});
        }
    }
    positions_sort(&positions);
    for (int32_t partition = -1; partition <= PARTITIONS; partition++) {
        for (int64_t offset = -1; offset <= OFFSETS; offset++) {
            const struct position *found =
                positions_find(&positions, partition, offset * (1LL << 32));
            bool there = partition >= 0 && partition < PARTITIONS && offset >= 0 &&
                         offset < OFFSETS && offset % 2 == 0;
            assert_int_equal(found != NULL, there);
            assert_true(found == NULL || found->group == (uint8_t)offset);
        }
    }
    positions_done(&positions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_in_an_empty_list),
        cmocka_unit_test(test_every_record_is_found_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
