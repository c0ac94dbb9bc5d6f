/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a stream file that is right is taken as written, and one that is wrong is refused with JSON
 * pointer and reason.
 * Method: one good file, and for every rule a change to it and the error that must come.
 */
#include "../src/stream_file.h"
#include "cmocka_all.h"
#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

#define HEAD                                                                                       \
    "{\"stream\":\"s\",\"title\":\"T\",\"path\":\"/p\",\"topic\":\"t\",\"collection\":\"c\","
#define SCHEMA(inner) HEAD "\"schema\":{\"type\":\"object\"," inner "}}"
#define PROPERTY(inner) SCHEMA("\"properties\":{\"a\":{" inner "}}")

static void assert_refused(const char *json, const char *message)
{
    struct mesh_arena *arena = mesh_arena_new(4096);
    struct mesh_error err = {0};

    if (mesh_stream_parse(mesh_bytes_of_text(json), arena, &err) != NULL) {
        fail_msg("was taken: %s", json);
    }
    if (strncmp(err.text, message, strlen(message)) != 0) {
        fail_msg("\"%s\" instead of \"%s\" for %s", err.text, message, json);
    }
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    mesh_arena_free(arena);
}

static void assert_taken(const char *json)
{
    struct mesh_arena *arena = mesh_arena_new(4096);
    struct mesh_error err = {0};

    if (mesh_stream_parse(mesh_bytes_of_text(json), arena, &err) == NULL) {
        fail_msg("\"%s\" for %s", err.text, json);
    }
    mesh_arena_free(arena);
}

static void test_what_is_no_stream_object_is_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", "is not JSON"},
        {"{", "is not JSON"},
        {"{\"stream\":\"s\",}", "is not JSON"},
        {"{\"stream\":\"\xFF\"}", "is not JSON"},
        {"[]", "the file: must be a JSON object"},
        {"null", "the file: must be a JSON object"},
        {"{}", "/stream: is required"},
        {"{\"a/b~\":1}", "/a~1b~0: is not a known member"},
        {"{\"stream\":\"s\",\"stream\":\"s\"}", "/stream: is there twice"},
        {"{\"stream\":\"s\\u0000\"}", "/stream: must not contain U+0000"},
        {"{\"a\\u0000\":1}", "/a\xEF\xBF\xBD: must not contain U+0000"},
        {"{\"schema\":{\"maximum\":18446744073709551616}}",
         "/schema/maximum: is a number that 64 bits cannot hold"},
        {HEAD "\"count_by\":\"a\"}", "/schema: is required"},
        {HEAD "\"schema\":[]}", "/schema: must be an object"},
        {HEAD "\"schema\":{}}", "/schema: must have \"type\": \"object\""},
        {HEAD "\"schema\":{\"type\":\"string\"}}", "/schema: must have \"type\": \"object\""},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        assert_refused(table[i][0], table[i][1]);
    }
}

/* A file whose members are good but for one, whose JSON is given. */
static char *file_with(const char *member, const char *json)
{
    static const char *const good[][2] = {
        {"stream", "\"s\""}, {"title", "\"T\""},      {"path", "\"/p\""},
        {"topic", "\"t\""},  {"collection", "\"c\""}, {"schema", "{\"type\":\"object\"}"},
    };
    struct mesh_buffer text = {0};
    for (size_t i = 0; i < MESH_COUNT_OF(good); i++) {
        mesh_buffer_add_format(&text, "%s\"%s\":%s", i == 0 ? "{" : ",", good[i][0],
                               strcmp(good[i][0], member) == 0 ? json : good[i][1]);
    }
    mesh_buffer_add_text(&text, "}");
    return text.data;
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"stream", "1"},
        {"stream", "\"\""},
        {"stream", "\"Tweets\""},
        {"stream", "\"1a\""},
        {"stream", "\"-a\""},
        {"stream", "\"a_b\""},
        {"stream", "\"a b\""},
        {"stream", "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl\""},
        {"title", "\"\""},
        {"title", "\"a\\nb\""},
        {"title", "null"},
        {"path", "\"\""},
        {"path", "\"/\""},
        {"path", "\"input\""},
        {"path", "\"/input/\""},
        {"path", "\"/in//put\""},
        {"path", "\"/in/../put\""},
        {"path", "\"/./put\""},
        {"path", "\"/.well-known\""},
        {"path", "\"/in put\""},
        {"path", "\"/in?put\""},
        {"path", "\"/%41\""},
        {"path", "\"/é\""},
        {"path", "\"/openapi.json\""},
        {"path", "\"/healthz\""},
        {"path", "\"/readyz\""},
        {"path", "\"/metrics\""},
        {"path", "\"/status\""},
        {"topic", "\"\""},
        {"topic", "\".\""},
        {"topic", "\"..\""},
        {"topic", "\"a b\""},
        {"topic", "\"a/b\""},
        {"collection", "\"\""},
        {"collection", "\"a$b\""},
        {"collection", "\"system.users\""},
        {"collection", "\".a\""},
        {"collection", "\"a\\tb\""},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        char *json = file_with(table[i][0], table[i][1]);
        char *message = mesh_format("/%s: must be ", table[i][0]);
        assert_refused(json, message);
        free(message);
        free(json);
    }
}

