/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an event that does not fit its schema is refused with a JSON pointer and a reason for each
 * thing wrong; one that fits is written normalised, and a second check changes nothing.
 * Method: tables of JSON against small schemas and against streams/tweets.json; limits at their
 * border; every event that is taken is checked a second time and compared value by value.
 */
#include "../src/stream_file.h"
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/country.h"
#include "mesh/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_OF(schema)                                                                            \
    "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","      \
    "\"schema\":" schema "}"

/* A stream with every keyword. */
static const char *const everything =
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

struct fixture {
    struct mesh_arena *arena;
    struct mesh_stream *stream;
    struct mesh_buffer out;
    struct mesh_problems problems;
    uint8_t group;
};

static struct fixture fixture_of(const char *stream_json)
{
    struct mesh_error err = {0};
    struct fixture fixture = {.arena = mesh_arena_new(4096), .group = 77};
    fixture.stream = mesh_stream_parse(mesh_bytes_of_text(stream_json), fixture.arena, &err);
    if (fixture.stream == NULL) {
        fail_msg("%s", err.text);
    }
    return fixture;
}

static void fixture_done(struct fixture *fixture)
{
    mesh_buffer_done(&fixture->out);
    mesh_arena_free(fixture->arena);
}

static bool check_bytes(struct fixture *fixture, struct mesh_bytes json)
{
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size,
                                       MESH_EVENT_READ_FLAGS, NULL, NULL);
    assert_non_null(doc);
    const bool fits = mesh_event_check(fixture->stream, yyjson_doc_get_root(doc), &fixture->out,
                                       &fixture->group, &fixture->problems);
    yyjson_doc_free(doc);
    return fits;
}

static bool check(struct fixture *fixture, const char *json)
{
    return check_bytes(fixture, mesh_bytes_of_text(json));
}

static void assert_refused(struct fixture *fixture, const char *json, const char *pointer,
                           const char *reason)
{
    if (check(fixture, json)) {
        fail_msg("was taken: %s", json);
    }
    const struct mesh_problem *problem = &fixture->problems.at[0];
    if (fixture->problems.count != 1 || strcmp(problem->pointer, pointer) != 0 ||
        strcmp(problem->reason, reason) != 0) {
        fail_msg("%zu problems, \"%s\" %s instead of \"%s\" %s for %s", fixture->problems.count,
                 problem->pointer, problem->reason, pointer, reason, json);
    }
    assert_int_equal(fixture->out.size, 0);
    assert_int_equal(fixture->group, 77);
}

/* Takes it, and takes what came out a second time without a change. */
static void assert_normalised(struct fixture *fixture, const char *json, const char *expected)
{
    if (!check(fixture, json)) {
        fail_msg("\"%s\" %s for %s", fixture->problems.at[0].pointer,
                 fixture->problems.at[0].reason, json);
    }
    assert_int_equal(fixture->problems.count, 0);
    assert_string_equal(fixture->out.data, expected);
    const uint8_t group = fixture->group;
    char *first = mesh_strdup(fixture->out.data);
    mesh_buffer_reset(&fixture->out);
    assert_true(check(fixture, first));
    assert_string_equal(fixture->out.data, first);
    assert_int_equal(fixture->group, group);
    mesh_buffer_reset(&fixture->out);
    fixture->group = 77;
    free(first);
}

