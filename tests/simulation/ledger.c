/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include "mesh/alloc.h"
#include "mesh/arena.h"
#include "verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES = 256 * 1024, TRACE_ID_AT = 3, TRACE_ID_DIGITS = 32 };

const char *const ledger_groups[GROUP_COUNT] = {"red", "green", "blue", "grey"};
struct ledger ledger;
static struct mesh_arena *arena;

void ledger_start(void)
{
    if (arena == NULL) {
        arena = mesh_arena_new(ARENA_BLOCK_BYTES);
    }
    mesh_arena_reset(arena);
    ledger.event_count = 0;
    ledger.sending_count = 0;
    ledger.document_count = 0;
    memset(ledger.records_of, 0, sizeof(ledger.records_of));
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        struct ledger_partition *partition = &ledger.partitions[i];
        partition->count = 0;
        partition->end = 0;
        partition->settled = 0;
        partition->checked = 0;
        partition->committed = -1;
    }
}

void *ledger_memory(size_t size)
{
    return mesh_arena_alloc(arena, size);
}

size_t ledger_event_new(uint8_t group, bool refused)
{
    size_t event = ledger.event_count++;

    if (event >= EVENT_COUNT_MAX) {
        abort(); /* a schedule is far shorter */
    }
    ledger.events[event] = (struct ledger_event){.group = group, .refused = refused};
    return event;
}

size_t ledger_send(size_t event)
{
    size_t sending = ledger.sending_count++;

    if (sending >= SENDING_COUNT_MAX) {
        abort();
    }
    ledger.sendings[sending] = (struct sending){.event = event};
    return sending;
}

static void check_stored(const struct sending *sending, int64_t partition, int64_t offset)
{
    struct ledger_event *event = &ledger.events[sending->event];

    event->acknowledged = true;
    if (event->records == 0) {
        verdict_broken("I1: event %zu was acknowledged and is not in Kafka", sending->event);
    }
    if (offset < 0) {
        return;
    }
    const struct record *record = partition >= 0 && partition < PARTITION_COUNT
                                      ? ledger_record((int32_t)partition, offset)
                                      : NULL;
    if (record == NULL || record->offset != offset || record->event != sending->event) {
        verdict_broken("I1: event %zu was acknowledged at %" PRId64 "/%" PRId64 ", where it is not",
                       sending->event, partition, offset);
    }
}

void ledger_told(size_t index, enum outcome outcome, int64_t partition, int64_t offset)
{
    static const char *const words[] = {"nothing", "stored", "not stored", "unknown"};
    struct sending *sending = &ledger.sendings[index];

    trace("client: sending %zu of event %zu: %s, %" PRId64 "/%" PRId64, index, sending->event,
          words[outcome], partition, offset);
    sending->outcome = outcome;
    if (outcome == OUTCOME_STORED) {
        check_stored(sending, partition, offset);
    } else if (outcome == OUTCOME_NOT_STORED && sending->records > 0) {
        verdict_broken("I4: sending %zu of event %zu was refused as not stored and is in Kafka",
                       index, sending->event);
    }
}

/* The number behind "event ". */
size_t ledger_event_of(struct mesh_bytes text)
{
    char digits[16] = {0};

    if (text.size < 7 || text.size > 20 || memcmp(text.data, "event ", 6) != 0) {
        return EVENT_COUNT_MAX;
    }
    memcpy(digits, text.data + 6, text.size - 6);
    size_t event = strtoull(digits, NULL, 10);
    return event < ledger.event_count ? event : EVENT_COUNT_MAX;
}

/* What stands between `before` and the next quote. */
static struct mesh_bytes between(struct mesh_bytes value, const char *before)
{
    const uint8_t *at = memmem(value.data, value.size, before, strlen(before));

    if (at == NULL) {
        return mesh_bytes_of(NULL, 0);
    }
    at += strlen(before);
    const uint8_t *end = memchr(at, '"', (size_t)(value.data + value.size - at));
    return mesh_bytes_of(at, end == NULL ? 0 : (size_t)(end - at));
}

static void check_record(const struct record *record)
{
    struct mesh_bytes id = between(record->value, "\"id\":\"");
    struct ledger_event *event = &ledger.events[record->event];

    event->records++;
    ledger.records_of[event->group]++;
    if (id.size != MESH_ID_LENGTH) {
        verdict_broken("a record of event %zu has no id", record->event);
        return;
    }
    if (event->id[0] == '\0') {
        memcpy(event->id, id.data, MESH_ID_LENGTH);
        event->id[MESH_ID_LENGTH] = '\0';
    } else if (memcmp(event->id, id.data, MESH_ID_LENGTH) != 0) {
        verdict_broken("event %zu has got a second id", record->event);
    }
    char trace_id[TRACE_ID_DIGITS + 1] = {0};
    memcpy(trace_id, record->traceparent + TRACE_ID_AT, TRACE_ID_DIGITS);
    for (size_t i = strtoull(trace_id, NULL, 16) - 1; i < ledger.sending_count; i++) {
        struct sending *sending = &ledger.sendings[i];
        if (sending->event == record->event) {
            sending->records++;
            if (sending->outcome == OUTCOME_NOT_STORED) {
                verdict_broken("I4: sending %zu of event %zu was refused as not stored and came "
                               "into Kafka",
                               i, record->event);
            }
            return;
        }
    }
    verdict_broken("I2: Kafka got a record that nobody sent");
}

