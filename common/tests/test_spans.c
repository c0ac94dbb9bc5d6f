/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: off costs nothing; on, spans reach the collector; one that refuses, is slow, talks nonsense
 * or is away costs spans, which are counted, and nothing else.
 * Method: a collector of some lines on a socket, which answers as each test says.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mesh/macros.h"
#include "mesh/metrics.h"
#include "mesh/spans.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_US INT64_C(30000000)
#define ANSWERS_MAX 4
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* Answers requests one after another; the last of the answers again and again. */
static struct {
    int listener;
    char url[64];
    pthread_t thread;
    const char *answers[ANSWERS_MAX]; /* NULL: as the one before, the first: hang; "": close */
    atomic_int requests;
    atomic_bool stop;
} collector;

static struct mesh_spans_config config;

/* Reads a head and the body that it announces. False: the client has gone. */
static bool read_request(int socket)
{
    static char text[1 << 20];
    size_t size = 0;
    for (;;) {
        ssize_t got = recv(socket, text + size, sizeof(text) - 1 - size, 0);
        if (got <= 0) {
            return false;
        }
        size += (size_t)got;
        text[size] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end != NULL && length != NULL &&
            size >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10)) {
            assert_non_null(strstr(text, "Content-Type: application/x-protobuf"));
            assert_non_null(strstr(text, "X-Key: a secret"));
            return true;
        }
    }
}

static void answer_all(int socket)
{
    while (read_request(socket)) {
        int at = atomic_fetch_add(&collector.requests, 1);
        at = at < ANSWERS_MAX ? at : ANSWERS_MAX - 1;
        while (at > 0 && collector.answers[at] == NULL) {
            at--;
        }
        const char *answer = collector.answers[at];
        if (answer == NULL) {
            char byte;
            (void)recv(socket, &byte, 1, 0); /* until the client gives up */
            return;
        }
        if (answer[0] == '\0') {
            return;
        }
        (void)send(socket, answer, strlen(answer), MSG_NOSIGNAL);
    }
}

