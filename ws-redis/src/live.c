/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The rate is the slope over the last seconds. */
#define RATE_US INT64_C(3000000)
#define SAMPLE_US INT64_C(250000)
#define SAMPLES 12 /* RATE_US / SAMPLE_US */

struct sample {
    int64_t at_us;
    uint64_t total;
};

struct stream_live {
    const struct mesh_stream *stream;
    struct mesh_buffer json; /* its object in the message; empty: not known yet */
    struct sample samples[SAMPLES];
    size_t sample_count;
    size_t sample_next;
};

struct live {
    /* Redis thread */
    struct stream_live *streams;
    size_t stream_count;
    struct mesh_buffer draft;
    /* lock guards: */
    pthread_mutex_t lock;
    struct mesh_buffer message;
    uint64_t version;
    live_listener_fn *listener;
    void *listener_arg;
};

struct live *live_new(const struct mesh_streams *streams)
{
    struct live *live = mesh_new(struct live);
    live->stream_count = mesh_streams_count(streams);
    live->streams = mesh_new_array(struct stream_live, live->stream_count);
    for (size_t i = 0; i < live->stream_count; i++) {
        live->streams[i].stream = mesh_streams_at(streams, i);
    }
    (void)pthread_mutex_init(&live->lock, NULL);
    return live;
}

void live_free(struct live *live)
{
    if (live == NULL) {
        return;
    }
    for (size_t i = 0; i < live->stream_count; i++) {
        mesh_buffer_done(&live->streams[i].json);
    }
    free(live->streams);
    mesh_buffer_done(&live->draft);
    mesh_buffer_done(&live->message);
    (void)pthread_mutex_destroy(&live->lock);
    free(live);
}

/* Events per second since the oldest sample that is not too old, or else the newest. */
static double rate_of(struct stream_live *live, uint64_t total, int64_t now_us)
{
    struct sample from = {now_us, total};
    int64_t newest_us = INT64_MIN;

    for (size_t back = 1; back <= live->sample_count; back++) {
        const struct sample *sample =
            &live->samples[(live->sample_next + SAMPLES - back) % SAMPLES];
        if (back > 1 && now_us - sample->at_us > RATE_US) {
            break;
        }
        newest_us = back == 1 ? sample->at_us : newest_us;
        from = *sample;
    }
    if (live->sample_count == 0 || now_us - newest_us >= SAMPLE_US) {
        live->samples[live->sample_next] = (struct sample){now_us, total};
        live->sample_next = (live->sample_next + 1) % SAMPLES;
        live->sample_count += live->sample_count < SAMPLES ? 1 : 0;
    }
    if (total <= from.total || now_us <= from.at_us) {
        return 0; /* nothing new, taken back, or Redis was set back */
    }
    return (double)(total - from.total) * 1e6 / (double)(now_us - from.at_us);
}

/* Only what is a number may go into the JSON as one: others may write these hashes, too. */
static bool is_number(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING && reply->len > 0 && reply->len <= 16 &&
           strspn(reply->str, "0123456789") == reply->len &&
           (reply->len == 1 || reply->str[0] != '0');
}

static uint64_t field_of(const redisReply *hash, const char *name)
{
    for (size_t i = 0; i + 1 < hash->elements; i += 2) {
        if (hash->element[i]->type == REDIS_REPLY_STRING &&
            strcmp(hash->element[i]->str, name) == 0 && is_number(hash->element[i + 1])) {
            return strtoull(hash->element[i + 1]->str, NULL, 10);
        }
    }
    return 0;
}

static void write_groups(struct mesh_buffer *out, const redisReply *groups)
{
    const char *comma = "";
    mesh_buffer_add_text(out, "{");
    for (size_t i = 0; i + 1 < groups->elements; i += 2) {
        const redisReply *name = groups->element[i];
        const redisReply *count = groups->element[i + 1];
        const struct mesh_bytes text = mesh_bytes_of(name->str, name->len);
        if (name->type != REDIS_REPLY_STRING || !is_number(count) || !mesh_bytes_is_utf8(text)) {
            continue;
        }
        mesh_buffer_add_text(out, comma);
        mesh_buffer_add_json(out, text);
        mesh_buffer_add_format(out, ":%s", count->str);
        comma = ",";
    }
    mesh_buffer_add_text(out, "}");
}