/* Event, JSON pointer, reason. */
static const char *const refused[][3] = {
    {"[]", "", "must be an object"},
    {"null", "", "must be an object"},
    {"\"x\"", "", "must be an object"},
    {"{}", "/kind", "is required"},
    {"{\"kind\":\"c\"}", "/kind", "is not one of the values that the schema lists"},
    {"{\"kind\":1}", "/kind", "must be a string"},
    {"{\"tipo\":null}", "/tipo", "must be a string"},
    {"{\"kind\":\"a\",\"more\":1}", "/more", "is not a known member"},
    {"{\"kind\":\"a\",\"\":1}", "/", "is not a known member"},
    {"{\"kind\":\"a\",\"a/b~c\":1}", "/a~1b~0c", "is not a known member"},
    {"{\"kind\":\"a\",\"id\":\"x\"}", "/id", "is not a known member"},
    {"{\"kind\":\"a\",\"kind\":\"a\"}", "/kind",
     "is given more than once, under its name or an alias"},
    {"{\"kind\":\"a\",\"tipo\":\"a\"}", "/tipo",
     "is given more than once, under its name or an alias"},
    {"{\"art\":\"a\",\"tipo\":\"b\"}", "/tipo",
     "is given more than once, under its name or an alias"},
    {"{\"kind\":\"a\",\"text\":\"x\"}", "/text", "must have at least 2 characters"},
    {"{\"kind\":\"a\",\"text\":\"😀\"}", "/text", "must have at least 2 characters"},
    {"{\"kind\":\"a\",\"text\":\"é\"}", "/text", "must have at least 2 characters"},
    {"{\"kind\":\"a\",\"text\":\"abcd\"}", "/text", "must have at most 3 characters"},
    {"{\"kind\":\"a\",\"text\":\"ééé\\u00e9\"}", "/text", "must have at most 3 characters"},
    {"{\"kind\":\"a\",\"text\":\"a\\u0000\"}", "/text", "must not contain U+0000"},
    {"{\"kind\":\"a\",\"when\":\"2016-03-09\"}", "/when", "must be an RFC 3339 date-time"},
    {"{\"kind\":\"a\",\"when\":\"\"}", "/when", "must be an RFC 3339 date-time"},
    {"{\"kind\":\"a\",\"whole\":1.5}", "/whole", "must be an integer"},
    {"{\"kind\":\"a\",\"whole\":\"1\"}", "/whole", "must be an integer"},
    {"{\"kind\":\"a\",\"whole\":-6}", "/whole", "must be at least -5"},
    {"{\"kind\":\"a\",\"whole\":9007199254740994}", "/whole", "must be at most 9007199254740993"},
    {"{\"kind\":\"a\",\"whole\":18446744073709551616}", "/whole",
     "must be a number that 64 bits can hold"},
    {"{\"kind\":\"a\",\"whole\":1e19}", "/whole", "must fit in a signed 64-bit integer"},
    {"{\"kind\":\"a\",\"whole\":9223372036854775808}", "/whole",
     "must fit in a signed 64-bit integer"},
    {"{\"kind\":\"a\",\"free\":{\"b\":9223372036854775808}}", "/free/b",
     "must fit in a signed 64-bit integer"},
    {"{\"kind\":\"a\",\"ratio\":1e999}", "/ratio", "must be a number that 64 bits can hold"},
    {"{\"kind\":\"a\",\"ratio\":-0.51}", "/ratio", "must be at least -0.5"},
    {"{\"kind\":\"a\",\"ratio\":1}", "/ratio", "must be at most 0.5"},
    {"{\"kind\":\"a\",\"ratio\":\"0\"}", "/ratio", "must be a number"},
    {"{\"kind\":\"a\",\"flag\":1}", "/flag", "must be true or false"},
    {"{\"kind\":\"a\",\"flag\":18446744073709551616}", "/flag", "must be true or false"},
    {"{\"kind\":\"a\",\"none\":false}", "/none", "must be null"},
    {"{\"kind\":\"a\",\"one\":2}", "/one", "is not one of the values that the schema lists"},
    {"{\"kind\":\"a\",\"one\":\"1\"}", "/one", "is not one of the values that the schema lists"},
    {"{\"kind\":\"a\",\"mixed\":false}", "/mixed",
     "is not one of the values that the schema lists"},
    {"{\"kind\":\"a\",\"list\":{}}", "/list", "must be an array"},
    {"{\"kind\":\"a\",\"list\":[1,2,3]}", "/list", "must have at most 2 items"},
    {"{\"kind\":\"a\",\"list\":[1,\"2\"]}", "/list/1", "must be an integer"},
    {"{\"kind\":\"a\",\"free\":[]}", "/free", "must be an object"},
    {"{\"kind\":\"a\",\"free\":{\"\":1}}", "/free/", "has an empty name"},
    {"{\"kind\":\"a\",\"free\":{\"$a\":1}}", "/free/$a", "has a name that begins with $"},
    {"{\"kind\":\"a\",\"free\":{\"a.b\":1}}", "/free/a.b", "has a name with a dot"},
    {"{\"kind\":\"a\",\"free\":{\"a\\u0000\":1}}", "/free/a\xEF\xBF\xBD", "has a name with U+0000"},
    {"{\"kind\":\"a\",\"free\":{\"a\":1,\"b\":2,\"a\":3}}", "/free/a", "is given more than once"},
    {"{\"kind\":\"a\",\"free\":{\"a\":[{\"b\":\"\\u0000\"}]}}", "/free/a/0/b",
     "must not contain U+0000"},
    {"{\"kind\":\"a\",\"place\":{}}", "/place/lat", "is required"},
    {"{\"kind\":\"a\",\"place\":{\"lat\":1,\"latitude\":1}}", "/place/latitude",
     "is given more than once, under its name or an alias"},
    {"{\"kind\":\"a\",\"place\":{\"lat\":1,\"lon\":1}}", "/place/lon", "is not a known member"},
};