static void test_bad_schema_keywords_are_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {PROPERTY("\"type\":\"text\""), "/schema/properties/a/type: must be one of object"},
        {PROPERTY("\"type\":[\"string\",\"null\"]"), "/schema/properties/a/type: must be one of"},
        {PROPERTY("\"pattern\":\"x\""), "/schema/properties/a/pattern: is not a known keyword"},
        {PROPERTY("\"$ref\":\"#\""), "/schema/properties/a/$ref: is not a known keyword"},
        {SCHEMA("\"x-aliases\":[\"b\"]"), "/schema/x-aliases: is not a known keyword"},
        {PROPERTY("\"type\":\"array\",\"items\":{\"x-aliases\":[\"b\"]}"),
         "/schema/properties/a/items/x-aliases: is not a known keyword"},
        {PROPERTY("\"type\":\"integer\",\"minLength\":1"),
         "/schema/properties/a/minLength: does not apply to type integer"},
        {PROPERTY("\"minLength\":1"), "/schema/properties/a/minLength: needs a type beside it"},
        {PROPERTY("\"type\":\"string\",\"minimum\":1"),
         "/schema/properties/a/minimum: does not apply to type string"},
        {SCHEMA("\"enum\":[1]"), "/schema/enum: does not apply to type object"},
        {SCHEMA("\"additionalProperties\":{}"),
         "/schema/additionalProperties: must be true or false"},
        {SCHEMA("\"properties\":[]"), "/schema/properties: must be an object of at most 64"},
        {SCHEMA("\"properties\":{\"a\":true}"), "/schema/properties/a: must be an object"},
        {SCHEMA("\"required\":\"a\""), "/schema/required: must be an array of names"},
        {SCHEMA("\"required\":[\"a\"]"), "/schema/required/0: must name one of the properties"},
        {SCHEMA("\"properties\":{\"a\":{}},\"required\":[\"a\",\"a\"]"),
         "/schema/required/1: is there twice"},
        {PROPERTY("\"enum\":[]"), "/schema/properties/a/enum: must be an array of 1 to 1024"},
        {PROPERTY("\"enum\":\"x\""), "/schema/properties/a/enum: must be an array of 1 to 1024"},
        {PROPERTY("\"enum\":[[1]]"), "/schema/properties/a/enum/0: must be a string, number"},
        {PROPERTY("\"enum\":[1,\"a\",1.0]"), "/schema/properties/a/enum/2: is there twice"},
        {PROPERTY("\"type\":\"string\",\"enum\":[\"a\",1]"),
         "/schema/properties/a/enum/1: is not of type string"},
        {PROPERTY("\"type\":\"integer\",\"enum\":[1.5]"),
         "/schema/properties/a/enum/0: is not of type integer"},
        {PROPERTY("\"const\":{}"), "/schema/properties/a/const: must be a string, number"},
        {PROPERTY("\"const\":1,\"enum\":[1]"), "/schema/properties/a/const: cannot go with enum"},
        {PROPERTY("\"type\":\"string\",\"minLength\":-1"),
         "/schema/properties/a/minLength: must be an integer from 0 to 16384"},
        {PROPERTY("\"type\":\"string\",\"maxLength\":1.5"),
         "/schema/properties/a/maxLength: must be an integer from 0 to 16384"},
        {PROPERTY("\"type\":\"string\",\"maxLength\":16385"),
         "/schema/properties/a/maxLength: must be an integer from 0 to 16384"},
        {PROPERTY("\"type\":\"string\",\"maxLength\":1,\"minLength\":2"),
         "/schema/properties/a/maxLength: is below minLength"},
        {PROPERTY("\"type\":\"array\",\"maxItems\":\"1\""),
         "/schema/properties/a/maxItems: must be an integer from 0 to 16384"},
        {PROPERTY("\"type\":\"array\",\"items\":[]"),
         "/schema/properties/a/items: must be an object"},
        {PROPERTY("\"type\":\"string\",\"format\":\"email\""),
         "/schema/properties/a/format: must be \"date-time\""},
        {PROPERTY("\"type\":\"string\",\"x-normalise\":\"city\""),
         "/schema/properties/a/x-normalise: must be \"country\""},
        {PROPERTY("\"type\":\"string\",\"x-normalise\":\"country\",\"enum\":[\"US\"]"),
         "/schema/properties/a/x-normalise: cannot go with enum, const or format"},
        {PROPERTY("\"type\":\"string\",\"x-normalise\":\"country\",\"maxLength\":2"),
         "/schema/properties/a/x-normalise: minLength and maxLength must let \"Afghanistan\""},
        {PROPERTY("\"type\":\"number\",\"minimum\":\"1\""),
         "/schema/properties/a/minimum: must be a number"},
        {PROPERTY("\"type\":\"number\",\"maximum\":1,\"minimum\":1.5"),
         "/schema/properties/a/maximum: is below minimum"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        assert_refused(table[i][0], table[i][1]);
    }
}

