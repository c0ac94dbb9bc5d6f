/* SPDX-License-Identifier: Apache-2.0 */
#include "openapi.h"

#include "body.h"
#include "mesh/event.h"
#include "openapi_schema.h"
#include "problem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

/* The parts that are the same for all streams: components, and answers by reference. */
static const char components[] =
    "{\"schemas\":{"
    "\"Stored\":{\"type\":\"object\",\"required\":[\"id\",\"partition\",\"offset\"],\"properties\":"
    "{"
    "\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"
    "\"partition\":{\"type\":[\"integer\",\"null\"],\"minimum\":0},"
    "\"offset\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,"
    "\"description\":\"null: stored, but Kafka did not tell where\"}}},"
    "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],"
    "\"properties\":{"
    "\"type\":{\"type\":\"string\",\"format\":\"uri\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"pointer\",\"reason\"],\"properties\":{"
    "\"pointer\":{\"type\":\"string\",\"description\":\"RFC 6901; in a list it begins with the "
    "event's index\"},\"reason\":{\"type\":\"string\"}}}}}},"
    "\"NotStored\":{\"type\":\"object\",\"required\":[\"index\",\"problem\"],\"properties\":{"
    "\"index\":{\"type\":\"integer\",\"minimum\":0},"
    "\"problem\":{\"$ref\":\"#/components/schemas/Problem\"}}},"
    "\"Results\":{\"type\":\"object\",\"required\":[\"accepted\",\"rejected\",\"results\"],"
    "\"properties\":{\"accepted\":{\"type\":\"integer\",\"minimum\":0},"
    "\"rejected\":{\"type\":\"integer\",\"minimum\":0},"
    "\"results\":{\"type\":\"array\",\"description\":\"in the order of the request\",\"items\":{"
    "\"anyOf\":[{\"$ref\":\"#/components/schemas/Stored\"},"
    "{\"$ref\":\"#/components/schemas/NotStored\"}]}}}}},"
    "\"parameters\":{"
    "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"required\":false,"
    "\"description\":\"A request sent again with the same key is the same events.\","
    "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,"
    "\"pattern\":\"^[!-~]{1,255}$\"}},"
    "\"Traceparent\":{\"name\":\"traceparent\",\"in\":\"header\",\"required\":false,"
    "\"description\":\"W3C Trace Context; anything else is ignored.\","
    "\"schema\":{\"type\":\"string\"}}}}";

static const struct {
    const char *status;
    const char *description;
} refusals[] = {
    {"400", "Not JSON, not UTF-8, broken gzip, empty, or an unusable Idempotency-Key."},
    {"404", "Nothing is at this path."},
    {"405", "The path does not take this method."},
    {"408", "The request took too long to arrive."},
    {"413",
     "The body is larger than 1 MiB, also after gzip is undone, or holds over 1,000 events."},
    {"414", "The path is too long."},
    {"415", "Content-Type or Content-Encoding is not supported."},
    {"422", "The event does not fit the stream's schema, or none of the events does."},
    {"431", "The head of the request is too large."},
    {"503", "Certainly not stored: retry freely, not before Retry-After."},
    {"504", "Unknown whether it is stored: retry with the same Idempotency-Key."},
};

static void add_content(yyjson_mut_doc *doc, yyjson_mut_val *to, const char *type,
                        yyjson_mut_val *schema)
{
    yyjson_mut_val *content = yyjson_mut_obj_get(to, "content");
    if (content == NULL) {
        content = yyjson_mut_obj_add_obj(doc, to, "content");
    }
    yyjson_mut_val *media = yyjson_mut_obj_add_obj(doc, content, type);
    yyjson_mut_obj_add_val(doc, media, "schema", schema);
}

static yyjson_mut_val *reference(yyjson_mut_doc *doc, const char *target)
{
    yyjson_mut_val *schema = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_strcpy(doc, schema, "$ref", target);
    return schema;
}

static yyjson_mut_val *any_of(yyjson_mut_doc *doc, yyjson_mut_val *a, yyjson_mut_val *b)
{
    yyjson_mut_val *schema = yyjson_mut_obj(doc);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, schema, "anyOf");
    yyjson_mut_arr_add_val(list, a);
    yyjson_mut_arr_add_val(list, b);
    return schema;
}

static void add_response(yyjson_mut_doc *doc, yyjson_mut_val *responses, const char *status,
                         const char *description, yyjson_mut_val *schema, const char *type)
{
    yyjson_mut_val *response = yyjson_mut_obj_add_obj(doc, responses, status);
    yyjson_mut_obj_add_str(doc, response, "description", description);
    add_content(doc, response, type, schema);
    if (strcmp(status, "503") == 0) {
        yyjson_mut_val *headers = yyjson_mut_obj_add_obj(doc, response, "headers");
        yyjson_mut_val *header = yyjson_mut_obj_add_obj(doc, headers, "Retry-After");
        yyjson_mut_val *form = yyjson_mut_obj_add_obj(doc, header, "schema");
        yyjson_mut_obj_add_str(doc, form, "type", "integer");
        yyjson_mut_obj_add_int(doc, form, "minimum", 1);
    }
}

static void add_responses(yyjson_mut_doc *doc, yyjson_mut_val *operation)
{
    yyjson_mut_val *responses = yyjson_mut_obj_add_obj(doc, operation, "responses");
    add_response(doc, responses, "202", "In Kafka, on all in-sync replicas.",
                 any_of(doc, reference(doc, "#/components/schemas/Stored"),
                        reference(doc, "#/components/schemas/Results")),
                 "application/json");
    add_response(doc, responses, "207", "Some events of a list were not taken.",
                 reference(doc, "#/components/schemas/Results"), "application/json");
    for (size_t i = 0; i < MESH_COUNT_OF(refusals); i++) {
        add_response(doc, responses, refusals[i].status, refusals[i].description,
                     reference(doc, "#/components/schemas/Problem"), "application/problem+json");
    }
}

