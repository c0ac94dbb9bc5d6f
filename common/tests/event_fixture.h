/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_fixture: a stream made of a JSON text, and events checked against it.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef EVENT_FIXTURE_H
#define EVENT_FIXTURE_H

#include "mesh/arena.h"
#include "mesh/bytes.h"
#include "mesh/event.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stdint.h>

/* The file of a stream that counts nothing, with this schema (a literal). */
#define EVENT_FIXTURE_FILE(schema)                                                                 \
    "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","      \
    "\"schema\":" schema "}"

/* A stream with every keyword. */
extern const char *const event_fixture_everything;

/* What mesh_event_check() must leave alone while it refuses. */
enum { EVENT_FIXTURE_GROUP = 77 };

struct event_fixture {
    struct mesh_arena *arena;
    struct mesh_stream *stream;
    struct mesh_buffer out; /* what the last event that was taken became */
    struct mesh_problems problems;
    uint8_t group;
};

struct event_fixture event_fixture_of(const char *stream_json);
void event_fixture_done(struct event_fixture *fixture);
/* mesh_event_check() of a JSON text. */
bool event_fixture_check(struct event_fixture *fixture, const char *json);
/* It is refused with this one problem, and nothing is written. */
void assert_event_refused(struct event_fixture *fixture, const char *json, const char *pointer,
                          const char *reason);
/* It is taken and becomes what is expected, which is taken a second time without a change. */
void assert_event_normalised(struct event_fixture *fixture, const char *json, const char *expected);

#endif
