/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include "lag.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/health.h"
#include "mesh/redis.h"

#include <stdlib.h>

#define LOOK_US INT64_C(900000) /* a second, though the tick may come a little early */

/* What an answer is for. */
enum kind { NOTHING, ARCHIVE, RECENT, RATE, HEALTH };

struct keys {
    char *archive;
    char *rate;
    char *recent;
};

struct board {
    struct board_options options;
    size_t stream_count;
    struct keys *keys; /* by stream */
    bool learned;      /* the rates of before our time were asked for */
    int64_t looked_us;
    int64_t health_us;
    struct mesh_buffer programs;
    /* the pipeline under way */
    struct expected {
        enum kind kind;
        size_t stream_index;
    } *expected;
    size_t expected_count;
    size_t expected_room;
};

struct board *board_new(const struct board_options *options)
{
    struct board *board = mesh_new(struct board);

    board->options = *options;
    board->stream_count = mesh_streams_count(options->streams);
    board->keys = mesh_new_array(struct keys, board->stream_count);
    for (size_t i = 0; i < board->stream_count; i++) {
        const char *name = mesh_streams_at(options->streams, i)->name;
        board->keys[i] = (struct keys){
            .archive = mesh_format("{%s}:archive", name),
            .rate = mesh_format("{%s}:rate", name),
            .recent = mesh_format("{%s}:recent", name),
        };
    }
    /* For each stream its rows and three questions; writing, reading and pruning health. */
    board->expected_room = board->stream_count * (RATES_ROWS_MAX + 3) + 3;
    board->expected = mesh_new_array(struct expected, board->expected_room);
    return board;
}

void board_free(struct board *board)
{
    if (board == NULL) {
        return;
    }
    for (size_t i = 0; i < board->stream_count; i++) {
        free(board->keys[i].archive);
        free(board->keys[i].rate);
        free(board->keys[i].recent);
    }
    free(board->keys);
    free(board->expected);
    mesh_buffer_done(&board->programs);
    free(board);
}

static void expect(struct board *board, enum kind kind, size_t stream_index)
{
    board->expected[board->expected_count++] = (struct expected){kind, stream_index};
}

static void ask_stream(struct board *board, redisContext *redis, size_t index)
{
    const struct keys *keys = &board->keys[index];
    struct rates_row row;

    if (!board->learned) {
        (void)redisAppendCommand(redis, "XREVRANGE %s + - COUNT %d", keys->rate, RATES_SECONDS);
        expect(board, RATE, index);
    }
    while (rates_take_row(live_rates(board->options.live, index), &row)) {
        /* Refused where another ws-redis was first: it saw the same. */
        (void)redisAppendCommand(redis, "XADD %s MAXLEN ~ %d %lld-0 accepted %llu total %llu",
                                 keys->rate, BOARD_RATE_LEN, (long long)row.second,
                                 (unsigned long long)row.accepted, (unsigned long long)row.total);
        expect(board, NOTHING, index);
    }
    (void)redisAppendCommand(redis, "HGETALL %s", keys->archive);
    expect(board, ARCHIVE, index);
    if (board->options.recent_max > 0) {
        (void)redisAppendCommand(redis, "LRANGE %s 0 %u", keys->recent,
                                 board->options.recent_max - 1);
        expect(board, RECENT, index);
    }
}

static void ask_health(struct board *board, redisContext *redis, int64_t now_us, int64_t now_ms)
{
    if (now_us - board->health_us >= MESH_HEALTH_MS * INT64_C(1000) - LOOK_US / 2) {
        board->health_us = now_us;
        health_append_write(board->options.health, redis, true, now_ms);
        expect(board, NOTHING, 0);
        if (health_append_prune(board->options.health, redis)) {
            expect(board, NOTHING, 0);
        }
    }
    (void)redisAppendCommand(redis, "HGETALL " MESH_HEALTH_KEY);
    expect(board, HEALTH, 0);
}

static void take_reply(struct board *board, const struct expected *of, const redisReply *reply,
                       int64_t now_ms)
{
    struct live *live = board->options.live;
    struct lag lag;

    switch (of->kind) {
    case ARCHIVE:
        lag_read(reply, &lag);
        live_set_lag(live, of->stream_index, &lag);
        break;
    case RECENT:
        live_set_recent(live, of->stream_index, reply);
        break;
    case RATE:
        rates_learn(live_rates(live, of->stream_index), reply);
        break;
    case HEALTH:
        mesh_buffer_reset(&board->programs);
        health_read(board->options.health, reply, now_ms, &board->programs);
        live_set_programs_take(live, &board->programs);
        live_set_audited(live, health_last_ms(board->options.health, "kafka-consumer"));
        break;
    case NOTHING:
        break;
    }
}

bool board_look(void *arg, redisContext *redis, struct mesh_error *err)
{
    struct board *board = arg;
    const int64_t now_us = mesh_clock_mono_us();
    const int64_t now_ms = mesh_clock_wall_ms();

    if (board->looked_us != 0 && now_us - board->looked_us < LOOK_US) {
        return true;
    }
    board->looked_us = now_us;
    board->expected_count = 0;
    for (size_t i = 0; i < board->stream_count; i++) {
        ask_stream(board, redis, i);
    }
    ask_health(board, redis, now_us, now_ms);
    for (size_t i = 0; i < board->expected_count; i++) {
        void *reply = NULL;
        if (redisGetReply(redis, &reply) != REDIS_OK) {
            return mesh_redis_fail(redis, NULL, err);
        }
        take_reply(board, &board->expected[i], reply, now_ms);
        freeReplyObject(reply);
    }
    board->learned = true;
    return true;
}
