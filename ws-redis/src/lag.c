/* SPDX-License-Identifier: Apache-2.0 */
#include "lag.h"

#define NUMBERS 4
#define DIGITS_MAX 16

/* Digits without a leading zero; returns where they end, 0: there are none. */
static size_t read_number(struct mesh_bytes text, size_t at, uint64_t *out)
{
    const size_t start = at;
    uint64_t value = 0;

    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9') {
        value = value * 10 + (uint64_t)(text.data[at] - '0');
        at++;
        if (at - start > DIGITS_MAX) {
            return 0;
        }
    }
    if (at == start || (text.data[start] == '0' && at - start > 1)) {
        return 0;
    }
    *out = value;
    return at;
}

bool lag_read_partition(struct mesh_bytes text, struct lag *out)
{
    uint64_t numbers[NUMBERS];
    size_t at = 0;

    for (size_t i = 0; i < NUMBERS; i++) {
        if (i > 0 && (at >= text.size || text.data[at] != ' ')) {
            return false;
        }
        at = read_number(text, i > 0 ? at + 1 : at, &numbers[i]);
        if (at == 0) {
            return false;
        }
    }
    if (at != text.size) {
        return false;
    }
    *out = (struct lag){
        .partitions = 1,
        .in_kafka = numbers[0],
        .archived = numbers[1],
        .settled = numbers[2],
        .at_ms = (int64_t)numbers[3],
        .level = numbers[0] == numbers[1] && numbers[1] == numbers[2],
    };
    return true;
}

void lag_read(const redisReply *hash, struct lag *out)
{
    *out = (struct lag){.level = true};
    if (hash->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (size_t i = 0; i + 1 < hash->elements && out->partitions < LAG_PARTITIONS_MAX; i += 2) {
        const redisReply *value = hash->element[i + 1];
        struct lag one;
        if (value->type != REDIS_REPLY_STRING ||
            !lag_read_partition(mesh_bytes_of(value->str, value->len), &one)) {
            continue;
        }
        out->at_ms = out->partitions == 0 || one.at_ms < out->at_ms ? one.at_ms : out->at_ms;
        out->partitions++;
        out->in_kafka += one.in_kafka;
        out->archived += one.archived;
        out->settled += one.settled;
        out->level = out->level && one.level;
    }
}
