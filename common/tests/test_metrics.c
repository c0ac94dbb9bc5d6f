/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the text is what Prometheus reads: families together, buckets cumulative, nothing lost when
 * threads add at the same time.
 * Method: values at bucket borders, four threads on one counter, the text searched for exact lines.
 */
#include "cmocka_all.h"
#include "mesh/metrics.h"

#include <pthread.h>
#include <string.h>

static struct mesh_buffer text;

static int setup(void **state)
{
    (void)state;
    mesh_metrics_done();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mesh_buffer_done(&text);
    mesh_metrics_done();
    return 0;
}

static void assert_line(const char *line)
{
    if (strstr(text.data, line) == NULL) {
        fail_msg("no line \"%s\" in:\n%s", line, text.data);
    }
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 100000; i++) {
        mesh_metric_add(arg, 1);
    }
    return NULL;
}

static void test_nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct mesh_metric *counter = mesh_counter("tweetmesh_x_total", NULL, "X.");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, counter), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_int_equal(mesh_metric_value(counter), 400000);
}

static void test_a_gauge_that_is_not_known_is_not_shown(void **state)
{
    (void)state;
    struct mesh_metric *gauge = mesh_gauge("tweetmesh_b", "x=\"1\"", "B.");
    mesh_metric_set(gauge, 7);
    mesh_metric_hide(gauge);
    mesh_metrics_write(&text);
    assert_line("# TYPE tweetmesh_b gauge\n");
    assert_null(strstr(text.data, "tweetmesh_b{"));
    mesh_metric_set(gauge, 0);
    mesh_buffer_reset(&text);
    mesh_metrics_write(&text);
    assert_line("tweetmesh_b{x=\"1\"} 0\n");
    assert_line("process_max_fds ");
    assert_line("process_start_time_seconds ");
}

static void test_the_same_name_and_labels_are_one_metric(void **state)
{
    (void)state;
    struct mesh_metric *one = mesh_counter("tweetmesh_x_total", "code=\"OK\"", "X.");
    assert_ptr_equal(one, mesh_counter("tweetmesh_x_total", "code=\"OK\"", "X."));
    assert_ptr_not_equal(one, mesh_counter("tweetmesh_x_total", "code=\"UNKNOWN\"", "X."));
}

static void test_families_stand_together_below_one_help(void **state)
{
    (void)state;
    mesh_metric_add(mesh_counter("tweetmesh_a_total", "code=\"OK\"", "A."), 3);
    mesh_metric_set(mesh_gauge("tweetmesh_b", NULL, "B."), -5);
    mesh_metric_add(mesh_counter("tweetmesh_a_total", "code=\"UNKNOWN\"", "A."), 1);
    mesh_metrics_write(&text);
    assert_line("# HELP tweetmesh_a_total A.\n# TYPE tweetmesh_a_total counter\n"
                "tweetmesh_a_total{code=\"OK\"} 3\ntweetmesh_a_total{code=\"UNKNOWN\"} 1\n");
    assert_line("# TYPE tweetmesh_b gauge\ntweetmesh_b -5\n");
    assert_line("process_cpu_seconds_total ");
    assert_line("process_open_fds ");
}

static void test_buckets_are_cumulative_and_hold_their_bound(void **state)
{
    (void)state;
    struct mesh_metric *seconds = mesh_histogram_seconds("tweetmesh_s_seconds", "m=\"x\"", "S.");
    mesh_metric_observe_us(seconds, 50);
    mesh_metric_observe_us(seconds, 51);
    mesh_metric_observe_us(seconds, 60000000);
    struct mesh_metric *count = mesh_histogram_count("tweetmesh_c_events", NULL, "C.");
    mesh_metric_observe(count, 100);
    mesh_metrics_write(&text);
    assert_line("tweetmesh_s_seconds_bucket{m=\"x\",le=\"5e-05\"} 1\n");
    assert_line("tweetmesh_s_seconds_bucket{m=\"x\",le=\"0.0001\"} 2\n");
    assert_line("tweetmesh_s_seconds_bucket{m=\"x\",le=\"30\"} 2\n");
    assert_line("tweetmesh_s_seconds_bucket{m=\"x\",le=\"+Inf\"} 3\n");
    assert_line("tweetmesh_s_seconds_sum{m=\"x\"} 60.000101\n");
    assert_line("tweetmesh_c_events_bucket{le=\"50\"} 0\n");
    assert_line("tweetmesh_c_events_bucket{le=\"100\"} 1\n");
    assert_line("tweetmesh_c_events_count 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_between_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_gauge_that_is_not_known_is_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_same_name_and_labels_are_one_metric, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_families_stand_together_below_one_help, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_buckets_are_cumulative_and_hold_their_bound, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
