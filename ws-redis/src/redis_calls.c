/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_calls.h"

#include "count_spans.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/redis.h"

#include <assert.h>
#include <stdlib.h>

#define LOG_US INT64_C(10000000) /* between two lines about refused calls */

/* What the replies of a pipeline ask for; the worst one counts. */
enum verdict {
    FINE,
    NO_LIBRARY, /* load it and do the pipeline again */
    AWAY,       /* connect again and do the pipeline again */
};

/* The four commands that show a stream. */
enum { SHOW_GROUPS, SHOW_TOTALS, GET_GROUPS, GET_TOTALS, SHOW_COMMANDS };

struct redis_calls {
    struct redis_calls_options options;
    redisContext *redis; /* NULL: not connected */
    struct mesh_counters_command *command;
    size_t stream_count;
    char **groups_keys; /* by stream */
    char **totals_keys;
    int64_t logged_us;            /* when a refused call was last logged; 0: never */
    struct mesh_metric **counted; /* by stream */
    struct mesh_metric *refused;
    struct mesh_metric *up;
    struct mesh_metric *apply_seconds;
    struct mesh_metric *show_seconds;
    struct mesh_metric *call_events;
    struct mesh_metric *stage_seconds;
};

static void metrics_new(struct redis_calls *calls)
{
    static const char seconds[] = "tweetmesh_redis_call_seconds";
    static const char help[] = "From sending a pipeline to each of its answers.";

    calls->refused = mesh_counter("tweetmesh_hints_dropped_total", "reason=\"redis_refused\"",
                                  "Events of hints that were not counted at once.");
    calls->up = mesh_gauge("tweetmesh_redis_up", NULL, "1 while Redis answers.");
    calls->apply_seconds = mesh_histogram_seconds(seconds, "function=\"apply\"", help);
    calls->show_seconds = mesh_histogram_seconds(seconds, "function=\"show\"", help);
    calls->call_events =
        mesh_histogram_count("tweetmesh_counts_call_events", NULL, "Events in one apply call.");
    calls->stage_seconds = mesh_histogram_seconds(
        "tweetmesh_stage_seconds", "stage=\"accepted_counted\"",
        "From being accepted to being counted, of the oldest event in each call.");
}

struct redis_calls *redis_calls_new(const struct redis_calls_options *options)
{
    struct redis_calls *calls = mesh_new(struct redis_calls);

    calls->options = *options;
    calls->command = mesh_counters_command_new();
    calls->stream_count = mesh_streams_count(options->streams);
    calls->groups_keys = mesh_new_array(char *, calls->stream_count);
    calls->totals_keys = mesh_new_array(char *, calls->stream_count);
    calls->counted = mesh_new_array(struct mesh_metric *, calls->stream_count);
    metrics_new(calls);
    for (size_t i = 0; i < calls->stream_count; i++) {
        const struct mesh_stream *stream = mesh_streams_at(options->streams, i);
        char *labels = mesh_format("stream=\"%s\"", stream->name);
        calls->groups_keys[i] = mesh_counters_groups_key(stream);
        calls->totals_keys[i] = mesh_counters_totals_key(stream);
        calls->counted[i] =
            mesh_counter("tweetmesh_counted_total", labels, "Events counted by hints.");
        free(labels);
    }
    return calls;
}

static void disconnect(struct redis_calls *calls)
{
    redisFree(calls->redis); /* accepts NULL */
    calls->redis = NULL;
    mesh_metric_set(calls->up, 0);
}

void redis_calls_free(struct redis_calls *calls)
{
    if (calls == NULL) {
        return;
    }
    disconnect(calls);
    mesh_counters_command_free(calls->command);
    for (size_t i = 0; i < calls->stream_count; i++) {
        free(calls->groups_keys[i]);
        free(calls->totals_keys[i]);
    }
    free(calls->groups_keys);
    free(calls->totals_keys);
    free((void *)calls->counted);
    free(calls);
}

bool redis_calls_connect(struct redis_calls *calls, struct mesh_error *err)
{
    if (calls->redis != NULL) {
        return true;
    }
    calls->redis = mesh_redis_connect(calls->options.url, calls->options.ms_max, err);
    if (calls->redis == NULL) {
        return false;
    }
    if (!mesh_counters_load(calls->redis, err)) {
        disconnect(calls);
        return false;
    }
    mesh_metric_set(calls->up, 1);
    return true;
}

