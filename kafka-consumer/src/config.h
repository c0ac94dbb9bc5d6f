/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: kafka-consumer's settings; the only place that knows a variable's name.
 *
 * Threads: loaded before the first thread starts, read-only afterwards.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "mesh/config.h"
#include "mesh/kafka_login.h"
#include "mesh/log.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"
#include "mesh/spans.h"

#include <stdint.h>

struct config {
    uint64_t archive_ttl_days;
    uint64_t batch_kb_max;
    uint64_t batch_len_max;
    uint64_t commit_ms;
    uint64_t drain_delay_ms;
    uint64_t drain_ms_max;
    uint64_t fetch_kb_max;
    char *kafka_brokers;
    struct mesh_kafka_login kafka_login;
    char *kafka_group_id;
    char *kafka_instance_id; /* empty: none */
    enum mesh_log_level log_level;
    struct mesh_mongo_login mongo_login;
    char *mongodb_database;
    uint64_t mongodb_ms_max;
    char *mongodb_uri;
    char *ops_host;
    uint64_t ops_port;
    struct mesh_spans_config spans;
    uint64_t recent_events_max;
    struct mesh_redis_login redis_login;
    uint64_t redis_ms_max;
    char *redis_url;
    uint64_t remembered_len_max;
    uint64_t session_ms;
    uint64_t show_ms;
    uint64_t snapshot_ms;
    char *streams_dir;
    uint64_t unsettled_len_max;
};

extern const struct mesh_config_spec config_spec;

#endif
