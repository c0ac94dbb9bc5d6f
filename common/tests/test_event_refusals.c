/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an event that does not fit its schema, or is larger, deeper or wider than any event may be,
 * is refused with a JSON pointer and a reason for each thing wrong.
 * Method: a table of JSON against a schema with every keyword; sizes, levels and members at the
 * limit, just beyond it and far beyond it.
 */
#include "cmocka_all.h"
#include "event_fixture.h"
#include "mesh/alloc.h"
#include "mesh/macros.h"

#include <stdlib.h>
#include <string.h>

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
    struct event_fixture fixture = event_fixture_of(event_fixture_everything);
    for (size_t i = 0; i < MESH_COUNT_OF(refused); i++) {
        assert_event_refused(&fixture, refused[i][0], refused[i][1], refused[i][2]);
    }
    event_fixture_done(&fixture);
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
    struct event_fixture fixture = event_fixture_of(EVENT_FIXTURE_FILE("{\"type\":\"object\"}"));
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        char *json = mesh_format("{\"%s\":1}", names[i]);
        char *pointer = mesh_format("/%s", names[i]);
        char *inside = mesh_format("{\"a\":{\"%s\":1}}", names[i]);
        assert_event_refused(&fixture, json, pointer, "has a reserved name");
        assert_event_normalised(&fixture, inside, inside);
        free(json);
        free(pointer);
        free(inside);
    }
    event_fixture_done(&fixture);
}

static void test_all_problems_of_an_event_are_told_up_to_16(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(event_fixture_everything);
    assert_false(
        event_fixture_check(&fixture, "{\"more\":1,\"text\":\"\",\"list\":[\"a\",\"b\"]}"));
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
    assert_false(event_fixture_check(&fixture, many.data));
    assert_int_equal(fixture.problems.count, MESH_PROBLEM_COUNT_MAX);
    mesh_buffer_done(&many);
    event_fixture_done(&fixture);
}

static void test_long_pointers_are_cut_after_a_whole_code_point(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(event_fixture_everything);
    struct mesh_buffer json = {0};
    mesh_buffer_add_text(&json, "{\"kind\":\"a\",\"free\":{\"");
    for (int i = 0; i < 100; i++) {
        mesh_buffer_add_text(&json, "é");
    }
    mesh_buffer_add_text(&json, "\":{\"$\":1}}}");
    assert_false(event_fixture_check(&fixture, json.data));
    const char *pointer = fixture.problems.at[0].pointer;
    assert_true(strlen(pointer) > 120);
    assert_true(strlen(pointer) < sizeof(fixture.problems.at[0].pointer));
    assert_true(mesh_bytes_is_utf8(mesh_bytes_of_text(pointer)));
    /* Nothing of what comes behind the cut, though there is room for its slash. */
    assert_string_equal(pointer + strlen(pointer) - strlen("é"), "é");
    mesh_buffer_done(&json);
    event_fixture_done(&fixture);
}

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
    struct event_fixture fixture = event_fixture_of(EVENT_FIXTURE_FILE("{\"type\":\"object\"}"));
    char *most = event_of_size(MESH_EVENT_BYTES_MAX);
    char *more = event_of_size(MESH_EVENT_BYTES_MAX + 1);
    char *huge = event_of_size(1000000);
    assert_event_normalised(&fixture, most, most);
    assert_event_refused(&fixture, more, "", reason);
    assert_event_refused(&fixture, huge, "", reason);
    struct mesh_buffer items = {0};
    mesh_buffer_add_text(&items, "{\"a\":[0");
    for (int i = 0; i < 100000; i++) {
        mesh_buffer_add_text(&items, ",0");
    }
    mesh_buffer_add_text(&items, "]}");
    assert_event_refused(&fixture, items.data, "", reason);
    mesh_buffer_done(&items);
    free(most);
    free(more);
    free(huge);
    event_fixture_done(&fixture);
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
    struct event_fixture fixture = event_fixture_of(EVENT_FIXTURE_FILE("{\"type\":\"object\"}"));
    char *deepest = nested_event(8);
    char *too_deep = nested_event(9);
    char *absurd = nested_event(100000);
    assert_event_normalised(&fixture, deepest, deepest);
    assert_event_refused(&fixture, too_deep, "/a/0/0/0/0/0/0/0",
                         "must not be nested deeper than 8 levels");
    assert_event_refused(&fixture, absurd, "/a/0/0/0/0/0/0/0",
                         "must not be nested deeper than 8 levels");
    free(deepest);
    free(too_deep);
    free(absurd);
    event_fixture_done(&fixture);
}

static void test_an_object_has_at_most_256_members(void **state)
{
    (void)state;
    struct event_fixture fixture = event_fixture_of(EVENT_FIXTURE_FILE("{\"type\":\"object\"}"));
    struct mesh_buffer json = {0};
    for (int i = 0; i < MESH_EVENT_MEMBERS_MAX; i++) {
        mesh_buffer_add_format(&json, "%s\"m%d\":1", i == 0 ? "{" : ",", i);
    }
    mesh_buffer_add_text(&json, "}");
    assert_event_normalised(&fixture, json.data, json.data);
    json.size--;
    mesh_buffer_add_text(&json, ",\"x\":1}");
    assert_event_refused(&fixture, json.data, "", "must have at most 256 members");
    mesh_buffer_done(&json);
    event_fixture_done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_does_not_fit_is_refused_with_pointer_and_reason),
        cmocka_unit_test(test_malformed_strings_do_not_reach_the_check),
        cmocka_unit_test(test_reserved_names_are_refused_at_the_top_of_an_open_schema),
        cmocka_unit_test(test_all_problems_of_an_event_are_told_up_to_16),
        cmocka_unit_test(test_long_pointers_are_cut_after_a_whole_code_point),
        cmocka_unit_test(test_an_event_has_at_most_16384_bytes),
        cmocka_unit_test(test_an_event_has_at_most_8_levels),
        cmocka_unit_test(test_an_object_has_at_most_256_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
