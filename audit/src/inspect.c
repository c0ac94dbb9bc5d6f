/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect.h"

#include "id_set.h"
#include "log_reader.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/event.h"
#include "stores.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often the watermarks are looked at while waiting. */
enum { LOOK_MS = 100 };

/* Ids whose records name different groups; which one counts only the archive knows. */
enum { AMBIGUOUS_COUNT_MAX = 100000 };

struct inspector {
    const struct config *config;
    struct log_reader *log;
    struct stores *stores;
};

struct dead_letter {
    int32_t partition;
    int64_t offset;
};

/* Of one inspect_stream(). */
struct inspection {
    struct inspector *inspector;
    const struct mesh_stream *stream;
    struct findings findings;
    struct id_set *ids;
    struct dead_letter *dead; /* sorted once all are read */
    size_t dead_count;
    size_t dead_capacity;
    struct mesh_id *ambiguous;
    size_t ambiguous_count;
    size_t ambiguous_capacity;
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
    if (inspection->dead_count == inspection->dead_capacity) {
        inspection->dead_capacity = inspection->dead_capacity * 2 + 64;
        inspection->dead =
            mesh_realloc(inspection->dead, inspection->dead_capacity * sizeof(struct dead_letter));
    }
    inspection->dead[inspection->dead_count++] =
        (struct dead_letter){.partition = (int32_t)partition, .offset = offset};
    return true;
}

static int dead_letter_order(const void *a, const void *b)
{
    const struct dead_letter *left = a;
    const struct dead_letter *right = b;

    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    return left->offset < right->offset ? -1 : left->offset > right->offset ? 1 : 0;
}

static bool is_dead(const struct inspection *inspection, const rd_kafka_message_t *message)
{
    struct dead_letter key = {.partition = message->partition, .offset = message->offset};

    return inspection->dead_count > 0 && bsearch(&key, inspection->dead, inspection->dead_count,
                                                 sizeof key, dead_letter_order) != NULL;
}

static bool event_add(struct inspection *inspection, const struct mesh_record *record,
                      struct mesh_error *err)
{
    struct findings *findings = &inspection->findings;
    uint8_t first = 0;

    switch (id_set_add(inspection->ids, &record->id, record->group, &first)) {
    case ID_SET_NEW:
        findings->kafka.total++;
        findings->kafka.groups[record->group]++;
        return true;
    case ID_SET_KNOWN:
        findings->repeated++;
        return true;
    case ID_SET_OTHER_GROUP:
        findings->repeated++;
        break;
    case ID_SET_FULL:
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                         "stream %s: its ids need more than MEMORY_MB_MAX", findings->stream->name);
    }
    if (inspection->ambiguous_count == AMBIGUOUS_COUNT_MAX) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                         "stream %s: more than %d events have records in different groups",
                         findings->stream->name, AMBIGUOUS_COUNT_MAX);
    }
    if (inspection->ambiguous_count == inspection->ambiguous_capacity) {
        inspection->ambiguous_capacity = inspection->ambiguous_capacity * 2 + 64;
        inspection->ambiguous = mesh_realloc(inspection->ambiguous, inspection->ambiguous_capacity *
                                                                        sizeof(struct mesh_id));
    }
    inspection->ambiguous[inspection->ambiguous_count++] = record->id;
    return true;
}

static bool record_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct inspection *inspection = arg;
    struct mesh_record record = {0};
    const char *reason = NULL;

    inspection->findings.records++;
    if (is_dead(inspection, message)) {
        inspection->findings.dead_letters++;
        return true;
    }
    if (message->payload == NULL ||
        !mesh_record_read(inspection->stream, mesh_bytes_of(message->payload, message->len),
                          &record, &reason)) {
        inspection->findings.undeliverable++;
        return true;
    }
    bool ok = event_add(inspection, &record, err);
    mesh_record_done(&record);
    return ok;
}

/* An event whose records name different groups counts where the archive has it. */
static bool ambiguous_settle(struct inspection *inspection, struct mesh_error *err)
{
    struct tally *kafka = &inspection->findings.kafka;

    for (size_t i = 0; i < inspection->ambiguous_count; i++) {
        const struct mesh_id *id = &inspection->ambiguous[i];
        uint8_t archived = 0;
        uint8_t counted = 0;
        if (!stores_archived_group(inspection->inspector->stores, inspection->stream, id, &archived,
                                   err)) {
            if (err->code == MESH_NOT_FOUND) {
                continue; /* the totals will show that it is missing */
            }
            return false;
        }
        if (id_set_add(inspection->ids, id, archived, &counted) == ID_SET_OTHER_GROUP) {
            kafka->groups[counted]--;
            kafka->groups[archived]++;
            id_set_regroup(inspection->ids, id, archived);
        }
    }
    return true;
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

    inspection.ids = id_set_new((size_t)inspector->config->memory_mb_max * 1024 * 1024);
    bool ok = topic_read(&inspection, stream->dlq_topic, false, dead_letter_visit, err);
    if (inspection.dead_count > 0) {
        qsort(inspection.dead, inspection.dead_count, sizeof(struct dead_letter),
              dead_letter_order);
    }
    ok = ok && topic_read(&inspection, stream->topic, true, record_visit, err);
    ok = ok && stores_redis(inspector->stores, stream, &inspection.findings, err);
    ok = ok && stores_mongo(inspector->stores, stream, &inspection.findings.mongo, err);
    ok = ok && ambiguous_settle(&inspection, err);
    id_set_free(inspection.ids);
    free(inspection.dead);
    free(inspection.ambiguous);
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
