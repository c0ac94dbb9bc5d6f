/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "hints.h"
#include "mesh/macros.h"

#include <inttypes.h>
#include <string.h>

#define AT(field) offsetof(struct config, field)

/* Alphabetical. docs/configuration.md and helm/ are checked against this table. */
/* clang-format off */
static const struct mesh_option options[] = {
    /* variable               type         field                     default     min   max */
    {"BODY_MS_MAX",           MESH_UINT,  AT(body_ms_max),          "10000",    100,  600000,
     "How long a client may take to send a request's body, in milliseconds."},
    {"BYTES_IN_FLIGHT_MAX",   MESH_UINT,  AT(bytes_in_flight_max),  "67108864", 2097152, 17179869184,
     "Bytes of request bodies held at once; beyond it requests are refused with 503."},
    {"CONNECTIONS_MAX",       MESH_UINT,  AT(connections_max),      "10000",    1,    1000000,
     "HTTP connections at once; further ones are not accepted."},
    {"DRAIN_DELAY_MS",        MESH_UINT,  AT(drain_delay_ms),       "0",        0,    60000,
     "Time between not ready and refusing new connections, in milliseconds."},
    {"DRAIN_MS_MAX",          MESH_UINT,  AT(drain_ms_max),         "15000",    0,    600000,
     "How long requests in flight may take to finish after SIGTERM, in milliseconds."},
    {"EVENTS_IN_FLIGHT_MAX",  MESH_UINT,  AT(events_in_flight_max), "50000",    1,    10000000,
     "Events waiting for an answer; beyond it requests are refused with 503."},
    MESH_TLS_OPTION_CA("GRPC", AT(grpc_tls),
     "File (PEM) with the authorities of grpc-server's certificate; empty: no TLS to grpc-server."),
    MESH_TLS_OPTION_CERT("GRPC", AT(grpc_tls),
     "File (PEM) with our certificate, if grpc-server wants one."),
    MESH_TLS_OPTION_KEY("GRPC", AT(grpc_tls),
     "File (PEM) with its key."),
    {"GRPC_SERVER_NAME",      MESH_TEXT,  AT(grpc_server_name),     "",         0,    255,
     "Name that grpc-server's certificate must have; empty: the host of GRPC_TARGET."},
    {"GRPC_TARGET",           MESH_TEXT,  AT(grpc_target),          "unix:/run/tweetmesh/grpc.sock", 1, 1024,
     "Where grpc-server listens: host:port or unix:/path."},
    {"HEAD_MS_MAX",           MESH_UINT,  AT(head_ms_max),          "5000",     100,  600000,
     "How long a client may take to send a request's head, in milliseconds."},
    {"HINTS_MAX",             MESH_UINT,  AT(hints_max),            "100000",   1,    10000000,
     "Counting hints waiting for ws-redis; beyond it the oldest are dropped."},
    {"HTTP_HOST",             MESH_TEXT,  AT(http_host),            "0.0.0.0",  2,    64,
     "Numeric address the public port listens on."},
    {"HTTP_PORT",             MESH_UINT,  AT(http_port),            "8080",     0,    65535,
     "Public port; 0: any free one."},
    {"HTTP_THREADS",          MESH_UINT,  AT(http_threads),         "0",        0,    64,
     "Threads serving HTTP; 0: half the cores, 1 to 4."},
    {"IDLE_S_MAX",            MESH_UINT,  AT(idle_s_max),           "30",       1,    3600,
     "How long an idle connection is kept, in seconds."},
    {"LOG_LEVEL",             MESH_LEVEL, AT(log_level),            "info",     0,    0,
     "error, warn, info or debug."},
    {"OPS_HOST",              MESH_TEXT,  AT(ops_host),             "0.0.0.0",  2,    64,
     "Numeric address the operations port listens on."},
    {"OPS_PORT",              MESH_UINT,  AT(ops_port),             "8081",     0,    65535,
     "Operations port: /healthz, /readyz, /metrics, /status."},
    MESH_SPANS_OPTIONS(AT(spans)),
    {"REQUEST_MS_MAX",        MESH_UINT,  AT(request_ms_max),       "10000",    100,  600000,
     "How long a request may take from its head to its answer, in milliseconds."},
    {"STREAMS_DIR",           MESH_TEXT,  AT(streams_dir),          "./streams", 1,   4096,
     "Folder with one JSON file per stream."},
    MESH_TLS_OPTION_CERT("TLS", AT(tls),
     "File (PEM) with the public port's certificate, then what leads to its authority; empty: plain HTTP."),
    MESH_TLS_OPTION_KEY("TLS", AT(tls),
     "File (PEM) with its key."),
    {"WAIT_MS_MAX",           MESH_UINT,  AT(wait_ms_max),          "1000",     100,  600000,
     "How long events should wait for their answers at most, in milliseconds: while there is a queue, no more "
     "are let in than were stored in that time; beyond it requests are refused with 503."},
    {"WS_CA",                 MESH_FILE,  AT(ws_ca),                "",         0,    4096,
     "File (PEM) with the authorities of ws-redis' certificate, for wss://; empty: the system's."},
    {"WS_URL",                MESH_TEXT,  AT(ws_url),               "ws://127.0.0.1:8090/", 1, 1024,
     "WebSocket of ws-redis (ws:// or wss://), which counts at once what Kafka has; it may be away."},
};
/* clang-format on */

static void check_tls(const struct config *c, struct mesh_buffer *problems)
{
    const struct mesh_tls_files ws = {.ca = c->ws_ca};
    const bool grpc = mesh_tls_given(c->grpc_tls.ca);
    mesh_tls_check("TLS", &c->tls, problems);
    mesh_tls_check("GRPC", &c->grpc_tls, problems);
    mesh_tls_check("WS", &ws, problems);
    if (!grpc && (mesh_tls_given(c->grpc_tls.cert) || c->grpc_server_name[0] != '\0')) {
        mesh_buffer_add_text(
            problems, "GRPC_CERT, GRPC_KEY and GRPC_SERVER_NAME mean nothing without GRPC_CA\n");
    }
    if (grpc && strncmp(c->grpc_target, "unix:", 5) == 0) {
        mesh_buffer_add_text(problems, "GRPC_CA: there is no TLS on a socket file (GRPC_TARGET)\n");
    }
    if (mesh_tls_given(c->ws_ca) && strncmp(c->ws_url, "wss://", 6) != 0) {
        mesh_buffer_add_text(problems, "WS_CA means nothing unless WS_URL begins with wss://\n");
    }
}

static void config_check(const void *config, struct mesh_buffer *problems)
{
    const struct config *c = config;
    if (c->drain_ms_max < c->request_ms_max) {
        mesh_buffer_add_format(problems,
                               "DRAIN_MS_MAX (%" PRIu64 ") is below REQUEST_MS_MAX (%" PRIu64
                               "): a drain may cut requests off\n",
                               c->drain_ms_max, c->request_ms_max);
    }
    check_tls(c, problems);
    mesh_spans_check(&c->spans, problems);
    struct mesh_error err = {0};
    if (!hints_url_valid(c->ws_url, &err)) {
        mesh_buffer_add_format(problems, "WS_URL: %s\n", err.text);
    }
}

const struct mesh_config_spec config_spec = {
    .program = "api",
    .summary = "Takes events over HTTP, has them stored in Kafka, and answers with their offsets.",
    .options = options,
    .option_count = MESH_COUNT_OF(options),
    .check = config_check,
};
