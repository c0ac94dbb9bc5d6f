/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "mesh/redis.h"

#include <stddef.h>

#define AT(field) offsetof(struct config, field)

/* clang-format off */
/* Alphabetical. docs/configuration.md and helm/ are checked against this table. */
static const struct mesh_option options[] = {
    /* variable        type         field              default   min  max */
    {"DRAIN_DELAY_MS", MESH_UINT,   AT(drain_delay_ms), "0",     0,   600000,
     "How long to be not ready before refusing connections, so that balancers notice."},
    {"DRAIN_MS_MAX",   MESH_UINT,   AT(drain_ms_max),   "5000",  0,   600000,
     "How long applying what is queued and closing connections may take at the end."},
    {"FEEDERS_MAX",    MESH_UINT,   AT(feeders_max),    "64",    1,   10000,
     "Connections that send counts at a time; more are answered 503."},
    {"LOG_LEVEL",      MESH_LEVEL,  AT(log_level),      "info",  0,   0,
     "error, warn, info or debug."},
    {"OPS_HOST",       MESH_TEXT,   AT(ops_host),       "0.0.0.0", 2, 64,
     "Numeric address of the operations port."},
    {"OPS_PORT",       MESH_UINT,   AT(ops_port),       "8083",  0,   65535,
     "Port of /healthz, /readyz, /metrics and /status; 0: any free one."},
    MESH_SPANS_OPTIONS(AT(spans)),
    {"QUEUE_LEN_MAX",  MESH_UINT,   AT(queue_len_max),  "1024",  1,   100000,
     "Windows of up to 4,096 offsets waiting for Redis; beyond it the oldest is dropped."},
    MESH_REDIS_LOGIN_OPTIONS(AT(redis_login)),
    {"RECENT_EVENTS_MAX", MESH_UINT, AT(recent_events_max), "0", 0, 100,
     "Texts of last events on the live page, if kafka-consumer keeps them; 0: none."},
    {"REDIS_MS_MAX",   MESH_UINT,   AT(redis_ms_max),   "1000",  10,  60000,
     "How long Redis may take to connect or to answer."},
    {"REDIS_URL",      MESH_SECRET, AT(redis_url),      "redis://127.0.0.1:6379/0", 1, 1024,
     "redis://, rediss:// (TLS) or unix:// URL; may hold user and password."},
    {"STREAMS_DIR",    MESH_TEXT,   AT(streams_dir),    "./streams", 1, 4096,
     "Folder of the stream files."},
    MESH_TLS_OPTION_CERT("TLS", AT(tls),
     "File (PEM) with the certificate for wss:// and https://, then what leads to its authority; empty: plain."),
    MESH_TLS_OPTION_KEY("TLS", AT(tls),
     "File (PEM) with its key."),
    {"UPDATE_MS_MIN",  MESH_UINT,   AT(update_ms_min),  "100",   100, 10000,
     "Time between two messages to a browser; longer where many watch."},
    {"VIEWERS_MAX",    MESH_UINT,   AT(viewers_max),    "1000",  1,   100000,
     "Browsers watching at a time; more are answered 503."},
    {"VIEWER_MS_MAX",  MESH_UINT,   AT(viewer_ms_max),  "10000", 100, 600000,
     "A browser that takes no message for this long is disconnected."},
    {"WS_HOST",        MESH_TEXT,   AT(ws_host),        "0.0.0.0", 2, 64,
     "Numeric address of the WebSocket port."},
    {"WS_PORT",        MESH_UINT,   AT(ws_port),        "8090",  0,   65535,
     "Port of the WebSockets and of the live page; 0: any free one."},
};
/* clang-format on */

static void check(const void *arg, struct mesh_buffer *problems)
{
    const struct config *config = arg;

    mesh_tls_check("TLS", &config->tls, problems);
    mesh_redis_login_check(&config->redis_login, config->redis_url, problems);
    mesh_spans_check(&config->spans, problems);
}

const struct mesh_config_spec config_spec = {
    .program = "ws-redis",
    .summary = "Takes counts over WebSocket, keeps them in Redis, and shows them live.",
    .options = options,
    .option_count = MESH_COUNT_OF(options),
    .check = check,
};