static void test_what_does_not_fit_is_refused_with_pointer_and_reason(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(everything);
    for (size_t i = 0; i < MESH_COUNT_OF(refused); i++) {
        assert_refused(&fixture, refused[i][0], refused[i][1], refused[i][2]);
    }
    fixture_done(&fixture);
}

static void test_malformed_strings_do_not_reach_the_check(void **state)
{
    (void)state;
    static const char *const malformed[] = {"{\"a\":\"\\ud800\"}",
                                            "{\"a\":\"\\udc00\\ud800\"}",
                                            "{\"a\":\"\xED\xA0\x80\"}",
                                            "{\"a\":\"\xC0\x80\"}",
                                            "{\"a\":NaN}",
                                            "{\"a\":1,}",
                                            "{\"a\":\"\t\"}"};
    for (size_t i = 0; i < MESH_COUNT_OF(malformed); i++) {
        assert_null(yyjson_read_opts((char *)(uintptr_t)malformed[i], strlen(malformed[i]),
                                     MESH_EVENT_READ_FLAGS, NULL, NULL));
    }
}

static void test_reserved_names_are_refused_at_the_top_of_an_open_schema(void **state)
{
    (void)state;
    static const char *const names[] = {"id", "_id", "received_at", "kafka", "traceparent"};
    struct fixture fixture = fixture_of(FILE_OF("{\"type\":\"object\"}"));
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        char *json = mesh_format("{\"%s\":1}", names[i]);
        char *pointer = mesh_format("/%s", names[i]);
        char *inside = mesh_format("{\"a\":{\"%s\":1}}", names[i]);
        assert_refused(&fixture, json, pointer, "has a reserved name");
        assert_normalised(&fixture, inside, inside);
        free(json);
        free(pointer);
        free(inside);
    }
    fixture_done(&fixture);
}

static void test_all_problems_of_an_event_are_told_up_to_16(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(everything);
    assert_false(check(&fixture, "{\"more\":1,\"text\":\"\",\"list\":[\"a\",\"b\"]}"));
    static const char *const pointers[] = {"/more", "/text", "/list/0", "/list/1", "/kind"};
    assert_int_equal(fixture.problems.count, MESH_COUNT_OF(pointers));
    for (size_t i = 0; i < MESH_COUNT_OF(pointers); i++) {
        assert_string_equal(fixture.problems.at[i].pointer, pointers[i]);
    }
    struct mesh_buffer many = {0};
    for (int i = 0; i < 40; i++) {
        mesh_buffer_add_format(&many, "%s\"m%d\":1", i == 0 ? "{" : ",", i);
    }
    mesh_buffer_add_text(&many, "}");
    assert_false(check(&fixture, many.data));
    assert_int_equal(fixture.problems.count, MESH_PROBLEM_COUNT_MAX);
    mesh_buffer_done(&many);
    fixture_done(&fixture);
}

static void test_long_pointers_are_cut_after_a_whole_code_point(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(everything);
    struct mesh_buffer json = {0};
    mesh_buffer_add_text(&json, "{\"kind\":\"a\",\"free\":{\"");
    for (int i = 0; i < 100; i++) {
        mesh_buffer_add_text(&json, "é");
    }
    mesh_buffer_add_text(&json, "\":{\"$\":1}}}");
    assert_false(check(&fixture, json.data));
    const char *pointer = fixture.problems.at[0].pointer;
    assert_true(strlen(pointer) > 120);
    assert_true(strlen(pointer) < sizeof(fixture.problems.at[0].pointer));
    assert_true(mesh_bytes_is_utf8(mesh_bytes_of_text(pointer)));
    /* Nothing of what comes behind the cut, though there is room for its slash. */
    assert_string_equal(pointer + strlen(pointer) - strlen("é"), "é");
    mesh_buffer_done(&json);
    fixture_done(&fixture);
}

