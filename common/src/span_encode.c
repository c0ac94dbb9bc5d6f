/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/arena.h"
#include "opentelemetry/otlp.pb-c.h"
#include "span_record.h"

#include <stdlib.h>

#define ARENA_BLOCK_BYTES ((size_t)256 * 1024)
/* Of the attributes' names: https://opentelemetry.io/docs/specs/semconv/ */
#define SCHEMA_URL "https://opentelemetry.io/schemas/1.37.0"

/* protobuf-c's structs want pointers that may be written through; packing does not. */
static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

static ProtobufCBinaryData binary(const uint8_t *data, size_t size)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)data, .len = size};
}

static Otlp__KeyValue *key_value(struct mesh_arena *arena, const char *key, const char *text,
                                 int64_t number)
{
    Otlp__KeyValue *pair = mesh_arena_alloc(arena, sizeof(*pair));
    Otlp__AnyValue *value = mesh_arena_alloc(arena, sizeof(*value));

    otlp__key_value__init(pair);
    otlp__any_value__init(value);
    pair->key = unconst(key);
    pair->value = value;
    if (text != NULL) {
        value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        value->string_value = unconst(text);
    } else {
        value->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
        value->int_value = number;
    }
    return pair;
}

static Otlp__Link *link_of(struct mesh_arena *arena, const struct mesh_trace_context *context)
{
    Otlp__Link *link = mesh_arena_alloc(arena, sizeof(*link));

    otlp__link__init(link);
    link->trace_id = binary(context->trace_id, MESH_TRACE_ID_SIZE);
    link->span_id = binary(context->span_id, MESH_SPAN_ID_SIZE);
    link->flags = context->flags;
    return link;
}

static Otlp__Status *status_of(struct mesh_arena *arena, const char *error)
{
    Otlp__Status *status = mesh_arena_alloc(arena, sizeof(*status));

    otlp__status__init(status);
    status->code = OTLP__STATUS_CODE__STATUS_CODE_ERROR;
    status->message = unconst(error);
    return status;
}

static Otlp__Span *span_of(struct mesh_arena *arena, const struct span_record *record)
{
    const struct mesh_span *from = &record->span;
    Otlp__Span *span = mesh_arena_alloc(arena, sizeof(*span));

    otlp__span__init(span);
    span->trace_id = binary(from->context.trace_id, MESH_TRACE_ID_SIZE);
    span->span_id = binary(from->context.span_id, MESH_SPAN_ID_SIZE);
    if (from->parent != NULL) {
        span->parent_span_id = binary(record->parent, MESH_SPAN_ID_SIZE);
    }
    span->flags = from->context.flags;
    span->name = unconst(from->name);
    span->kind = (Otlp__SpanKind)from->kind;
    span->start_time_unix_nano = record->start_ns;
    span->end_time_unix_nano = record->end_ns;
    span->n_attributes = from->attribute_count;
    span->attributes = mesh_arena_alloc(arena, (from->attribute_count + 1) * sizeof(void *));
    for (size_t i = 0; i < from->attribute_count; i++) {
        span->attributes[i] = key_value(arena, from->attributes[i].key, from->attributes[i].text,
                                        from->attributes[i].number);
    }
    span->n_links = from->link_count;
    span->links = mesh_arena_alloc(arena, (from->link_count + 1) * sizeof(void *));
    for (size_t i = 0; i < from->link_count; i++) {
        span->links[i] = link_of(arena, &from->links[i]);
    }
    span->dropped_links_count = (uint32_t)record->links_left_out;
    span->status = from->error == NULL ? NULL : status_of(arena, from->error);
    return span;
}

static void resource_fill(struct mesh_arena *arena, const struct span_pairs *pairs,
                          Otlp__Resource *out)
{
    otlp__resource__init(out);
    out->n_attributes = pairs->count;
    out->attributes = mesh_arena_alloc(arena, (pairs->count + 1) * sizeof(void *));
    for (size_t i = 0; i < pairs->count; i++) {
        out->attributes[i] = key_value(arena, pairs->at[i].name, pairs->at[i].value, 0);
    }
}

void span_encode(const struct span_pairs *resource, struct span_record *const *records,
                 size_t count, struct mesh_buffer *out)
{
    struct mesh_arena *arena = mesh_arena_new(ARENA_BLOCK_BYTES);
    Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
    Otlp__ScopeSpans of_scope = OTLP__SCOPE_SPANS__INIT;
    Otlp__ScopeSpans *all_scopes[] = {&of_scope};
    Otlp__Resource of_resource;
    Otlp__ResourceSpans spans = OTLP__RESOURCE_SPANS__INIT;
    Otlp__ResourceSpans *all[] = {&spans};
    Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;

    scope.name = unconst("tweetmesh");
    scope.version = unconst(MESH_VERSION);
    of_scope.scope = &scope;
    of_scope.schema_url = unconst(SCHEMA_URL);
    of_scope.n_spans = count;
    of_scope.spans = mesh_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        of_scope.spans[i] = span_of(arena, records[i]);
    }
    resource_fill(arena, resource, &of_resource);
    spans.resource = &of_resource;
    spans.n_scope_spans = 1;
    spans.scope_spans = all_scopes;
    request.n_resource_spans = 1;
    request.resource_spans = all;

    const size_t size = otlp__export_trace_service_request__get_packed_size(&request);
    uint8_t *room = (uint8_t *)mesh_buffer_room(out, size);
    (void)otlp__export_trace_service_request__pack(&request, room);
    room[size] = '\0';
    out->size += size;
    mesh_arena_free(arena);
}

uint64_t span_answer_read(struct mesh_bytes body, uint64_t sent)
{
    uint64_t rejected = 0;
    if (body.size > SPAN_ANSWER_BYTES_MAX) {
        return 0;
    }
    Otlp__ExportTraceServiceResponse *answer =
        otlp__export_trace_service_response__unpack(NULL, body.size, body.data);
    if (answer != NULL && answer->partial_success != NULL &&
        answer->partial_success->rejected_spans > 0) {
        rejected = (uint64_t)answer->partial_success->rejected_spans;
    }
    otlp__export_trace_service_response__free_unpacked(answer, NULL);
    return rejected < sent ? rejected : sent;
}
