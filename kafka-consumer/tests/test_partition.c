/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a partition's rows are contiguous from .settled to .next whatever comes: holes, records
 * that come twice, an end behind transaction markers, a rewind, a gap too long for rows. Method:
 * plain calls; nothing runs beside them.
 */
#include "cmocka_all.h"
#include "partition.h"

#include <string.h>

static const char *const group_names[] = {"Chile", "Unknown"};
static const struct mesh_stream stream = {
    .name = "test", .topic = "test", .group_names = group_names, .group_count = 2};

static struct topic topic;

static int make(void **state)
{
    topic_init(&topic, &stream, 0, 1);
    *state = partition_add(&topic, 3, 100);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    topic_done(&topic);
    mesh_metrics_done();
    return 0;
}

static uint8_t group_at(const struct partition *partition, size_t row)
{
    return partition->groups[partition->row_first + row];
}

static void test_a_record_that_comes_again_gets_no_second_row(void **state)
{
    struct partition *partition = *state;

    assert_true(partition_append(partition, 100, 1, false));
    assert_false(partition_append(partition, 100, 1, false));
    assert_false(partition_append(partition, 99, 1, false));
    assert_int_equal(partition->row_count, 1);
    assert_int_equal(partition->next, 101);
}

static void test_offsets_without_records_become_rows_that_count_nothing(void **state)
{
    struct partition *partition = *state;

    assert_true(partition_append(partition, 103, 1, true));
    assert_int_equal(partition->row_count, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(group_at(partition, i), MESH_GROUP_NOT_COUNTED);
        assert_int_equal(partition->duplicates[i], 0);
    }
    assert_int_equal(group_at(partition, 3), 1);
    assert_int_equal(partition->duplicates[3], 1);
}

static void test_the_end_of_the_log_covers_markers_behind_the_last_record(void **state)
{
    struct partition *partition = *state;

    assert_true(partition_append(partition, 100, 0, false));
    partition->eof = 102;
    partition_append_end(partition);
    assert_int_equal(partition->next, 102);
    assert_int_equal(group_at(partition, 1), MESH_GROUP_NOT_COUNTED);
    partition_append_end(partition); /* seen once */
    assert_int_equal(partition->row_count, 2);
}

static void test_settling_takes_rows_from_the_front(void **state)
{
    struct partition *partition = *state;

    for (int64_t i = 0; i < 10000; i++) {
        assert_true(partition_append(partition, 100 + i, (uint8_t)(i % 2), false));
        if (i % 10 == 9) {
            partition_settle(partition, 7);
        }
    }
    assert_int_equal(partition->settled, 100 + 7000);
    assert_int_equal(partition->row_count, 3000);
    for (size_t i = 0; i < partition->row_count; i++) {
        assert_int_equal(group_at(partition, i), (7000 + i) % 2);
    }
    partition_settle(partition, 3000);
    assert_int_equal(partition->settled, partition->next);
}

static void test_a_rewind_forgets_the_rows_and_repairs_up_to_where_reading_was(void **state)
{
    struct partition *partition = *state;

    assert_true(partition_append(partition, 100, 1, false));
    assert_true(partition_append(partition, 101, 1, false));
    partition->swept = 90;
    partition_rewind(partition, 40);
    assert_int_equal(partition->row_count, 0);
    assert_int_equal(partition->settled, 40);
    assert_int_equal(partition->next, 40);
    assert_int_equal(partition->seek_to, 40);
    assert_int_equal(partition->repair_until, 102);
    assert_int_equal(partition->swept, 40);
    /* Until the seek is done, what comes is from before it. */
    assert_false(partition_append(partition, 102, 1, false));
    partition_rewind(partition, 10);
    assert_int_equal(partition->repair_until, 102);
}

/* A message that came while reading was paused is read again; what was in hand then is not. */
static void test_what_was_in_hand_before_the_place_to_go_on_from_gets_its_rows(void **state)
{
    struct partition *partition = *state;

    partition->seek_to = 102;
    assert_true(partition_append(partition, 100, 1, false));
    assert_true(partition_append(partition, 101, 1, false));
    assert_false(partition_append(partition, 102, 1, false));
    assert_int_equal(partition->row_count, 2);
    assert_int_equal(partition->next, 102);
}

