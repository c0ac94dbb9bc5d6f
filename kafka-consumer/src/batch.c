/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

void batch_init(struct batch *batch, size_t capacity)
{
    *batch =
        (struct batch){.entries = mesh_new_array(struct entry, capacity), .capacity = capacity};
}

void batch_done(struct batch *batch)
{
    batch_clear(batch);
    free(batch->entries);
    batch->entries = NULL;
}

void entry_set_poison(struct entry *entry, const char *reason, int32_t server_code)
{
    entry->state = ENTRY_POISON;
    entry->reason = reason;
    entry->server_code = server_code;
}

static void entry_read(struct entry *entry)
{
    const rd_kafka_message_t *message = entry->message;
    const char *reason = NULL;

    if (message->payload == NULL) {
        entry_set_poison(entry, "has no value", 0);
        return;
    }
    if (!mesh_record_read(entry->partition->topic->stream,
                          mesh_bytes_of(message->payload, message->len), &entry->record, &reason)) {
        entry->record.doc = NULL;
        entry_set_poison(entry, reason, 0);
        return;
    }
    entry->state = message->offset < entry->partition->repair_until ? ENTRY_LOOK_UP : ENTRY_INSERT;
}

void batch_add_take(struct batch *batch, struct partition *partition, rd_kafka_message_t *message)
{
    assert(batch->count < batch->capacity);

    struct entry *entry = &batch->entries[batch->count++];
    *entry = (struct entry){.message = message, .partition = partition};
    batch->bytes += message->len;
    entry_read(entry);
}

void batch_forget(struct batch *batch, const struct partition *partition)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->entries[i].partition == partition) {
            batch->entries[i].partition = NULL;
        }
    }
}

bool batch_has(const struct batch *batch, enum entry_state state)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->entries[i].partition != NULL && batch->entries[i].state == state) {
            return true;
        }
    }
    return false;
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = &batch->entries[i];
        if (entry->record.doc != NULL) {
            mesh_record_done(&entry->record);
        }
        rd_kafka_message_destroy(entry->message);
    }
    batch->count = 0;
    batch->bytes = 0;
}
