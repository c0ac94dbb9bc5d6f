/* SPDX-License-Identifier: Apache-2.0 */
#include "corpus.h"

#include "mesh/alloc.h"
#include "mesh/event.h"
#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS "streams"
#define STREAM "tweets"
#define TWEETS "locust/data/tweets.json"

static bool file_read(const char *name, struct mesh_buffer *out)
{
    char piece[4096];
    size_t size = sizeof(piece);
    FILE *file = fopen(name, "re");

    if (file == NULL) {
        return false;
    }
    while (size == sizeof(piece)) {
        size = fread(piece, 1, sizeof(piece), file);
        mesh_buffer_add(out, mesh_bytes_of(piece, size));
    }
    return fclose(file) == 0;
}

/* The file is an array with an event a line, which keeps the white space that clients write. */
static bool lines_cut(struct corpus *corpus)
{
    const char *at = corpus->text.data;
    size_t count = 0;

    while (at != NULL && count < CORPUS_LEN) {
        const char *end = strchr(at, '\n');
        size_t size = end == NULL ? strlen(at) : (size_t)(end - at);
        size -= size > 0 && at[size - 1] == ',';
        if (size > 1 && at[0] == '{') {
            corpus->at[count++].json = mesh_bytes_of(at, size);
        }
        at = end == NULL ? NULL : end + 1;
    }
    return count == CORPUS_LEN;
}

static bool event_check(struct corpus *corpus, struct corpus_event *event)
{
    struct mesh_problems problems;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)event->json.data, event->json.size,
                                       MESH_EVENT_READ_FLAGS, NULL, NULL);
    size_t begin = corpus->normalised.size;
    bool fits = doc != NULL && mesh_event_check(corpus->stream, yyjson_doc_get_root(doc),
                                                &corpus->normalised, &event->group, &problems);

    yyjson_doc_free(doc);
    event->normalised.size = corpus->normalised.size - begin;
    return fits;
}

static bool events_fill(struct corpus *corpus)
{
    if (!file_read(TWEETS, &corpus->text) || !lines_cut(corpus)) {
        (void)fprintf(stderr, "%s: no %d events, one a line\n", TWEETS, CORPUS_LEN);
        return false;
    }
    for (size_t i = 0; i < CORPUS_LEN; i++) {
        struct corpus_event *event = &corpus->at[i];
        event->id = mesh_id_derive(&(struct mesh_id_source){
            .stream = STREAM, .key = mesh_bytes_of_text("instructions"), .index = i});
        if (!event_check(corpus, event)) {
            (void)fprintf(stderr, "%s: event %zu does not fit stream " STREAM "\n", TWEETS, i);
            return false;
        }
    }
    /* Only now does the buffer stay where it is. */
    const char *at = corpus->normalised.data;
    for (size_t i = 0; i < CORPUS_LEN; i++) {
        corpus->at[i].normalised.data = (const uint8_t *)at;
        at += corpus->at[i].normalised.size;
    }
    return true;
}

struct corpus *corpus_new(void)
{
    struct corpus *corpus = mesh_new(struct corpus);
    struct mesh_error err = {0};

    corpus->streams = mesh_streams_load(STREAMS, &err);
    if (corpus->streams == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        corpus_free(corpus);
        return NULL;
    }
    corpus->stream = mesh_streams_by_name(corpus->streams, mesh_bytes_of_text(STREAM));
    if (corpus->stream == NULL || !events_fill(corpus)) {
        corpus_free(corpus);
        return NULL;
    }
    return corpus;
}

const struct corpus_event *corpus_event(const struct corpus *corpus, size_t round, size_t index)
{
    return &corpus->at[(round * PATH_BATCH_LEN + index) % CORPUS_LEN];
}

int64_t corpus_offset(size_t round)
{
    return CORPUS_FIRST_OFFSET + (int64_t)(round * PATH_BATCH_LEN);
}

void corpus_free(struct corpus *corpus)
{
    if (corpus == NULL) {
        return;
    }
    mesh_streams_free(corpus->streams);
    mesh_buffer_done(&corpus->text);
    mesh_buffer_done(&corpus->normalised);
    free(corpus);
}
