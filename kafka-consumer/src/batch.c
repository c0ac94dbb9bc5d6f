/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include "document.h"
#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

/* For the JSON of a record of about 5 kB; what is longer is read with memory of the heap. */
enum { SCRATCH_SIZE = 64 * 1024 };

/* Documents take more memory than that only while they are in hand. */
enum { DOCUMENTS_KEPT_SIZE = 1024 * 1024 };

void batch_init(struct batch *batch, size_t capacity)
{
    *batch = (struct batch){
        .entries = mesh_new_array(struct entry, capacity),
        .capacity = capacity,
        .scratch = mesh_alloc(SCRATCH_SIZE),
    };
}

void batch_done(struct batch *batch)
{
    batch_clear(batch);
    mesh_buffer_done(&batch->documents);
    free(batch->scratch);
    free(batch->entries);
    *batch = (struct batch){0};
}

void entry_set_poison(struct entry *entry, const char *reason, int32_t server_code)
{
    entry->state = ENTRY_POISON;
    entry->reason = reason;
    entry->server_code = server_code;
}

/* The document is written at once, while the record's JSON is in the processor's cache. */
static const char *entry_read(struct batch *batch, struct entry *entry)
{
    const rd_kafka_message_t *message = entry->message;
    const struct mesh_stream *stream = entry->partition->topic->stream;
    const char *reason = NULL;
    yyjson_alc memory;

    if (message->payload == NULL) {
        return "has no value";
    }
    bool fits =
        yyjson_read_max_memory_usage(message->len, MESH_EVENT_READ_FLAGS) <= SCRATCH_SIZE / 2 &&
        yyjson_alc_pool_init(&memory, batch->scratch, SCRATCH_SIZE);
    if (!mesh_record_read_into(fits ? &memory : NULL, stream,
                               mesh_bytes_of(message->payload, message->len), &entry->record,
                               &reason)) {
        return reason;
    }
    entry->readable = true;
    entry->document = batch->documents.size;
    reason = document_write(&batch->documents, entry);
    entry->document_size = batch->documents.size - entry->document;
    mesh_record_done(&entry->record);
    return reason;
}

void batch_add_take(struct batch *batch, struct partition *partition, rd_kafka_message_t *message)
{
    assert(batch->count < batch->capacity);

    struct entry *entry = &batch->entries[batch->count++];
    *entry = (struct entry){.message = message, .partition = partition};
    batch->bytes += message->len;
    const char *reason = entry_read(batch, entry);
    if (reason != NULL) {
        entry_set_poison(entry, reason, 0);
    } else if (message->offset < partition->repair_until) {
        entry->state = ENTRY_LOOK_UP;
    }
}

struct mesh_bytes batch_document(const struct batch *batch, const struct entry *entry)
{
    return mesh_bytes_of(batch->documents.data + entry->document, entry->document_size);
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
        rd_kafka_message_destroy(batch->entries[i].message);
    }
    batch->count = 0;
    batch->bytes = 0;
    if (batch->documents.capacity > DOCUMENTS_KEPT_SIZE) {
        mesh_buffer_done(&batch->documents);
    }
    mesh_buffer_reset(&batch->documents);
}

void batch_tidy(struct batch *batch)
{
    if (batch->count == 0) {
        mesh_buffer_done(&batch->documents);
    }
}
