/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "address.h"
#include "server.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct config, field)
#define AUTO "auto"

/* clang-format off */
/* Alphabetical. docs/configuration.md and helm/ are checked against this table. */
static const struct mesh_option options[] = {
    /* variable          type       field                default   min  max */
    {"CALLS_MAX", MESH_UINT, AT(calls_max), "1000", 1, 100000,
     "gRPC calls at a time; more are refused with RESOURCE_EXHAUSTED."},
    {"CALL_REQUESTS_MAX", MESH_UINT, AT(call_requests_max), "64", 1, 10000,
     "Unanswered requests of one PublishStream call; beyond it, or beyond what the client says "
     "by the metadata `tweetmesh-window`, the call is not read."},
    {"DELIVERY_MS_MAX", MESH_UINT, AT(delivery_ms_max), "8000", 100, 600000,
     "How long Kafka may take to acknowledge an event; keep it below the api's REQUEST_MS_MAX."},
    {"DRAIN_DELAY_MS", MESH_UINT, AT(drain_delay_ms), "0", 0, 600000,
     "How long to be not ready before refusing new calls, so that balancers notice."},
    {"DRAIN_MS_MAX", MESH_UINT, AT(drain_ms_max), "10000", 0, 600000,
     "How long calls and events under way may take at the end."},
    MESH_TLS_OPTION_CA("GRPC", AT(grpc_tls),
     "File (PEM) with authorities: clients must then have a certificate of theirs; empty: none is asked for."),
    MESH_TLS_OPTION_CERT("GRPC", AT(grpc_tls),
     "File (PEM) with our certificate: TLS on each host:port of GRPC_LISTEN, not on socket files; empty: no TLS."),
    {"GRPC_CONNECTION_AGE_MS", MESH_UINT, AT(grpc_connection_age_ms), "1800000", 0, 2147483647,
     "After this a client is told to connect again, so that load spreads; 0: never."},
    {"GRPC_CONNECTION_GRACE_MS", MESH_UINT, AT(grpc_connection_grace_ms), "60000", 0, 2147483647,
     "How long the calls of such a connection may go on."},
    MESH_TLS_OPTION_KEY("GRPC", AT(grpc_tls),
     "File (PEM) with its key."),
    {"GRPC_LISTEN", MESH_TEXT, AT(grpc_listen), "0.0.0.0:50051", 1, 1024,
     "Where to listen: host:port and unix:/path, comma-separated."},
    {"GRPC_MEMORY_KB_MAX", MESH_UINT, AT(grpc_memory_kb_max), "262144", 8192, 16777216,
     "KiB that gRPC may use for what it receives and sends."},
    {"GRPC_PING_MS_MIN", MESH_UINT, AT(grpc_ping_ms_min), "10000", 0, 2147483647,
     "Clients that send keepalive pings more often than this are disconnected."},
    {"GRPC_THREADS", MESH_UINT, AT(grpc_threads), "1", 1, SERVER_THREADS_MAX,
     "Threads that turn gRPC, one completion queue each."},
    {"KAFKA_BROKERS", MESH_TEXT, AT(kafka_brokers), "127.0.0.1:9092", 3, 1024,
     "host:port of some brokers, comma-separated."},
    MESH_KAFKA_LOGIN_OPTIONS(AT(kafka_login)),
    {"KAFKA_COMPRESSION", MESH_TEXT, AT(kafka_compression), AUTO, 3, 6,
     "Kafka's compression.type for what we send: none, gzip, snappy, lz4 or zstd; auto: lz4 with KAFKA_TLS, else none."},
    {"KAFKA_LINGER_US", MESH_UINT, AT(kafka_linger_us), "0", 0, 1000000,
     "How long a batch for Kafka waits for more, besides for the answer to the last; 0: not."},
    {"LOG_LEVEL", MESH_LEVEL, AT(log_level), "info", 0, 0,
     "error, warn, info or debug."},
    {"OPS_HOST", MESH_TEXT, AT(ops_host), "0.0.0.0", 2, 64,
     "Numeric address of the operations port."},
    {"OPS_PORT", MESH_UINT, AT(ops_port), "8082", 0, 65535,
     "Port of /healthz, /readyz, /metrics and /status; 0: any free one."},
    MESH_SPANS_OPTIONS(AT(spans)),
    {"QUEUE_KB_MAX", MESH_UINT, AT(queue_kb_max), "131072", 1, 2097151,
     "KiB of events waiting for Kafka; beyond it callers get RESOURCE_EXHAUSTED."},
    {"QUEUE_LEN_MAX", MESH_UINT, AT(queue_len_max), "100000", 1, 10000000,
     "Events waiting for Kafka; beyond it callers get RESOURCE_EXHAUSTED."},
    {"STREAMS_DIR", MESH_TEXT, AT(streams_dir), "./streams", 1, 4096,
     "Folder of the stream files."},
};
/* clang-format on */

static void check_compression(const char *type, struct mesh_buffer *problems)
{
    static const char *const types[] = {AUTO, "none", "gzip", "snappy", "lz4", "zstd"};

    for (size_t i = 0; i < MESH_COUNT_OF(types); i++) {
        if (strcmp(type, types[i]) == 0) {
            return;
        }
    }
    mesh_buffer_add_format(
        problems, "KAFKA_COMPRESSION: %s is none of auto, none, gzip, snappy, lz4, zstd\n", type);
}

/* librdkafka encrypts each value by itself, and writes it; of those that are compressed together it
 * makes one piece. */
const char *config_compression(const struct config *config)
{
    if (strcmp(config->kafka_compression, AUTO) != 0) {
        return config->kafka_compression;
    }
    return config->kafka_login.tls ? "lz4" : "none";
}

static void check(const void *arg, struct mesh_buffer *problems)
{
    const struct config *config = arg;
    const char *list = config->grpc_listen;
    struct mesh_error err = {0};
    char *address = NULL;

    while (address_next(&list, &address)) {
        if (!address_check(address, &err)) {
            mesh_buffer_add_format(problems, "GRPC_LISTEN: %s\n", err.text);
        }
        free(address);
    }
    mesh_tls_check("GRPC", &config->grpc_tls, problems);
    if (mesh_tls_given(config->grpc_tls.ca) && !mesh_tls_given(config->grpc_tls.cert)) {
        mesh_buffer_add_text(problems, "GRPC_CA means nothing without GRPC_CERT\n");
    }
    check_compression(config->kafka_compression, problems);
    mesh_kafka_login_check(&config->kafka_login, problems);
    mesh_spans_check(&config->spans, problems);
    if (config->kafka_linger_us / 1000 >= config->delivery_ms_max) {
        mesh_buffer_add_text(problems, "KAFKA_LINGER_US leaves no time within DELIVERY_MS_MAX\n");
    }
}

const struct mesh_config_spec config_spec = {
    .program = "grpc-server",
    .summary = "Takes events by gRPC and answers once Kafka has them.",
    .options = options,
    .option_count = MESH_COUNT_OF(options),
    .check = check,
};
