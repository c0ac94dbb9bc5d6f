/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the settings of api.
 *
 * Threads: read once by main() before others start, read-only afterwards.
 */
#ifndef API_CONFIG_H
#define API_CONFIG_H

#include "mesh/config.h"
#include "mesh/log.h"
#include "mesh/spans.h"
#include "mesh/tls.h"

#include <stdint.h>

struct config {
    uint64_t body_ms_max;
    uint64_t bytes_in_flight_max;
    uint64_t connections_max;
    uint64_t drain_delay_ms;
    uint64_t drain_ms_max;
    uint64_t events_in_flight_max;
    char *grpc_server_name; /* "": that of the target */
    char *grpc_target;
    struct mesh_tls_files grpc_tls; /* no .ca: plain */
    uint64_t head_ms_max;
    uint64_t hints_max;
    char *http_host;
    uint64_t http_port;
    uint64_t http_threads; /* 0: half the cores, 1 to 4 */
    uint64_t idle_s_max;
    enum mesh_log_level log_level;
    char *ops_host;
    uint64_t ops_port;
    uint64_t request_ms_max;
    struct mesh_spans_config spans;
    char *streams_dir;
    struct mesh_tls_files tls; /* of the public port; no .cert: plain */
    uint64_t wait_ms_max;
    char *ws_ca; /* "": the system's */
    char *ws_url;
};

extern const struct mesh_config_spec config_spec;

#endif