static void test_bad_property_names_and_aliases_are_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {SCHEMA("\"properties\":{\"\":{}}"), "/schema/properties/: a name must be 1 to 64"},
        {SCHEMA("\"properties\":{\"1a\":{}}"), "/schema/properties/1a: a name must be"},
        {SCHEMA("\"properties\":{\"a.b\":{}}"), "/schema/properties/a.b: a name must be"},
        {SCHEMA("\"properties\":{\"$a\":{}}"), "/schema/properties/$a: a name must be"},
        {SCHEMA("\"properties\":{\"é\":{}}"), "/schema/properties/é: a name must be"},
        {SCHEMA("\"properties\":{\"id\":{}}"), "/schema/properties/id: this name is reserved"},
        {SCHEMA("\"properties\":{\"_id\":{}}"), "/schema/properties/_id: this name is reserved"},
        {SCHEMA("\"properties\":{\"received_at\":{}}"), "/schema/properties/received_at: this"},
        {SCHEMA("\"properties\":{\"kafka\":{}}"), "/schema/properties/kafka: this name is"},
        {SCHEMA("\"properties\":{\"traceparent\":{}}"), "/schema/properties/traceparent: this"},
        {PROPERTY("\"x-aliases\":[\"id\"]"),
         "/schema/properties/a/x-aliases/0: this name is reserved"},
        {PROPERTY("\"x-aliases\":\"b\""), "/schema/properties/a/x-aliases: must be an array"},
        {PROPERTY("\"x-aliases\":[]"),
         "/schema/properties/a/x-aliases: must be an array of 1 to 8"},
        {PROPERTY("\"x-aliases\":[1]"), "/schema/properties/a/x-aliases/0: must be a string"},
        {PROPERTY("\"x-aliases\":[\"b c\"]"), "/schema/properties/a/x-aliases/0: a name must be"},
        {PROPERTY("\"x-aliases\":[\"a\"]"),
         "/schema/properties/a/x-aliases/0: another property has this name or alias"},
        {PROPERTY("\"x-aliases\":[\"b\",\"b\"]"),
         "/schema/properties/a/x-aliases/1: another property has this name or alias"},
        {SCHEMA("\"properties\":{\"a\":{\"x-aliases\":[\"b\"]},\"b\":{}}"),
         "/schema/properties/b: another property has this name or alias"},
        {SCHEMA("\"properties\":{\"a\":{\"x-aliases\":[\"c\"]},\"b\":{\"x-aliases\":[\"c\"]}}"),
         "/schema/properties/b/x-aliases/0: another property has this name or alias"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        assert_refused(table[i][0], table[i][1]);
    }
    /* Reserved at the top only. */
    assert_taken(PROPERTY("\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"}}"));
}

#define COUNTED(inner)                                                                             \
    HEAD "\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{" inner "}}},\"count_by\":\"a\"}"

static void test_unbounded_groups_are_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {HEAD "\"schema\":{\"type\":\"object\"},\"count_by\":\"a\"}",
         "/count_by: must name one of the schema's properties"},
        {HEAD "\"schema\":{\"type\":\"object\"},\"count_by\":1}",
         "/count_by: must name one of the schema's properties"},
        {HEAD "\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"x\"],"
              "\"x-aliases\":[\"b\"]}}},\"count_by\":\"b\"}",
         "/count_by: must name one of the schema's properties"},
        {COUNTED("\"type\":\"string\""), "/count_by: its property must have an enum of strings or"},
        {COUNTED("\"type\":\"boolean\""), "/count_by: its property must have an enum"},
        {COUNTED("\"enum\":[\"x\",1]"), "/count_by: the values to count by must be strings"},
        {COUNTED("\"enum\":[\"\"]"), "/count_by: the values to count by must be strings"},
        {COUNTED("\"enum\":[\"a\\nb\"]"), "/count_by: the values to count by must be strings"},
        {COUNTED("\"enum\":[\"Unknown\"]"), "/count_by: the values to count by must be strings"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        assert_refused(table[i][0], table[i][1]);
    }
}

