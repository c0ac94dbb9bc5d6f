/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect.h"

#include "ledger.h"
#include "log_reader.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/event.h"
#include "positions.h"
#include "stores.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often the watermarks are looked at while waiting. */
enum { LOOK_MS = 100 };

struct inspector {
    const struct config *config;
    struct log_reader *log;
    struct stores *stores;
};

/* Of one inspect_stream(). */
struct inspection {
    struct inspector *inspector;
    const struct mesh_stream *stream;
    struct findings findings;
    struct ledger *ledger;
    struct positions dead; /* sorted once all are read */
};

struct inspector *inspector_new(const struct config *config, struct mesh_error *err)
{
    struct inspector *inspector = mesh_new(struct inspector);

    inspector->config = config;
    inspector->log = log_reader_new(config->kafka_brokers, (uint32_t)config->kafka_ms_max, err);
    if (inspector->log == NULL) {
        goto fail;
    }
    inspector->stores = stores_new(config, err);
    if (inspector->stores == NULL) {
        goto fail;
    }
    return inspector;

fail:
    inspector_free(inspector);
    return NULL;
}

bool inspect_wait(struct inspector *inspector, const struct mesh_stream *stream, int64_t until_us,
                  struct mesh_error *err)
{
    uint64_t unsettled = 1;

    while (unsettled > 0 && mesh_clock_mono_us() < until_us) {
        struct log_extent extent = {0};
        if (!log_reader_extent(inspector->log, stream->topic, &extent, err)) {
            return false;
        }
        bool ok = stores_unsettled(inspector->stores, stream, &extent, &unsettled, err);
        log_extent_done(&extent);
        if (!ok) {
            return false;
        }
        if (unsettled > 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
        }
    }
    return true;
}

static bool header_number(const rd_kafka_headers_t *headers, const char *name, int64_t *out)
{
    const void *value = NULL;
    size_t size = 0;
    char text[24];

    if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        size == 0 || size >= sizeof text) {
        return false;
    }
    (void)memcpy(text, value, size);
    text[size] = '\0';
    char *end = NULL;
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}

static bool dead_letter_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct inspection *inspection = arg;
    rd_kafka_headers_t *headers = NULL;
    int64_t partition = 0;
    int64_t offset = 0;

    (void)err;
    /* What somebody else put there says nothing about our records. */
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        !header_number(headers, "partition", &partition) ||
        !header_number(headers, "offset", &offset)) {
        return true;
    }
    positions_add(&inspection->dead,
                  (struct position){.partition = (int32_t)partition, .offset = offset});
    return true;
}

static bool record_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct inspection *inspection = arg;
    struct mesh_record record = {0};
    const char *reason = NULL;

    inspection->findings.records++;
    if (positions_find(&inspection->dead, message->partition, message->offset) != NULL) {
        inspection->findings.dead_letters++;
        return true;
    }
    if (message->payload == NULL ||
        !mesh_record_read(inspection->stream, mesh_bytes_of(message->payload, message->len),
                          &record, &reason)) {
        inspection->findings.undeliverable++;
        return true;
    }
    bool ok = ledger_record(inspection->ledger, &record.id,
                            (struct position){.partition = message->partition,
                                              .offset = message->offset,
                                              .group = record.group},
                            err);
    mesh_record_done(&record);
    return ok;
}

static void document_visit(void *arg, const struct ledger_document *document)
{
    struct inspection *inspection = arg;

    ledger_document(inspection->ledger, document);
}

/* Reads a whole topic; one that lost its beginning cannot be audited. */
static bool topic_read(struct inspection *inspection, const char *topic, bool must_be_whole,
                       log_record_fn *visit, struct mesh_error *err)
{
    struct inspector *inspector = inspection->inspector;
    struct log_extent extent = {0};

    if (!log_reader_extent(inspector->log, topic, &extent, err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && must_be_whole && i < extent.count; i++) {
        if (extent.partitions[i].first > 0) {
            ok = mesh_fail(err, MESH_OUT_OF_RANGE,
                           "Kafka topic %s, partition %zu: begins at offset %" PRId64
                           ", what came before cannot be counted any more",
                           topic, i, extent.partitions[i].first);
        }
    }
    ok = ok && log_reader_read(inspector->log, topic, &extent, visit, inspection, err);
    ok = ok && (!must_be_whole || stores_unsettled(inspector->stores, inspection->stream, &extent,
                                                   &inspection->findings.unsettled, err));
    log_extent_done(&extent);
    return ok;
}

bool inspect_stream(struct inspector *inspector, const struct mesh_stream *stream,
                    struct findings *out, struct mesh_error *err)
{
    struct inspection inspection = {
        .inspector = inspector, .stream = stream, .findings = {.stream = stream}};

    inspection.ledger =
        ledger_new(&inspection.findings, (size_t)inspector->config->memory_mb_max * 1024 * 1024);
    bool ok = topic_read(&inspection, stream->dlq_topic, false, dead_letter_visit, err);
    positions_sort(&inspection.dead);
    ok = ok && topic_read(&inspection, stream->topic, true, record_visit, err);
    ok = ok && stores_redis(inspector->stores, stream, &inspection.findings, err);
    ok = ok && stores_documents(inspector->stores, stream, document_visit, &inspection, err);
    ledger_close(inspection.ledger);
    ledger_free(inspection.ledger);
    positions_done(&inspection.dead);
    if (ok) {
        *out = inspection.findings;
    }
    return ok;
}

void inspector_free(struct inspector *inspector)
{
    if (inspector == NULL) {
        return;
    }
    stores_free(inspector->stores);
    log_reader_free(inspector->log);
    free(inspector);
}