static void test_settled_rows_are_remembered_up_to_the_limit(void **state)
{
    struct partition *partition = *state;
    const size_t kept = 1000;

    topic.kept_len_max = kept;
    for (int64_t i = 0; i < 50000; i++) {
        assert_true(partition_append(partition, 100 + i, (uint8_t)(i % 2), i % 3 == 0));
        partition_settle(partition, 1);
        assert_true(partition_remembers(partition, partition->settled));
        assert_int_equal(partition_remembers(partition, partition->settled - (int64_t)kept),
                         i + 1 >= (int64_t)kept);
        assert_false(partition_remembers(partition, partition->settled - (int64_t)kept - 1));
    }
    assert_true(partition->row_capacity < 16 * kept);
    assert_false(partition_remembers(partition, 100));
    assert_false(partition_remembers(partition, partition->settled + 1));

    const int64_t back = partition->settled - 777;
    partition->swept = partition->settled;
    assert_true(partition_append(partition, partition->next, 1, false)); /* not settled yet */
    partition_recall(partition, back);
    assert_int_equal(partition->settled, back);
    assert_int_equal(partition->swept, back);
    assert_int_equal(partition->row_count, 778);
    assert_int_equal(partition->seek_to, -1);
    for (size_t i = 0; i < 777; i++) {
        const int64_t number = back - 100 + (int64_t)i;
        assert_int_equal(group_at(partition, i), number % 2);
        assert_int_equal(partition->duplicates[partition->row_first + i], number % 3 == 0);
    }
    partition_settle(partition, partition->row_count);
    assert_int_equal(partition->settled, partition->next);
}

static void test_what_was_skipped_is_not_remembered(void **state)
{
    struct partition *partition = *state;

    topic.kept_len_max = 1000;
    assert_true(partition_append(partition, 100, 1, false));
    partition_settle(partition, 1);
    partition_skip(partition, 200000);
    assert_true(partition_remembers(partition, 100));
    partition_settle_skipped(partition, 199899);
    assert_int_equal(partition->next, 200000);
    assert_false(partition_remembers(partition, 100));
    assert_true(partition_remembers(partition, 200000));
    partition_rewind(partition, 50);
    assert_false(partition_remembers(partition, 49));
}

static void test_a_gap_too_long_for_rows_is_skipped(void **state)
{
    struct partition *partition = *state;
    const int64_t far = 101 + PARTITION_HOLE_LEN_MAX + 1;

    assert_true(partition_append(partition, 100, 1, false));
    assert_false(partition_append(partition, far, 1, false));
    assert_int_equal(partition->row_count, 1);
    assert_int_equal(partition->skip_until, far);
    assert_int_equal(partition->seek_to, far);
    assert_false(partition_append(partition, far + 1, 1, false)); /* will be read again */
    assert_int_equal(partition->seek_to, far);
}

static void test_a_partition_without_committed_offset_starts_at_its_first_record(void **state)
{
    (void)state;
    struct partition *fresh = partition_add(&topic, 0, -1);

    assert_true(partition_append(fresh, 17, 1, false));
    assert_int_equal(fresh->settled, 17);
    assert_int_equal(fresh->row_count, 1);
    assert_ptr_equal(topic_partition(&topic, 0), fresh);
    assert_int_equal(topic_settled_before(&topic, 0), -1);
    partition_settle(fresh, 1);
    partition_drop(fresh);
    assert_int_equal(topic_settled_before(&topic, 0), 18);
    assert_int_equal(topic_settled_before(&topic, 1000), -1);
    assert_null(topic_partition(&topic, 0));
    assert_null(topic_partition(&topic, 1000));
    assert_null(topic_partition(&topic, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_record_that_comes_again_gets_no_second_row, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_offsets_without_records_become_rows_that_count_nothing,
                                        make, drop),
        cmocka_unit_test_setup_teardown(
            test_the_end_of_the_log_covers_markers_behind_the_last_record, make, drop),
        cmocka_unit_test_setup_teardown(test_settling_takes_rows_from_the_front, make, drop),
        cmocka_unit_test_setup_teardown(
            test_a_rewind_forgets_the_rows_and_repairs_up_to_where_reading_was, make, drop),
        cmocka_unit_test_setup_teardown(
            test_what_was_in_hand_before_the_place_to_go_on_from_gets_its_rows, make, drop),
        cmocka_unit_test_setup_teardown(test_settled_rows_are_remembered_up_to_the_limit, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_what_was_skipped_is_not_remembered, make, drop),
        cmocka_unit_test_setup_teardown(test_a_gap_too_long_for_rows_is_skipped, make, drop),
        cmocka_unit_test_setup_teardown(
            test_a_partition_without_committed_offset_starts_at_its_first_record, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
