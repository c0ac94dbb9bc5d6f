/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: recount's settings; the only place that knows a variable's name.
 *
 * Threads: loaded once, read-only afterwards.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "mesh/config.h"
#include "mesh/kafka_login.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"

#include <stdint.h>

struct config {
    char *kafka_brokers;
    struct mesh_kafka_login kafka_login;
    char *kafka_group_id;
    uint64_t kafka_ms_max;
    uint64_t memory_mb_max;
    struct mesh_mongo_login mongo_login;
    char *mongodb_database;
    uint64_t mongodb_ms_max;
    char *mongodb_uri;
    struct mesh_redis_login redis_login;
    uint64_t redis_ms_max;
    char *redis_url;
    char *streams_dir;
};

extern const struct mesh_config_spec config_spec;

#endif
