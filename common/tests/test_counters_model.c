/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever happens, the counters end equal to the distinct events in Kafka, and are never
 * above the records in it on the way.
 * Method: seeded random schedules against a real redis-server with an AOF, beside a model of Kafka
 * (records, duplicates, poison), of the archive (who came first) and of a consumer (commit,
 * rewind). Hints are lost, doubled, reordered and overlap; Redis is flushed, killed, and its AOF
 * torn; copies of the state are taken and put back, also just before a crash.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "mesh/counters_copy.h"
#include "redis_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS 3
#define GROUPS 7
#define RECORDS 12000 /* per partition */
#define STEPS 900
#define SCHEDULES 3
#define HINT_RANGES 6
#define TEAR_BYTES_MAX 60000

struct record {
    uint32_t event;
    uint8_t group; /* or MESH_GROUP_NOT_COUNTED: poison */
};

static const char *const group_names[GROUPS] = {"a", "b", "c", "d", "e", "f", "g"};
static const struct mesh_stream stream = {
    .name = "model",
    .count_by = "group",
    .group_names = group_names,
    .group_count = GROUPS,
};

static struct {
    uint64_t seed;
    struct redis_fixture *fixture;
    redisContext *redis;
    struct mesh_counters_command *command;
    struct record log[PARTITIONS][RECORDS]; /* Kafka */
    size_t log_end[PARTITIONS];
    uint64_t records_of[GROUPS];
    uint32_t event_count;
    struct {
        uint32_t partition; /* + 1; 0: not archived */
        uint32_t offset;
        uint8_t group;
    } archive[PARTITIONS * RECORDS]; /* by event */
    size_t position[PARTITIONS];     /* of the consumer */
    size_t committed[PARTITIONS];
    struct mesh_counters_copy copy; /* the snapshot */
    unsigned int kills, tears, flushes, gaps, restores;
} model;

