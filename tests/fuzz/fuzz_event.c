/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as an event, against a schema chosen by the first byte: it is refused with problems that
 * can be told, or it is normalised, and then a second check and a record there and back change
 * nothing. And any bytes as a record.
 */
#include "../../common/src/stream_file.h"
#include "fuzz.h"
#include "mesh/event.h"

#include <string.h>

#define HEAD                                                                                       \
    "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","

/* Open: what fits comes out with the same values. */
static const char open_json[] = HEAD "\"schema\":{\"type\":\"object\"}}";

static const char tweets_json[] = HEAD
    "\"count_by\":\"country\",\"schema\":{\"type\":\"object\",\"required\":[\"text\","
    "\"country\"],\"additionalProperties\":false,\"properties\":{\"text\":{\"type\":\"string\","
    "\"minLength\":1,\"maxLength\":40,\"x-aliases\":[\"texto\"]},\"country\":{\"type\":"
    "\"string\",\"minLength\":1,\"maxLength\":64,\"x-aliases\":[\"pais\"],\"x-normalise\":"
    "\"country\"},\"created_at\":{\"type\":\"string\",\"format\":\"date-time\"}}}}";

static const char kinds_json[] = HEAD
    "\"count_by\":\"a\",\"schema\":{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{"
    "\"a\":{\"enum\":[\"x\",\"y\"],\"x-aliases\":[\"z\"]},\"b\":{\"type\":\"integer\","
    "\"minimum\":-7,\"maximum\":4294967296},\"c\":{\"type\":\"array\",\"maxItems\":3,\"items\":"
    "{\"type\":\"number\"}},\"d\":{\"type\":\"object\",\"properties\":{\"e\":{\"const\":1.5,"
    "\"x-aliases\":[\"f\"]}}},\"g\":{\"type\":\"boolean\"},\"h\":{\"type\":\"null\"}}}}";

enum { OPEN, TWEETS, KINDS, STREAM_COUNT };

static const struct mesh_stream *stream_of(size_t number)
{
    static const char *const json[STREAM_COUNT] = {open_json, tweets_json, kinds_json};
    static const struct mesh_stream *streams[STREAM_COUNT];
    static struct mesh_arena *arena;
    struct mesh_error err = {0};

    if (arena == NULL) {
        arena = mesh_arena_new(65536);
        for (size_t i = 0; i < STREAM_COUNT; i++) {
            streams[i] = mesh_stream_parse(mesh_bytes_of_text(json[i]), arena, &err);
            must(streams[i] != NULL);
        }
    }
    return streams[number];
}

static yyjson_doc *parse(struct mesh_bytes json)
{
    return yyjson_read_opts((char *)(uintptr_t)json.data, json.size, MESH_EVENT_READ_FLAGS, NULL,
                            NULL);
}

static void problems_must_be_tellable(const struct mesh_problems *problems)
{
    must(problems->count >= 1 && problems->count <= MESH_PROBLEM_COUNT_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct mesh_problem *problem = &problems->at[i];
        must(memchr(problem->pointer, '\0', sizeof(problem->pointer)) != NULL);
        must(memchr(problem->reason, '\0', sizeof(problem->reason)) != NULL);
        must(problem->pointer[0] == '/' || problem->pointer[0] == '\0');
        must(problem->reason[0] != '\0');
        must(mesh_bytes_is_utf8(mesh_bytes_of_text(problem->pointer)));
    }
}

static void record_must_come_back(const struct mesh_stream *stream, struct mesh_bytes normalised,
                                  uint8_t group)
{
    const struct mesh_id id = {.text = "018f4d4e-7c1a-7a30-9b1e-5f3c2d1e0a9b"};
    struct mesh_buffer value = {0};
    struct mesh_record record = {0};
    const char *reason = NULL;

    mesh_event_write_record(&id, 1234567890123, normalised, &value);
    must(mesh_record_read(stream, mesh_buffer_bytes(&value), &record, &reason));
    must(strcmp(record.id.text, id.text) == 0);
    must(record.received_at_ms == 1234567890123);
    must(record.group == group);
    mesh_record_done(&record);
    mesh_buffer_done(&value);
}

static void second_check_must_change_nothing(const struct mesh_stream *stream, yyjson_val *first,
                                             struct mesh_bytes normalised, uint8_t group)
{
    struct mesh_buffer again = {0};
    struct mesh_problems problems;
    uint8_t group_again = 0;
    yyjson_doc *doc = parse(normalised);

    must(doc != NULL);
    must(stream != stream_of(OPEN) || yyjson_equals(first, yyjson_doc_get_root(doc)));
    must(mesh_event_check(stream, yyjson_doc_get_root(doc), &again, &group_again, &problems));
    must(mesh_bytes_equal(mesh_buffer_bytes(&again), normalised));
    must(group_again == group);
    mesh_buffer_done(&again);
    yyjson_doc_free(doc);
}

static void event_try(const struct mesh_stream *stream, struct mesh_bytes json)
{
    struct mesh_buffer out = {0};
    struct mesh_problems problems;
    uint8_t group = 0;
    yyjson_doc *doc = parse(json);

    if (doc == NULL) {
        return;
    }
    if (mesh_event_check(stream, yyjson_doc_get_root(doc), &out, &group, &problems)) {
        must(out.size >= 2 && out.size <= MESH_EVENT_BYTES_MAX);
        must(group < stream->group_count);
        second_check_must_change_nothing(stream, yyjson_doc_get_root(doc), mesh_buffer_bytes(&out),
                                         group);
        record_must_come_back(stream, mesh_buffer_bytes(&out), group);
    } else {
        must(out.size == 0);
        problems_must_be_tellable(&problems);
    }
    mesh_buffer_done(&out);
    yyjson_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct mesh_stream *stream = stream_of(data[0] % STREAM_COUNT);
    const struct mesh_bytes input = mesh_bytes_of(data + 1, size - 1);
    struct mesh_record record = {0};
    const char *reason = NULL;

    event_try(stream, input);
    if (mesh_record_read(stream, input, &record, &reason)) {
        must(record.group < stream->group_count);
        mesh_record_done(&record);
    } else {
        must(reason != NULL);
    }
    return 0;
}
