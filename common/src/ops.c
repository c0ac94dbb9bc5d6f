/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/ops.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOKS_MAX 8
#define OPS_CONNECTIONS_MAX 64
#define OPS_IDLE_SECONDS 30U

struct ready_hook {
    mesh_ready_fn *probe;
    void *arg;
};

struct status_hook {
    mesh_status_fn *write;
    void *arg;
};

struct mesh_ops {
    struct MHD_Daemon *daemon;
    const char *program;
    const struct mesh_config_spec *spec;
    const void *config;
    int64_t start_us;
    uint16_t port;
    atomic_bool gate; /* mesh_ops_set_ready() */

    /* Guards everything below, and is held while hooks run, so that none outlives forget(). */
    pthread_mutex_t mutex;
    struct ready_hook probes[HOOKS_MAX];
    size_t probe_count;
    struct status_hook statuses[HOOKS_MAX];
    size_t status_count;
};

/* Mutex held. */
static bool write_ready_locked(struct mesh_ops *ops, struct mesh_buffer *out)
{
    if (!atomic_load(&ops->gate)) {
        mesh_buffer_add_text(out, "starting or draining");
        return false;
    }
    for (size_t i = 0; i < ops->probe_count; i++) {
        if (!ops->probes[i].probe(ops->probes[i].arg, out)) {
            return false;
        }
    }
    mesh_buffer_add_text(out, "ready");
    return true;
}

static bool write_ready(struct mesh_ops *ops, struct mesh_buffer *out)
{
    pthread_mutex_lock(&ops->mutex);
    bool ready = write_ready_locked(ops, out);
    pthread_mutex_unlock(&ops->mutex);
    return ready;
}

static void write_status(struct mesh_ops *ops, struct mesh_buffer *out)
{
    struct mesh_buffer reason = {0};
    pthread_mutex_lock(&ops->mutex);
    bool ready = write_ready_locked(ops, &reason);
    mesh_buffer_add_format(out, "{\"program\":\"%s\",\"version\":\"%s\",\"uptime_s\":%lld,",
                           ops->program, MESH_VERSION,
                           (long long)((mesh_clock_mono_us() - ops->start_us) / 1000000));
    mesh_buffer_add_format(out, "\"ready\":%s,\"reason\":", ready ? "true" : "false");
    mesh_buffer_add_json(out, mesh_buffer_bytes(&reason));
    mesh_buffer_add_text(out, ",");
    mesh_buffer_done(&reason);
    for (size_t i = 0; i < ops->status_count; i++) {
        ops->statuses[i].write(ops->statuses[i].arg, out);
    }
    pthread_mutex_unlock(&ops->mutex);
    mesh_buffer_add_text(out, "\"config\":");
    if (ops->spec != NULL) {
        mesh_config_json(ops->spec, ops->config, out);
    } else {
        mesh_buffer_add_text(out, "{}");
    }
    mesh_buffer_add_text(out, "}\n");
}

