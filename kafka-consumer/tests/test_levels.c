/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the gauges say where each partition is in Kafka, MongoDB and Redis; exact is said only of
 * what is known to be; who gives a partition away says nothing of it any more.
 * Method: plain calls; the metrics' text is searched for exact lines.
 */
#include "cmocka_all.h"
#include "levels.h"

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

static bool is_shown(const char *line)
{
    struct mesh_buffer text = {0};

    mesh_metrics_write(&text);
    bool found = strstr(text.data, line) != NULL;
    mesh_buffer_done(&text);
    return found;
}

static void show(bool well)
{
    levels_show(&topic, 1, well);
}

static void append(struct partition *partition, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++) {
        assert_true(partition_append(partition, i, 1, false));
    }
}

static void test_what_is_archived_but_not_counted_is_lag(void **state)
{
    struct partition *partition = *state;

    partition->end = 110;
    append(partition, 100, 7);
    partition_settle(partition, 2);
    show(true);
    assert_true(is_shown("tweetmesh_log_end_offset{stream=\"test\",partition=\"3\"} 110\n"));
    assert_true(is_shown("tweetmesh_archived_offset{stream=\"test\",partition=\"3\"} 107\n"));
    assert_true(is_shown("tweetmesh_settled_offset{stream=\"test\",partition=\"3\"} 102\n"));
    assert_true(is_shown("tweetmesh_lag_records{stream=\"test\",partition=\"3\"} 8\n"));
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
    assert_true(is_shown("tweetmesh_partitions{stream=\"test\"} 1\n"));
}

static void test_exact_is_said_once_all_is_equal(void **state)
{
    struct partition *partition = *state;

    partition->end = 103;
    append(partition, 100, 3);
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
    partition_settle(partition, 3);
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 1\n"));
    assert_true(is_shown("tweetmesh_lag_records{stream=\"test\",partition=\"3\"} 0\n"));
}

static void test_exact_is_not_said_of_what_is_not_known(void **state)
{
    struct partition *partition = *state;

    show(true); /* where the log ends was not heard yet */
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
    assert_false(is_shown("tweetmesh_log_end_offset{"));
    partition->end = 100;
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 1\n"));
    show(false); /* some server does not answer */
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
    topic_set_changed(&topic);
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
}

static void test_one_partition_behind_is_enough(void **state)
{
    struct partition *partition = *state;
    struct partition *second = partition_add(&topic, 7, 5);

    partition->end = 100;
    second->end = 6;
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
    assert_true(is_shown("tweetmesh_partitions{stream=\"test\"} 2\n"));
    append(second, 5, 1);
    partition_settle(second, 1);
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 1\n"));
}

static void test_offsets_to_be_skipped_are_not_counted_yet(void **state)
{
    struct partition *partition = *state;

    partition->end = 100;
    partition_skip(partition, 100000);
    show(true);
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
}

static void test_what_was_read_is_in_kafka_even_if_the_end_was_seen_before(void **state)
{
    struct partition *partition = *state;

    partition->end = 101;
    append(partition, 100, 5);
    show(true);
    assert_true(is_shown("tweetmesh_log_end_offset{stream=\"test\",partition=\"3\"} 105\n"));
    assert_true(is_shown("tweetmesh_lag_records{stream=\"test\",partition=\"3\"} 5\n"));
}

static void test_a_partition_given_away_is_not_told_of(void **state)
{
    struct partition *partition = *state;

    partition->end = 100;
    show(true);
    assert_true(is_shown("tweetmesh_settled_offset{"));
    partition_drop(partition);
    show(true);
    assert_false(is_shown("tweetmesh_settled_offset{"));
    assert_false(is_shown("tweetmesh_lag_records{"));
    assert_true(is_shown("tweetmesh_partitions{stream=\"test\"} 0\n"));
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 1\n")); /* of nothing */
}

static void test_partitions_beyond_the_limit_have_no_gauges_but_count(void **state)
{
    (void)state;
    struct partition *far = partition_add(&topic, PARTITION_GAUGE_COUNT_MAX, 0);

    topic_partition(&topic, 3)->end = 100;
    far->end = 1;
    show(true);
    assert_false(is_shown("partition=\"512\""));
    assert_true(is_shown("tweetmesh_exact{stream=\"test\"} 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_archived_but_not_counted_is_lag, make, drop),
        cmocka_unit_test_setup_teardown(test_exact_is_said_once_all_is_equal, make, drop),
        cmocka_unit_test_setup_teardown(test_exact_is_not_said_of_what_is_not_known, make, drop),
        cmocka_unit_test_setup_teardown(test_one_partition_behind_is_enough, make, drop),
        cmocka_unit_test_setup_teardown(test_offsets_to_be_skipped_are_not_counted_yet, make, drop),
        cmocka_unit_test_setup_teardown(
            test_what_was_read_is_in_kafka_even_if_the_end_was_seen_before, make, drop),
        cmocka_unit_test_setup_teardown(test_a_partition_given_away_is_not_told_of, make, drop),
        cmocka_unit_test_setup_teardown(test_partitions_beyond_the_limit_have_no_gauges_but_count,
                                        make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
