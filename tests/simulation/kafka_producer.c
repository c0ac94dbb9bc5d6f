/* SPDX-License-Identifier: Apache-2.0 */
#include "chance.h"
#include "kafka.h"
#include "mesh/alloc.h"
#include "verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What becomes of a batch of records. */
enum end {
    END_TOLD,        /* stored, reported with its offsets */
    END_ANSWER_LOST, /* stored; sent again, and the broker knows it already: offsets from -1 on */
    END_TWICE,       /* stored twice, reported with the later offsets */
    END_OLD_OFFSETS, /* stored, reported with offsets that were told before */
    END_LATE,        /* reported as timed out, stored afterwards or never */
    END_UNKNOWN,     /* stored, reported as timed out */
    END_NEVER,       /* not stored, reported as timed out */
    END_REFUSED,     /* not stored, and that is known */
    END_COUNT
};

struct flight {
    struct flight *next;
    int32_t partition;
    enum end end;
    int64_t base; /* of the offsets */
    size_t count;
    struct outgoing at[EVENT_MESSAGES_MAX];
};

/* A record on its way that nobody waits for. */
struct stray {
    struct stray *next;
    int32_t partition;
    struct mesh_bytes value;
    char traceparent[64];
};

static struct stray *strays; /* in the ledger's memory */

void kafka_strays_step(void)
{
    struct stray *stray = strays;

    if (stray != NULL) {
        strays = stray->next;
        if (chance_one_in(2)) {
            (void)ledger_append(stray->partition, stray->value, stray->traceparent);
        }
    }
}

bool kafka_has_strays(void)
{
    return strays != NULL;
}

static void stray_add(int32_t partition, const struct outgoing *outgoing)
{
    struct stray *stray = ledger_memory(sizeof(*stray));
    uint8_t *copy = ledger_memory(outgoing->value.size);

    memcpy(copy, outgoing->value.data, outgoing->value.size);
    *stray = (struct stray){
        .next = strays, .partition = partition, .value = mesh_bytes_of(copy, outgoing->value.size)};
    memcpy(stray->traceparent, outgoing->traceparent, sizeof(stray->traceparent));
    strays = stray;
}

void kafka_producers_start(void)
{
    strays = NULL;
}

/* ---- reports ---- */

static void tell(struct kafka_event *event, rd_kafka_t *kafka, const struct outgoing *outgoing,
                 const struct told *as)
{
    struct told *told = &event->at[event->count++];

    *told = *as;
    told->message._private = outgoing->opaque;
    told->message.rkt = &kafka->topic;
}

static void report(rd_kafka_t *kafka, const struct flight *flight)
{
    struct kafka_event *event = kafka_event_add(kafka);

    for (size_t i = 0; i < flight->count; i++) {
        struct told as = {.message.partition = flight->partition,
                          .message.err = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
                          .message.offset = RD_KAFKA_OFFSET_INVALID,
                          .status = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED};
        if (flight->end <= END_OLD_OFFSETS) {
            as.message.err = RD_KAFKA_RESP_ERR_NO_ERROR;
            as.status = RD_KAFKA_MSG_STATUS_PERSISTED;
            as.message.offset =
                flight->end == END_ANSWER_LOST ? (int64_t)i - 1 : flight->base + (int64_t)i;
        } else if (flight->end == END_REFUSED) {
            as.status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        }
        int64_t *last = &kafka->told_last[flight->partition];
        if (flight->end == END_OLD_OFFSETS && as.message.offset > *last) {
            as.message.offset = *last;
        } else if ((flight->end == END_TOLD || flight->end == END_TWICE) &&
                   as.message.offset > *last) {
            *last = as.message.offset;
        }
        tell(event, kafka, &flight->at[i], &as);
    }
}

static enum end choose_end(const rd_kafka_t *kafka, int32_t partition)
{
    if (!chance_one_in(faults.kafka)) {
        return END_TOLD;
    }
    enum end end = (enum end)chance_below(END_COUNT);
    return end == END_OLD_OFFSETS && kafka->told_last[partition] < 0 ? END_TOLD : end;
}

static int64_t store(const struct flight *flight)
{
    int64_t base = ledger.partitions[flight->partition].end;

    for (size_t i = 0; i < flight->count; i++) {
        (void)ledger_append(flight->partition, flight->at[i].value, flight->at[i].traceparent);
    }
    return base;
}