static void append(struct redis_calls *calls, const struct mesh_counters_command *command)
{
    /* Fails only when memory is gone, which the answer then tells. */
    (void)redisAppendCommandArgv(calls->redis, command->argc, command->argv, command->argv_sizes);
}

/* NULL: the connection broke. */
static redisReply *next_reply(struct redis_calls *calls, struct mesh_error *err)
{
    void *reply = NULL;
    if (redisGetReply(calls->redis, &reply) != REDIS_OK) {
        mesh_redis_fail(calls->redis, NULL, err);
        return NULL;
    }
    return reply;
}

/* An error that waiting cures is as good as no connection. */
static bool is_passing(enum mesh_code code)
{
    return code == MESH_UNAVAILABLE || code == MESH_RESOURCE_EXHAUSTED ||
           code == MESH_UNAUTHENTICATED;
}

/* Reads one reply of a function. */
static enum verdict judge(struct redis_calls *calls, const redisReply *reply,
                          struct mesh_counters_reply *out, struct mesh_error *err)
{
    mesh_counters_read_reply(reply, out, err);
    if (out->outcome == MESH_COUNTERS_NO_LIBRARY) {
        return NO_LIBRARY;
    }
    if (out->outcome != MESH_COUNTERS_FAILED) {
        return FINE;
    }
    if (is_passing(err->code)) {
        return AWAY;
    }
    const int64_t now_us = mesh_clock_mono_us();
    if (calls->logged_us == 0 || now_us - calls->logged_us > LOG_US) {
        calls->logged_us = now_us;
        mesh_log_warn("redis_refused", err);
    }
    return FINE;
}

/* Windows of one stream that one call applies: they follow each other in the list. `stop` is the
 * first that is not in it. */
struct call {
    size_t stream_index;
    const struct window *windows;
    const struct window *stop;
};

static struct mesh_counters_range range_of(const struct window *window)
{
    return (struct mesh_counters_range){
        .stream = window->stream->name,
        .partition = window->partition,
        .first_offset = window->first_offset,
        .count = window->count,
        .groups = window->groups,
        .group_names = window->stream->group_names,
        .group_count = window->stream->group_count,
    };
}

/* Sends as many windows of the list as go into one call. */
static struct call send_call(struct redis_calls *calls, const struct window *list)
{
    struct mesh_counters_range ranges[MESH_COUNTERS_RANGES_MAX];
    struct call call = {list->stream_index, list, list};
    size_t count = 0;
    size_t offsets = 0;

    while (call.stop != NULL && call.stop->stream_index == call.stream_index &&
           count < MESH_COUNTERS_RANGES_MAX &&
           offsets + call.stop->count <= MESH_COUNTERS_RANGE_MAX) {
        ranges[count] = range_of(call.stop);
        offsets += ranges[count++].count;
        call.stop = call.stop->next;
    }
    mesh_counters_apply(calls->command, ranges, count);
    append(calls, calls->command);
    return call;
}

/* A call was answered: counted, or refused for good. */
static void note_applied(struct redis_calls *calls, const struct call *call,
                         const struct mesh_counters_reply *reply)
{
    const int64_t now_ms = mesh_clock_wall_ms();
    int64_t accepted_at = 0; /* of the oldest event; 0: not told */
    size_t events = 0;

    for (const struct window *window = call->windows; window != call->stop; window = window->next) {
        events += window->events;
        if (window->trace_count > 0) {
            count_spans_record(window, reply->outcome == MESH_COUNTERS_DONE);
        }
        if (accepted_at == 0 || (window->accepted_at != 0 && window->accepted_at < accepted_at)) {
            accepted_at = window->accepted_at;
        }
    }
    if (reply->outcome != MESH_COUNTERS_DONE) {
        mesh_metric_add(calls->refused, events);
        return;
    }
    mesh_metric_add(calls->counted[call->stream_index], (uint64_t)reply->counted);
    mesh_metric_observe(calls->call_events, events);
    if (accepted_at > 0 && now_ms >= accepted_at) {
        mesh_metric_observe_us(calls->stage_seconds, (now_ms - accepted_at) * 1000);
    }
}

