/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include "mesh/alloc.h"
#include "wire.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yyjson.h>
#include <zlib.h>

#define KEY_LENGTH_MAX 255
#define GZIP_WINDOW (15 + 16) /* zlib: largest window, gzip wrapper only */
#define INFLATE_STEP 65536

MESH_PRINTF(3, 4)
static bool refuse(struct body_refusal *refusal, enum problem_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refusal->kind = kind;
    vsnprintf(refusal->detail, sizeof(refusal->detail), format, args);
    va_end(args);
    return false;
}

/* Reads the media type, and that nothing but charset=utf-8 follows it. */
bool body_format_read(const char *content_type, enum body_format *out_format)
{
    if (content_type == NULL) {
        return false;
    }
    size_t length = strcspn(content_type, "; \t");
    static const struct {
        const char *name;
        enum body_format format;
    } types[] = {{"application/json", BODY_JSON},
                 {"application/x-ndjson", BODY_NDJSON},
                 {"application/ndjson", BODY_NDJSON}};
    size_t found = 0;
    while (found < MESH_COUNT_OF(types) &&
           (strlen(types[found].name) != length ||
            strncasecmp(types[found].name, content_type, length) != 0)) {
        found++;
    }
    if (found == MESH_COUNT_OF(types)) {
        return false;
    }
    const char *rest = content_type + length;
    rest += strspn(rest, "; \t");
    if (*rest != '\0' && strcasecmp(rest, "charset=utf-8") != 0 &&
        strcasecmp(rest, "charset=\"utf-8\"") != 0) {
        return false;
    }
    *out_format = types[found].format;
    return true;
}

bool body_encoding_read(const char *content_encoding, bool *out_gzip)
{
    if (content_encoding == NULL || strcasecmp(content_encoding, "identity") == 0) {
        *out_gzip = false;
        return true;
    }
    *out_gzip = true;
    return strcasecmp(content_encoding, "gzip") == 0 || strcasecmp(content_encoding, "x-gzip") == 0;
}

bool body_key_valid(struct mesh_bytes key)
{
    if (key.size == 0 || key.size > KEY_LENGTH_MAX) {
        return false;
    }
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] <= ' ' || key.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool inflate_all(z_stream *zlib, struct mesh_buffer *out, struct body_refusal *refusal)
{
    uint8_t *step = mesh_alloc(INFLATE_STEP);
    int state = Z_OK;
    bool fits = true;
    while (state == Z_OK && fits) {
        zlib->next_out = step;
        zlib->avail_out = INFLATE_STEP;
        state = inflate(zlib, Z_NO_FLUSH);
        size_t made = INFLATE_STEP - zlib->avail_out;
        fits = out->size + made <= BODY_BYTES_MAX;
        if (fits) {
            mesh_buffer_add(out, mesh_bytes_of(step, made));
        }
    }
    free(step);
    if (!fits) {
        return refuse(refusal, PROBLEM_TOO_LARGE, "unpacked, the body is larger than %d bytes",
                      BODY_BYTES_MAX);
    }
    if (state != Z_STREAM_END || zlib->avail_in > 0) {
        return refuse(refusal, PROBLEM_BAD_GZIP,
                      "the body must be exactly one gzip member (RFC 1952)");
    }
    return true;
}

bool body_inflate(struct mesh_bytes gzip, struct mesh_buffer *out, struct body_refusal *refusal)
{
    assert(gzip.size <= BODY_BYTES_MAX);
    if (gzip.size == 0) {
        return refuse(refusal, PROBLEM_EMPTY_BODY, "send an event");
    }
    z_stream zlib = {.next_in = (Bytef *)(uintptr_t)gzip.data, .avail_in = (uInt)gzip.size};
    if (inflateInit2(&zlib, GZIP_WINDOW) != Z_OK) {
        abort(); /* only for want of memory: the parameters are constants */
    }
    bool good = inflate_all(&zlib, out, refusal);
    inflateEnd(&zlib);
    return good;
}

/* Where small texts are parsed, without the heap: enough for some 600 bytes. */
struct parse_memory {
    alignas(max_align_t) char bytes[8192];
};

/* What body_read() works with. */
struct reader {
    const struct body_head *head;
    int64_t received_at_ms;
    struct events *events;
    struct mesh_buffer normalised; /* of the event at hand */
    struct parse_memory *memory;   /* of the one document at hand */
};

static void read_event(struct reader *reader, size_t index, yyjson_val *value)
{
    struct events *events = reader->events;
    struct event *event = &events->at[index];
    MESH_UNINITIALIZED struct mesh_problems problems; /* 4 KiB; `count` says how many are written */
    problems.count = 0;

    mesh_buffer_reset(&reader->normalised);
    if (!mesh_event_check(events->stream, value, &reader->normalised, &event->group, &problems)) {
        events_refuse(events, index, problems.at, problems.count);
        events->refused++;
        event->wire_end = events->wire.size;
        return;
    }
    if (reader->head->key.size > 0) {
        event->id = mesh_id_derive(&(struct mesh_id_source){
            .stream = events->stream->name, .key = reader->head->key, .index = index});
    } else {
        event->id = mesh_id_new(reader->received_at_ms);
    }
    wire_add_event(&events->wire,
                   &(struct wire_event){.stream = events->stream->name,
                                        .id = &event->id,
                                        .traceparent = reader->head->trace.traceparent,
                                        .received_at_ms = reader->received_at_ms,
                                        .payload = mesh_buffer_bytes(&reader->normalised)});
    event->wire_end = events->wire.size;
}