/* splitmix64: the same schedule for the same seed. */
static uint64_t next_random(void)
{
    uint64_t z = (model.seed += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static size_t below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static bool one_in(size_t n)
{
    return below(n) == 0;
}

/* ---- Kafka ---- */

static void produce(void)
{
    size_t partition = below(PARTITIONS);
    for (size_t n = 1 + below(400); n > 0 && model.log_end[partition] < RECORDS; n--) {
        struct record *record = &model.log[partition][model.log_end[partition]++];
        size_t source = below(PARTITIONS);
        if (one_in(100)) {
            *record = (struct record){.group = MESH_GROUP_NOT_COUNTED};
            continue;
        }
        if (one_in(50) && model.log_end[source] > 1) {
            *record = model.log[source][below(model.log_end[source] - 1)]; /* sent again */
        } else {
            *record =
                (struct record){.event = model.event_count++, .group = (uint8_t)below(GROUPS)};
        }
        if (record->group != MESH_GROUP_NOT_COUNTED) {
            model.records_of[record->group]++;
        }
    }
}

/* ---- calls ---- */

static struct mesh_counters_reply call(void)
{
    struct mesh_counters_reply reply;
    struct mesh_error err = {0};
    if (!mesh_counters_call(model.redis, model.command, &reply, &err)) {
        fail_msg("%s", err.text);
    }
    return reply;
}

/* A hint anywhere in the log, up to count_max records; poison is never hinted, and some offsets are
 * left out. */
static struct mesh_counters_range hint_range(uint8_t *groups, size_t count_max)
{
    size_t partition = below(PARTITIONS);
    size_t end = model.log_end[partition];
    size_t back = end == 0 ? 0 : below(one_in(5) ? end : (end < 800 ? end : 800));
    size_t first = end == 0 ? 0 : end - 1 - back;
    size_t count = 1 + below(one_in(20) ? count_max : count_max / 7 + 1);
    count = count < end - first ? count : end - first;
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &model.log[partition][first + i];
        bool left_out = record->group == MESH_GROUP_NOT_COUNTED || one_in(8);
        groups[i] = left_out ? MESH_GROUP_HOLE : record->group;
    }
    return (struct mesh_counters_range){
        .stream = stream.name,
        .partition = (uint32_t)partition,
        .first_offset = first,
        .count = count,
        .groups = groups,
        .group_names = group_names,
        .group_count = GROUPS,
    };
}

/* One call with one or several ranges, some of them of the same partition. */
static void hint(void)
{
    static uint8_t groups[MESH_COUNTERS_RANGE_MAX];
    struct mesh_counters_range ranges[HINT_RANGES];
    size_t range_count = one_in(2) ? 1 : 1 + below(HINT_RANGES);
    size_t share = MESH_COUNTERS_RANGE_MAX / range_count;
    for (size_t i = 0; i < range_count; i++) {
        ranges[i] = hint_range(groups + i * share, share);
    }
    mesh_counters_apply(model.command, ranges, range_count);
    call();
    if (one_in(10)) {
        call(); /* doubled */
    }
}

/* What the archive says: true when this event is there from another offset. */
static bool archive_record(const struct record *record, size_t partition, size_t offset)
{
    if (model.archive[record->event].partition == 0) {
        model.archive[record->event].partition = (uint32_t)partition + 1;
        model.archive[record->event].offset = (uint32_t)offset;
        model.archive[record->event].group = record->group;
    }
    return model.archive[record->event].partition != partition + 1 ||
           model.archive[record->event].offset != offset;
}

/* A copy of the state at any moment, as long as it does not go back. */
static void take_copy(void)
{
    struct mesh_counters_copy copy = {0};
    struct mesh_counters_summary next = {0};
    struct mesh_counters_summary stored = {0};
    struct mesh_error err = {0};
    assert_true(mesh_counters_copy_take(model.redis, stream.name, &copy, &err));
    if (copy.count == 0 || mesh_counters_copy_find(&copy, "topic") == NULL) {
        mesh_counters_copy_done(&copy); /* nothing but hints so far */
        return;
    }
    assert_true(mesh_counters_copy_summary(&copy, &next, &err));
    if (model.copy.count == 0 || (mesh_counters_copy_summary(&model.copy, &stored, &err) &&
                                  mesh_counters_summary_may_follow(&stored, &next))) {
        struct mesh_counters_copy old = model.copy;
        model.copy = copy;
        copy = old;
    }
    mesh_counters_summary_done(&stored);
    mesh_counters_summary_done(&next);
    mesh_counters_copy_done(&copy);
}

/* Puts the snapshot back for a partition; returns where that is then. */
static size_t restore(size_t partition, size_t watermark)
{
    struct mesh_counters_reply reply;
    struct mesh_error err = {0};
    char *key = NULL;
    if (model.copy.count == 0 || one_in(4)) {
        return watermark; /* MongoDB has none, or is not asked */
    }
    assert_true(mesh_counters_copy_upload(model.redis, stream.name, &model.copy, &key, &err));
    if (!one_in(4)) { /* else the consumer dies in between */
        const struct mesh_counters_restoration how = {.copy_key = key,
                                                      .field_count = model.copy.count,
                                                      .topic_id = "topic",
                                                      .partition = (uint32_t)partition};
        assert_true(mesh_counters_copy_install(model.redis, stream.name, &how, &reply, &err));
        model.restores += reply.outcome == MESH_COUNTERS_DONE ? 1 : 0;
        watermark = (size_t)reply.watermark;
    }
    free(key);
    return watermark;
}

/* One round of the consumer on one partition: archive, settle, commit; rewind on GAP. */
static void consume(size_t partition, size_t count_max)
{
    static uint8_t groups[MESH_COUNTERS_RANGE_MAX];
    static uint8_t duplicates[MESH_COUNTERS_RANGE_MAX];
    size_t first = model.position[partition];
    size_t count = model.log_end[partition] - first;
    count = count < count_max ? count : count_max;
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &model.log[partition][first + i];
        groups[i] = record->group;
        duplicates[i] =
            record->group != MESH_GROUP_NOT_COUNTED && archive_record(record, partition, first + i);
    }
    const struct mesh_counters_range range = {
        .stream = stream.name,
        .partition = (uint32_t)partition,
        .first_offset = first,
        .count = count,
        .groups = groups,
        .group_names = group_names,
        .group_count = GROUPS,
        .duplicates = duplicates,
        .topic_id = "topic",
    };
    mesh_counters_settle(model.command, &range);
    struct mesh_counters_reply reply = call();
    if (reply.outcome == MESH_COUNTERS_GAP) {
        assert_true(reply.watermark < first);
        size_t watermark = restore(partition, (size_t)reply.watermark);
        model.position[partition] = watermark < first ? watermark : first;
        model.gaps++;
        return;
    }
    assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
    model.position[partition] = first + count;
    if (!one_in(4)) {
        model.committed[partition] = first + count;
    }
    if (one_in(3)) {
        mesh_counters_sweep(model.command, stream.name, (uint32_t)partition, 0);
        call();
    }
}

/* ---- what goes wrong ---- */

static void crash_consumer(void)
{
    for (size_t i = 0; i < PARTITIONS; i++) {
        model.position[i] = model.committed[i];
    }
}

