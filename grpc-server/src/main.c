/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "health.h"
#include "ingest.h"
#include "mesh/log.h"
#include "mesh/memory.h"
#include "mesh/metrics.h"
#include "mesh/ops.h"
#include "mesh/shutdown.h"
#include "mesh/spans.h"
#include "mesh/tls.h"
#include "publisher.h"
#include "reflection.h"
#include "request.h"
#include "server.h"

#include <stdlib.h>

enum { METHOD_COUNT = INGEST_METHOD_COUNT + HEALTH_METHOD_COUNT + REFLECTION_METHOD_COUNT };

/* Everything that runs, in the order in which it is made. */
struct program {
    struct config config;
    struct mesh_streams *streams;
    struct mesh_ops *ops;
    struct mesh_tls_watch *watch;
    struct publisher *publisher;
    struct ingest *ingest;
    struct health *health;
    struct reflection *reflection;
    struct method methods[METHOD_COUNT];
    struct server *server;
    atomic_bool ready; /* started, and not yet told to end */
};

static bool is_serving(void *arg)
{
    struct program *program = arg;
    struct mesh_buffer reason = {0};
    bool serving = atomic_load(&program->ready) && publisher_ready(program->publisher, &reason);

    mesh_buffer_done(&reason);
    return serving;
}

static void on_tick(void *arg)
{
    struct program *program = arg;

    health_tell(program->health);
}

static bool ops_start(struct program *program, struct mesh_error *err)
{
    const struct config *config = &program->config;

    program->ops = mesh_ops_new(
        &(struct mesh_ops_options){
            .program = "grpc-server",
            .host = config->ops_host,
            .port = (uint16_t)config->ops_port,
            .spec = &config_spec,
            .config = config,
        },
        err);
    return program->ops != NULL;
}

static bool logins_start(struct program *program, struct mesh_error *err)
{
    const struct config *config = &program->config;
    const struct mesh_tls_watched watched[] = {
        {.use = "grpc", .files = &config->grpc_tls},
        mesh_kafka_login_watched(&config->kafka_login),
    };

    mesh_kafka_login_use(&config->kafka_login);
    program->watch = mesh_tls_watch_new(watched, MESH_COUNT_OF(watched), err);
    return program->watch != NULL;
}

static bool publisher_start(struct program *program, struct mesh_error *err)
{
    const struct config *config = &program->config;

    program->publisher = publisher_new(
        &(struct publisher_options){
            .brokers = config->kafka_brokers,
            .compression = config_compression(config),
            .streams = program->streams,
            .delivery_ms_max = (uint32_t)config->delivery_ms_max,
            .queue_len_max = (uint32_t)config->queue_len_max,
            .queue_kb_max = (uint32_t)config->queue_kb_max,
            .linger_us = (uint32_t)config->kafka_linger_us,
        },
        err);
    return program->publisher != NULL;
}

static bool services_start(struct program *program, struct mesh_error *err)
{
    program->ingest = ingest_new(program->streams, program->publisher);
    program->health = health_new(is_serving, program);
    program->reflection = reflection_new(err);
    if (program->reflection == NULL) {
        return false;
    }
    ingest_methods(program->ingest, program->methods);
    health_methods(program->health, program->methods + INGEST_METHOD_COUNT);
    reflection_methods(program->reflection,
                       program->methods + INGEST_METHOD_COUNT + HEALTH_METHOD_COUNT);
    return true;
}

static bool server_start(struct program *program, struct mesh_error *err)
{
    const struct config *config = &program->config;

    program->server = server_new(
        &(struct server_options){
            .listen = config->grpc_listen,
            .tls = &config->grpc_tls,
            .methods = program->methods,
            .method_count = METHOD_COUNT,
            .threads = (uint32_t)config->grpc_threads,
            .calls_max = (uint32_t)config->calls_max,
            .call_requests_max = (uint32_t)config->call_requests_max,
            .message_bytes_max = REQUEST_BYTES_MAX,
            .memory_kb_max = (uint32_t)config->grpc_memory_kb_max,
            .connection_age_ms = (uint32_t)config->grpc_connection_age_ms,
            .connection_grace_ms = (uint32_t)config->grpc_connection_grace_ms,
            .ping_ms_min = (uint32_t)config->grpc_ping_ms_min,
            .tick = on_tick,
            .arg = program,
        },
        err);
    return program->server != NULL;
}

static bool start(struct program *program, struct mesh_error *err)
{
    program->streams = mesh_streams_load(program->config.streams_dir, err);
    if (program->streams == NULL ||
        !mesh_spans_start(&program->config.spans, config_spec.program, err) ||
        !ops_start(program, err) || !logins_start(program, err) || !publisher_start(program, err) ||
        !services_start(program, err) || !server_start(program, err)) {
        return false;
    }
    mesh_ops_add_probe(program->ops, mesh_tls_watch_ready, program->watch);
    mesh_ops_add_probe(program->ops, publisher_ready, program->publisher);
    mesh_ops_add_status(program->ops, publisher_status, program->publisher);
    mesh_ops_add_status(program->ops, server_status, program->server);
    return true;
}

/* In reverse; copes with a start that failed half-way. */
static void end(struct program *program)
{
    uint32_t drain_ms = (uint32_t)program->config.drain_ms_max;

    server_drain(program->server, drain_ms); /* no new calls; running ones are answered */
    mesh_ops_forget(program->ops);
    mesh_tls_watch_free(program->watch);
    server_free(program->server);
    publisher_free(program->publisher, drain_ms); /* events of cancelled calls reach Kafka */
    reflection_free(program->reflection);
    health_free(program->health);
    ingest_free(program->ingest);
    mesh_spans_stop(MESH_SPANS_FLUSH_MS);
    mesh_ops_free(program->ops); /* probes answer until the very end */
    mesh_streams_free(program->streams);
    mesh_config_done(&config_spec, &program->config);
    mesh_metrics_done();
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct mesh_error err = {0};
    int exit_code = EXIT_FAILURE;

    enum mesh_config_outcome outcome = mesh_config_load(&config_spec, argc, argv, &program.config);
    if (outcome != MESH_CONFIG_RUN) {
        mesh_config_done(&config_spec, &program.config);
        return outcome == MESH_CONFIG_EXIT ? EXIT_SUCCESS : 2;
    }
    mesh_log_start("grpc-server", program.config.log_level);
    mesh_shutdown_catch_signals(); /* before any thread exists */

    if (!start(&program, &err)) {
        mesh_log_error("start_failed", &err);
    } else {
        atomic_store(&program.ready, true);
        mesh_ops_set_ready(program.ops, true);
        mesh_log(MESH_LOG_INFO, "started", MESH_LOG_TEXT("listen", program.config.grpc_listen),
                 MESH_LOG_INT("ops_port", mesh_ops_port(program.ops)));
        mesh_memory_give_back(); /* what only starting needed */
        exit_code = mesh_shutdown_wait();
        mesh_log(MESH_LOG_INFO, "draining", MESH_LOG_INT("ms_max", program.config.drain_ms_max));
        mesh_ops_set_ready(program.ops, false);
        atomic_store(&program.ready, false);
        health_tell(program.health);
        mesh_shutdown_delay(program.config.drain_delay_ms);
    }
    end(&program);
    mesh_log(MESH_LOG_INFO, "ended", MESH_LOG_INT("exit_code", exit_code));
    return exit_code;
}
