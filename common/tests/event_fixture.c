/* SPDX-License-Identifier: Apache-2.0 */
#include "event_fixture.h"

#include "../src/stream_file.h"
#include "cmocka_all.h"
#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

const char *const event_fixture_everything =
    "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","
    "\"count_by\":\"kind\",\"schema\":{\"type\":\"object\",\"required\":[\"kind\"],"
    "\"additionalProperties\":false,\"properties\":{"
    "\"kind\":{\"type\":\"string\",\"enum\":[\"b\",\"a\"],\"x-aliases\":[\"tipo\",\"art\"]},"
    "\"text\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":3},"
    "\"when\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"whole\":{\"type\":\"integer\",\"minimum\":-5,\"maximum\":9007199254740993},"
    "\"ratio\":{\"type\":\"number\",\"minimum\":-0.5,\"maximum\":0.5},"
    "\"flag\":{\"type\":\"boolean\"},\"none\":{\"type\":\"null\"},"
    "\"one\":{\"const\":1},\"mixed\":{\"enum\":[1.5,\"x\",true,null]},"
    "\"list\":{\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"integer\"}},"
    "\"land\":{\"type\":\"string\",\"x-normalise\":\"country\"},"
    "\"free\":{\"type\":\"object\"},"
    "\"place\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"lat\"],"
    "\"properties\":{\"lat\":{\"type\":\"number\",\"x-aliases\":[\"latitude\"]}}}}}}";

struct event_fixture event_fixture_of(const char *stream_json)
{
    struct mesh_error err = {0};
    struct event_fixture fixture = {.arena = mesh_arena_new(4096), .group = EVENT_FIXTURE_GROUP};
    fixture.stream = mesh_stream_parse(mesh_bytes_of_text(stream_json), fixture.arena, &err);
    if (fixture.stream == NULL) {
        fail_msg("%s", err.text);
    }
    return fixture;
}

void event_fixture_done(struct event_fixture *fixture)
{
    mesh_buffer_done(&fixture->out);
    mesh_arena_free(fixture->arena);
}

bool event_fixture_check(struct event_fixture *fixture, const char *json)
{
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)json, strlen(json), MESH_EVENT_READ_FLAGS, NULL, NULL);
    assert_non_null(doc);
    const bool fits = mesh_event_check(fixture->stream, yyjson_doc_get_root(doc), &fixture->out,
                                       &fixture->group, &fixture->problems);
    yyjson_doc_free(doc);
    return fits;
}

void assert_event_refused(struct event_fixture *fixture, const char *json, const char *pointer,
                          const char *reason)
{
    if (event_fixture_check(fixture, json)) {
        fail_msg("was taken: %s", json);
    }
    const struct mesh_problem *problem = &fixture->problems.at[0];
    if (fixture->problems.count != 1 || strcmp(problem->pointer, pointer) != 0 ||
        strcmp(problem->reason, reason) != 0) {
        fail_msg("%zu problems, \"%s\" %s instead of \"%s\" %s for %s", fixture->problems.count,
                 problem->pointer, problem->reason, pointer, reason, json);
    }
    assert_int_equal(fixture->out.size, 0);
    assert_int_equal(fixture->group, EVENT_FIXTURE_GROUP);
}

void assert_event_normalised(struct event_fixture *fixture, const char *json, const char *expected)
{
    if (!event_fixture_check(fixture, json)) {
        fail_msg("\"%s\" %s for %s", fixture->problems.at[0].pointer,
                 fixture->problems.at[0].reason, json);
    }
    assert_int_equal(fixture->problems.count, 0);
    assert_string_equal(fixture->out.data, expected);
    const uint8_t group = fixture->group;
    char *first = mesh_strdup(fixture->out.data);
    mesh_buffer_reset(&fixture->out);
    assert_true(event_fixture_check(fixture, first));
    assert_string_equal(fixture->out.data, first);
    assert_int_equal(fixture->group, group);
    mesh_buffer_reset(&fixture->out);
    fixture->group = EVENT_FIXTURE_GROUP;
    free(first);
}
