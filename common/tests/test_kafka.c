/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: settings that librdkafka refuses are errors with a reason; delivery errors say honestly
 * whether a retry is safe; asking for a topic's id ends in time.
 * Method: tables, and a port where nothing listens. That a topic has an id, and another one after
 * it was made anew, needs a real broker (the mock cluster names no controller): tests/integration.
 */
#include "cmocka_all.h"
#include "mesh/kafka.h"

#include <string.h>

static rd_kafka_t *client_new(const char *brokers)
{
    struct mesh_error err = {0};
    char text[256];
    rd_kafka_conf_t *conf = mesh_kafka_conf_new(brokers, "test", &err);

    assert_non_null(conf);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(kafka);
    return kafka;
}

static void test_a_setting_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    rd_kafka_conf_t *conf = mesh_kafka_conf_new("127.0.0.1:1", "test", &err);

    assert_non_null(conf);
    assert_false(mesh_kafka_set(conf, "no.such.setting", "1", &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "no.such.setting"));
    assert_false(mesh_kafka_set_uint(conf, "linger.ms", UINT64_MAX, &err));
    rd_kafka_conf_destroy(conf);
}

static void test_numbers_arrive_as_they_are(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    rd_kafka_conf_t *conf = mesh_kafka_conf_new("127.0.0.1:1", "test", &err);
    char value[64];
    size_t size = sizeof value;

    assert_true(mesh_kafka_set_uint(conf, "session.timeout.ms", 6000, &err));
    assert_int_equal(rd_kafka_conf_get(conf, "session.timeout.ms", value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "6000");
    size = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, "client.id", value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "test");
    rd_kafka_conf_destroy(conf);
}

static void test_delivery_errors_say_whether_a_retry_is_safe(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t error;
        bool sent;
        enum mesh_code code;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, true, MESH_OK},
        {RD_KAFKA_RESP_ERR_NO_ERROR, false, MESH_OK},
        {RD_KAFKA_RESP_ERR__QUEUE_FULL, false, MESH_RESOURCE_EXHAUSTED},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false, MESH_INVALID_ARGUMENT},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false, MESH_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, true, MESH_DEADLINE_EXCEEDED},
        {RD_KAFKA_RESP_ERR__FATAL, true, MESH_DEADLINE_EXCEEDED},
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, false, MESH_UNAVAILABLE},
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, true, MESH_DEADLINE_EXCEEDED},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false, MESH_UNAVAILABLE},
    };

    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        assert_int_equal(mesh_kafka_code(cases[i].error, cases[i].sent), cases[i].code);
    }
}

static void test_no_broker_gives_no_topic_id_in_time(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    rd_kafka_t *kafka = client_new("127.0.0.1:1");

    assert_null(mesh_kafka_topic_id(kafka, "messages", 200, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    rd_kafka_destroy(kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_setting_that_does_not_exist_is_refused),
        cmocka_unit_test(test_numbers_arrive_as_they_are),
        cmocka_unit_test(test_delivery_errors_say_whether_a_retry_is_safe),
        cmocka_unit_test(test_no_broker_gives_no_topic_id_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
