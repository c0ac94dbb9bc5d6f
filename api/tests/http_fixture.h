/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fixture: the whole of api but main() and hints, on a free port, with a gRPC server behind
 * it.
 *
 * Threads: a test's own.
 */
#ifndef API_TESTS_HTTP_FIXTURE_H
#define API_TESTS_HTTP_FIXTURE_H

#include "http.h"
#include "http_client.h"
#include "ingest_server.h"

#include <stdbool.h>
#include <stdint.h>

#define GOOD "{\"text\":\"rain\",\"country\":\"gt\"}"
#define JSON "Content-Type: application/json\r\n"

struct http_fixture {
    struct mesh_streams *streams;
    struct ingest_server *server;
    struct publish *publish;
    struct deadlines *deadlines;
    struct request_desk requests;
    struct mesh_buffer openapi;
    struct http *http;
    uint16_t port;
};

/* For cmocka_unit_test_setup_teardown(); *state becomes the fixture. Patient: no deadline is ever
 * reached. Impatient: fractions of a second. */
int http_fixture_patient(void **state);
int http_fixture_impatient(void **state);
/* Patient with clients, but events should wait 0.2 s at most, and a stream that does not answer for
 * a second is ended. */
int http_fixture_crowded(void **state);
/* Fails when bytes or events are still held. */
int http_fixture_teardown(void **state);

/* Conditions for support_wait(): of the gRPC server, and of the fixture. */
bool http_fixture_event_came(void *server);
bool http_fixture_broken(void *server);
bool http_fixture_nothing_in_flight(void *fixture);

/* Reads a reply; every refusal must be a problem; text (or NULL) must be in its head or body. */
void http_expect(struct http_client *client, int status, const char *text);
/* The same for a POST on a connection of its own. */
void http_expect_to(struct http_fixture *fixture, const char *path, const char *head,
                    const char *body, int status, const char *text);

#endif