/* A batch goes out; what is going to be stored at once is stored. */
static void send_batch(rd_kafka_t *kafka)
{
    static const char *const words[] = {"told", "answer lost", "twice", "old offsets",
                                        "late", "unknown",     "never", "refused"};
    struct flight *flight = mesh_new(struct flight);
    struct flight **end = &kafka->flights;

    flight->partition = (int32_t)chance_below(PARTITION_COUNT);
    flight->count = 1 + chance_below(kafka->queued_count);
    if (flight->count > EVENT_MESSAGES_MAX) {
        flight->count = EVENT_MESSAGES_MAX;
    }
    memcpy(flight->at, kafka->queued, flight->count * sizeof(struct outgoing));
    kafka->queued_count -= flight->count;
    memmove(kafka->queued, kafka->queued + flight->count,
            kafka->queued_count * sizeof(struct outgoing));
    flight->end = choose_end(kafka, flight->partition);
    trace("%s sends %zu records to partition %d: %s", kafka->process->name, flight->count,
          flight->partition, words[flight->end]);
    switch (flight->end) {
    case END_TWICE:
        (void)store(flight);
        flight->base = store(flight);
        break;
    case END_TOLD:
    case END_ANSWER_LOST:
    case END_UNKNOWN:
        flight->base = store(flight);
        break;
    case END_OLD_OFFSETS:
        (void)store(flight);
        flight->base = (int64_t)chance_below((size_t)kafka->told_last[flight->partition] + 1);
        break;
    case END_LATE:
        for (size_t i = 0; i < flight->count; i++) {
            stray_add(flight->partition, &flight->at[i]);
        }
        break;
    default:
        break;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = flight;
}

bool kafka_producer_step(rd_kafka_t *kafka)
{
    struct flight *first = kafka->flights;

    if (kafka->process->killed) {
        return false;
    }
    if (kafka->queued_count > 0 && !kafka->fatal && (first == NULL || chance_one_in(2))) {
        send_batch(kafka);
        return true;
    }
    if (first != NULL) {
        kafka->flights = first->next;
        report(kafka, first);
        free(first);
        return true;
    }
    return false;
}

bool kafka_producer_at_rest(const rd_kafka_t *kafka)
{
    return kafka->queued_count == 0 && kafka->flights == NULL && kafka->events == NULL;
}

void kafka_producer_break(rd_kafka_t *kafka)
{
    if (!kafka->fatal) {
        trace("%s: fatal error of the producer", kafka->process->name);
        kafka->fatal = true;
        (void)kafka_event_add(kafka);
    }
}

/* Reports everything as not done: what waits, and what was sent. */
static void purge(rd_kafka_t *kafka)
{
    while (kafka->flights != NULL) {
        struct flight *first = kafka->flights;
        kafka->flights = first->next;
        if (first->end == END_REFUSED || first->end == END_NEVER) {
            first->end = END_NEVER;
        } else if (first->end != END_LATE) {
            first->end = END_UNKNOWN;
        }
        report(kafka, first);
        free(first);
    }
    while (kafka->queued_count > 0) {
        struct kafka_event *event = kafka_event_add(kafka);
        const struct told as = {.message.err = RD_KAFKA_RESP_ERR__PURGE_QUEUE,
                                .message.offset = RD_KAFKA_OFFSET_INVALID,
                                .message.partition = RD_KAFKA_PARTITION_UA,
                                .status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED};
        while (kafka->queued_count > 0 && event->count < EVENT_MESSAGES_MAX) {
            tell(event, kafka, &kafka->queued[--kafka->queued_count], &as);
        }
    }
}

/* ---- librdkafka's functions: producing ---- */

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *kafka, const rd_kafka_vu_t *parts, size_t count)
{
    if (kafka->fatal) {
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__FATAL, "fatal");
    }
    if (kafka->process->killed) {
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__DESTROY, "killed");
    }
    if (chance_one_in(faults.kafka * 8)) {
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__QUEUE_FULL, "full");
    }
    if (kafka->queued_count == kafka->queued_capacity) {
        kafka->queued_capacity = kafka->queued_capacity * 2 + 32;
        kafka->queued =
            mesh_realloc(kafka->queued, kafka->queued_capacity * sizeof(struct outgoing));
    }
    struct outgoing *outgoing = &kafka->queued[kafka->queued_count++];
    *outgoing = (struct outgoing){.sent = false};
    kafka->unreported++;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].vtype == RD_KAFKA_VTYPE_VALUE) {
            outgoing->value = mesh_bytes_of(parts[i].u.mem.ptr, parts[i].u.mem.size);
        } else if (parts[i].vtype == RD_KAFKA_VTYPE_OPAQUE) {
            outgoing->opaque = parts[i].u.ptr;
        } else if (parts[i].vtype == RD_KAFKA_VTYPE_HEADERS) {
            const void *text = NULL;
            size_t size = 0;
            if (rd_kafka_header_get_last(parts[i].u.headers, "traceparent", &text, &size) ==
                RD_KAFKA_RESP_ERR_NO_ERROR) {
                (void)snprintf(outgoing->traceparent, sizeof(outgoing->traceparent), "%.*s",
                               (int)size, (const char *)text);
            }
            rd_kafka_headers_destroy(parts[i].u.headers);
        }
    }
    return NULL;
}

int rd_kafka_outq_len(rd_kafka_t *kafka)
{
    return (int)kafka->unreported;
}

rd_kafka_resp_err_t rd_kafka_fatal_error(rd_kafka_t *kafka, char *text, size_t size)
{
    (void)snprintf(text, size, "out of order");
    return kafka->fatal ? RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
                        : RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *kafka, int flags)
{
    (void)flags;
    purge(kafka);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *kafka, int all_topics, rd_kafka_topic_t *topic,
                                      const struct rd_kafka_metadata **out, int timeout_ms)
{
    static struct rd_kafka_metadata_topic simulated = {.topic = (char *)(uintptr_t)KAFKA_TOPIC,
                                                       .partition_cnt = PARTITION_COUNT};
    static const struct rd_kafka_metadata metadata = {.topic_cnt = 1, .topics = &simulated};

    (void)all_topics;
    (void)topic;
    (void)timeout_ms;
    if (!process_call(kafka->process, "looks at Kafka").answer) {
        return RD_KAFKA_RESP_ERR__TRANSPORT;
    }
    *out = &metadata;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *metadata)
{
    (void)metadata;
}