void live_update(struct live *live, size_t stream_index, const redisReply *groups,
                 const redisReply *totals, int64_t now_us)
{
    struct stream_live *of = &live->streams[stream_index];
    struct mesh_buffer *json = &of->json;
    if (groups->type != REDIS_REPLY_ARRAY || totals->type != REDIS_REPLY_ARRAY) {
        return;
    }
    const uint64_t total = field_of(totals, "total");
    const uint64_t settled = field_of(totals, "settled");
    const uint64_t known = total + field_of(totals, "duplicates") + field_of(totals, "not_counted");

    mesh_buffer_reset(json);
    mesh_buffer_add_text(json, "{\"stream\":");
    mesh_buffer_add_json(json, mesh_bytes_of_text(of->stream->name));
    mesh_buffer_add_text(json, ",\"title\":");
    mesh_buffer_add_json(json, mesh_bytes_of_text(of->stream->title));
    mesh_buffer_add_text(json, ",\"count_by\":");
    if (of->stream->count_by == NULL) {
        mesh_buffer_add_text(json, "null");
    } else {
        mesh_buffer_add_json(json, mesh_bytes_of_text(of->stream->count_by));
    }
    mesh_buffer_add_format(
        json, ",\"total\":%llu,\"settled\":%llu,\"unsettled\":%llu,\"rate\":%.1f",
        (unsigned long long)total, (unsigned long long)settled,
        (unsigned long long)(known > settled ? known - settled : 0), rate_of(of, total, now_us));
    mesh_buffer_add_text(json, ",\"groups\":");
    write_groups(json, groups);
    mesh_buffer_add_text(json, "}");
}

void live_publish(struct live *live, bool redis_up)
{
    struct mesh_buffer *draft = &live->draft;
    char time[MESH_TIME_TEXT_SIZE];
    const char *comma = "";

    mesh_time_format(mesh_clock_wall_ms(), time);
    mesh_buffer_reset(draft);
    mesh_buffer_add_format(draft, "{\"time\":\"%s\",\"live\":%s,\"streams\":[", time,
                           redis_up ? "true" : "false");
    for (size_t i = 0; i < live->stream_count; i++) {
        if (live->streams[i].json.size > 0) {
            mesh_buffer_add_text(draft, comma);
            mesh_buffer_add(draft, mesh_buffer_bytes(&live->streams[i].json));
            comma = ",";
        }
    }
    mesh_buffer_add_text(draft, "]}");

    (void)pthread_mutex_lock(&live->lock);
    const struct mesh_buffer old = live->message;
    live->message = *draft;
    *draft = old;
    live->version++;
    if (live->listener != NULL) {
        live->listener(live->listener_arg);
    }
    (void)pthread_mutex_unlock(&live->lock);
}

void live_listen(struct live *live, live_listener_fn *listener, void *arg)
{
    (void)pthread_mutex_lock(&live->lock);
    live->listener = listener;
    live->listener_arg = arg;
    (void)pthread_mutex_unlock(&live->lock);
}

bool live_take(struct live *live, size_t headroom, struct mesh_buffer *out, uint64_t *version)
{
    static const uint8_t zeros[64];
    bool newer = false;

    (void)pthread_mutex_lock(&live->lock);
    if (live->version > *version && headroom <= sizeof(zeros)) {
        mesh_buffer_reset(out);
        mesh_buffer_add(out, mesh_bytes_of(zeros, headroom));
        mesh_buffer_add(out, mesh_buffer_bytes(&live->message));
        *version = live->version;
        newer = true;
    }
    (void)pthread_mutex_unlock(&live->lock);
    return newer;
}
