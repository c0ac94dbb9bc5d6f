/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/kafka.h"

#include "mesh/alloc.h"
#include "mesh/kafka_login.h"
#include "mesh/log.h"

#include <inttypes.h>
#include <stdio.h>

/* syslog's severities, which is what librdkafka speaks. */
enum { SEVERITY_CRITICAL = 2, SEVERITY_WARNING = 4, SEVERITY_DEBUG = 7 };

static enum mesh_log_level level_of(int severity)
{
    if (severity <= SEVERITY_CRITICAL) {
        return MESH_LOG_ERROR;
    }
    return severity <= SEVERITY_WARNING ? MESH_LOG_WARN : MESH_LOG_DEBUG;
}

static void log_line(const rd_kafka_t *kafka, int severity, const char *facility, const char *text)
{
    if (mesh_kafka_login_heard(text)) {
        severity = SEVERITY_DEBUG; /* told once already */
    }
    mesh_log(level_of(severity), "kafka", MESH_LOG_TEXT("facility", facility),
             MESH_LOG_TEXT("client", kafka == NULL ? NULL : rd_kafka_name(kafka)),
             MESH_LOG_TEXT("message", text));
}

bool mesh_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                    struct mesh_error *err)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "librdkafka: %s", text);
    }
    return true;
}

bool mesh_kafka_set_uint(rd_kafka_conf_t *conf, const char *name, uint64_t value,
                         struct mesh_error *err)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return mesh_kafka_set(conf, name, text, err);
}

rd_kafka_conf_t *mesh_kafka_conf_new(const char *brokers, const char *client_id,
                                     struct mesh_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, log_line);
    if (!mesh_kafka_set(conf, "bootstrap.servers", brokers, err) ||
        !mesh_kafka_set(conf, "client.id", client_id, err) ||
        /* A broker that restarts is back within seconds; the default waits up to 10 s. */
        !mesh_kafka_set(conf, "reconnect.backoff.max.ms", "1000", err) ||
        /* Idle connections are closed by brokers as a matter of course. */
        !mesh_kafka_set(conf, "log.connection.close", "false", err) ||
        /* Nagle and delayed acknowledgement cost 40 ms a message over TLS. */
        !mesh_kafka_set(conf, "socket.nagle.disable", "true", err) ||
        !mesh_kafka_login_apply(conf, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

enum mesh_code mesh_kafka_code(rd_kafka_resp_err_t error, bool sent)
{
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return MESH_OK;
    }
    if (sent) {
        return MESH_DEADLINE_EXCEEDED;
    }
    switch (error) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return MESH_RESOURCE_EXHAUSTED;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        return MESH_INVALID_ARGUMENT;
    default:
        return MESH_UNAVAILABLE;
    }
}

static enum mesh_code code_from_describe(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        return MESH_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return MESH_PERMISSION_DENIED;
    default:
        return MESH_UNAVAILABLE;
    }
}

/* The id in a result of DescribeTopics for one topic. NULL with *err filled in. */
static char *id_in_result(rd_kafka_event_t *event, const char *topic, struct mesh_error *err)
{
    size_t count = 0;

    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        mesh_fail(err, code_from_describe(rd_kafka_event_error(event)), "Kafka topic %s: %s", topic,
                  rd_kafka_event_error_string(event));
        return NULL;
    }
    const rd_kafka_DescribeTopics_result_t *result = rd_kafka_event_DescribeTopics_result(event);
    const rd_kafka_TopicDescription_t **topics =
        result == NULL ? NULL : rd_kafka_DescribeTopics_result_topics(result, &count);
    if (count != 1) {
        mesh_fail(err, MESH_UNAVAILABLE, "Kafka topic %s: no description", topic);
        return NULL;
    }
    rd_kafka_resp_err_t error = rd_kafka_error_code(rd_kafka_TopicDescription_error(topics[0]));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        mesh_fail(err, code_from_describe(error), "Kafka topic %s: %s", topic,
                  rd_kafka_err2str(error));
        return NULL;
    }
    const char *text = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(topics[0]));
    if (text == NULL) {
        mesh_fail(err, MESH_INTERNAL, "Kafka topic %s: unreadable id", topic);
        return NULL;
    }
    return mesh_strdup(text);
}

char *mesh_kafka_topic_id(rd_kafka_t *kafka, const char *topic, uint32_t timeout_ms,
                          struct mesh_error *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    char text[256];
    char *id = NULL;

    if (rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, text, sizeof text) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "librdkafka: %s", text);
        goto out;
    }
    rd_kafka_DescribeTopics(kafka, topics, options, queue);
    /* The request gives up by itself after timeout_ms and says so. */
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms + 1000);
    if (event == NULL) {
        mesh_fail(err, MESH_UNAVAILABLE, "Kafka topic %s: no answer", topic);
        goto out;
    }
    id = id_in_result(event, topic, err);
    rd_kafka_event_destroy(event);

out:
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(topics);
    rd_kafka_queue_destroy(queue);
    return id;
}
