/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#define AT(field) offsetof(struct config, field)

const struct config config_default = {.producer = {.acks = "all"}};

/* clang-format off */
static const struct argument table[] = {
    {"brokers", ARGUMENT_TEXT, true, AT(producer.brokers), 0, 0, "host:port,host:port"},
    {"topic", ARGUMENT_TEXT, true, AT(producer.topic), 0, 0, "which must be there"},
    {"values", ARGUMENT_TEXT, true, AT(values), 0, 0, "file; each line is a value, round and round"},
    {"seconds", ARGUMENT_NUMBER, false, AT(run.seconds), 0.01, 86400, "measured time; or:"},
    {"count", ARGUMENT_COUNT, false, AT(run.count), 1, 1e12, "events to measure"},
    {"warmup", ARGUMENT_NUMBER, false, AT(run.warmup_seconds), 0, 3600,
     "seconds of load before what is measured (0)"},
    {"in-flight", ARGUMENT_COUNT, false, AT(run.under_way_max), 0, 1e9,
     "never more events unacknowledged; 0: the queue is always full (0)"},
    {"rate", ARGUMENT_NUMBER, false, AT(run.rate), 0, 1e7,
     "events a second, evenly spaced (open loop); 0: as fast as it goes (0)"},
    {"linger-us", ARGUMENT_COUNT, false, AT(producer.linger_us), 0, 900000000, "linger.ms (0)"},
    {"batch-bytes", ARGUMENT_COUNT, false, AT(producer.batch_bytes), 1, 2147483647,
     "batch.size (librdkafka's: 1000000)"},
    {"batch-len", ARGUMENT_COUNT, false, AT(producer.batch_len), 1, 1000000,
     "batch.num.messages (librdkafka's: 10000)"},
    {"acks", ARGUMENT_TEXT, false, AT(producer.acks), 0, 0, "all, 1 or 0 (all)"},
    {"no-idempotence", ARGUMENT_FLAG, false, AT(producer.plain), 0, 0, "enable.idempotence=false"},
    {"json", ARGUMENT_FLAG, false, AT(json), 0, 0, "there is no other output"},
};
/* clang-format on */

const struct arguments_spec config_spec = {
    .program = "bench-producer",
    .summary = "The rate, CPU time and latency of bare librdkafka, as one JSON object.",
    .table = table,
    .count = MESH_COUNT_OF(table),
};
