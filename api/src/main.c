/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "deadline.h"
#include "hints.h"
#include "http.h"
#include "https.h"
#include "mesh/alloc.h"
#include "mesh/health.h"
#include "mesh/log.h"
#include "mesh/memory.h"
#include "mesh/metrics.h"
#include "mesh/ops.h"
#include "mesh/shutdown.h"
#include "mesh/spans.h"
#include "mesh/tls.h"
#include "openapi.h"
#include "publish.h"
#include "request.h"

#include <stdlib.h>

/* Without a stream for longer, new events are refused at once. */
#define DOWN_MS_MAX 2000
/* A message whose requests have all expired is given up this much later. */
#define REPLY_EXTRA_MS 5000
#define HINTS_FLUSH_MS 1000

/* Everything that runs, in the order in which it starts. */
struct program {
    struct config config;
    struct mesh_streams *streams;
    struct mesh_buffer openapi;
    struct mesh_ops *ops;
    struct https *https; /* NULL: plain */
    struct mesh_tls_watch *watch;
    struct publish *publish;
    struct hints *hints;
    struct deadlines *deadlines;
    struct request_desk requests;
    struct http *http;
};

static bool probe_publish(void *arg, struct mesh_buffer *reason)
{
    if (!publish_ready(arg)) {
        mesh_buffer_add_text(reason, "no stream to a serving grpc-server");
        return false;
    }
    return true;
}

static void status_publish(void *arg, struct mesh_buffer *members)
{
    publish_status(arg, members);
}

static void status_hints(void *arg, struct mesh_buffer *members)
{
    mesh_buffer_add_format(members, "\"ws_redis_connected\": %s, ",
                           hints_connected(arg) ? "true" : "false");
}

static bool start_ops(struct program *p, struct mesh_error *err)
{
    p->ops = mesh_ops_new(&(struct mesh_ops_options){.program = config_spec.program,
                                                     .host = p->config.ops_host,
                                                     .port = (uint16_t)p->config.ops_port,
                                                     .spec = &config_spec,
                                                     .config = &p->config},
                          err);
    return p->ops != NULL;
}

static bool start_tls(struct program *p, struct mesh_error *err)
{
    const bool https = mesh_tls_given(p->config.tls.cert);
    p->https = https ? https_new(&p->config.tls, err) : NULL;
    if (https && p->https == NULL) {
        return false;
    }
    const struct mesh_tls_watched watched[] = {
        {.use = "grpc", .files = &p->config.grpc_tls},
        {.use = "https",
         .files = &p->config.tls,
         .changed = https ? https_renew : NULL,
         .arg = p->https},
    };
    p->watch = mesh_tls_watch_new(watched, MESH_COUNT_OF(watched), err);
    if (p->watch == NULL) {
        return false;
    }
    mesh_ops_add_probe(p->ops, mesh_tls_watch_ready, p->watch);
    return true;
}

static bool is_serving(void *arg)
{
    return publish_ready(arg);
}

static void start_telling(struct program *p)
{
    char *instance = mesh_health_instance(mesh_ops_port(p->ops));
    hints_tell(p->hints, instance, is_serving, p->publish);
    free(instance);
}

static bool start_clients(struct program *p, struct mesh_error *err)
{
    p->publish = publish_new(
        &(struct publish_options){
            .target = {.address = p->config.grpc_target,
                       .tls = &p->config.grpc_tls,
                       .server_name = p->config.grpc_server_name},
            .down_ms_max = DOWN_MS_MAX,
            .reply_ms_max = (uint32_t)p->config.request_ms_max + REPLY_EXTRA_MS,
        },
        err);
    if (p->publish == NULL) {
        return false;
    }
    p->hints = hints_new(&(struct hints_options){.url = p->config.ws_url,
                                                 .ca = p->config.ws_ca,
                                                 .len_max = p->config.hints_max,
                                                 .streams = p->streams},
                         err);
    if (p->hints == NULL) {
        return false;
    }
    mesh_ops_add_probe(p->ops, probe_publish, p->publish);
    mesh_ops_add_status(p->ops, status_publish, p->publish);
    mesh_ops_add_status(p->ops, status_hints, p->hints);
    start_telling(p);
    return true;
}