static void test_counting_by_the_name_of_a_redis_key_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"state", "totals", "all"};
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        char *json = mesh_format(HEAD "\"count_by\":\"%s\",\"schema\":{\"type\":\"object\","
                                      "\"properties\":{\"%s\":{\"enum\":[\"x\"]}}}}",
                                 names[i], names[i]);
        assert_refused(json, "/count_by: must not be state, totals or all");
        free(json);
    }
}

static char *counted_by_enum_of(size_t count)
{
    struct mesh_buffer text = {0};
    mesh_buffer_add_text(&text, HEAD "\"count_by\":\"a\",\"schema\":{\"type\":\"object\","
                                     "\"properties\":{\"a\":{\"enum\":[");
    for (size_t i = 0; i < count; i++) {
        mesh_buffer_add_format(&text, "%s\"v%zu\"", i == 0 ? "" : ",", i);
    }
    mesh_buffer_add_text(&text, "]}}}}");
    return text.data;
}

static void test_at_most_254_groups_are_taken(void **state)
{
    (void)state;
    char *too_many = counted_by_enum_of(MESH_GROUP_COUNT_MAX);
    char *most = counted_by_enum_of(MESH_GROUP_COUNT_MAX - 1);
    assert_refused(too_many, "/count_by: has more than 253 values to count by");
    assert_taken(most);
    free(too_many);
    free(most);
}

/* A schema of `levels` objects, one in the other. */
static char *nested_file(size_t levels)
{
    struct mesh_buffer text = {0};
    mesh_buffer_add_text(&text, HEAD "\"schema\":");
    for (size_t i = 0; i < levels; i++) {
        mesh_buffer_add_text(&text, "{\"type\":\"object\",\"properties\":{\"a\":");
    }
    mesh_buffer_add_text(&text, "{\"type\":\"string\"}");
    for (size_t i = 0; i < levels; i++) {
        mesh_buffer_add_text(&text, "}}");
    }
    mesh_buffer_add_text(&text, "}");
    return text.data;
}

static void test_nesting_has_a_limit(void **state)
{
    (void)state;
    char *deepest = nested_file(8);
    char *too_deep = nested_file(9);
    char *absurd = nested_file(4000);
    assert_taken(deepest);
    assert_refused(too_deep, "/schema/properties/a/properties/a/properties/a/properties/a/"
                             "properties/a/properties/a/properties/a/properties/a: is nested "
                             "deeper than 8 levels");
    assert_refused(absurd, "/schema/properties/a");
    free(deepest);
    free(too_deep);
    free(absurd);
}

static void test_groups_are_in_the_order_of_the_enum_with_unknown_last(void **state)
{
    (void)state;
    struct mesh_arena *arena = mesh_arena_new(4096);
    struct mesh_error err = {0};
    struct mesh_stream *stream =
        mesh_stream_parse(mesh_bytes_of_text(COUNTED("\"enum\":[\"z\",\"b\"]")), arena, &err);
    assert_non_null(stream);
    assert_int_equal(stream->group_count, 3);
    assert_string_equal(stream->group_names[0], "z");
    assert_string_equal(stream->group_names[1], "b");
    assert_string_equal(stream->group_names[2], "Unknown");
    assert_string_equal(stream->count_by, "a");

    stream = mesh_stream_parse(mesh_bytes_of_text(SCHEMA("\"properties\":{}")), arena, &err);
    assert_non_null(stream);
    assert_null(stream->count_by);
    assert_int_equal(stream->group_count, 1);
    assert_string_equal(stream->group_names[0], "all");
    mesh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_stream_object_is_refused),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_bad_schema_keywords_are_refused),
        cmocka_unit_test(test_bad_property_names_and_aliases_are_refused),
        cmocka_unit_test(test_unbounded_groups_are_refused),
        cmocka_unit_test(test_counting_by_the_name_of_a_redis_key_is_refused),
        cmocka_unit_test(test_at_most_254_groups_are_taken),
        cmocka_unit_test(test_nesting_has_a_limit),
        cmocka_unit_test(test_groups_are_in_the_order_of_the_enum_with_unknown_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
