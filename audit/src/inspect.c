/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect.h"

#include "dead_letters.h"
#include "ledger.h"
#include "log_reader.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/event.h"
#include "stores.h"

#include <stdlib.h>
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
    struct dead_letters dead;
    struct log_extent log;
};

struct inspector *inspector_new(const struct config *config, struct mesh_error *err)
{
    struct inspector *inspector = mesh_new(struct inspector);

    inspector->config = config;
    inspector->log = log_reader_new(config->kafka_brokers, "tweetmesh-audit",
                                    (uint32_t)config->kafka_ms_max, err);
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

static bool record_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct inspection *inspection = arg;
    struct mesh_record record = {0};
    const char *reason = NULL;

    inspection->findings.records++;
    if (dead_letters_have(&inspection->dead, message->partition, message->offset)) {
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

/* Whether Kafka does not keep that record any more. */
static bool is_before_log(const struct inspection *inspection, const struct position *place)
{
    return place->partition >= 0 && (size_t)place->partition < inspection->log.count &&
           place->offset >= 0 && place->offset < inspection->log.partitions[place->partition].first;
}

static void document_visit(void *arg, const struct document *document)
{
    struct inspection *inspection = arg;

    if (is_before_log(inspection, &document->archived)) {
        ledger_document_before_log(inspection->ledger, document);
    } else {
        ledger_document(inspection->ledger, document);
    }
}

/* Reads the log, and what of it Redis has not settled. */
static bool log_read(struct inspection *inspection, struct mesh_error *err)
{
    struct inspector *inspector = inspection->inspector;
    const struct mesh_stream *stream = inspection->stream;

    return log_reader_extent(inspector->log, stream->topic, &inspection->log, err) &&
           log_reader_read(inspector->log, stream->topic, &inspection->log, record_visit,
                           inspection, err) &&
           stores_unsettled(inspector->stores, stream, &inspection->log,
                            &inspection->findings.unsettled, err);
}

bool inspect_stream(struct inspector *inspector, const struct mesh_stream *stream,
                    struct findings *out, struct mesh_error *err)
{
    struct inspection inspection = {
        .inspector = inspector, .stream = stream, .findings = {.stream = stream}};

    inspection.ledger =
        ledger_new(&inspection.findings, (size_t)inspector->config->memory_mb_max * 1024 * 1024);
    bool ok = dead_letters_read(inspector->log, stream, &inspection.dead, err);
    ok = ok && log_read(&inspection, err);
    ok = ok && stores_redis(inspector->stores, stream, &inspection.findings, err);
    ok = ok && stores_documents(inspector->stores, stream, document_visit, &inspection, err);
    ledger_close(inspection.ledger);
    ledger_free(inspection.ledger);
    dead_letters_done(&inspection.dead);
    log_extent_done(&inspection.log);
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