static void test_an_event_that_fits_is_normalised(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {" { \"kind\" : \"a\" } ", "{\"kind\":\"a\"}"},
        {"{\"tipo\":\"a\"}", "{\"kind\":\"a\"}"},
        {"{\"none\":null,\"flag\":true,\"art\":\"b\"}",
         "{\"none\":null,\"flag\":true,\"kind\":\"b\"}"},
        {"{\"kind\":\"a\",\"text\":\"\\u00e9\\ud83d\\ude00\"}",
         "{\"kind\":\"a\",\"text\":\"é😀\"}"},
        {"{\"kind\":\"a\",\"text\":\"\\\"\\\\\\/\"}", "{\"kind\":\"a\",\"text\":\"\\\"\\\\/\"}"},
        {"{\"kind\":\"a\",\"text\":\"\\u001f\\n\\u007f\"}",
         "{\"kind\":\"a\",\"text\":\"\\u001f\\n\x7F\"}"},
        {"{\"kind\":\"a\",\"when\":\"2016-03-09T23:59:60.5+02:00\"}",
         "{\"kind\":\"a\",\"when\":\"2016-03-09T23:59:60.5+02:00\"}"},
        {"{\"kind\":\"a\",\"whole\":9007199254740993}",
         "{\"kind\":\"a\",\"whole\":9007199254740993}"},
        {"{\"kind\":\"a\",\"whole\":-5}", "{\"kind\":\"a\",\"whole\":-5}"},
        {"{\"kind\":\"a\",\"whole\":1.0}", "{\"kind\":\"a\",\"whole\":1.0}"},
        {"{\"kind\":\"a\",\"whole\":0}", "{\"kind\":\"a\",\"whole\":0}"},
        {"{\"kind\":\"a\",\"ratio\":0.1}", "{\"kind\":\"a\",\"ratio\":0.1}"},
        {"{\"kind\":\"a\",\"ratio\":5E-1}", "{\"kind\":\"a\",\"ratio\":0.5}"},
        {"{\"kind\":\"a\",\"one\":1.0,\"mixed\":1.5}",
         "{\"kind\":\"a\",\"one\":1.0,\"mixed\":1.5}"},
        {"{\"kind\":\"a\",\"mixed\":\"x\"}", "{\"kind\":\"a\",\"mixed\":\"x\"}"},
        {"{\"kind\":\"a\",\"list\":[ ]}", "{\"kind\":\"a\",\"list\":[]}"},
        {"{\"kind\":\"a\",\"list\":[1, 2]}", "{\"kind\":\"a\",\"list\":[1,2]}"},
        {"{\"kind\":\"a\",\"land\":\"alemania\"}", "{\"kind\":\"a\",\"land\":\"Germany\"}"},
        {"{\"kind\":\"a\",\"land\":\" Mordor \"}", "{\"kind\":\"a\",\"land\":\" Mordor \"}"},
        {"{\"kind\":\"a\",\"free\":{ \"b\":[{},[],\"\\t\",-1e-7],\"c\":{\"id\":false}}}",
         "{\"kind\":\"a\",\"free\":{\"b\":[{},[],\"\\t\",-1e-7],\"c\":{\"id\":false}}}"},
        {"{\"kind\":\"a\",\"free\":{\"b\":9223372036854775807,\"c\":-9223372036854775808}}",
         "{\"kind\":\"a\",\"free\":{\"b\":9223372036854775807,\"c\":-9223372036854775808}}"},
        {"{\"kind\":\"a\",\"place\":{\"latitude\":1}}", "{\"kind\":\"a\",\"place\":{\"lat\":1}}"},
    };
    struct fixture fixture = fixture_of(everything);
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        assert_normalised(&fixture, table[i][0], table[i][1]);
    }
    fixture_done(&fixture);
}

static void test_what_is_in_the_buffer_stays_there(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(everything);
    mesh_buffer_add_text(&fixture.out, "before");
    assert_false(check(&fixture, "{\"kind\":\"a\",\"text\":\"way too long\"}"));
    assert_string_equal(fixture.out.data, "before");
    assert_int_equal(fixture.out.size, 6);
    assert_true(check(&fixture, "{\"kind\":\"a\"}"));
    assert_string_equal(fixture.out.data, "before{\"kind\":\"a\"}");
    fixture_done(&fixture);
}