static void add_body(yyjson_mut_doc *doc, yyjson_mut_val *operation, const char *event)
{
    yyjson_mut_val *body = yyjson_mut_obj_add_obj(doc, operation, "requestBody");
    yyjson_mut_obj_add_bool(doc, body, "required", true);
    yyjson_mut_obj_add_str(doc, body, "description",
                           "UTF-8, up to 1 MiB and 1,000 events of 16 KiB; gzip is taken.");
    yyjson_mut_val *list = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_str(doc, list, "type", "array");
    yyjson_mut_obj_add_int(doc, list, "minItems", 1);
    yyjson_mut_obj_add_int(doc, list, "maxItems", MESH_EVENT_COUNT_MAX);
    yyjson_mut_obj_add_val(doc, list, "items", reference(doc, event));
    add_content(doc, body, "application/json", any_of(doc, reference(doc, event), list));

    yyjson_mut_val *lines = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_str(doc, lines, "type", "string");
    yyjson_mut_obj_add_str(doc, lines, "description", "One event as JSON per line.");
    add_content(doc, body, "application/x-ndjson", lines);
}

static void add_stream(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct mesh_stream *stream)
{
    struct mesh_buffer name = {0};
    mesh_buffer_add_format(&name, "#/components/schemas/Event-%s", stream->name);
    yyjson_mut_val *schemas = yyjson_mut_obj_get(yyjson_mut_obj_get(root, "components"), "schemas");
    yyjson_mut_val *key = yyjson_mut_strcpy(doc, name.data + strlen("#/components/schemas/"));
    yyjson_mut_obj_add(schemas, key, openapi_schema(doc, stream->schema_json));

    yyjson_mut_val *path =
        yyjson_mut_obj_add_obj(doc, yyjson_mut_obj_get(root, "paths"), stream->path);
    yyjson_mut_val *operation = yyjson_mut_obj_add_obj(doc, path, "post");
    mesh_buffer_reset(&name);
    mesh_buffer_add_format(&name, "publish-%s", stream->name);
    yyjson_mut_obj_add_strcpy(doc, operation, "operationId", name.data);
    yyjson_mut_val *tags = yyjson_mut_obj_add_arr(doc, operation, "tags");
    yyjson_mut_arr_add_str(doc, tags, stream->name);
    yyjson_mut_obj_add_str(doc, operation, "summary", stream->title);
    yyjson_mut_val *parameters = yyjson_mut_obj_add_arr(doc, operation, "parameters");
    yyjson_mut_arr_add_val(parameters, reference(doc, "#/components/parameters/IdempotencyKey"));
    yyjson_mut_arr_add_val(parameters, reference(doc, "#/components/parameters/Traceparent"));
    mesh_buffer_reset(&name);
    mesh_buffer_add_format(&name, "#/components/schemas/Event-%s", stream->name);
    add_body(doc, operation, name.data);
    add_responses(doc, operation);
    mesh_buffer_done(&name);
}

static void add_head(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct mesh_streams *streams)
{
    yyjson_mut_obj_add_str(doc, root, "openapi", "3.1.0");
    yyjson_mut_val *info = yyjson_mut_obj_add_obj(doc, root, "info");
    yyjson_mut_obj_add_str(doc, info, "title", "tweetmesh");
    yyjson_mut_obj_add_str(doc, info, "version", MESH_VERSION);
    yyjson_mut_obj_add_str(
        doc, info, "description",
        "2xx means: in Kafka, on all in-sync replicas. Anything else says whether "
        "a retry is safe.");
    yyjson_mut_val *servers = yyjson_mut_obj_add_arr(doc, root, "servers");
    yyjson_mut_val *server = yyjson_mut_arr_add_obj(doc, servers);
    yyjson_mut_obj_add_str(doc, server, "url", "/");
    yyjson_mut_val *tags = yyjson_mut_obj_add_arr(doc, root, "tags");
    for (size_t i = 0; i < mesh_streams_count(streams); i++) {
        yyjson_mut_val *tag = yyjson_mut_arr_add_obj(doc, tags);
        yyjson_mut_obj_add_str(doc, tag, "name", mesh_streams_at(streams, i)->name);
        yyjson_mut_obj_add_str(doc, tag, "description", mesh_streams_at(streams, i)->title);
    }
    yyjson_mut_obj_add_obj(doc, root, "paths");
    yyjson_doc *parts = yyjson_read(components, sizeof(components) - 1, 0);
    assert(parts != NULL);
    yyjson_mut_obj_add_val(doc, root, "components",
                           yyjson_val_mut_copy(doc, yyjson_doc_get_root(parts)));
    yyjson_doc_free(parts);
}

void openapi_write(const struct mesh_streams *streams, struct mesh_buffer *out)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    add_head(doc, root, streams);
    for (size_t i = 0; i < mesh_streams_count(streams); i++) {
        add_stream(doc, root, mesh_streams_at(streams, i));
    }
    size_t size = 0;
    char *text = yyjson_mut_write(doc, 0, &size);
    assert(text != NULL);
    mesh_buffer_add(out, mesh_bytes_of(text, size));
    free(text);
    yyjson_mut_doc_free(doc);
}
