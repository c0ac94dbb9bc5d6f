/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include "mesh/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 65536

struct lines {
    struct mesh_buffer text;
    struct mesh_bytes *at; /* views of text */
    size_t count;
    size_t capacity;
};

static bool read_file(struct lines *lines, const char *path, struct mesh_error *err)
{
    char piece[READ_BYTES];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
    }
    errno = 0;
    while (!feof(file) && !ferror(file) && lines->text.size <= LINES_FILE_BYTES_MAX) {
        size_t size = fread(piece, 1, sizeof(piece), file);
        mesh_buffer_add(&lines->text, mesh_bytes_of(piece, size));
    }
    int failed = ferror(file) ? errno : 0;
    (void)fclose(file);
    if (failed != 0) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s: %s", path, strerror(failed));
    }
    if (lines->text.size > LINES_FILE_BYTES_MAX) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s has more than %zu bytes", path,
                         LINES_FILE_BYTES_MAX);
    }
    return true;
}

static void add(struct lines *lines, const char *line, size_t size)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity == 0 ? 1024 : lines->capacity * 2;
        lines->at = mesh_realloc(lines->at, lines->capacity * sizeof(lines->at[0]));
    }
    lines->at[lines->count++] = mesh_bytes_of(line, size);
}

static bool split(struct lines *lines, const char *path, struct mesh_error *err)
{
    const char *text = lines->text.data;
    for (size_t at = 0; at < lines->text.size;) {
        const char *newline = memchr(text + at, '\n', lines->text.size - at);
        size_t end = newline == NULL ? lines->text.size : (size_t)(newline - text);
        if (end > at && lines->count == LINES_COUNT_MAX) {
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s has more than %d lines", path,
                             LINES_COUNT_MAX);
        }
        if (end > at) {
            add(lines, text + at, end - at);
        }
        at = end + 1;
    }
    return lines->count > 0 || mesh_fail(err, MESH_INVALID_ARGUMENT, "%s holds no line", path);
}

struct lines *lines_new(const char *path, struct mesh_error *err)
{
    struct lines *lines = mesh_new(struct lines);
    if (!read_file(lines, path, err) || !split(lines, path, err)) {
        lines_free(lines);
        return NULL;
    }
    return lines;
}

size_t lines_count(const struct lines *lines)
{
    return lines->count;
}

struct mesh_bytes lines_at(const struct lines *lines, uint64_t number)
{
    return lines->at[number % lines->count];
}

void lines_free(struct lines *lines)
{
    if (lines == NULL) {
        return;
    }
    free(lines->at);
    mesh_buffer_done(&lines->text);
    free(lines);
}
