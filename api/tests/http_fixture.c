/* SPDX-License-Identifier: Apache-2.0 */
#include "http_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "openapi.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_ready(void *arg)
{
    return publish_ready(arg);
}

bool http_fixture_event_came(void *arg)
{
    return ingest_server_events(arg) > 0;
}

bool http_fixture_broken(void *arg)
{
    return ingest_server_broken(arg) > 0;
}

bool http_fixture_nothing_in_flight(void *arg)
{
    struct http_fixture *fixture = arg;
    return atomic_load(&fixture->requests.bytes) == 0 &&
           atomic_load(&fixture->requests.events) == 0;
}

static int start(void **state, struct connection_limits limits, uint32_t reply_ms_max,
                 int64_t wait_us_max)
{
    struct mesh_error err = {0};
    struct http_fixture *f = mesh_new(struct http_fixture);
    f->streams = support_streams();
    f->server = ingest_server_new(0);
    char target[64];
    snprintf(target, sizeof(target), "127.0.0.1:%u", (unsigned)ingest_server_port(f->server));
    f->publish = publish_new(&(struct publish_options){.target.address = target,
                                                       .down_ms_max = 2000,
                                                       .reply_ms_max = reply_ms_max},
                             &err);
    assert_non_null(f->publish);
    support_wait(is_ready, f->publish);
    f->deadlines = deadlines_new(&err);
    f->requests = (struct request_desk){.publish = f->publish,
                                        .deadlines = f->deadlines,
                                        .bytes_max = 4194304,
                                        .events_max = 2000,
                                        .wait_us_max = wait_us_max,
                                        .streams = f->streams};
    request_desk_init(&f->requests);
    openapi_write(f->streams, &f->openapi);
    f->http = http_new(&(struct http_options){.host = "127.0.0.1",
                                              .threads = 2,
                                              .connections_max = 500,
                                              .idle_s_max = 30,
                                              .limits = limits,
                                              .streams = f->streams,
                                              .requests = &f->requests,
                                              .deadlines = f->deadlines,
                                              .openapi = mesh_buffer_bytes(&f->openapi)},
                       &err);
    assert_non_null(f->http);
    f->port = http_port(f->http);
    *state = f;
    return 0;
}

int http_fixture_patient(void **state)
{
    return start(state,
                 (struct connection_limits){
                     .head_us = 600000000, .body_us = 600000000, .request_us = 600000000},
                 60000, 600000000);
}

int http_fixture_crowded(void **state)
{
    return start(state,
                 (struct connection_limits){
                     .head_us = 600000000, .body_us = 600000000, .request_us = 600000000},
                 1000, 200000);
}

int http_fixture_impatient(void **state)
{
    return start(
        state,
        (struct connection_limits){.head_us = 300000, .body_us = 300000, .request_us = 500000},
        1000, 600000000);
}

int http_fixture_teardown(void **state)
{
    struct http_fixture *f = *state;
    http_free(f->http, SUPPORT_WAIT_MS);
    publish_free(f->publish);
    assert_true(http_fixture_nothing_in_flight(f));
    request_desk_done(&f->requests);
    deadlines_free(f->deadlines);
    ingest_server_free(f->server);
    mesh_buffer_done(&f->openapi);
    mesh_streams_free(f->streams);
    free(f);
    return 0;
}

void http_expect(struct http_client *client, int status, const char *text)
{
    struct http_reply reply = http_client_reply(client);
    assert_int_equal(reply.status, status);
    if (status >= 400) {
        assert_non_null(strstr(reply.head, "Content-Type: application/problem+json\r\n"));
        assert_non_null(strstr(reply.body, "\"type\":\"urn:tweetmesh:problem:"));
    }
    if (text != NULL && strstr(reply.body, text) == NULL && strstr(reply.head, text) == NULL) {
        fail_msg("%s not in %s%s", text, reply.head, reply.body);
    }
    http_reply_done(&reply);
}

void http_expect_to(struct http_fixture *f, const char *path, const char *head, const char *body,
                    int status, const char *text)
{
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_post(&client, path, head, body);
    http_expect(&client, status, text);
    http_client_close(&client);
}
