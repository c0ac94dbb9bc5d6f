/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator of the consumer group, cooperative: a partition is given away before it is given
 * on. */
#include "chance.h"
#include "kafka.h"
#include "verdict.h"

enum { MEMBER_COUNT_MAX = 4 };

static rd_kafka_t *members[MEMBER_COUNT_MAX];
static size_t member_count;
static rd_kafka_t *owners[PARTITION_COUNT]; /* NULL: free */
static rd_kafka_t *wanted[PARTITION_COUNT]; /* who is to have it */

void group_start(void)
{
    member_count = 0;
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        owners[i] = NULL;
        wanted[i] = NULL;
    }
}

void group_shuffle(void)
{
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        wanted[i] = member_count == 0 ? NULL : members[chance_below(member_count)];
        trace("group: partition %zu is to be %s's", i,
              wanted[i] == NULL ? "nobody" : wanted[i]->process->name);
    }
}

static size_t index_of(const rd_kafka_t *kafka)
{
    size_t at = 0;

    while (at < member_count && members[at] != kafka) {
        at++;
    }
    return at;
}

bool group_has(const rd_kafka_t *kafka)
{
    return index_of(kafka) < member_count;
}

void group_join(rd_kafka_t *kafka)
{
    if (index_of(kafka) == member_count && member_count < MEMBER_COUNT_MAX) {
        trace("group: %s joins", kafka->process->name);
        members[member_count++] = kafka;
        group_shuffle();
    }
}

void group_leave(rd_kafka_t *kafka)
{
    size_t at = index_of(kafka);

    if (at < member_count) {
        trace("group: %s has left", kafka->process->name);
        members[at] = members[--member_count];
        group_shuffle();
    }
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        owners[i] = owners[i] == kafka ? NULL : owners[i];
    }
}

void group_throw_out(rd_kafka_t *kafka)
{
    if (index_of(kafka) < member_count) {
        group_leave(kafka);
        kafka->lost = true;
    }
}

bool group_wants(const rd_kafka_t *kafka, int32_t partition)
{
    return wanted[partition] == kafka;
}

rd_kafka_t *group_owner(int32_t partition)
{
    return owners[partition];
}

void group_give(int32_t partition, rd_kafka_t *kafka)
{
    owners[partition] = kafka;
}
