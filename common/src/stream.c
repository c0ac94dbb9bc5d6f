/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/stream.h"

#include "mesh/alloc.h"
#include "mesh/country.h"
#include "schema.h"
#include "stream_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mesh_streams {
    struct mesh_arena *arena; /* all that the streams point to */
    struct mesh_stream *streams[MESH_STREAM_COUNT_MAX];
    size_t count;
};

/* Visible files that end in .json; a ConfigMap also holds hidden folders. */
static int is_stream_file(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".json") == 0;
}

/* By bytes, so that the order does not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The whole file; NULL with *err filled in. The caller frees it. */
static char *file_read(const char *path, size_t *out_size, struct mesh_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)mesh_fail(err, MESH_NOT_FOUND, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    char *text = mesh_alloc(MESH_STREAM_FILE_BYTES_MAX + 1);
    const size_t size = fread(text, 1, MESH_STREAM_FILE_BYTES_MAX + 1, file);
    const bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed || size > MESH_STREAM_FILE_BYTES_MAX) {
        (void)mesh_fail(err, MESH_INVALID_ARGUMENT,
                        failed ? "cannot be read" : "has more than %d bytes",
                        MESH_STREAM_FILE_BYTES_MAX);
        free(text);
        return NULL;
    }
    *out_size = size;
    return text;
}

/* Why the two cannot be loaded together; NULL: they can. */
static const char *conflict(const struct mesh_stream *a, const struct mesh_stream *b)
{
    if (strcmp(a->name, b->name) == 0) {
        return "stream";
    }
    if (strcmp(a->path, b->path) == 0) {
        return "path";
    }
    if (strcmp(a->topic, b->topic) == 0 || strcmp(a->topic, b->dlq_topic) == 0 ||
        strcmp(a->dlq_topic, b->topic) == 0) {
        return "topic";
    }
    return strcmp(a->collection, b->collection) == 0 ? "collection" : NULL;
}

static bool stream_load(struct mesh_streams *streams, const char *path, struct mesh_error *err)
{
    size_t size = 0;
    char *text = file_read(path, &size, err);
    if (text == NULL) {
        return false;
    }
    struct mesh_stream *stream = mesh_stream_parse(mesh_bytes_of(text, size), streams->arena, err);
    free(text);
    if (stream == NULL) {
        return false;
    }
    for (size_t i = 0; i < streams->count; i++) {
        const char *member = conflict(streams->streams[i], stream);
        if (member != NULL) {
            return mesh_fail(err, MESH_INVALID_ARGUMENT,
                             "/%s: stream \"%s\" has it already (a topic also takes its .dlq)",
                             member, streams->streams[i]->name);
        }
    }
    streams->streams[streams->count++] = stream;
    return true;
}

static bool files_load(struct mesh_streams *streams, const char *folder, struct dirent **entries,
                       size_t count, struct mesh_error *err)
{
    if (count == 0 || count > MESH_STREAM_COUNT_MAX) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s: must hold 1 to %d files *.json, has %zu",
                         folder, MESH_STREAM_COUNT_MAX, count);
    }
    for (size_t i = 0; i < count; i++) {
        char *path = mesh_format("%s/%s", folder, entries[i]->d_name);
        const bool loaded = stream_load(streams, path, err);
        if (!loaded) {
            (void)mesh_error_prefix(err, "%s", path);
        }
        free(path);
        if (!loaded) {
            return false;
        }
    }
    return true;
}

struct mesh_streams *mesh_streams_load(const char *folder, struct mesh_error *err)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_stream_file, by_name);
    if (count < 0) {
        (void)mesh_fail(err, MESH_NOT_FOUND, "%s: cannot be read: %s", folder, strerror(errno));
        return NULL;
    }

    struct mesh_streams *streams = mesh_new(struct mesh_streams);
    streams->arena = mesh_arena_new(16384);
    const bool loaded = files_load(streams, folder, entries, (size_t)count, err);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    if (!loaded) {
        mesh_streams_free(streams);
        return NULL;
    }
    return streams;
}

size_t mesh_streams_count(const struct mesh_streams *streams)
{
    return streams->count;
}

const struct mesh_stream *mesh_streams_at(const struct mesh_streams *streams, size_t index)
{
    return streams->streams[index];
}

const struct mesh_stream *mesh_streams_by_name(const struct mesh_streams *streams,
                                               struct mesh_bytes name)
{
    for (size_t i = 0; i < streams->count; i++) {
        if (mesh_bytes_equal_text(name, streams->streams[i]->name)) {
            return streams->streams[i];
        }
    }
    return NULL;
}

const struct mesh_stream *mesh_streams_by_path(const struct mesh_streams *streams, const char *path)
{
    for (size_t i = 0; i < streams->count; i++) {
        if (strcmp(streams->streams[i]->path, path) == 0) {
            return streams->streams[i];
        }
    }
    return NULL;
}

const struct mesh_stream *mesh_streams_by_topic(const struct mesh_streams *streams,
                                                const char *topic)
{
    for (size_t i = 0; i < streams->count; i++) {
        if (strcmp(streams->streams[i]->topic, topic) == 0) {
            return streams->streams[i];
        }
    }
    return NULL;
}

void mesh_streams_free(struct mesh_streams *streams)
{
    if (streams == NULL) {
        return;
    }
    mesh_arena_free(streams->arena);
    free(streams);
}
