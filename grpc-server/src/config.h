/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the settings of grpc-server. Threads: read-only after mesh_config_load().
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "mesh/config.h"
#include "mesh/kafka_login.h"
#include "mesh/log.h"
#include "mesh/spans.h"
#include "mesh/tls.h"

#include <stdint.h>

struct config {
    uint64_t call_requests_max;
    uint64_t calls_max;
    uint64_t delivery_ms_max;
    uint64_t drain_delay_ms;
    uint64_t drain_ms_max;
    uint64_t grpc_connection_age_ms;
    uint64_t grpc_connection_grace_ms;
    char *grpc_listen;
    uint64_t grpc_memory_kb_max;
    uint64_t grpc_ping_ms_min;
    uint64_t grpc_threads;
    struct mesh_tls_files grpc_tls; /* no .cert: plain */
    char *kafka_brokers;
    char *kafka_compression; /* or "auto" */
    uint64_t kafka_linger_us;
    struct mesh_kafka_login kafka_login;
    enum mesh_log_level log_level;
    char *ops_host;
    uint64_t ops_port;
    struct mesh_spans_config spans;
    uint64_t queue_kb_max;
    uint64_t queue_len_max;
    char *streams_dir;
};

extern const struct mesh_config_spec config_spec;

/* Kafka's compression.type; as long-lived as the config. */
const char *config_compression(const struct config *config);

#endif