static bool start_server(struct program *p, struct mesh_error *err)
{
    p->deadlines = deadlines_new(err);
    if (p->deadlines == NULL) {
        return false;
    }
    openapi_write(p->streams, &p->openapi);
    p->requests = (struct request_desk){.publish = p->publish,
                                        .hints = p->hints,
                                        .deadlines = p->deadlines,
                                        .bytes_max = p->config.bytes_in_flight_max,
                                        .events_max = p->config.events_in_flight_max,
                                        .wait_us_max = (int64_t)p->config.wait_ms_max * 1000,
                                        .streams = p->streams};
    request_desk_init(&p->requests);
    p->http = http_new(
        &(struct http_options){
            .host = p->config.http_host,
            .port = (uint16_t)p->config.http_port,
            .https = p->https,
            .threads = (uint32_t)p->config.http_threads,
            .connections_max = (uint32_t)p->config.connections_max,
            .idle_s_max = (uint32_t)p->config.idle_s_max,
            .limits = {.head_us = (int64_t)p->config.head_ms_max * 1000,
                       .body_us = (int64_t)p->config.body_ms_max * 1000,
                       .request_us = (int64_t)p->config.request_ms_max * 1000},
            .streams = p->streams,
            .requests = &p->requests,
            .deadlines = p->deadlines,
            .openapi = mesh_buffer_bytes(&p->openapi),
        },
        err);
    return p->http != NULL;
}

static bool start(struct program *p, struct mesh_error *err)
{
    p->streams = mesh_streams_load(p->config.streams_dir, err);
    return p->streams != NULL && mesh_spans_start(&p->config.spans, config_spec.program, err) &&
           start_ops(p, err) && start_tls(p, err) && start_clients(p, err) && start_server(p, err);
}

/* In reverse: what stands in front ends first, probes answer until the very end. */
static void stop(struct program *p)
{
    http_free(p->http, p->config.drain_ms_max); /* requests in flight finish */
    request_desk_done(&p->requests);
    deadlines_free(p->deadlines);
    mesh_ops_forget(p->ops);
    mesh_tls_watch_free(p->watch);
    https_free(p->https);
    hints_tell(p->hints, "", NULL, NULL); /* it looks at publish */
    publish_free(p->publish);
    hints_free(p->hints, HINTS_FLUSH_MS);
    mesh_spans_stop(MESH_SPANS_FLUSH_MS);
    mesh_ops_free(p->ops);
    mesh_buffer_done(&p->openapi);
    mesh_streams_free(p->streams);
    mesh_config_done(&config_spec, &p->config);
    mesh_metrics_done();
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct mesh_error err = {0};
    enum mesh_config_outcome outcome = mesh_config_load(&config_spec, argc, argv, &program.config);
    if (outcome != MESH_CONFIG_RUN) {
        mesh_config_done(&config_spec, &program.config);
        return outcome == MESH_CONFIG_EXIT ? EXIT_SUCCESS : 2;
    }
    mesh_log_start(config_spec.program, program.config.log_level);
    mesh_shutdown_catch_signals(); /* before any thread exists */

    int exit_code = EXIT_FAILURE;
    if (start(&program, &err)) {
        mesh_ops_set_ready(program.ops, true);
        mesh_log(MESH_LOG_INFO, "started", MESH_LOG_INT("http_port", http_port(program.http)),
                 MESH_LOG_INT("ops_port", mesh_ops_port(program.ops)));
        mesh_memory_give_back(); /* what only starting needed */
        exit_code = mesh_shutdown_wait();
        mesh_ops_set_ready(program.ops, false);
        http_close_connections(program.http); /* clients that stay busy go elsewhere by and by */
        mesh_shutdown_delay(program.config.drain_delay_ms);
        mesh_log(MESH_LOG_INFO, "draining");
    } else {
        mesh_log_error("start_failed", &err);
    }
    stop(&program);
    return exit_code;
}
