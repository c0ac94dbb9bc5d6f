/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every record up to the end is visited once, in order, and none that came later; a topic
 * that does not exist is empty; no broker is an error in time. Method: librdkafka's mock cluster.
 */
#include "cmocka_all.h"
#include "log_reader.h"

#include <librdkafka/rdkafka_mock.h>

enum { PARTITIONS = 3, WAIT_MS = 10000 };

static struct {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    struct log_reader *reader;
} test;

/* What visit() saw. */
struct seen {
    size_t count;
    int64_t next[PARTITIONS];
    size_t stop_at;
};

static struct log_reader *reader_at(const char *brokers, uint32_t ms_max)
{
    struct mesh_error err = {0};
    struct log_reader *reader = log_reader_new(brokers, "audit-test", ms_max, &err);

    assert_non_null(reader);
    return reader;
}

static int make(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof text), 0);
    test.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(test.producer);
    test.cluster = rd_kafka_handle_mock_cluster(test.producer);
    assert_int_equal(rd_kafka_mock_topic_create(test.cluster, "messages", PARTITIONS, 1), 0);
    test.reader = reader_at(rd_kafka_mock_cluster_bootstraps(test.cluster), WAIT_MS);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    log_reader_free(test.reader);
    rd_kafka_destroy(test.producer);
    return 0;
}

static void produce(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rd_kafka_producev(test.producer, RD_KAFKA_V_TOPIC("messages"),
                                           RD_KAFKA_V_PARTITION((int32_t)(i % 2)),
                                           RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(rd_kafka_flush(test.producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static bool visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct seen *seen = arg;

    assert_int_equal(message->offset, seen->next[message->partition]);
    seen->next[message->partition]++;
    seen->count++;
    if (seen->count == seen->stop_at) {
        return mesh_fail(err, MESH_CANCELLED, "enough");
    }
    return true;
}

static void test_no_broker_is_an_error_in_time(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct log_extent extent = {0};
    struct log_reader *reader = reader_at("127.0.0.1:1", 200);

    assert_false(log_reader_extent(reader, "messages", &extent, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    log_reader_free(reader);
}

static void test_who_visits_can_stop(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct log_extent extent = {0};
    struct seen seen = {.stop_at = 3};

    produce(10);
    assert_true(log_reader_extent(test.reader, "messages", &extent, &err));
    assert_false(log_reader_read(test.reader, "messages", &extent, visit, &seen, &err));
    assert_int_equal(err.code, MESH_CANCELLED);
    assert_int_equal(seen.count, 3);
    log_extent_done(&extent);
}

static void test_an_empty_topic_is_read_at_once(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct log_extent extent = {0};
    struct seen seen = {0};

    assert_true(log_reader_extent(test.reader, "messages", &extent, &err));
    assert_int_equal(extent.count, PARTITIONS);
    assert_true(log_reader_read(test.reader, "messages", &extent, visit, &seen, &err));
    assert_int_equal(seen.count, 0);
    log_extent_done(&extent);
}

static void test_every_record_up_to_the_end_is_visited_once(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct log_extent extent = {0};
    struct seen seen = {0};

    produce(2001);
    assert_true(log_reader_extent(test.reader, "messages", &extent, &err));
    produce(10); /* too late */
    assert_true(log_reader_read(test.reader, "messages", &extent, visit, &seen, &err));
    assert_int_equal(seen.count, 2001);
    assert_int_equal(seen.next[0], 1001);
    /* A second time, as --wait does. */
    seen = (struct seen){0};
    assert_true(log_reader_read(test.reader, "messages", &extent, visit, &seen, &err));
    assert_int_equal(seen.count, 2001);
    log_extent_done(&extent);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_no_broker_is_an_error_in_time),
        CASE(test_who_visits_can_stop),
        CASE(test_an_empty_topic_is_read_at_once),
        CASE(test_every_record_up_to_the_end_is_visited_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
