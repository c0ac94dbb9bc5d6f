/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an event that fits its schema is written normalised, a second check changes nothing, and it
 * counts for the group that its stream names.
 * Method: tables of JSON against a schema with every keyword and against streams/tweets.json; every
 * event that is taken is checked a second time and compared value by value.
 */
#include "cmocka_all.h"
#include "event_fixture.h"
#include "mesh/alloc.h"
#include "mesh/country.h"
#include "mesh/macros.h"

#include <stdlib.h>

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
        {"{\"kind\":\"a\",\"text\":\"\\u0061\\/b\"}", "{\"kind\":\"a\",\"text\":\"a/b\"}"},
        {"{\"k\\u0069nd\":\"\\u0061\"}", "{\"kind\":\"a\"}"},
        {"{\"kind\":\"a\",\"land\":\"alema\\u006eia\"}", "{\"kind\":\"a\",\"land\":\"Germany\"}"},
        {"{\"kind\":\"a\",\"free\":{\"\\u0062\\n\":1,\"c\\\\\":\"\\u00e9\"}}",
         "{\"kind\":\"a\",\"free\":{\"b\\n\":1,\"c\\\\\":\"é\"}}"},
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
    struct event_fixture fixture = event_fixture_of(event_fixture_everything);
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        assert_event_normalised(&fixture, table[i][0], table[i][1]);
    }
    event_fixture_done(&fixture);
}

static void test_what_is_in_the_buffer_stays_there(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(event_fixture_everything);
    mesh_buffer_add_text(&fixture.out, "before");
    assert_false(event_fixture_check(&fixture, "{\"kind\":\"a\",\"text\":\"way too long\"}"));
    assert_string_equal(fixture.out.data, "before");
    assert_int_equal(fixture.out.size, 6);
    assert_true(event_fixture_check(&fixture, "{\"kind\":\"a\"}"));
    assert_string_equal(fixture.out.data, "before{\"kind\":\"a\"}");
    event_fixture_done(&fixture);
}

static void test_every_byte_is_escaped_or_kept(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(EVENT_FIXTURE_FILE("{\"type\":\"object\"}"));
    /* At every place of a text, since eight bytes at a time are looked at. */
    for (size_t place = 0; place < 19; place++) {
        for (unsigned byte = 1; byte < 0x80; byte++) {
            char text[20] = "abcdefghijklmnopqrs";
            struct mesh_buffer json = {0};
            text[place] = (char)byte;
            mesh_buffer_add_text(&json, "{\"a\":");
            mesh_buffer_add_json(&json, mesh_bytes_of(text, 19));
            mesh_buffer_add_text(&json, "}");
            assert_event_normalised(&fixture, json.data, json.data);
            mesh_buffer_done(&json);
        }
    }
    event_fixture_done(&fixture);
}

static void test_the_group_is_the_value_to_count_by(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(event_fixture_everything);
    assert_true(event_fixture_check(&fixture, "{\"kind\":\"b\"}"));
    assert_int_equal(fixture.group, 0);
    assert_true(event_fixture_check(&fixture, "{\"tipo\":\"a\"}"));
    assert_int_equal(fixture.group, 1);
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("a")), 1);
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("A")), 2);
    assert_int_equal(mesh_stream_group(fixture.stream, (struct mesh_bytes){0}), 2);
    event_fixture_done(&fixture);

    fixture = event_fixture_of(EVENT_FIXTURE_FILE("{\"type\":\"object\"}"));
    assert_true(event_fixture_check(&fixture, "{}"));
    assert_int_equal(fixture.group, 0);
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("a")), 0);
    event_fixture_done(&fixture);
}

static void test_a_missing_optional_value_counts_as_unknown(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(
        "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","
        "\"count_by\":\"land\",\"schema\":{\"type\":\"object\",\"properties\":{\"land\":{\"type\":"
        "\"string\",\"x-normalise\":\"country\"},\"other\":{\"type\":\"string\",\"x-normalise\":"
        "\"country\"}}}}");
    assert_true(event_fixture_check(&fixture, "{\"other\":\"US\"}"));
    assert_string_equal(fixture.stream->group_names[fixture.group], "Unknown");
    assert_true(event_fixture_check(&fixture, "{\"land\":\"Mordor\",\"other\":\"US\"}"));
    assert_string_equal(fixture.stream->group_names[fixture.group], "Unknown");
    assert_true(event_fixture_check(&fixture, "{\"land\":\"GT\",\"other\":\"US\"}"));
    assert_string_equal(fixture.stream->group_names[fixture.group], "Guatemala");
    assert_int_equal(mesh_stream_group(fixture.stream, mesh_bytes_of_text("guatemala")),
                     fixture.group);
    event_fixture_done(&fixture);
}

static void test_tweets_are_taken_as_streams_tweets_json_says(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct mesh_streams *streams = mesh_streams_load("streams", &err);
    assert_non_null(streams);
    struct event_fixture fixture = {.group = EVENT_FIXTURE_GROUP};
    fixture.stream = (struct mesh_stream *)(uintptr_t)mesh_streams_by_path(streams, "/input");
    assert_event_refused(&fixture, "{\"text\":\"a\"}", "/country", "is required");
    assert_event_refused(&fixture, "{\"text\":\"\",\"country\":\"US\"}", "/text",
                         "must have at least 1 character");
    assert_event_refused(&fixture,
                         "{\"text\":\"a\",\"country\":\"US\",\"created_at\":\"2016-03-09\"}",
                         "/created_at", "must be an RFC 3339 date-time");
    assert_event_normalised(&fixture, "{\"texto\":\"hola\",\"pais\":\"guatemala\"}",
                            "{\"text\":\"hola\",\"country\":\"Guatemala\"}");
    /* Every short name comes out as it is, and counts for its country. */
    for (size_t i = 0; i < mesh_country_unknown(); i++) {
        char *json = mesh_format("{\"country\":\"%s\",\"text\":\"a\"}", mesh_country_name(i));
        assert_event_normalised(&fixture, json, json);
        assert_true(event_fixture_check(&fixture, json));
        assert_int_equal(fixture.group, i);
        fixture.group = EVENT_FIXTURE_GROUP;
        mesh_buffer_reset(&fixture.out);
        free(json);
    }
    mesh_buffer_done(&fixture.out);
    mesh_streams_free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_that_fits_is_normalised),
        cmocka_unit_test(test_what_is_in_the_buffer_stays_there),
        cmocka_unit_test(test_every_byte_is_escaped_or_kept),
        cmocka_unit_test(test_the_group_is_the_value_to_count_by),
        cmocka_unit_test(test_a_missing_optional_value_counts_as_unknown),
        cmocka_unit_test(test_tweets_are_taken_as_streams_tweets_json_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
