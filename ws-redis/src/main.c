/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "counts.h"
#include "hub.h"
#include "live.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/ops.h"
#include "mesh/shutdown.h"

#include <stdlib.h>

/* Everything that runs, in the order in which it is made. */
struct program {
    struct config config;
    struct mesh_streams *streams;
    struct mesh_ops *ops;
    struct live *live;
    struct counts *counts;
    struct hub *hub;
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
    program->live = live_new(program->streams);
    program->counts = counts_new(
        &(struct counts_options){
            .redis_url = program->config.redis_url,
            .redis_ms_max = (uint32_t)program->config.redis_ms_max,
            .queue_len_max = program->config.queue_len_max,
            .streams = program->streams,
            .live = program->live,
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
            .feeders_max = (uint32_t)program->config.feeders_max,
            .viewers_max = (uint32_t)program->config.viewers_max,
            .viewer_ms_max = (uint32_t)program->config.viewer_ms_max,
            .counts = program->counts,
            .live = program->live,
        },
        err);
    return program->hub != NULL;
}

static bool start(struct program *program, struct mesh_error *err)
{
    program->streams = mesh_streams_load(program->config.streams_dir, err);
    if (program->streams == NULL || !ops_start(program, err) || !counts_start(program, err) ||
        !hub_start(program, err)) {
        return false;
    }
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
    hub_free(program->hub, drain_ms); /* viewers have seen the last numbers */
    mesh_ops_free(program->ops);      /* probes answer until the very end */
    counts_free(program->counts);
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
        mesh_shutdown_delay(program.config.drain_delay_ms);
    }
    end(&program);
    mesh_log(MESH_LOG_INFO, "ended", MESH_LOG_INT("exit_code", exit_code));
    return exit_code;
}
