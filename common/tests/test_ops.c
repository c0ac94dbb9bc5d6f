/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: /readyz tells the truth with its reason, and nothing that is sent to the port hurts.
 * Method: a real port on loopback and plain sockets: garbage, wrong methods and paths, then probes
 * that change their mind.
 */
#include "cmocka_all.h"
#include "mesh/metrics.h"
#include "mesh/ops.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <yyjson.h>

static struct mesh_ops *ops;
static atomic_bool broker_up;
static char answer[65536];

static bool probe_broker(void *arg, struct mesh_buffer *reason)
{
    if (!atomic_load((atomic_bool *)arg)) {
        mesh_buffer_add_text(reason, "no broker");
        return false;
    }
    return true;
}

static void write_level(void *arg, struct mesh_buffer *members)
{
    (void)arg;
    mesh_buffer_add_text(members, "\"queue\":7,");
}

static int setup(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    ops = mesh_ops_new(&(struct mesh_ops_options){.program = "tests", .host = "127.0.0.1"}, &err);
    if (ops == NULL) {
        return -1;
    }
    mesh_ops_add_probe(ops, probe_broker, &broker_up);
    mesh_ops_add_status(ops, write_level, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mesh_ops_free(ops);
    mesh_metrics_done();
    return 0;
}

/* Sends raw bytes, keeps the whole answer in `answer` and returns the HTTP status, 0 for none. */
static int ask_raw(const char *bytes)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(mesh_ops_port(ops))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(s, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(s, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
    size_t size = 0;
    ssize_t got = 0;
    while (size + 1 < sizeof(answer) &&
           (got = recv(s, answer + size, sizeof(answer) - 1 - size, 0)) > 0) {
        size += (size_t)got;
    }
    answer[size] = '\0';
    (void)close(s);
    int status = 0;
    return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static int ask(const char *method, const char *path)
{
    char request[256];
    (void)snprintf(request, sizeof(request),
                   "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    return ask_raw(request);
}

static void test_garbage_wrong_methods_and_paths_are_refused(void **state)
{
    (void)state;
    /* libmicrohttpd closes at once on some garbage and answers 400 to other. */
    assert_int_not_equal(ask_raw("\x16\x03\x01garbage\r\n\r\n"), 200);
    assert_int_equal(ask_raw("GET /healthz HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n"), 400);
    assert_int_equal(ask("POST", "/metrics"), 405);
    assert_int_equal(ask("GET", "/"), 404);
    assert_int_equal(ask("GET", "/metrics/../readyz"), 404);
    assert_int_equal(ask("GET", "/healthz"), 200);
}

static void test_a_port_in_use_is_an_error(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct mesh_ops_options options = {
        .program = "tests", .host = "127.0.0.1", .port = mesh_ops_port(ops)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(s, 1), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&at, &size), 0);
    options.port = ntohs(at.sin_port);
    assert_null(mesh_ops_new(&options, &err));
    assert_non_null(strstr(err.text, "cannot listen"));
    (void)close(s);
    options.host = "localhost";
    assert_null(mesh_ops_new(&options, &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
}

static void test_ready_needs_the_gate_and_every_probe(void **state)
{
    (void)state;
    atomic_store(&broker_up, true);
    assert_int_equal(ask("GET", "/readyz"), 503);
    assert_non_null(strstr(answer, "starting or draining"));
    mesh_ops_set_ready(ops, true);
    assert_int_equal(ask("GET", "/readyz"), 200);
    atomic_store(&broker_up, false);
    assert_int_equal(ask("GET", "/readyz"), 503);
    assert_non_null(strstr(answer, "no broker"));
    atomic_store(&broker_up, true);
    mesh_ops_set_ready(ops, false);
    assert_int_equal(ask("GET", "/readyz"), 503);
    assert_int_equal(ask("GET", "/healthz"), 200);
}

static void test_status_is_json_and_metrics_are_served(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/status"), 200);
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    yyjson_doc *doc = yyjson_read(body, strlen(body), 0);
    assert_non_null(doc);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "queue")), 7);
    yyjson_doc_free(doc);
    mesh_metric_add(mesh_counter("tweetmesh_y_total", NULL, "Y."), 2);
    assert_int_equal(ask("GET", "/metrics"), 200);
    assert_non_null(strstr(answer, "tweetmesh_y_total 2\n"));
}

static atomic_bool writes;
static atomic_bool gone;
static atomic_bool used_when_gone;

/* Takes its time, as one may whose thread is not given the processor. */
static void write_slowly(void *arg, struct mesh_buffer *members)
{
    (void)arg;
    (void)members;
    atomic_store(&writes, true);
    (void)usleep(50000);
    atomic_store(&used_when_gone, atomic_load(&gone));
}

static void *ask_status(void *arg)
{
    (void)arg;
    (void)ask("GET", "/status");
    return NULL;
}

static void test_forget_waits_for_who_looks_and_then_nobody_does(void **state)
{
    (void)state;
    pthread_t client;
    atomic_store(&writes, false);
    mesh_ops_add_status(ops, write_slowly, NULL);
    mesh_ops_set_ready(ops, true);
    assert_int_equal(pthread_create(&client, NULL, ask_status, NULL), 0);
    while (!atomic_load(&writes)) {
        (void)usleep(1000);
    }
    mesh_ops_forget(ops);
    atomic_store(&gone, true);
    assert_int_equal(pthread_join(client, NULL), 0);
    assert_false(atomic_load(&used_when_gone));
    assert_int_equal(ask("GET", "/status"), 200);
    assert_null(strstr(answer, "queue"));
    assert_false(atomic_load(&used_when_gone));
    assert_int_equal(ask("GET", "/readyz"), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_garbage_wrong_methods_and_paths_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_port_in_use_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ready_needs_the_gate_and_every_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status_is_json_and_metrics_are_served, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_forget_waits_for_who_looks_and_then_nobody_does, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
