/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka.h"
#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

struct rd_kafka_op_s *kafka_event_add(rd_kafka_t *kafka, rd_kafka_event_type_t type)
{
    struct rd_kafka_op_s **end = &kafka->events;
    struct rd_kafka_op_s *event = mesh_new(struct rd_kafka_op_s);

    event->type = type;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = event;
    return event;
}

void kafka_events_drop(rd_kafka_t *kafka)
{
    while (kafka->events != NULL) {
        struct rd_kafka_op_s *event = kafka->events;
        kafka->events = event->next;
        assert(event->type == RD_KAFKA_EVENT_ERROR); /* reports must be read */
        free(event);
    }
}

/* ---- librdkafka's functions: the queue of events ---- */

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    rd_kafka_t *kafka = queue->kafka;

    (void)timeout_ms;
    kafka->reader = fiber_current();
    while (kafka->events == NULL && !kafka->yielded) {
        fiber_wait();
    }
    kafka->yielded = false;
    struct rd_kafka_op_s *event = kafka->events;
    if (event != NULL) {
        kafka->events = event->next;
    }
    return event;
}

void rd_kafka_queue_yield(rd_kafka_queue_t *queue)
{
    queue->kafka->yielded = true;
}

rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *event)
{
    return event == NULL ? RD_KAFKA_EVENT_NONE : event->type;
}

void rd_kafka_event_destroy(rd_kafka_event_t *event)
{
    free(event);
}

size_t rd_kafka_event_message_array(rd_kafka_event_t *event, const rd_kafka_message_t **messages,
                                    size_t size)
{
    size_t count = event->read || event->count > size ? 0 : event->count;

    for (size_t i = 0; i < count; i++) {
        messages[i] = &event->at[i].message;
    }
    event->read = true;
    return count;
}

rd_kafka_msg_status_t rd_kafka_message_status(const rd_kafka_message_t *message)
{
    return ((const struct told *)message)->status;
}

int rd_kafka_event_error_is_fatal(rd_kafka_event_t *event)
{
    return event->type == RD_KAFKA_EVENT_ERROR;
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    (void)event;
    return RD_KAFKA_RESP_ERR__FATAL;
}

const char *rd_kafka_event_error_string(rd_kafka_event_t *event)
{
    (void)event;
    return "fatal";
}
