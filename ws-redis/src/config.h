/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the settings of ws-redis. Threads: read-only after mesh_config_load().
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "mesh/config.h"
#include "mesh/log.h"
#include "mesh/redis.h"
#include "mesh/spans.h"
#include "mesh/tls.h"

#include <stdint.h>

struct config {
    uint64_t drain_delay_ms;
    uint64_t drain_ms_max;
    uint64_t feeders_max;
    enum mesh_log_level log_level;
    char *ops_host;
    uint64_t ops_port;
    struct mesh_spans_config spans;
    uint64_t queue_len_max;
    uint64_t recent_events_max;
    struct mesh_redis_login redis_login;
    uint64_t redis_ms_max;
    char *redis_url;
    char *streams_dir;
    uint64_t update_ms_min;
    struct mesh_tls_files tls; /* no .cert: plain */
    uint64_t viewer_ms_max;
    uint64_t viewers_max;
    char *ws_host;
    uint64_t ws_port;
};

extern const struct mesh_config_spec config_spec;

#endif
