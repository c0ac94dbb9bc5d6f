/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "chance.h"
#include "clients.h"
#include "fiber.h"
#include "kafka.h"
#include "mongo.h"
#include "redis_store.h"
#include "side.h"
#include "verdict.h"

#include <stdio.h>
#include <string.h>

enum { HEAL_ROUNDS_MAX = 3000, REST_ROUNDS = 6, HEAL_US = 250000, PRODUCER_COUNT_MAX = 8 };

struct schedule_sums schedule_sums;

static struct pod *pods[POD_COUNT_MAX];
static size_t pod_count;
static struct process consumer_processes[CONSUMER_COUNT_MAX];
static struct member_process *consumers[CONSUMER_COUNT_MAX]; /* NULL: not running */
static size_t consumer_count;

static size_t perhaps(size_t often, size_t seldom)
{
    return chance_one_in(2) ? 0 : often + chance_below(seldom - often);
}

/* Each schedule knows only some of the faults, so that no fault hides another. */
static void faults_choose(void)
{
    /* One after the other: compilers need not keep the order within an initialiser. */
    faults.crash = perhaps(20, 300);
    faults.failure = perhaps(5, 60);
    faults.late = perhaps(2, 12);
    faults.kafka = perhaps(2, 10);
    faults.mongo = perhaps(3, 12);
    faults.link_break = perhaps(4, 40);
    faults.hint = perhaps(1, 6);
    faults.rebalance = perhaps(10, 60);
    faults.kill = perhaps(20, 120);
    faults.redis = perhaps(15, 100);
    faults.poison = perhaps(10, 60);
    faults.refusal = chance_one_in(2) ? perhaps(8, 60) : 0;
    faults.hole = perhaps(10, 60);
}

static void start(uint64_t seed, bool trace_wanted)
{
    chance_start(seed * 0x9e3779b97f4a7c15U + 1);
    verdict_start(trace_wanted);
    process_time_start();
    ledger_start();
    redis_store_start();
    kafka_start();
    mongo_start();
    clients_start();
    faults_choose();
    pod_count = 1 + (size_t)chance_one_in(3);
    consumer_count = 1 + chance_below(CONSUMER_COUNT_MAX);
    for (size_t i = 0; i < pod_count; i++) {
        pods[i] = pod_new(i);
        (void)pod_start(pods[i]);
    }
    for (size_t i = 0; i < CONSUMER_COUNT_MAX; i++) {
        consumers[i] = NULL;
        (void)snprintf(consumer_processes[i].name, sizeof(consumer_processes[i].name),
                       "consumer-%zu", i);
    }
    if (chance_one_in(4)) { /* so that bitmaps of two chunks are needed */
        int32_t partition = (int32_t)chance_below(PARTITION_COUNT);
        ledger_append_hole(partition, 1000 + (int64_t)chance_below(24));
    }
}

static void consumer_begin(size_t i)
{
    trace("%s starts", consumer_processes[i].name);
    consumer_processes[i].killed = false;
    consumers[i] = consumer_start(&consumer_processes[i]);
}

static void consumer_end(size_t i)
{
    trace("%s ends", consumer_processes[i].name);
    consumer_stop(consumers[i]);
    consumers[i] = NULL;
}

static void reap(void)
{
    for (size_t i = 0; i < pod_count; i++) {
        pod_reap(pods[i]);
    }
    for (size_t i = 0; i < CONSUMER_COUNT_MAX; i++) {
        if (consumers[i] != NULL && consumer_processes[i].killed) {
            schedule_sums.kills++;
            consumer_end(i);
        }
    }
}