static void crash_redis(void)
{
    redisFree(model.redis);
    redis_fixture_kill(model.fixture);
    model.kills++;
    for (unsigned int restarts = 1 + (unsigned int)below(2); restarts > 0; restarts--) {
        if (one_in(2)) {
            redis_fixture_tear(model.fixture, 1 + below(TEAR_BYTES_MAX));
            model.tears++;
        }
        redis_fixture_start(model.fixture);
        if (restarts > 1) {
            redis_fixture_kill(model.fixture); /* the second start is what an orphan MULTI hurts */
        }
    }
    model.redis = redis_fixture_connect(model.fixture);
}

static void flush_redis(void)
{
    redisReply *reply = redisCommand(model.redis, "FLUSHALL");
    assert_non_null(reply);
    freeReplyObject(reply);
    model.flushes++;
}

/* ---- checks ---- */

static void assert_never_above_kafka(void)
{
    struct mesh_counters_state state;
    struct mesh_error err = {0};
    uint64_t sum = 0;
    assert_true(mesh_counters_state_read(model.redis, &stream, &state, &err));
    for (size_t i = 0; i < GROUPS; i++) {
        sum += state.counts[i];
        assert_true(state.counts[i] <= model.records_of[i]);
    }
    assert_int_equal(state.total, sum);
    mesh_counters_state_done(&state);
}

static void assert_equal_to_kafka(void)
{
    uint64_t expected[GROUPS] = {0};
    for (size_t event = 0; event < model.event_count; event++) {
        assert_true(model.archive[event].partition > 0);
        expected[model.archive[event].group]++;
    }
    struct mesh_counters_state state;
    struct mesh_error err = {0};
    uint64_t records = 0;
    assert_true(mesh_counters_state_read(model.redis, &stream, &state, &err));
    for (size_t i = 0; i < GROUPS; i++) {
        assert_int_equal(state.counts[i], expected[i]);
    }
    for (size_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(state.watermarks[i], model.log_end[i]);
        records += model.log_end[i];
    }
    assert_int_equal(state.total, model.event_count);
    assert_int_equal(state.total + state.duplicates + state.not_counted, records);
    assert_int_equal(state.foreign, 0);
    mesh_counters_state_done(&state);
}

/* Settles a partition to its end. False: there was nothing to do. An idle consumer's heartbeat
 * finds a set-back. */
static bool drain_partition(size_t partition)
{
    bool busy = false;
    for (;;) {
        size_t before = model.position[partition];
        consume(partition, MESH_COUNTERS_RANGE_MAX);
        if (model.position[partition] == before && before == model.log_end[partition]) {
            return busy;
        }
        busy = true;
    }
}

/* Until every partition is settled to its end: a copy put back for one sets back others, too. */
static void drain(void)
{
    bool busy = true;
    while (busy) {
        busy = false;
        for (size_t i = 0; i < PARTITIONS; i++) {
            busy = drain_partition(i) || busy;
        }
    }
}

static void run_schedule(uint64_t seed)
{
    memset(&model, 0, sizeof(model));
    model.seed = seed;
    model.fixture = redis_fixture_new(&(struct redis_fixture_options){.append_only = true});
    model.redis = redis_fixture_connect(model.fixture);
    model.command = mesh_counters_command_new();
    for (int step = 0; step < STEPS; step++) {
        size_t dice = below(1000);
        if (dice < 150) {
            produce();
        } else if (dice < 700) {
            hint();
        } else if (dice < 940) {
            consume(below(PARTITIONS), 1 + below(1000));
        } else if (dice < 960) {
            take_copy();
        } else if (dice < 975) {
            crash_consumer();
        } else if (dice < 995) {
            crash_redis();
        } else {
            flush_redis();
        }
        if (step % 20 == 0) {
            assert_never_above_kafka();
        }
    }
    drain();
    assert_equal_to_kafka();
    print_message("seed %" PRIu64 ": %" PRIu32
                  " events, %u kills, %u tears, %u flushes, %u gaps, %u restores\n",
                  seed, model.event_count, model.kills, model.tears, model.flushes, model.gaps,
                  model.restores);
    assert_true(model.kills > 0 && model.tears > 0 && model.flushes > 0 && model.gaps > 0);
    assert_true(model.restores > 0);
    mesh_counters_copy_done(&model.copy);
    mesh_counters_command_free(model.command);
    redisFree(model.redis);
    redis_fixture_free(model.fixture);
}

/* MESH_TEST_SEED=n repeats or widens the search. */
static void test_counters_equal_kafka_after_any_schedule(void **state)
{
    (void)state;
    const char *text = getenv("MESH_TEST_SEED");
    uint64_t seed = text == NULL ? 1 : strtoull(text, NULL, 10);
    for (uint64_t i = 0; i < SCHEDULES; i++) {
        run_schedule(seed + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_equal_kafka_after_any_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
