/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdio.h>
#include <string.h>

/* Room for any 64-bit number and its sign. */
#define NUMBER_SIZE_MAX 20

/* By hand: printf() costs more than all the rest of a stored event's answer. */
static size_t put_number(char *out, int64_t number)
{
    char digits[NUMBER_SIZE_MAX];
    size_t size = 0;
    uint64_t rest = (uint64_t)number;
    do {
        digits[size++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    for (size_t i = 0; i < size; i++) {
        out[i] = digits[size - 1 - i];
    }
    return size;
}

static size_t put_text(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    return size;
}

#define PUT(out, literal) put_text((out), (literal), sizeof(literal) - 1)

/* A negative number means that Kafka did not tell. */
static size_t put_number_or_null(char *out, int64_t number)
{
    return number >= 0 ? put_number(out, number) : PUT(out, "null");
}

/* `{"id":"…","partition":3,"offset":1234}` */
static void write_stored(struct mesh_buffer *out, const struct event *event)
{
    char text[sizeof("{\"id\":\"\",\"partition\":,\"offset\":}") + MESH_ID_LENGTH +
              (size_t)2 * NUMBER_SIZE_MAX];
    size_t size = PUT(text, "{\"id\":\"");
    size += put_text(text + size, event->id.text, MESH_ID_LENGTH);
    size += PUT(text + size, "\",\"partition\":");
    size += put_number_or_null(text + size, event->partition);
    size += PUT(text + size, ",\"offset\":");
    size += put_number_or_null(text + size, event->offset);
    size += PUT(text + size, "}");
    mesh_buffer_add(out, mesh_bytes_of(text, size));
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
