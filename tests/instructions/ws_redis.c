/* SPDX-License-Identifier: Apache-2.0 */
/* ws-redis: a CountFrame to a window that waits, and the window to the bytes for Redis. */
#include "frame.h"
#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "path.h"
#include "tweetmesh/v1/counts.pb-c.h"
#include "windows.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define WINDOWS_LEN_MAX 64

static struct {
    const struct corpus *corpus;
    struct frame_reader *reader;
    struct windows *windows;
    struct mesh_counters_command *command;
    struct frame frame;
    uint8_t *packed;
    size_t packed_size;
} hub;

static void hub_open(const struct corpus *corpus)
{
    hub.corpus = corpus;
    hub.reader = frame_reader_new(corpus->streams);
    hub.windows = windows_new(mesh_streams_count(corpus->streams), WINDOWS_LEN_MAX);
    hub.command = mesh_counters_command_new();
}

static void hub_close(void)
{
    frame_reader_free(hub.reader);
    windows_free(hub.windows);
    mesh_counters_command_free(hub.command);
}

/* As api writes it: the groups that occur, in order of appearance. */
static void frame_prepare(size_t round)
{
    const struct mesh_stream *stream = hub.corpus->stream;
    Tweetmesh__V1__CountFrame frame = TWEETMESH__V1__COUNT_FRAME__INIT;
    uint8_t groups[PATH_BATCH_LEN];
    uint8_t local[MESH_GROUP_COUNT_MAX];
    const char *names[MESH_GROUP_COUNT_MAX];

    memset(local, MESH_GROUP_HOLE, sizeof(local));
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        uint8_t group = corpus_event(hub.corpus, round, i)->group;
        if (local[group] == MESH_GROUP_HOLE) {
            names[frame.n_group_names] = stream->group_names[group];
            local[group] = (uint8_t)frame.n_group_names++;
        }
        groups[i] = local[group];
    }
    frame.stream = (char *)(uintptr_t)stream->name;
    frame.partition = CORPUS_PARTITION;
    frame.first_offset = (uint64_t)corpus_offset(round);
    frame.groups = (ProtobufCBinaryData){.len = PATH_BATCH_LEN, .data = groups};
    frame.group_names = (char **)(uintptr_t)names;
    frame.accepted_at = CORPUS_RECEIVED_MS;
    hub.packed_size = tweetmesh__v1__count_frame__get_packed_size(&frame);
    hub.packed = mesh_alloc(hub.packed_size);
    (void)tweetmesh__v1__count_frame__pack(&frame, hub.packed);
}

static void decode_work(size_t round)
{
    (void)round;
    must(frame_read(hub.reader, mesh_bytes_of(hub.packed, hub.packed_size), &hub.frame) ==
         FRAME_GOOD);
    must(windows_add(hub.windows, &hub.frame) == 0);
}

static void decode_tidy(size_t round)
{
    (void)round;
    must(hub.frame.events == PATH_BATCH_LEN);
    windows_give_back(hub.windows, windows_take(hub.windows, WINDOWS_LEN_MAX));
    free(hub.packed);
}

static void apply_prepare(size_t round)
{
    frame_prepare(round);
    decode_work(round);
    free(hub.packed);
}

/* As apply_once() of redis_calls.c does it; formatting is what hiredis does when it appends. */
static void apply_work(size_t round)
{
    char *bytes = NULL;
    struct window *window = windows_take(hub.windows, WINDOWS_LEN_MAX);

    (void)round;
    must(window != NULL && window->events == PATH_BATCH_LEN);
    mesh_counters_apply(hub.command,
                        &(struct mesh_counters_range){.stream = window->stream->name,
                                                      .partition = window->partition,
                                                      .first_offset = window->first_offset,
                                                      .count = window->count,
                                                      .groups = window->groups,
                                                      .group_names = window->stream->group_names,
                                                      .group_count = window->stream->group_count},
                        1);
    must(redisFormatCommandArgv(&bytes, hub.command->argc, hub.command->argv,
                                hub.command->argv_sizes) > 0);
    redisFreeCommand(bytes);
    windows_give_back(hub.windows, window);
}

static const struct path hint_decode = {.name = "hint_decode",
                                        .open = hub_open,
                                        .prepare = frame_prepare,
                                        .work = decode_work,
                                        .tidy = decode_tidy,
                                        .close = hub_close};

static const struct path hint_apply = {.name = "hint_apply",
                                       .open = hub_open,
                                       .prepare = apply_prepare,
                                       .work = apply_work,
                                       .close = hub_close};

const struct path *const paths[] = {&hint_decode, &hint_apply, NULL};