/* Takes over the buffer's memory. */
static enum MHD_Result answer_take(struct MHD_Connection *connection, unsigned status,
                                   const char *content_type, struct mesh_buffer *body)
{
    mesh_buffer_add_text(body, "");
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        mesh_buffer_done(body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result ops_handle(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **state)
{
    (void)version;
    (void)upload_data;
    static int seen_head;
    if (*state == NULL) {
        *state = &seen_head; /* the body, if there is one, comes with the next call */
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    struct mesh_ops *ops = arg;
    struct mesh_buffer body = {0};
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        mesh_buffer_add_text(&body, "use GET\n");
        return answer_take(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", &body);
    }
    if (strcmp(url, "/healthz") == 0) {
        mesh_buffer_add_text(&body, "ok\n");
        return answer_take(connection, MHD_HTTP_OK, "text/plain", &body);
    }
    if (strcmp(url, "/readyz") == 0) {
        bool ready = write_ready(ops, &body);
        mesh_buffer_add_text(&body, "\n");
        return answer_take(connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                           "text/plain", &body);
    }
    if (strcmp(url, "/metrics") == 0) {
        mesh_metrics_write(&body);
        return answer_take(connection, MHD_HTTP_OK, "text/plain; version=0.0.4", &body);
    }
    if (strcmp(url, "/status") == 0) {
        write_status(ops, &body);
        return answer_take(connection, MHD_HTTP_OK, "application/json", &body);
    }
    mesh_buffer_add_text(&body, "there are /healthz, /readyz, /metrics and /status\n");
    return answer_take(connection, MHD_HTTP_NOT_FOUND, "text/plain", &body);
}

/* A numeric IPv4 or IPv6 address. */
static bool address_of(const char *host, uint16_t port, struct sockaddr_storage *out,
                       bool *out_ipv6)
{
    memset(out, 0, sizeof(*out));
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *out_ipv6 = false;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *out_ipv6 = true;
        return true;
    }
    return false;
}

/* Limits as gauges, so that rules can say how near one is. */
static void settings_show(const struct mesh_config_spec *spec, const void *config)
{
    char labels[96];

    for (size_t i = 0; spec != NULL && i < spec->option_count; i++) {
        const struct mesh_option *option = &spec->options[i];
        if (option->type == MESH_UINT) {
            uint64_t value = *(const uint64_t *)((const char *)config + option->offset);
            (void)snprintf(labels, sizeof(labels), "setting=\"%s\"", option->name);
            mesh_metric_set(mesh_gauge("tweetmesh_setting", labels,
                                       "Settings that are numbers, as they are in force."),
                            (int64_t)value);
        }
    }
}

struct mesh_ops *mesh_ops_new(const struct mesh_ops_options *options, struct mesh_error *err)
{
    struct sockaddr_storage address;
    bool ipv6 = false;
    if (!address_of(options->host, options->port, &address, &ipv6)) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "OPS_HOST \"%s\" is no numeric address",
                  options->host);
        return NULL;
    }
    struct mesh_ops *ops = mesh_new(struct mesh_ops);
    ops->program = options->program;
    ops->spec = options->spec;
    ops->config = options->config;
    ops->start_us = mesh_clock_mono_us();
    pthread_mutex_init(&ops->mutex, NULL);

    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (ipv6 ? MHD_USE_IPv6 : 0U);
    errno = 0;
    ops->daemon =
        MHD_start_daemon(flags, options->port, NULL, NULL, ops_handle, ops, MHD_OPTION_SOCK_ADDR,
                         (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)OPS_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                         OPS_IDLE_SECONDS, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
    if (ops->daemon == NULL) {
        mesh_fail(err, MESH_UNAVAILABLE, "ops port: cannot listen on %s:%u: %s", options->host,
                  (unsigned)options->port, strerror(errno));
        pthread_mutex_destroy(&ops->mutex);
        free(ops);
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(ops->daemon, MHD_DAEMON_INFO_BIND_PORT);
    ops->port = info != NULL ? info->port : options->port;
    settings_show(options->spec, options->config);
    return ops;
}

uint16_t mesh_ops_port(const struct mesh_ops *ops)
{
    return ops->port;
}

void mesh_ops_set_ready(struct mesh_ops *ops, bool ready)
{
    atomic_store(&ops->gate, ready);
}

void mesh_ops_add_probe(struct mesh_ops *ops, mesh_ready_fn *probe, void *arg)
{
    pthread_mutex_lock(&ops->mutex);
    assert(ops->probe_count < HOOKS_MAX);
    ops->probes[ops->probe_count++] = (struct ready_hook){.probe = probe, .arg = arg};
    pthread_mutex_unlock(&ops->mutex);
}

void mesh_ops_add_status(struct mesh_ops *ops, mesh_status_fn *status, void *arg)
{
    pthread_mutex_lock(&ops->mutex);
    assert(ops->status_count < HOOKS_MAX);
    ops->statuses[ops->status_count++] = (struct status_hook){.write = status, .arg = arg};
    pthread_mutex_unlock(&ops->mutex);
}

void mesh_ops_forget(struct mesh_ops *ops)
{
    if (ops == NULL) {
        return;
    }
    atomic_store(&ops->gate, false);
    pthread_mutex_lock(&ops->mutex);
    ops->probe_count = 0;
    ops->status_count = 0;
    pthread_mutex_unlock(&ops->mutex);
}

void mesh_ops_free(struct mesh_ops *ops)
{
    if (ops == NULL) {
        return;
    }
    MHD_stop_daemon(ops->daemon);
    pthread_mutex_destroy(&ops->mutex);
    free(ops);
}
