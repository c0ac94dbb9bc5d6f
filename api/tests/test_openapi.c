/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the document is JSON, names every stream, and says of aliases what is enforced.
 * Method: streams of the project; whether bodies are judged alike is for the contract tests.
 */
#include "cmocka_all.h"
#include "openapi.h"
#include "openapi_schema.h"
#include "support.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

static void expect_schema(const char *from, const char *to)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(doc, openapi_schema(doc, mesh_bytes_of_text(from)));
    char *text = yyjson_mut_write(doc, 0, NULL);
    assert_string_equal(text, to);
    free(text);
    yyjson_mut_doc_free(doc);
}

/* Strings with U+0000 are refused in every stream. */
#define NO_NUL "\"pattern\":\"^[^\\\\u0000]*$\""

static void test_aliases_become_properties_that_exclude_each_other(void **state)
{
    (void)state;
    expect_schema(
        "{\"type\":\"object\",\"required\":[\"a\",\"c\"],\"properties\":{"
        "\"a\":{\"type\":\"string\",\"x-aliases\":[\"b\"]},\"c\":{\"type\":\"integer\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"," NO_NUL "},"
        "\"b\":{\"type\":\"string\"," NO_NUL ",\"x-alias-of\":\"a\"},\"c\":{\"type\":\"integer\"}},"
        "\"required\":[\"c\"],"
        "\"allOf\":[{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}]}");
    expect_schema("{\"type\":\"object\",\"properties\":{\"a\":{\"x-aliases\":[\"b\"]}}}",
                  "{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{\"x-alias-of\":\"a\"}},"
                  "\"allOf\":[{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]},"
                  "{\"not\":{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}}]}]}");
}

static void test_nested_schemas_are_converted(void **state)
{
    (void)state;
    expect_schema("{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
                  "\"a\":{\"type\":\"string\",\"enum\":[\"x\"],\"x-aliases\":[\"b\"]}}}}",
                  "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
                  "\"a\":{\"type\":\"string\",\"enum\":[\"x\"]},"
                  "\"b\":{\"type\":\"string\",\"enum\":[\"x\"],\"x-alias-of\":\"a\"}},"
                  "\"allOf\":[{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]},"
                  "{\"not\":{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}}]}]}}");
}

static void test_the_document_names_every_stream(void **state)
{
    (void)state;
    struct mesh_streams *streams = support_streams();
    struct mesh_buffer text = {0};
    openapi_write(streams, &text);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "openapi")), "3.1.0");
    for (size_t i = 0; i < mesh_streams_count(streams); i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        yyjson_val *path = yyjson_obj_get(yyjson_obj_get(root, "paths"), stream->path);
        yyjson_val *post = yyjson_obj_get(path, "post");
        assert_non_null(yyjson_obj_get(post, "operationId"));
        static const char *statuses[] = {"202", "207", "400", "404", "405", "408", "413",
                                         "414", "415", "422", "431", "503", "504"};
        for (size_t k = 0; k < MESH_COUNT_OF(statuses); k++) {
            assert_non_null(yyjson_obj_get(yyjson_obj_get(post, "responses"), statuses[k]));
        }
        struct mesh_buffer pointer = {0};
        mesh_buffer_add_format(&pointer, "/components/schemas/Event-%s/properties", stream->name);
        assert_non_null(yyjson_ptr_get(root, pointer.data));
        mesh_buffer_done(&pointer);
    }
    yyjson_doc_free(doc);
    mesh_buffer_done(&text);
    mesh_streams_free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aliases_become_properties_that_exclude_each_other),
        cmocka_unit_test(test_nested_schemas_are_converted),
        cmocka_unit_test(test_the_document_names_every_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