static enum verdict apply_once(struct redis_calls *calls, const struct window *list,
                               struct mesh_error *err)
{
    const int64_t start_us = mesh_clock_mono_us();
    struct call pipeline[REDIS_CALLS_WINDOWS_MAX];
    enum verdict worst = FINE;
    size_t count = 0;

    for (const struct window *window = list; window != NULL; count++) {
        assert(count < REDIS_CALLS_WINDOWS_MAX);
        pipeline[count] = send_call(calls, window);
        window = pipeline[count].stop;
    }
    for (size_t i = 0; i < count; i++) {
        struct mesh_counters_reply answer;
        redisReply *reply = next_reply(calls, err);
        if (reply == NULL) {
            return AWAY;
        }
        const enum verdict verdict = judge(calls, reply, &answer, err);
        freeReplyObject(reply);
        mesh_metric_observe_us(calls->apply_seconds, mesh_clock_mono_us() - start_us);
        if (verdict == FINE) {
            note_applied(calls, &pipeline[i], &answer);
        }
        worst = verdict > worst ? verdict : worst;
    }
    return worst;
}

bool redis_calls_apply(struct redis_calls *calls, const struct window *list, struct mesh_error *err)
{
    enum verdict verdict = apply_once(calls, list, err);
    if (verdict == NO_LIBRARY && mesh_counters_load(calls->redis, err)) {
        verdict = apply_once(calls, list, err); /* again for all: what is counted stays counted */
    }
    if (verdict != FINE) {
        disconnect(calls);
    }
    return verdict == FINE;
}

static void append_show(struct redis_calls *calls, size_t index)
{
    const struct mesh_stream *stream = mesh_streams_at(calls->options.streams, index);

    mesh_counters_show_groups(calls->command, stream);
    append(calls, calls->command);
    mesh_counters_show_totals(calls->command, stream);
    append(calls, calls->command);
    (void)redisAppendCommand(calls->redis, "HGETALL %s", calls->groups_keys[index]);
    (void)redisAppendCommand(calls->redis, "HGETALL %s", calls->totals_keys[index]);
}

static enum verdict read_show(struct redis_calls *calls, size_t index, struct mesh_error *err)
{
    redisReply *replies[SHOW_COMMANDS] = {NULL};
    enum verdict worst = FINE;

    for (int i = 0; i < SHOW_COMMANDS && worst != AWAY; i++) {
        replies[i] = next_reply(calls, err);
        if (replies[i] == NULL) {
            worst = AWAY;
        } else if (i <= SHOW_TOTALS) {
            struct mesh_counters_reply answer;
            const enum verdict verdict = judge(calls, replies[i], &answer, err);
            worst = verdict > worst ? verdict : worst;
        }
    }
    if (worst != AWAY) {
        live_update(calls->options.live, index, replies[GET_GROUPS], replies[GET_TOTALS],
                    mesh_clock_mono_us());
    }
    for (int i = 0; i < SHOW_COMMANDS; i++) {
        freeReplyObject(replies[i]); /* accepts NULL */
    }
    return worst;
}

static enum verdict show_once(struct redis_calls *calls, const bool *wanted, struct mesh_error *err)
{
    const int64_t start_us = mesh_clock_mono_us();
    enum verdict worst = FINE;

    for (size_t i = 0; i < calls->stream_count; i++) {
        if (wanted[i]) {
            append_show(calls, i);
        }
    }
    for (size_t i = 0; i < calls->stream_count && worst != AWAY; i++) {
        if (wanted[i]) {
            const enum verdict verdict = read_show(calls, i, err);
            worst = verdict > worst ? verdict : worst;
            mesh_metric_observe_us(calls->show_seconds, mesh_clock_mono_us() - start_us);
        }
    }
    return worst;
}

bool redis_calls_show(struct redis_calls *calls, const bool *wanted, struct mesh_error *err)
{
    enum verdict verdict = show_once(calls, wanted, err);
    if (verdict == NO_LIBRARY && mesh_counters_load(calls->redis, err)) {
        verdict = show_once(calls, wanted, err);
    }
    if (verdict != FINE) {
        disconnect(calls);
    }
    return verdict == FINE;
}

bool redis_calls_look(struct redis_calls *calls, redis_calls_look_fn *look, void *arg,
                      struct mesh_error *err)
{
    if (!look(arg, calls->redis, err)) {
        disconnect(calls);
        return false;
    }
    return true;
}