static void producers_step(bool all)
{
    rd_kafka_t *producers[PRODUCER_COUNT_MAX];
    size_t count = 0;

    for (rd_kafka_t *at = kafka_first(); at != NULL && count < PRODUCER_COUNT_MAX; at = at->next) {
        if (kafka_is_publisher(at)) {
            producers[count++] = at;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (all || chance_one_in(count)) {
            (void)kafka_producer_step(producers[i]);
            if (chance_one_in(faults.kafka * 16)) {
                kafka_producer_break(producers[i]);
            }
        }
    }
}

/* ---- what goes wrong by itself ---- */

static void redis_trouble(void)
{
    size_t writes = redis_store_writes();

    schedule_sums.set_backs++;
    switch (chance_below(4)) {
    case 0:
        redis_store_forget_library();
        return;
    case 1:
        redis_store_flush();
        if (chance_one_in(2)) {
            redis_store_forget_library();
        }
        return;
    default:
        redis_store_set_back(chance_below(writes < 40 ? writes + 1 : 40));
        return;
    }
}

static void group_trouble(void)
{
    schedule_sums.rebalances++;
    if (chance_one_in(2)) {
        group_shuffle();
        return;
    }
    for (rd_kafka_t *at = kafka_first(); at != NULL; at = at->next) {
        if (at->consumes && chance_one_in(2)) {
            trace("group: %s is thrown out", at->process->name);
            group_throw_out(at);
        }
    }
}

static void kill_somebody(void)
{
    size_t i = chance_below(CONSUMER_COUNT_MAX);

    if (chance_one_in(2)) {
        schedule_sums.kills++;
        pod_kill(pods[chance_below(pod_count)]);
    } else if (consumers[i] != NULL && chance_one_in(3)) {
        consumer_end(i); /* in order */
    } else if (consumers[i] != NULL) {
        trace("%s is killed", consumer_processes[i].name);
        consumer_processes[i].killed = true;
    }
}

static void trouble(void)
{
    static const char poison[] = "{\"id\":\"none\"}";
    int32_t partition = (int32_t)chance_below(PARTITION_COUNT);

    if (chance_one_in(faults.redis)) {
        redis_trouble();
    }
    if (chance_one_in(faults.rebalance)) {
        group_trouble();
    }
    if (chance_one_in(faults.kill)) {
        kill_somebody();
    }
    if (chance_one_in(faults.poison)) {
        (void)ledger_append(partition, mesh_bytes_of(poison, sizeof(poison) - 1), "");
    }
    if (chance_one_in(faults.hole)) {
        ledger_append_hole(partition, 1 + (int64_t)chance_below(5));
    }
    if (chance_one_in(8)) {
        kafka_strays_step();
    }
}

/* ---- steps ---- */

static void step(void)
{
    struct pod *pod = pods[chance_below(pod_count)];
    struct fiber *fiber = NULL;
    size_t dice = chance_below(100);

    process_time_pass((int64_t)chance_below(chance_one_in(16) ? 800000 : 20000));
    if (dice < 8) {
        if (pod_api(pod) != NULL) {
            clients_post(pod_api(pod));
        }
    } else if (dice < 45) {
        pod_step(pod);
    } else if (dice < 80) {
        fiber = fiber_any();
        if (fiber != NULL) {
            fiber_resume(fiber);
        }
    } else if (dice < 92) {
        producers_step(false);
    } else if (dice < 97) {
        clients_step(dice == 96);
    } else {
        size_t i = chance_below(consumer_count);
        (void)pod_start(pod);
        if (consumers[i] == NULL) {
            consumer_begin(i);
        }
    }
    trouble();
    reap();
}

static bool producers_at_rest(void)
{
    for (rd_kafka_t *at = kafka_first(); at != NULL; at = at->next) {
        if (!at->consumes && !kafka_producer_at_rest(at)) {
            return false;
        }
    }
    return true;
}

static bool at_rest(void)
{
    for (size_t i = 0; i < pod_count; i++) {
        if (!pod_at_rest(pods[i])) {
            return false;
        }
    }
    return clients_at_rest() && producers_at_rest() && !kafka_has_strays() &&
           redis_store_is_settled();
}

/* A turn for everybody. */
static void round_of_all(void)
{
    process_time_pass(HEAL_US);
    reap();
    for (size_t i = 0; i < pod_count; i++) {
        (void)pod_start(pods[i]);
        for (int k = 0; k < 10; k++) {
            pod_step(pods[i]);
        }
    }
    for (size_t i = 0; i < consumer_count; i++) {
        if (consumers[i] == NULL) {
            consumer_begin(i);
        }
    }
    for (size_t i = 0; fiber_at(i) != NULL; i++) {
        if (!fiber_ended(fiber_at(i))) {
            fiber_resume(fiber_at(i));
        }
    }
    producers_step(true);
    kafka_strays_step();
    clients_finish(pod_api(pods[chance_below(pod_count)]));
}

static void heal(void)
{
    int rounds = 0;

    trace("---- healing ----");
    faults = (struct faults){0};
    while (!at_rest() && rounds++ < HEAL_ROUNDS_MAX && verdict_text() == NULL) {
        round_of_all();
    }
    if (rounds > HEAL_ROUNDS_MAX) {
        verdict_broken("does not come to rest: clients %d, producers %d, strays %d, settled %d",
                       clients_at_rest(), producers_at_rest(), !kafka_has_strays(),
                       redis_store_is_settled());
    }
    for (rounds = 0; rounds < REST_ROUNDS && verdict_text() == NULL; rounds++) {
        round_of_all();
    }
}

static void stop(void)
{
    for (size_t i = 0; i < CONSUMER_COUNT_MAX; i++) {
        if (consumers[i] != NULL) {
            consumer_processes[i].killed = true;
            consumer_end(i);
        }
    }
    faults = (struct faults){0};
    for (size_t i = 0; i < pod_count; i++) {
        pod_free(pods[i]);
    }
}

static void sums_add(void)
{
    schedule_sums.events += ledger.event_count;
    schedule_sums.documents += ledger.document_count;
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        schedule_sums.records += ledger.partitions[i].count;
    }
    for (size_t i = 0; i < ledger.event_count; i++) {
        schedule_sums.acknowledged += ledger.events[i].acknowledged;
    }
}

bool schedule_run(uint64_t seed, bool trace_wanted)
{
    start(seed, trace_wanted);
    size_t steps = 20 + chance_below(chance_one_in(32) ? 800 : 100);
    for (size_t i = 0; i < steps && verdict_text() == NULL; i++) {
        step();
    }
    heal();
    if (verdict_text() == NULL) {
        ledger_check_end();
        redis_store_check_end();
    }
    stop();
    sums_add();
    return verdict_text() == NULL;
}