static void test_every_byte_is_escaped_or_kept(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(FILE_OF("{\"type\":\"object\"}"));
    /* At every place of a text, since eight bytes at a time are looked at. */
    for (size_t place = 0; place < 19; place++) {
        for (unsigned byte = 1; byte < 0x80; byte++) {
            char text[20] = "abcdefghijklmnopqrs";
            struct mesh_buffer json = {0};
            text[place] = (char)byte;
            mesh_buffer_add_text(&json, "{\"a\":");
            mesh_buffer_add_json(&json, mesh_bytes_of(text, 19));
            mesh_buffer_add_text(&json, "}");
            assert_normalised(&fixture, json.data, json.data);
            mesh_buffer_done(&json);
        }
    }
    fixture_done(&fixture);
}

/* ---- limits ---- */

/* {"a":"xxx…"} of so many bytes. */
static char *event_of_size(size_t size)
{
    struct mesh_buffer json = {0};
    mesh_buffer_add_text(&json, "{\"a\":\"");
    while (json.size < size - 2) {
        mesh_buffer_add_text(&json, "x");
    }
    mesh_buffer_add_text(&json, "\"}");
    return json.data;
}

static void test_an_event_has_at_most_16384_bytes(void **state)
{
    (void)state;
    const char *reason = "must have at most 16384 bytes as JSON without white space";
    struct fixture fixture = fixture_of(FILE_OF("{\"type\":\"object\"}"));
    char *most = event_of_size(MESH_EVENT_BYTES_MAX);
    char *more = event_of_size(MESH_EVENT_BYTES_MAX + 1);
    char *huge = event_of_size(1000000);
    assert_normalised(&fixture, most, most);
    assert_refused(&fixture, more, "", reason);
    assert_refused(&fixture, huge, "", reason);
    struct mesh_buffer items = {0};
    mesh_buffer_add_text(&items, "{\"a\":[0");
    for (int i = 0; i < 100000; i++) {
        mesh_buffer_add_text(&items, ",0");
    }
    mesh_buffer_add_text(&items, "]}");
    assert_refused(&fixture, items.data, "", reason);
    mesh_buffer_done(&items);
    free(most);
    free(more);
    free(huge);
    fixture_done(&fixture);
}

static char *nested_event(size_t depth)
{
    struct mesh_buffer json = {0};
    mesh_buffer_add_text(&json, "{\"a\":");
    for (size_t i = 1; i < depth; i++) {
        mesh_buffer_add_text(&json, "[");
    }
    mesh_buffer_add_text(&json, "1");
    for (size_t i = 1; i < depth; i++) {
        mesh_buffer_add_text(&json, "]");
    }
    mesh_buffer_add_text(&json, "}");
    return json.data;
}

static void test_an_event_has_at_most_8_levels(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(FILE_OF("{\"type\":\"object\"}"));
    char *deepest = nested_event(8);
    char *too_deep = nested_event(9);
    char *absurd = nested_event(100000);
    assert_normalised(&fixture, deepest, deepest);
    assert_refused(&fixture, too_deep, "/a/0/0/0/0/0/0/0",
                   "must not be nested deeper than 8 levels");
    assert_refused(&fixture, absurd, "/a/0/0/0/0/0/0/0", "must not be nested deeper than 8 levels");
    free(deepest);
    free(too_deep);
    free(absurd);
    fixture_done(&fixture);
}

static void test_an_object_has_at_most_256_members(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(FILE_OF("{\"type\":\"object\"}"));
    struct mesh_buffer json = {0};
    for (int i = 0; i < MESH_EVENT_MEMBERS_MAX; i++) {
        mesh_buffer_add_format(&json, "%s\"m%d\":1", i == 0 ? "{" : ",", i);
    }
    mesh_buffer_add_text(&json, "}");
    assert_normalised(&fixture, json.data, json.data);
    json.size--;
    mesh_buffer_add_text(&json, ",\"x\":1}");
    assert_refused(&fixture, json.data, "", "must have at most 256 members");
    mesh_buffer_done(&json);
    fixture_done(&fixture);
}

/* ---- groups ---- */

