/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka.h"
#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

struct kafka_event *kafka_event_add(rd_kafka_t *kafka)
{
    struct kafka_event **end = &kafka->events;
    struct kafka_event *event = mesh_new(struct kafka_event);

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = event;
    return event;
}

void kafka_events_drop(rd_kafka_t *kafka)
{
    while (kafka->events != NULL) {
        struct kafka_event *event = kafka->events;
        kafka->events = event->next;
        assert(event->count == 0); /* reports must be heard */
        free(event);
    }
}

static int event_tell(rd_kafka_t *kafka, const struct kafka_event *event)
{
    if (event->count == 0) {
        kafka->conf.failed(kafka, RD_KAFKA_RESP_ERR__FATAL, "fatal", kafka->conf.opaque);
        return 1;
    }
    for (size_t i = 0; i < event->count; i++) {
        kafka->conf.delivered(kafka, &event->at[i].message, kafka->conf.opaque);
        assert(kafka->unreported > 0);
        kafka->unreported--;
    }
    return (int)event->count;
}

int kafka_events_tell(rd_kafka_t *kafka)
{
    int count = 0;

    while (kafka->events != NULL) {
        struct kafka_event *event = kafka->events;
        kafka->events = event->next;
        count += event_tell(kafka, event);
        free(event);
    }
    return count;
}

/* ---- librdkafka's functions: polling ---- */

int rd_kafka_poll(rd_kafka_t *kafka, int timeout_ms)
{
    if (!kafka_is_publisher(kafka)) {
        return kafka_letters_tell(kafka);
    }
    assert(timeout_ms == -1);
    while (kafka->events == NULL && !kafka->yielded) {
        fiber_wait();
    }
    kafka->yielded = false;
    return kafka_events_tell(kafka);
}

void rd_kafka_queue_yield(rd_kafka_queue_t *queue)
{
    queue->kafka->yielded = true;
}

/* What waits is told, and what comes if others go on once. */
rd_kafka_resp_err_t rd_kafka_flush(rd_kafka_t *kafka, int timeout_ms)
{
    (void)timeout_ms;
    (void)kafka_events_tell(kafka);
    if (kafka->unreported > 0) {
        fiber_wait();
        (void)kafka_events_tell(kafka);
    }
    return kafka->unreported == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

rd_kafka_msg_status_t rd_kafka_message_status(const rd_kafka_message_t *message)
{
    return ((const struct told *)message)->status;
}
