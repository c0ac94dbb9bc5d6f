/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/country.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The rate is the slope over the last seconds. */
#define RATE_US INT64_C(3000000)
#define SAMPLE_US INT64_C(250000)
#define SAMPLES 12 /* RATE_US / SAMPLE_US */

#define SAME_US INT64_C(2000000) /* between messages that say the same */
#define SECONDS_TOLD 15          /* in each message: a viewer may have missed some */
#define AUDIT_MS_MAX 10000       /* a consumer that is silent for longer proves nothing */
#define RECENT_TEXTS_MAX 100
#define RECENT_BYTES_MAX 2048 /* of one text; longer ones are left out */

struct sample {
    int64_t at_us;
    uint64_t total;
};

struct stream_live {
    const struct mesh_stream *stream;
    struct mesh_buffer json;   /* its object in the message, open; empty: not known yet */
    struct mesh_buffer recent; /* a JSON array; empty: none */
    struct lag lag;
    struct rates rates;
    uint64_t known; /* offsets that the counters have heard of */
    struct sample samples[SAMPLES];
    size_t sample_count;
    size_t sample_next;
};

struct live {
    /* Redis thread */
    struct stream_live *streams;
    size_t stream_count;
    struct mesh_buffer programs; /* a JSON array; empty: none */
    int64_t audited_ms;          /* when a consumer was last heard of; 0: never */
    struct mesh_buffer draft;
    int64_t published_us;
    int64_t history_second; /* up to which the history goes */
    char as_of[MESH_TIME_TEXT_SIZE];
    /* lock guards: */
    pthread_mutex_t lock;
    struct mesh_buffer message;
    uint64_t version;
    struct mesh_buffer history;
    uint64_t history_version;
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
        mesh_buffer_done(&live->streams[i].recent);
    }
    free(live->streams);
    mesh_buffer_done(&live->programs);
    mesh_buffer_done(&live->draft);
    mesh_buffer_done(&live->message);
    mesh_buffer_done(&live->history);
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

static bool groups_are_countries(const struct mesh_stream *stream)
{
    return stream->group_count == mesh_country_count() &&
           strcmp(stream->group_names[0], mesh_country_name(0)) == 0;
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

    of->known = total + field_of(totals, "duplicates") + field_of(totals, "not_counted");
    rates_note(&of->rates, total, mesh_clock_wall_ms() / 1000);
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
        json, ",\"groups_are\":%s,\"total\":%llu,\"settled\":%llu,\"unsettled\":%llu,\"rate\":%.1f",
        groups_are_countries(of->stream) ? "\"countries\"" : "null", (unsigned long long)total,
        (unsigned long long)settled,
        (unsigned long long)(of->known > settled ? of->known - settled : 0),
        rate_of(of, total, now_us));
    mesh_buffer_add_text(json, ",\"groups\":");
    write_groups(json, groups);
}

void live_set_lag(struct live *live, size_t stream_index, const struct lag *lag)
{
    live->streams[stream_index].lag = *lag;
}

void live_set_audited(struct live *live, int64_t at_ms)
{
    live->audited_ms = at_ms;
}

void live_set_recent(struct live *live, size_t stream_index, const redisReply *texts)
{
    struct mesh_buffer *out = &live->streams[stream_index].recent;
    const char *comma = "";

    mesh_buffer_reset(out);
    mesh_buffer_add_text(out, "[");
    for (size_t i = 0;
         texts->type == REDIS_REPLY_ARRAY && i < texts->elements && i < RECENT_TEXTS_MAX; i++) {
        const redisReply *text = texts->element[i];
        const struct mesh_bytes utf8 = mesh_bytes_of(text->str, text->len);
        if (text->type == REDIS_REPLY_STRING && text->len <= RECENT_BYTES_MAX &&
            mesh_bytes_is_utf8(utf8)) {
            mesh_buffer_add_text(out, comma);
            mesh_buffer_add_json(out, utf8);
            comma = ",";
        }
    }
    mesh_buffer_add_text(out, "]");
}

void live_set_programs_take(struct live *live, struct mesh_buffer *programs)
{
    const struct mesh_buffer old = live->programs;
    live->programs = *programs;
    *programs = old;
    mesh_buffer_reset(programs);
}

struct rates *live_rates(struct live *live, size_t stream_index)
{
    return &live->streams[stream_index].rates;
}

/* What is counted is in Kafka, also where the consumer looked before it came. */
static void write_lag(const struct live *live, const struct stream_live *of, int64_t now_ms,
                      struct mesh_buffer *out)
{
    const struct lag *lag = &of->lag;
    const int64_t at_ms = lag->at_ms > live->audited_ms ? lag->at_ms : live->audited_ms;
    const uint64_t in_kafka = lag->in_kafka > of->known ? lag->in_kafka : of->known;

    if (lag->partitions == 0) {
        mesh_buffer_add_text(out, "null");
        return;
    }
    const bool exact = lag->level && lag->settled == of->known && now_ms - at_ms <= AUDIT_MS_MAX;
    mesh_buffer_add_format(out,
                           "{\"in_kafka\":%llu,\"counted\":%llu,\"archived\":%llu,"
                           "\"settled\":%llu,\"at_ms\":%lld,\"exact\":%s}",
                           (unsigned long long)in_kafka, (unsigned long long)of->known,
                           (unsigned long long)lag->archived, (unsigned long long)lag->settled,
                           (long long)at_ms, exact ? "true" : "false");
}

