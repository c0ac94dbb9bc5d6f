/* SPDX-License-Identifier: Apache-2.0 */
#include "feeder.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/redis.h"
#include "socket.h"
#include "tweetmesh/v1/counts.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_AT_ONCE 64 /* written to the socket together */
#define REDIS_MS 5000
#define LOOK_NS 200000L /* between two looks at Redis while it has to catch up */
#define DRAIN_US INT64_C(20000000)

struct feeder {
    struct feeder_options options;
    int socket;
    redisContext *redis;
    uint64_t base; /* Redis' total before us */
    uint64_t sent;
    uint64_t counted;
    uint64_t frames;
    uint8_t *groups; /* of the events of a frame */
    struct mesh_buffer out;
};

/* What Redis has counted of the stream. */
static bool read_total(struct feeder *feeder, uint64_t *out, struct mesh_error *err)
{
    redisReply *reply =
        redisCommand(feeder->redis, "HGET {%s}:state total", feeder->options.stream);
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (good) {
        *out = reply->type == REDIS_REPLY_STRING ? strtoull(reply->str, NULL, 10) : 0;
    } else {
        mesh_redis_fail(feeder->redis, reply, err);
    }
    freeReplyObject(reply);
    return good;
}

static bool look(struct feeder *feeder, struct mesh_error *err)
{
    uint64_t total;
    if (!read_total(feeder, &total, err)) {
        return false;
    }
    feeder->counted = total - feeder->base;
    return true;
}

static void add_frame(struct feeder *feeder)
{
    const struct feeder_options *options = &feeder->options;
    uint8_t packed[SOCKET_MESSAGE_BYTES_MAX];
    Tweetmesh__V1__CountFrame frame = TWEETMESH__V1__COUNT_FRAME__INIT;
    uint64_t turn = feeder->frames / options->partitions;
    frame.stream = (char *)(uintptr_t)options->stream;
    frame.partition = (uint32_t)(feeder->frames % options->partitions);
    frame.first_offset = options->first + turn * options->frame;
    frame.groups = (ProtobufCBinaryData){.len = options->frame, .data = feeder->groups};
    frame.group_names = (char **)(uintptr_t)options->groups->names;
    frame.n_group_names = options->groups->count;
    frame.accepted_at = (uint64_t)mesh_clock_wall_ms();
    assert(tweetmesh__v1__count_frame__get_packed_size(&frame) <= sizeof(packed));
    size_t size = tweetmesh__v1__count_frame__pack(&frame, packed);
    socket_frame(&feeder->out, mesh_bytes_of(packed, size));
    feeder->frames++;
    feeder->sent += options->frame;
}

/* Ends with every partition filled evenly, so that the next run can go on from there. */
static bool send_some(struct feeder *feeder, struct mesh_error *err)
{
    uint64_t partitions = feeder->options.partitions;
    uint64_t frames = (FRAMES_AT_ONCE + partitions - 1) / partitions * partitions;
    mesh_buffer_reset(&feeder->out);
    for (uint64_t i = 0; i < frames; i++) {
        add_frame(feeder);
    }
    return socket_send(feeder->socket, &feeder->out, err);
}

static bool feed(struct feeder *feeder, double *out_seconds, struct mesh_error *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    int64_t start_us = mesh_clock_mono_us();
    int64_t end_us = start_us + (int64_t)(feeder->options.seconds * 1e6);
    int64_t now_us = start_us;
    uint64_t seen = 0; /* sent when Redis was looked at last */
    while (now_us < end_us || feeder->counted < feeder->sent) {
        bool waits = now_us >= end_us || feeder->sent - feeder->counted >= feeder->options.lead;
        if (waits) {
            (void)nanosleep(&pause, NULL);
        } else if (!send_some(feeder, err)) {
            return false;
        }
        if (waits || feeder->sent - seen >= feeder->options.lead / 4) {
            seen = feeder->sent;
            if (!look(feeder, err)) {
                return false;
            }
        }
        now_us = mesh_clock_mono_us();
        if (now_us > end_us + DRAIN_US) {
            return mesh_fail(err, MESH_DEADLINE_EXCEEDED,
                             "%" PRIu64 " of %" PRIu64 " events were counted", feeder->counted,
                             feeder->sent);
        }
    }
    *out_seconds = (double)(now_us - start_us) / 1e6;
    return true;
}

struct feeder *feeder_new(const struct feeder_options *options, struct mesh_error *err)
{
    struct feeder *feeder = mesh_new(struct feeder);
    feeder->options = *options;
    feeder->socket = -1;
    feeder->groups = mesh_alloc(options->frame);
    for (uint64_t i = 0; i < options->frame; i++) {
        feeder->groups[i] = (uint8_t)(i % options->groups->count);
    }
    feeder->redis = mesh_redis_connect(options->redis, REDIS_MS, err);
    if (feeder->redis == NULL || !read_total(feeder, &feeder->base, err)) {
        goto fail;
    }
    feeder->socket = socket_open((uint16_t)options->port, err);
    if (feeder->socket < 0) {
        goto fail;
    }
    return feeder;

fail:
    feeder_free(feeder);
    return NULL;
}

bool feeder_run(struct feeder *feeder, struct feeder_result *out, struct mesh_error *err)
{
    double seconds = 0;
    bool good = feed(feeder, &seconds, err);
    *out = (struct feeder_result){.sent = feeder->sent,
                                  .counted = feeder->counted,
                                  .frames = feeder->frames,
                                  .seconds = seconds};
    return good;
}

void feeder_free(struct feeder *feeder)
{
    if (feeder == NULL) {
        return;
    }
    if (feeder->socket >= 0) {
        close(feeder->socket);
    }
    if (feeder->redis != NULL) {
        redisFree(feeder->redis);
    }
    free(feeder->groups);
    mesh_buffer_done(&feeder->out);
    free(feeder);
}
