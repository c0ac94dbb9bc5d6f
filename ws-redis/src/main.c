/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "config.h"
#include "counts.h"
#include "health.h"
#include "hub.h"
#include "live.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/ops.h"
#include "mesh/shutdown.h"
#include "mesh/spans.h"
#include "mesh/tls.h"

#include <stdlib.h>

/* Everything that runs, in the order in which it is made. */
struct program {
    struct config config;
    struct mesh_streams *streams;
    struct mesh_ops *ops;
    struct live *live;
    struct health *health;
    struct board *board;
    struct counts *counts;
    struct hub *hub;
    struct mesh_tls_watch *watch;
};

static bool ops_start(struct program *program, struct mesh_error *err)
{
    program->ops = mesh_ops_new(
        &(struct mesh_ops_options){
            .program = "ws-redis",
            .host = program->config.ops_host,
            .port = (uint16_t)program->config.ops_port,
            .spec = &config_spec,
            .config = &program->config,
        },
        err);
    return program->ops != NULL;
}

static bool counts_start(struct program *program, struct mesh_error *err)
{
    char *instance = mesh_health_instance(mesh_ops_port(program->ops));

    program->live = live_new(program->streams);
    program->health = health_new(instance);
    free(instance);
    program->board = board_new(&(struct board_options){
        .streams = program->streams,
        .live = program->live,
        .health = program->health,
        .recent_max = (uint32_t)program->config.recent_events_max,
    });
    program->counts = counts_new(
        &(struct counts_options){
            .redis_url = program->config.redis_url,
            .redis_ms_max = (uint32_t)program->config.redis_ms_max,
            .queue_len_max = program->config.queue_len_max,
            .streams = program->streams,
            .live = program->live,
            .look = board_look,
            .look_arg = program->board,
        },
        err);
    return program->counts != NULL;
}

static bool hub_start(struct program *program, struct mesh_error *err)
{
    program->hub = hub_new(
        &(struct hub_options){
            .host = program->config.ws_host,
            .port = (uint16_t)program->config.ws_port,
            .tls = &program->config.tls,
            .feeders_max = (uint32_t)program->config.feeders_max,
            .viewers_max = (uint32_t)program->config.viewers_max,
            .viewer_ms_max = (uint32_t)program->config.viewer_ms_max,
            .update_ms_min = (uint32_t)program->config.update_ms_min,
            .counts = program->counts,
            .live = program->live,
            .health = program->health,
        },
        err);
    return program->hub != NULL;
}

static bool watch_start(struct program *program, struct mesh_error *err)
{
    const struct mesh_tls_watched watched[] = {
        {.use = "https",
         .files = &program->config.tls,
         .changed = hub_certificate_changed,
         .arg = program->hub},
        {.use = "redis", .files = &program->config.redis_login.files},
    };

    program->watch = mesh_tls_watch_new(watched, MESH_COUNT_OF(watched), err);
    return program->watch != NULL;
}

static bool start(struct program *program, struct mesh_error *err)
{
    mesh_redis_login_use(&program->config.redis_login);
    program->streams = mesh_streams_load(program->config.streams_dir, err);
    if (program->streams == NULL ||
        !mesh_spans_start(&program->config.spans, config_spec.program, err) ||
        !ops_start(program, err) || !counts_start(program, err) || !hub_start(program, err) ||
        !watch_start(program, err)) {
        return false;
    }
    mesh_ops_add_probe(program->ops, mesh_tls_watch_ready, program->watch);
    mesh_ops_add_probe(program->ops, counts_ready, program->counts);
    mesh_ops_add_status(program->ops, counts_status, program->counts);
    mesh_ops_add_status(program->ops, hub_status, program->hub);
    return true;
}

/* In reverse; copes with a start that failed half-way. */
static void end(struct program *program)
{
    const uint32_t drain_ms = (uint32_t)program->config.drain_ms_max;

    hub_drain(program->hub, drain_ms); /* feeders go to another replica */
    if (program->counts != NULL && !counts_drain(program->counts, drain_ms)) {
        mesh_log(MESH_LOG_WARN, "hints_left", MESH_LOG_TEXT("then", "the consumer counts them"));
    }
    mesh_ops_forget(program->ops);
    mesh_tls_watch_free(program->watch);
    hub_free(program->hub, drain_ms); /* viewers have seen the last numbers */
    mesh_ops_free(program->ops);      /* probes answer until the very end */
    counts_free(program->counts);
    mesh_spans_stop(MESH_SPANS_FLUSH_MS);
    board_free(program->board);
    health_free(program->health);
    live_free(program->live);
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
    mesh_log_start("ws-redis", program.config.log_level);
    mesh_shutdown_catch_signals(); /* before any thread exists */

    if (!start(&program, &err)) {
        mesh_log_error("start_failed", &err);
    } else {
        mesh_ops_set_ready(program.ops, true);
        mesh_log(MESH_LOG_INFO, "started", MESH_LOG_INT("port", hub_port(program.hub)),
                 MESH_LOG_INT("ops_port", mesh_ops_port(program.ops)));
        exit_code = mesh_shutdown_wait();
        mesh_log(MESH_LOG_INFO, "draining", MESH_LOG_INT("ms_max", program.config.drain_ms_max));
        mesh_ops_set_ready(program.ops, false);
        health_set_state(program.health, "draining");
        mesh_shutdown_delay(program.config.drain_delay_ms);
    }
    end(&program);
    mesh_log(MESH_LOG_INFO, "ended", MESH_LOG_INT("exit_code", exit_code));
    return exit_code;
}