static void write_streams(struct live *live, int64_t now_ms, struct mesh_buffer *out)
{
    const char *comma = "";
    for (size_t i = 0; i < live->stream_count; i++) {
        const struct stream_live *of = &live->streams[i];
        if (of->json.size == 0) {
            continue;
        }
        mesh_buffer_add_text(out, comma);
        mesh_buffer_add(out, mesh_buffer_bytes(&of->json));
        mesh_buffer_add_text(out, ",\"seconds\":");
        rates_write(&of->rates, SECONDS_TOLD, out);
        mesh_buffer_add_text(out, ",\"lag\":");
        write_lag(live, of, now_ms, out);
        mesh_buffer_add_text(out, ",\"recent\":");
        mesh_buffer_add_text(out, of->recent.size == 0 ? "null" : of->recent.data);
        mesh_buffer_add_text(out, "}");
        comma = ",";
    }
}

/* Once a second, when one has been closed. */
static void renew_history(struct live *live, const char *time)
{
    struct mesh_buffer *draft = &live->draft;
    const char *comma = "";
    int64_t second = 0;

    for (size_t i = 0; i < live->stream_count; i++) {
        const struct rates *rates = &live->streams[i].rates;
        second = rates->second > second ? rates->second : second;
    }
    if (second == live->history_second) {
        return;
    }
    live->history_second = second;
    mesh_buffer_reset(draft);
    mesh_buffer_add_format(draft, "{\"time\":\"%s\",\"history\":{", time);
    for (size_t i = 0; i < live->stream_count; i++) {
        mesh_buffer_add_text(draft, comma);
        mesh_buffer_add_json(draft, mesh_bytes_of_text(live->streams[i].stream->name));
        mesh_buffer_add_text(draft, ":");
        rates_write(&live->streams[i].rates, RATES_SECONDS, draft);
        comma = ",";
    }
    mesh_buffer_add_text(draft, "}}");
    (void)pthread_mutex_lock(&live->lock);
    const struct mesh_buffer old = live->history;
    live->history = *draft;
    *draft = old;
    live->history_version++;
    (void)pthread_mutex_unlock(&live->lock);
}

/* Apart from the time, with which they begin. Only this thread writes the message. */
static bool says_the_same(const struct live *live)
{
    const size_t head = sizeof("{\"time\":\"") - 1 + MESH_TIME_TEXT_SIZE;
    const struct mesh_buffer *message = &live->message;
    return message->size == live->draft.size &&
           memcmp(message->data + head, live->draft.data + head, message->size - head) == 0;
}

void live_publish(struct live *live, bool redis_up)
{
    struct mesh_buffer *draft = &live->draft;
    const int64_t now_us = mesh_clock_mono_us();
    const int64_t now_ms = mesh_clock_wall_ms();
    char time[MESH_TIME_TEXT_SIZE];

    mesh_time_format(now_ms, time);
    renew_history(live, time);
    mesh_buffer_reset(draft);
    mesh_buffer_add_format(draft, "{\"time\":\"%s\",\"live\":%s,", time,
                           redis_up ? "true" : "false");
    if (redis_up) {
        memcpy(live->as_of, time, sizeof(time));
    } else if (live->as_of[0] != '\0') {
        mesh_buffer_add_format(draft, "\"as_of\":\"%s\",", live->as_of);
    }
    mesh_buffer_add_text(draft, "\"streams\":[");
    write_streams(live, now_ms, draft);
    mesh_buffer_add_text(draft, "],\"programs\":");
    mesh_buffer_add_text(draft, live->programs.size == 0 ? "null" : live->programs.data);
    mesh_buffer_add_text(draft, "}");
    if (now_us - live->published_us < SAME_US && says_the_same(live)) {
        return;
    }
    live->published_us = now_us;

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

/* Under the lock. */
static bool take(const struct mesh_buffer *from, uint64_t from_version, size_t headroom,
                 struct mesh_buffer *out, uint64_t *version)
{
    static const uint8_t zeros[64];

    if (from_version <= *version || headroom > sizeof(zeros)) {
        return false;
    }
    mesh_buffer_reset(out);
    mesh_buffer_add(out, mesh_bytes_of(zeros, headroom));
    mesh_buffer_add(out, mesh_buffer_bytes(from));
    *version = from_version;
    return true;
}

bool live_take(struct live *live, size_t headroom, struct mesh_buffer *out, uint64_t *version)
{
    (void)pthread_mutex_lock(&live->lock);
    const bool newer = take(&live->message, live->version, headroom, out, version);
    (void)pthread_mutex_unlock(&live->lock);
    return newer;
}

bool live_take_history(struct live *live, size_t headroom, struct mesh_buffer *out,
                       uint64_t *version)
{
    (void)pthread_mutex_lock(&live->lock);
    const bool newer = take(&live->history, live->history_version, headroom, out, version);
    (void)pthread_mutex_unlock(&live->lock);
    return newer;
}
