/* SPDX-License-Identifier: Apache-2.0 */
#include "count.h"

#include "dead_letters.h"
#include "mesh/alloc.h"
#include "mesh/event.h"
#include "progress.h"

#include <inttypes.h>
#include <stdlib.h>

/* Of one count_events(). */
struct counting {
    const struct count_options *options;
    struct tally *tally;
    struct dead_letters dead;
    struct progress progress;
    uint64_t holding; /* records below the cut that hold an event */
};

/* What a record says. False: no event. */
static bool record_read(const struct counting *counting, const rd_kafka_message_t *message,
                        struct mesh_record *out)
{
    const char *reason = NULL;

    return !dead_letters_have(&counting->dead, message->partition, message->offset) &&
           message->payload != NULL &&
           mesh_record_read(counting->options->stream,
                            mesh_bytes_of(message->payload, message->len), out, &reason);
}

static bool below_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct counting *counting = arg;
    struct mesh_record record = {0};

    progress_add(&counting->progress, "records read");
    if (!record_read(counting, message, &record)) {
        return true;
    }
    counting->holding++;
    bool ok = tally_record(counting->tally, &record.id, record.group, err);
    mesh_record_done(&record);
    return ok;
}

static bool above_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct counting *counting = arg;
    struct mesh_record record = {0};

    progress_add(&counting->progress, "records read");
    if (!record_read(counting, message, &record)) {
        return true;
    }
    bool ok = tally_record_above(counting->tally, &record.id, err);
    mesh_record_done(&record);
    return ok;
}

static void before_visit(void *arg, const struct document *document)
{
    struct counting *counting = arg;

    progress_add(&counting->progress, "documents read");
    tally_document_before_log(counting->tally, document);
}

static void archive_visit(void *arg, const struct document *document)
{
    struct counting *counting = arg;

    progress_add(&counting->progress, "documents read");
    tally_document(counting->tally, document);
}

/* Reads the log on one side of the cut. */
static bool log_read(struct counting *counting, bool below, struct mesh_error *err)
{
    const struct count_options *options = counting->options;
    const struct log_extent *log = &options->cut->log;
    struct log_extent part = {.count = log->count};

    part.partitions = mesh_new_array(struct log_bounds, log->count + 1);
    for (size_t i = 0; i < log->count; i++) {
        int64_t mark = options->cut->marks[i];
        part.partitions[i].first = below ? log->partitions[i].first : mark;
        part.partitions[i].end = below ? mark : log->partitions[i].end;
    }
    bool ok = log_reader_read(options->reader, options->stream->topic, &part,
                              below ? below_visit : above_visit, counting, err);
    log_extent_done(&part);
    return ok;
}

struct decision {
    struct tally *tally;
    bool made;
};

static void decision_visit(void *arg, const struct document *document)
{
    struct decision *decision = arg;

    tally_decide(decision->tally, document);
    decision->made = true;
}

static bool doubts_decide(struct counting *counting, struct mesh_error *err)
{
    const struct count_options *options = counting->options;
    struct mesh_id id;

    while (tally_doubt(counting->tally, &id)) {
        struct decision decision = {.tally = counting->tally};
        if (!documents_find(options->client, options->database, options->stream, &id,
                            decision_visit, &decision, err)) {
            return false;
        }
        if (!decision.made) {
            tally_decide(counting->tally, NULL);
        }
        progress_add(&counting->progress, "events looked up");
    }
    return true;
}

/* From the log; what it has lost, from the archive. */
static bool from_log(struct counting *counting, bool archive_too, struct mesh_error *err)
{
    const struct count_options *options = counting->options;

    return log_read(counting, true, err) &&
           (!archive_too || documents_read(options->client, options->database, options->stream,
                                           before_visit, counting, err)) &&
           log_read(counting, false, err) && doubts_decide(counting, err);
}

static bool from_archive(struct counting *counting, struct mesh_error *err)
{
    const struct count_options *options = counting->options;

    return documents_read(options->client, options->database, options->stream, archive_visit,
                          counting, err);
}

static bool choose(struct counting *counting, bool trimmed, struct count_result *out,
                   struct mesh_error *err)
{
    const struct count_options *options = counting->options;

    if (options->source == SOURCE_MONGODB) {
        out->source = "mongodb";
        return from_archive(counting, err);
    }
    if (trimmed && options->source == SOURCE_KAFKA && !options->new_topic) {
        return mesh_fail(err, MESH_OUT_OF_RANGE,
                         "stream %s: Kafka has dropped the beginning of the log: --from auto takes "
                         "it from the archive",
                         options->stream->name);
    }
    bool archive_too = trimmed && !options->new_topic;
    out->source = archive_too ? "kafka and mongodb" : "kafka";
    return from_log(counting, archive_too, err);
}

/* What the log holds below the cut, records or not. */
static uint64_t log_length(const struct cut *cut)
{
    uint64_t length = 0;

    for (size_t i = 0; i < cut->log.count; i++) {
        length += (uint64_t)(cut->marks[i] - cut->log.partitions[i].first);
    }
    return length;
}

bool count_events(const struct count_options *options, struct count_result *out,
                  struct mesh_error *err)
{
    struct counting counting = {.options = options};
    struct count_result result = {0};

    counting.tally = tally_new(options->cut, options->bytes_max);
    progress_start(&counting.progress, options->stream->name);
    bool ok = dead_letters_read(options->reader, options->stream, &counting.dead, err) &&
              choose(&counting, cut_log_is_trimmed(options->cut), &result, err);
    progress_end(&counting.progress);
    if (ok) {
        result.counts = *tally_counts(counting.tally);
        if (options->source != SOURCE_MONGODB) {
            result.not_counted = log_length(options->cut) - counting.holding;
        }
        *out = result;
    }
    dead_letters_done(&counting.dead);
    tally_free(counting.tally);
    return ok;
}