static void *collect(void *arg)
{
    (void)arg;
    while (!atomic_load(&collector.stop)) {
        const int socket = accept(collector.listener, NULL, NULL);
        if (socket >= 0) {
            answer_all(socket);
            close(socket);
        }
    }
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    collector.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(collector.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(collector.listener, 8), 0);
    assert_int_equal(getsockname(collector.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(collector.url, sizeof(collector.url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    memset((void *)collector.answers, 0, sizeof(collector.answers));
    atomic_store(&collector.requests, 0);
    atomic_store(&collector.stop, false);
    config = (struct mesh_spans_config){.endpoint = collector.url,
                                        .traces_endpoint = "",
                                        .headers = "X-Key=a%20secret",
                                        .timeout_ms = 10000,
                                        .sampler = "always_on",
                                        .sampler_arg = "",
                                        .service_name = "",
                                        .resource_attributes = "deployment.environment.name=test",
                                        .batch_len_max = 4,
                                        .queue_len_max = 8,
                                        .delay_ms = 1,
                                        .export_ms_max = 20000};
    assert_int_equal(pthread_create(&collector.thread, NULL, collect, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mesh_spans_stop(0);
    atomic_store(&collector.stop, true);
    (void)shutdown(collector.listener, SHUT_RDWR);
    (void)pthread_join(collector.thread, NULL);
    close(collector.listener);
    mesh_metrics_done();
    return 0;
}

static void start(void)
{
    struct mesh_error err = {0};
    struct mesh_buffer problems = {0};
    mesh_spans_check(&config, &problems);
    assert_int_equal(problems.size, 0);
    assert_true(mesh_spans_start(&config, "test", &err));
}

static void record(size_t count)
{
    struct mesh_trace_context context = {.trace_id = {1}, .flags = MESH_TRACE_SAMPLED};
    for (size_t i = 0; i < count; i++) {
        mesh_span_id_new(context.span_id);
        mesh_span_record(
            &(struct mesh_span){.name = "x", .kind = MESH_SPAN_INTERNAL, .context = context});
    }
}

static int64_t sent(void)
{
    return mesh_metric_value(mesh_counter("tweetmesh_spans_exported_total", NULL, ""));
}

static int64_t dropped(const char *reason)
{
    char labels[64];
    snprintf(labels, sizeof(labels), "reason=\"%s\"", reason);
    return mesh_metric_value(mesh_counter("tweetmesh_spans_dropped_total", labels, ""));
}

static void wait_for(int64_t (*level)(void), int64_t wanted)
{
    const int64_t until_us = mesh_clock_mono_us() + WAIT_US;
    while (level() < wanted && mesh_clock_mono_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    assert_int_equal(level(), wanted);
}

static int64_t not_sent(void)
{
    return dropped("not_sent");
}

static int64_t requests(void)
{
    return atomic_load(&collector.requests);
}

static void test_off_there_is_nothing(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    config.disabled = true;
    assert_true(mesh_spans_start(&config, "test", &err));
    assert_false(mesh_spans_enabled());
    record(3);
    mesh_spans_left_out(3);
    mesh_spans_stop(1000);
    config.disabled = false;
    config.endpoint = "";
    assert_true(mesh_spans_start(&config, "test", &err));
    assert_false(mesh_spans_enabled());
    struct mesh_buffer text = {0};
    mesh_metrics_write(&text);
    assert_null(strstr(text.data, "tweetmesh_spans"));
    mesh_buffer_done(&text);
}

static void test_spans_reach_the_collector(void **state)
{
    (void)state;
    collector.answers[0] = OK;
    start();
    assert_true(mesh_spans_enabled());
    record(3);
    wait_for(sent, 3);
    record(2);
    wait_for(sent, 5);
    assert_int_equal(not_sent(), 0);
}

static void test_what_waits_is_sent_at_the_end(void **state)
{
    (void)state;
    collector.answers[0] = OK;
    config.delay_ms = 600000;
    config.batch_len_max = 8;
    start();
    record(7);
    assert_int_equal(sent(), 0);
    mesh_spans_stop(30000);
    assert_int_equal(sent(), 7);
    assert_false(mesh_spans_enabled());
}

static void test_a_collector_that_is_busy_is_asked_again(void **state)
{
    (void)state;
    collector.answers[0] = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    collector.answers[1] = "HTTP/1.1 429 Slower\r\nContent-Length: 0\r\n\r\n";
    collector.answers[2] = ""; /* the connection breaks */
    collector.answers[3] = OK;
    start();
    record(1);
    wait_for(sent, 1);
    assert_int_equal(requests(), 4);
    assert_int_equal(not_sent(), 0);
}

static void test_a_refusal_is_final(void **state)
{
    (void)state;
    collector.answers[0] = "HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nwhy";
    collector.answers[1] = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
    collector.answers[2] = "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
                           "0\r\n\r\n";
    collector.answers[3] = OK;
    start();
    for (int64_t i = 1; i <= 3; i++) {
        record(1);
        wait_for(not_sent, i);
    }
    record(1);
    wait_for(sent, 1);
    assert_int_equal(requests(), 4);
}

static void test_what_the_collector_throws_away_is_counted(void **state)
{
    (void)state;
    collector.answers[0] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x02";
    collector.answers[1] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html/>";
    config.delay_ms = 600000; /* so that each batch is a whole one */
    start();
    record(4);
    wait_for(sent, 2);
    assert_int_equal(dropped("rejected"), 2);
    record(4);
    wait_for(sent, 6);
}

static void test_an_endless_answer_is_given_up(void **state)
{
    (void)state;
    static char answer[300000];
    int size = snprintf(answer, 100, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
    memset(answer + size, 'x', 200000);
    answer[size + 200000] = '\0';
    collector.answers[0] = answer;
    start();
    record(1);
    wait_for(not_sent, 1);
}

static void test_a_full_queue_drops_and_nobody_waits(void **state)
{
    (void)state;
    start(); /* it hangs */
    record(1);
    wait_for(requests, 1);
    record(1000);
    assert_int_equal(dropped("queue_full"), 1000 - 8);
    mesh_spans_stop(1); /* which would hang, too */
    assert_int_equal(not_sent(), 9);
}

static void test_a_collector_that_is_away_costs_spans_only(void **state)
{
    (void)state;
    config.endpoint = "http://127.0.0.1:1";
    config.export_ms_max = 1; /* no time for a second attempt */
    start();
    record(2);
    wait_for(not_sent, 2);
    assert_int_equal(sent(), 0);
}

static void test_a_slow_answer_is_given_up(void **state)
{
    (void)state;
    config.timeout_ms = 50;
    config.export_ms_max = 100;
    start(); /* it hangs */
    record(1);
    wait_for(not_sent, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_off_there_is_nothing),
        CASE(test_spans_reach_the_collector),
        CASE(test_what_waits_is_sent_at_the_end),
        CASE(test_a_collector_that_is_busy_is_asked_again),
        CASE(test_a_refusal_is_final),
        CASE(test_what_the_collector_throws_away_is_counted),
        CASE(test_an_endless_answer_is_given_up),
        CASE(test_a_full_queue_drops_and_nobody_waits),
        CASE(test_a_collector_that_is_away_costs_spans_only),
        CASE(test_a_slow_answer_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
