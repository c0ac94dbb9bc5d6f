/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>

/* `{"id":"…","partition":3,"offset":1234}`; Kafka may not have told where it is. */
static void write_stored(struct mesh_buffer *out, const struct event *event)
{
    char text[128];
    int size = snprintf(text, sizeof(text), "{\"id\":\"%s\",\"partition\":", event->id.text);
    if (event->partition >= 0) {
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%" PRId32, event->partition);
    } else {
        size += snprintf(text + size, sizeof(text) - (size_t)size, "null");
    }
    if (event->offset >= 0) {
        size += snprintf(text + size, sizeof(text) - (size_t)size, ",\"offset\":%" PRId64 "}",
                         event->offset);
    } else {
        size += snprintf(text + size, sizeof(text) - (size_t)size, ",\"offset\":null}");
    }
    mesh_buffer_add(out, mesh_bytes_of(text, (size_t)size));
}

/* Entries of `errors`, each pointer with `prefix` in front; false: there was none. */
static bool write_reasons(struct mesh_buffer *out, const struct event *event, const char *prefix,
                          bool first)
{
    for (size_t i = 0; i < event->reasons.count; i++) {
        char pointer[sizeof(event->reasons.at[i].pointer) + 8];
        int size = snprintf(pointer, sizeof(pointer), "%s%s", prefix, event->reasons.at[i].pointer);
        mesh_buffer_add_text(out, first && i == 0 ? "{\"pointer\":" : ",{\"pointer\":");
        mesh_buffer_add_json(out, mesh_bytes_of(pointer, (size_t)size));
        mesh_buffer_add_text(out, ",\"reason\":");
        mesh_buffer_add_json(out, mesh_bytes_of_text(event->reasons.at[i].reason));
        mesh_buffer_add_text(out, "}");
    }
    return event->reasons.count > 0;
}

/* The problem of one event. */
static void write_event_problem(struct mesh_buffer *out, const struct event *event)
{
    enum problem_kind kind = problem_of_code(event->code);
    problem_open(out, kind, NULL);
    if (kind == PROBLEM_DOES_NOT_FIT) {
        mesh_buffer_add_text(out, ",\"errors\":[");
        write_reasons(out, event, "", true);
        mesh_buffer_add_text(out, "]");
    }
    mesh_buffer_add_text(out, "}");
}

/* How many events came to which end. */
struct tally {
    size_t stored;
    size_t refused;
    size_t retryable;
    size_t unknown;
};

static struct tally count_outcomes(const struct events *events)
{
    struct tally tally = {0};
    for (size_t i = 0; i < events->count; i++) {
        enum mesh_code code = events->at[i].code;
        if (code == MESH_OK) {
            tally.stored++;
        } else if (code == MESH_INVALID_ARGUMENT) {
            tally.refused++;
        } else if (mesh_code_retryable(code)) {
            tally.retryable++;
        } else {
            tally.unknown++;
        }
    }
    return tally;
}

static void write_results(const struct events *events, const struct tally *tally,
                          struct mesh_buffer *out)
{
    mesh_buffer_add_format(out, "{\"accepted\":%zu,\"rejected\":%zu,\"results\":[", tally->stored,
                           events->count - tally->stored);
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->at[i];
        if (i > 0) {
            mesh_buffer_add_text(out, ",");
        }
        if (event->code == MESH_OK) {
            write_stored(out, event);
        } else {
            mesh_buffer_add_format(out, "{\"index\":%zu,\"problem\":", i);
            write_event_problem(out, event);
            mesh_buffer_add_text(out, "}");
        }
    }
    mesh_buffer_add_text(out, "]}");
}

/* 422 for a list of which nothing fits: pointers begin with the index. */
static void write_all_refused(const struct events *events, struct mesh_buffer *out)
{
    problem_open(out, PROBLEM_DOES_NOT_FIT, "none of the events fits; nothing was stored");
    mesh_buffer_add_text(out, ",\"errors\":[");
    bool first = true;
    for (size_t i = 0; i < events->count; i++) {
        char prefix[8];
        snprintf(prefix, sizeof(prefix), "/%u", (unsigned)i % 10000);
        first = !write_reasons(out, &events->at[i], prefix, first) && first;
    }
    mesh_buffer_add_text(out, "]}");
}

static void answer_one(const struct event *event, struct answer *out)
{
    if (event->code == MESH_OK) {
        out->status = 202;
        out->content_type = ANSWER_JSON;
        write_stored(&out->body, event);
        return;
    }
    enum problem_kind kind = problem_of_code(event->code);
    out->status = problem_status(kind);
    out->retry_after = out->status == 503;
    write_event_problem(&out->body, event);
}

/* The one problem that all events of a list share. False: there is none such. */
static bool answer_list_as_whole(const struct events *events, const struct tally *tally,
                                 struct answer *out)
{
    if (tally->refused == events->count) {
        out->status = problem_status(PROBLEM_DOES_NOT_FIT);
        write_all_refused(events, &out->body);
        return true;
    }
    if (tally->stored > 0 || tally->refused > 0) {
        return false;
    }
    if (tally->unknown > 0) {
        out->status = problem_status(PROBLEM_OUTCOME_UNKNOWN);
        problem_write(&out->body, PROBLEM_OUTCOME_UNKNOWN, NULL);
        return true;
    }
    enum problem_kind kind = problem_of_code(events->at[0].code);
    out->status = problem_status(kind);
    out->retry_after = true;
    problem_write(&out->body, kind, NULL);
    return true;
}

void answer_events(const struct events *events, struct answer *out)
{
    *out = (struct answer){.content_type = ANSWER_PROBLEM};
    if (events->single) {
        answer_one(&events->at[0], out);
        return;
    }
    struct tally tally = count_outcomes(events);
    if (answer_list_as_whole(events, &tally, out)) {
        return;
    }
    out->status = tally.stored == events->count ? 202 : 207;
    out->content_type = ANSWER_JSON;
    write_results(events, &tally, &out->body);
}

void answer_problem(enum problem_kind kind, const char *detail, struct answer *out)
{
    *out = (struct answer){.status = problem_status(kind), .content_type = ANSWER_PROBLEM};
    out->retry_after = out->status == 503;
    problem_write(&out->body, kind, detail);
}
