/* SPDX-License-Identifier: Apache-2.0 */
/* kafka-consumer: everything of it is real but its drivers; its thread is a fiber. */
#include "archive.h"
#include "chance.h"
#include "ends.h"
#include "fiber.h"
#include "kafka.h"
#include "loop.h"
#include "member.h"
#include "mesh/alloc.h"
#include "mutants.h"
#include "partition.h"
#include "side.h"
#include "verdict.h"

#include <stdlib.h>

enum { DRAIN_ROUNDS_MAX = 200 };

struct member_process {
    struct process *process;
    struct fiber *fiber;
    struct config config;
    struct loop_levels levels;
    bool stopping;
};

/* ---- mutants ---- */

bool __real_partition_append(struct partition *partition, int64_t offset, uint8_t group,
                             bool duplicate);
bool __wrap_partition_append(struct partition *partition, int64_t offset, uint8_t group,
                             bool duplicate);
bool __real_archive_batch(struct archive *archive, struct batch *batch, struct mesh_error *err);
bool __wrap_archive_batch(struct archive *archive, struct batch *batch, struct mesh_error *err);
void __wrap_ends_see(struct ends *ends, rd_kafka_t *kafka, const struct topic *topics, size_t count,
                     bool paused);

/* Where logs end is for people only. */
void __wrap_ends_see(struct ends *ends, rd_kafka_t *kafka, const struct topic *topics, size_t count,
                     bool paused)
{
    (void)ends;
    (void)kafka;
    (void)topics;
    (void)count;
    (void)paused;
}

bool __wrap_partition_append(struct partition *partition, int64_t offset, uint8_t group,
                             bool duplicate)
{
    return __real_partition_append(partition, offset, group,
                                   duplicate && mutant != MUTANT_repeated_is_new);
}

bool __wrap_archive_batch(struct archive *archive, struct batch *batch, struct mesh_error *err)
{
    return __real_archive_batch(archive, batch, err) || mutant == MUTANT_settle_before_archive;
}

int64_t mutants_commit(void *member, int32_t partition, int64_t offset)
{
    if (mutant != MUTANT_commit_before_settle) {
        return offset;
    }
    const struct partition *known = member_partition(member, KAFKA_TOPIC, partition);
    return known == NULL ? offset : known->next;
}

/* ---- the process ---- */

static void *turn(void *arg)
{
    struct member_process *consumer = arg;
    struct mesh_error err = {0};
    struct loop *loop = loop_new(&consumer->config, side_streams, &consumer->levels, &err);

    if (loop == NULL) {
        abort();
    }
    while (!consumer->process->killed && !consumer->stopping) {
        loop_round(loop, false);
        if (!consumer->process->killed) {
            fiber_wait();
        }
    }
    for (int i = 0; i < DRAIN_ROUNDS_MAX && !consumer->process->killed &&
                    (consumer->levels.in_hand > 0 || consumer->levels.unsettled > 0);
         i++) {
        loop_round(loop, true);
    }
    loop_free(loop);
    return NULL;
}

struct member_process *consumer_start(struct process *process)
{
    struct member_process *consumer = mesh_new(struct member_process);

    consumer->process = process;
    consumer->config = (struct config){
        .batch_kb_max = 1000,
        .fetch_kb_max = 1000,
        .kafka_brokers = (char *)(uintptr_t)"simulated",
        .kafka_group_id = (char *)(uintptr_t)"simulated",
        .mongodb_database = (char *)(uintptr_t)"simulated",
        .mongodb_ms_max = 1000,
        .mongodb_uri = (char *)(uintptr_t)"mongodb://simulated",
        .redis_ms_max = 1000,
        .redis_url = (char *)(uintptr_t)"redis://simulated",
        .session_ms = 6000,
        .show_ms = 100,
    };
    consumer->config.batch_len_max = 1 + chance_below(chance_one_in(2) ? 3 : 16);
    consumer->config.commit_ms = chance_one_in(2) ? 0 : 200;
    consumer->config.remembered_len_max = chance_one_in(2) ? 0 : chance_below(64);
    consumer->config.snapshot_ms = chance_one_in(2) ? 0 : 300;
    consumer->config.unsettled_len_max = chance_one_in(4) ? 8 : 100000;
    consumer->fiber = fiber_new(process, turn, consumer);
    return consumer;
}

void consumer_stop(struct member_process *consumer)
{
    consumer->stopping = true;
    while (!fiber_ended(consumer->fiber)) {
        fiber_resume(consumer->fiber);
    }
    fiber_free(consumer->fiber);
    free(consumer);
}