static void test_the_group_is_the_value_to_count_by(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(everything);
    assert_true(check(&fixture, "{\"kind\":\"b\"}"));
    assert_int_equal(fixture.group, 0);
    assert_true(check(&fixture, "{\"tipo\":\"a\"}"));
    assert_int_equal(fixture.group, 1);
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("a")), 1);
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("A")), 2);
    assert_int_equal(mesh_stream_group(fixture.stream, (struct mesh_bytes){0}), 2);
    fixture_done(&fixture);

    fixture = fixture_of(FILE_OF("{\"type\":\"object\"}"));
    assert_true(check(&fixture, "{}"));
    assert_int_equal(fixture.group, 0);
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("a")), 0);
    fixture_done(&fixture);
}

static void test_a_missing_optional_value_counts_as_unknown(void **state)
{
    (void)state;
    struct fixture fixture = fixture_of(
        "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","
        "\"count_by\":\"land\",\"schema\":{\"type\":\"object\",\"properties\":{\"land\":{\"type\":"
        "\"string\",\"x-normalise\":\"country\"},\"other\":{\"type\":\"string\",\"x-normalise\":"
        "\"country\"}}}}");
    assert_true(check(&fixture, "{\"other\":\"US\"}"));
    assert_string_equal(fixture.stream->group_names[fixture.group], "Unknown");
    assert_true(check(&fixture, "{\"land\":\"Mordor\",\"other\":\"US\"}"));
    assert_string_equal(fixture.stream->group_names[fixture.group], "Unknown");
    assert_true(check(&fixture, "{\"land\":\"GT\",\"other\":\"US\"}"));
    assert_string_equal(fixture.stream->group_names[fixture.group], "Guatemala");
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("guatemala")),
                     fixture.group);
    fixture_done(&fixture);
}

static void test_tweets_are_taken_as_streams_tweets_json_says(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct mesh_streams *streams = mesh_streams_load("streams", &err);
    assert_non_null(streams);
    struct fixture fixture = {.group = 77};
    fixture.stream = (struct mesh_stream *)(uintptr_t)mesh_streams_by_path(streams, "/input");
    assert_refused(&fixture, "{\"text\":\"a\"}", "/country", "is required");
    assert_refused(&fixture, "{\"text\":\"\",\"country\":\"US\"}", "/text",
                   "must have at least 1 character");
    assert_refused(&fixture, "{\"text\":\"a\",\"country\":\"US\",\"created_at\":\"2016-03-09\"}",
                   "/created_at", "must be an RFC 3339 date-time");
    assert_normalised(&fixture, "{\"texto\":\"hola\",\"pais\":\"guatemala\"}",
                      "{\"text\":\"hola\",\"country\":\"Guatemala\"}");
    /* Every short name comes out as it is, and counts for its country. */
    for (size_t i = 0; i < mesh_country_unknown(); i++) {
        char *json = mesh_format("{\"country\":\"%s\",\"text\":\"a\"}", mesh_country_name(i));
        assert_normalised(&fixture, json, json);
        assert_true(check(&fixture, json));
        assert_int_equal(fixture.group, i);
        fixture.group = 77;
        mesh_buffer_reset(&fixture.out);
        free(json);
    }
    mesh_buffer_done(&fixture.out);
    mesh_streams_free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_does_not_fit_is_refused_with_pointer_and_reason),
        cmocka_unit_test(test_malformed_strings_do_not_reach_the_check),
        cmocka_unit_test(test_reserved_names_are_refused_at_the_top_of_an_open_schema),
        cmocka_unit_test(test_all_problems_of_an_event_are_told_up_to_16),
        cmocka_unit_test(test_long_pointers_are_cut_after_a_whole_code_point),
        cmocka_unit_test(test_an_event_that_fits_is_normalised),
        cmocka_unit_test(test_what_is_in_the_buffer_stays_there),
        cmocka_unit_test(test_every_byte_is_escaped_or_kept),
        cmocka_unit_test(test_an_event_has_at_most_16384_bytes),
        cmocka_unit_test(test_an_event_has_at_most_8_levels),
        cmocka_unit_test(test_an_object_has_at_most_256_members),
        cmocka_unit_test(test_the_group_is_the_value_to_count_by),
        cmocka_unit_test(test_a_missing_optional_value_counts_as_unknown),
        cmocka_unit_test(test_tweets_are_taken_as_streams_tweets_json_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
