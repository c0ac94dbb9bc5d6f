/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a stream file: refused with one line of text, or loaded as a stream whose members
 * keep their rules and that can check an event.
 */
#include "../../common/src/stream_file.h"
#include "fuzz.h"
#include "mesh/event.h"

#include <string.h>

static void stream_must_be_sound(const struct mesh_stream *stream)
{
    static const char *const events[] = {"{}",
                                         "{\"a\":\"b\",\"c\":[1,2.5,{\"d\":null}],\"e\":true}"};

    must(stream->name[0] != '\0' && stream->title[0] != '\0');
    must(stream->path[0] == '/' && stream->collection[0] != '\0');
    must(strncmp(stream->dlq_topic, stream->topic, strlen(stream->topic)) == 0);
    must(stream->group_count >= 1 && stream->group_count <= MESH_GROUP_COUNT_MAX);
    for (size_t i = 0; i < stream->group_count; i++) {
        must(stream->group_names[i][0] != '\0');
        must(mesh_stream_group(stream, mesh_bytes_of_text(stream->group_names[i])) == i);
    }
    must(stream->schema_json.size >= 2 && stream->schema_json.data[0] == '{');
    for (size_t i = 0; i < MESH_COUNT_OF(events); i++) {
        struct mesh_buffer out = {0};
        struct mesh_problems problems;
        uint8_t group = 0;
        yyjson_doc *doc = yyjson_read(events[i], strlen(events[i]), 0);
        if (mesh_event_check(stream, yyjson_doc_get_root(doc), &out, &group, &problems)) {
            must(group < stream->group_count);
        } else {
            must(problems.count > 0);
        }
        mesh_buffer_done(&out);
        yyjson_doc_free(doc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mesh_arena *arena = mesh_arena_new(4096);
    struct mesh_error err = {0};
    const struct mesh_stream *stream = mesh_stream_parse(mesh_bytes_of(data, size), arena, &err);

    if (stream != NULL) {
        stream_must_be_sound(stream);
    } else {
        must(err.text[0] != '\0');
        must(memchr(err.text, '\0', sizeof(err.text)) != NULL);
    }
    mesh_arena_free(arena);
    return 0;
}