static struct record *record_new(struct ledger_partition *partition)
{
    if (partition->count == partition->capacity) {
        partition->capacity = partition->capacity * 2 + 64;
        partition->records =
            mesh_realloc(partition->records, partition->capacity * sizeof(struct record));
    }
    struct record *record = &partition->records[partition->count++];
    *record = (struct record){.offset = partition->end++};
    return record;
}

int64_t ledger_append(int32_t number, struct mesh_bytes value, const char *traceparent)
{
    struct record *record = record_new(&ledger.partitions[number]);
    uint8_t *copy = ledger_memory(value.size);

    memcpy(copy, value.data, value.size);
    record->value = mesh_bytes_of(copy, value.size);
    record->event = ledger_event_of(between(value, "\"text\":\""));
    (void)snprintf(record->traceparent, sizeof(record->traceparent), "%s", traceparent);
    if (record->event < EVENT_COUNT_MAX) {
        trace("Kafka: %d/%" PRId64 " is event %zu", number, record->offset, record->event);
        check_record(record);
    } else {
        trace("Kafka: %d/%" PRId64 " is poison", number, record->offset);
    }
    return record->offset;
}

void ledger_append_hole(int32_t number, int64_t size)
{
    trace("Kafka: %d/%" PRId64 " and %" PRId64 " more hold nothing", number,
          ledger.partitions[number].end, size - 1);
    ledger.partitions[number].end += size;
}

bool ledger_is_poison(const struct record *record)
{
    return record->event == EVENT_COUNT_MAX || ledger.events[record->event].refused;
}

struct record *ledger_record(int32_t number, int64_t offset)
{
    const struct ledger_partition *partition = &ledger.partitions[number];
    size_t low = 0;
    size_t high = partition->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (partition->records[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < partition->count ? &partition->records[low] : NULL;
}

struct document *ledger_document(const char *id)
{
    for (size_t i = 0; i < ledger.document_count; i++) {
        if (memcmp(ledger.documents[i].id, id, MESH_ID_LENGTH) == 0) {
            return &ledger.documents[i];
        }
    }
    return NULL;
}

void ledger_archive(const struct document *document, const char *kind)
{
    const struct ledger_event *event =
        document->event < EVENT_COUNT_MAX ? &ledger.events[document->event] : NULL;

    trace("MongoDB: event %zu from %d/%" PRId64, document->event, document->partition,
          document->offset);
    if (event == NULL || event->refused || strcmp(event->id, document->id) != 0) {
        verdict_broken("I2: the archive got a document that nobody sent");
        return;
    }
    if (strcmp(kind, ledger_groups[event->group]) != 0) {
        verdict_broken("I1: the document of event %zu is not what was sent", document->event);
    }
    ledger.documents[ledger.document_count++] = *document;
}

void ledger_settled(int32_t number, int64_t watermark)
{
    struct ledger_partition *partition = &ledger.partitions[number];

    if (watermark > partition->end) {
        verdict_broken("partition %d is settled up to %" PRId64 ", its log ends at %" PRId64,
                       number, watermark, partition->end);
    }
    for (; partition->checked < partition->count; partition->checked++) {
        const struct record *record = &partition->records[partition->checked];
        if (record->offset >= watermark) {
            break;
        }
        if (ledger_is_poison(record) ? !record->letter
                                     : ledger_document(ledger.events[record->event].id) == NULL) {
            verdict_broken("%d/%" PRId64 " is settled and not archived", number, record->offset);
        }
    }
    if (watermark > partition->settled) {
        partition->settled = watermark;
    }
}

void ledger_commit(int32_t number, int64_t offset)
{
    struct ledger_partition *partition = &ledger.partitions[number];

    /* Where there is no record there is nothing to settle either. */
    if (partition->checked < partition->count &&
        partition->records[partition->checked].offset < offset) {
        verdict_broken("%d/%" PRId64 " is committed, settled was never more than %" PRId64, number,
                       offset, partition->settled);
    }
    partition->committed = offset;
}

void ledger_check_end(void)
{
    for (size_t i = 0; i < ledger.event_count; i++) {
        const struct ledger_event *event = &ledger.events[i];
        size_t documents = 0;
        for (size_t k = 0; k < ledger.document_count; k++) {
            documents += ledger.documents[k].event == i;
        }
        if (documents != (event->records > 0 && !event->refused ? 1 : 0)) {
            verdict_broken("I1: event %zu: %zu records, %zu documents%s", i, event->records,
                           documents, event->acknowledged ? ", acknowledged" : "");
        }
    }
}
