/* SPDX-License-Identifier: Apache-2.0 */
#include "mock_kafka.h"

#include "cmocka_all.h"
#include "mesh/clock.h"

#include <time.h>

int32_t mock_kafka_leader(int32_t partition, int broker_count)
{
    return 1 + partition % broker_count;
}

void mock_kafka_start(struct mock_kafka *mock, int broker_count)
{
    char text[256];

    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    /* It never connects, and shall not complain about that. */
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", text, sizeof text),
                     RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text),
                     RD_KAFKA_CONF_OK);
    mock->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(mock->host);
    mock->cluster = rd_kafka_mock_cluster_new(mock->host, broker_count);
    assert_non_null(mock->cluster);
    mock->brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, "messages", MOCK_PARTITIONS, 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int32_t i = 0; i < MOCK_PARTITIONS; i++) {
        assert_int_equal(rd_kafka_mock_partition_set_leader(mock->cluster, "messages", i,
                                                            mock_kafka_leader(i, broker_count)),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

void mock_kafka_stop(struct mock_kafka *mock)
{
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->host);
}

void mock_kafka_slow(struct mock_kafka *mock, int ms)
{
    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock->cluster, -1, ms),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

bool wait_until(bool (*check)(void *arg), void *arg, uint32_t ms_max)
{
    int64_t until_us = mesh_clock_mono_us() + (int64_t)ms_max * 1000;
    const struct timespec pause = {.tv_nsec = 2000000};

    while (!check(arg)) {
        if (mesh_clock_mono_us() > until_us) {
            return check(arg);
        }
        nanosleep(&pause, NULL);
    }
    return true;
}
