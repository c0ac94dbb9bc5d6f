/* SPDX-License-Identifier: Apache-2.0 */
/* kafka-consumer: records to documents, and rows to the bytes for Redis. */
#include "batch.h"
#include "document.h"
#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "path.h"
#include "records.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define KEPT_LEN_MAX 1000

static struct {
    const struct corpus *corpus;
    struct topic topic;
    struct partition *partition;
    struct mesh_counters_command *command;
    struct records *records;
    struct entry entries[PATH_BATCH_LEN];
    struct mesh_buffer document;
} consumer;

static void topic_open(const struct corpus *corpus)
{
    consumer.corpus = corpus;
    topic_init(&consumer.topic, corpus->stream, 0, 1);
    consumer.topic.id = mesh_strdup("4Vx2TS5QSE-bJ0bDnjAqZQ");
    consumer.topic.kept_len_max = KEPT_LEN_MAX;
}

static void topic_close(void)
{
    topic_done(&consumer.topic);
    mesh_metrics_done();
}

/* ---- records ---- */

static void records_open(const struct corpus *corpus)
{
    topic_open(corpus);
    consumer.partition = partition_add(&consumer.topic, 0, 0);
    consumer.records = records_new(corpus);
}

static void records_close(void)
{
    mesh_buffer_done(&consumer.document);
    records_free(consumer.records);
    topic_close();
}

static void entries_read(size_t round)
{
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        struct entry *entry = &consumer.entries[i];
        const char *reason = NULL;
        entry->message = records_message(consumer.records, round, i);
        entry->partition = consumer.partition;
        must(mesh_record_read(consumer.corpus->stream,
                              mesh_bytes_of(entry->message->payload, entry->message->len),
                              &entry->record, &reason));
    }
}

static void entries_done(size_t round)
{
    (void)round;
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        mesh_record_done(&consumer.entries[i].record);
    }
}

static void read_work(size_t round)
{
    entries_read(round);
    entries_done(round);
}

static void document_work(size_t round)
{
    (void)round;
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        mesh_buffer_reset(&consumer.document);
        must(document_write(&consumer.document, &consumer.entries[i]) == NULL);
    }
}

/* ---- rows ---- */

static void rows_open(const struct corpus *corpus)
{
    topic_open(corpus);
    consumer.partition = partition_add(&consumer.topic, CORPUS_PARTITION, corpus_offset(0));
    consumer.command = mesh_counters_command_new();
}

static void rows_close(void)
{
    mesh_counters_command_free(consumer.command);
    topic_close();
}

/* As batch_finish() of loop.c and settle_rows() of settle.c do it; formatting is hiredis's part. */
static void settle_work(size_t round)
{
    static const struct mesh_counters_range nowhere;
    struct partition *partition = consumer.partition;
    struct mesh_counters_range range = nowhere;
    char *bytes = NULL;

    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        must(partition_append(partition, corpus_offset(round) + (int64_t)i,
                              corpus_event(consumer.corpus, round, i)->group, i % 50 == 49));
    }
    range.stream = consumer.topic.stream->name;
    range.partition = (uint32_t)partition->number;
    range.first_offset = (uint64_t)partition->settled;
    range.count = partition->row_count;
    range.groups = partition->groups + partition->row_first;
    range.group_names = consumer.topic.stream->group_names;
    range.group_count = consumer.topic.stream->group_count;
    range.duplicates = partition->duplicates + partition->row_first;
    range.topic_id = consumer.topic.id;
    mesh_counters_settle(consumer.command, &range);
    must(redisFormatCommandArgv(&bytes, consumer.command->argc, consumer.command->argv,
                                consumer.command->argv_sizes) > 0);
    redisFreeCommand(bytes);
    partition_settle(partition, partition->row_count);
}

static const struct path record_read = {
    .name = "record_read", .open = records_open, .work = read_work, .close = records_close};

static const struct path document = {.name = "document",
                                     .open = records_open,
                                     .prepare = entries_read,
                                     .work = document_work,
                                     .tidy = entries_done,
                                     .close = records_close};

static const struct path settle = {
    .name = "settle", .open = rows_open, .work = settle_work, .close = rows_close};

const struct path *const paths[] = {&record_read, &document, &settle, NULL};