/* Room for the wire bytes of all: an event is seldom longer there than in the text, but for what
 * goes with it. Growing by and by would leave half of it unused as long as the events wait. */
static void events_begin(struct reader *reader, struct mesh_bytes text, size_t count)
{
    events_init(reader->events, reader->head->stream, count);
    size_t more = WIRE_EVENT_MORE_BYTES + strlen(reader->head->stream->name) +
                  strlen(reader->head->trace.traceparent);
    (void)mesh_buffer_room(&reader->events->wire, text.size + count * more);
}

static bool refuse_json(struct mesh_bytes text, const yyjson_read_err *error, size_t line,
                        struct body_refusal *refusal)
{
    if (!mesh_bytes_is_utf8(text)) {
        return line == 0 ? refuse(refusal, PROBLEM_NOT_UTF8, "send UTF-8")
                         : refuse(refusal, PROBLEM_NOT_UTF8, "line %zu is not UTF-8", line);
    }
    if (line == 0) {
        return refuse(refusal, PROBLEM_NOT_JSON, "%s at byte %zu", error->msg, error->pos);
    }
    return refuse(refusal, PROBLEM_NOT_JSON, "line %zu: %s at its byte %zu", line, error->msg,
                  error->pos);
}

/* yyjson copies the text before it parses; line 0: the text is the whole body. One document at a
 * time. */
static yyjson_doc *parse(struct reader *reader, struct mesh_bytes text, size_t line,
                         struct body_refusal *refusal)
{
    yyjson_read_err error;
    yyjson_alc pool;
    const bool is_small =
        yyjson_read_max_memory_usage(text.size, MESH_EVENT_READ_FLAGS) <=
            sizeof(reader->memory->bytes) &&
        yyjson_alc_pool_init(&pool, reader->memory->bytes, sizeof(reader->memory->bytes));
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.data, text.size,
                                       MESH_EVENT_READ_FLAGS, is_small ? &pool : NULL, &error);
    if (doc == NULL) {
        refuse_json(text, &error, line, refusal);
    }
    return doc;
}

static bool count_fits(size_t count, struct body_refusal *refusal)
{
    if (count == 0) {
        return refuse(refusal, PROBLEM_DOES_NOT_FIT, "a request must hold at least one event");
    }
    if (count > MESH_EVENT_COUNT_MAX) {
        return refuse(refusal, PROBLEM_TOO_MANY_EVENTS, "a request may hold %d events",
                      MESH_EVENT_COUNT_MAX);
    }
    return true;
}

static bool read_json(struct reader *reader, struct mesh_bytes text, struct body_refusal *refusal)
{
    yyjson_doc *doc = parse(reader, text, 0, refusal);
    if (doc == NULL) {
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool single = !yyjson_is_arr(root);
    size_t count = single ? 1 : yyjson_arr_size(root);
    bool good = count_fits(count, refusal);
    if (good) {
        events_begin(reader, text, count);
        reader->events->single = single;
        if (single) {
            read_event(reader, 0, root);
        } else {
            yyjson_arr_iter items = yyjson_arr_iter_with(root);
            for (size_t i = 0; i < count; i++) {
                read_event(reader, i, yyjson_arr_iter_next(&items));
            }
        }
    }
    yyjson_doc_free(doc);
    return good;
}

static bool line_is_blank(struct mesh_bytes line)
{
    size_t i = 0;
    while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t' || line.data[i] == '\r')) {
        i++;
    }
    return i == line.size;
}

/* The next line that is not blank, without its end; false at the end of the text. */
static bool next_line(struct mesh_bytes *rest, struct mesh_bytes *out_line, size_t *line)
{
    while (rest->size > 0) {
        const uint8_t *end = memchr(rest->data, '\n', rest->size);
        size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
        *out_line = mesh_bytes_of(rest->data, size);
        size_t used = end == NULL ? size : size + 1;
        *rest = mesh_bytes_of(rest->data + used, rest->size - used);
        *line += 1;
        if (!line_is_blank(*out_line)) {
            return true;
        }
    }
    return false;
}

static bool read_lines(struct reader *reader, struct mesh_bytes text, struct body_refusal *refusal)
{
    struct mesh_bytes rest = text;
    struct mesh_bytes line;
    size_t number = 0;
    size_t count = 0;
    while (next_line(&rest, &line, &number)) {
        count++;
    }
    if (!count_fits(count, refusal)) {
        return false;
    }
    events_begin(reader, text, count);
    rest = text;
    number = 0;
    for (size_t i = 0; i < count && next_line(&rest, &line, &number); i++) {
        yyjson_doc *doc = parse(reader, line, number, refusal);
        if (doc == NULL) {
            events_done(reader->events);
            return false;
        }
        read_event(reader, i, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    return true;
}

bool body_read(const struct body_head *head, struct mesh_bytes text, int64_t received_at_ms,
               struct events *out_events, struct body_refusal *refusal)
{
    if (text.size == 0) {
        return refuse(refusal, PROBLEM_EMPTY_BODY, "send an event");
    }
    MESH_UNINITIALIZED struct parse_memory memory; /* yyjson's: no more than it wrote is read */
    struct reader reader = {
        .head = head, .received_at_ms = received_at_ms, .events = out_events, .memory = &memory};
    bool good = head->format == BODY_JSON ? read_json(&reader, text, refusal)
                                          : read_lines(&reader, text, refusal);
    mesh_buffer_done(&reader.normalised);
    return good;
}
