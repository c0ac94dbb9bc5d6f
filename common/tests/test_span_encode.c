/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is sent is what was recorded, within its limits; no answer of a collector does harm.
 * Method: write spans, read the bytes back by protobuf-c; answers good, damaged and absurd.
 */
#include "../src/span_record.h"
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/spans.h"
#include "opentelemetry/otlp.pb-c.h"

#include <stdlib.h>
#include <string.h>

static const struct mesh_trace_context own = {
    .trace_id = {1, 2, 3, [15] = 16}, .span_id = {8, 7, 6, 5, 4, 3, 2, 1}, .flags = 1};

/* Encodes one span and reads it back; the caller frees the result. */
static Otlp__ExportTraceServiceRequest *there_and_back(const struct mesh_span *span)
{
    struct span_pairs resource = {.count = 0};
    struct mesh_buffer out = {0};
    struct span_record *record = span_record_new(span, 1000);
    span_pairs_add(&resource, "service.name", "test");
    span_encode(&resource, &record, 1, &out);
    Otlp__ExportTraceServiceRequest *request =
        otlp__export_trace_service_request__unpack(NULL, out.size, (const uint8_t *)out.data);
    assert_non_null(request);
    free(record);
    span_pairs_done(&resource);
    mesh_buffer_done(&out);
    return request;
}

static void done(Otlp__ExportTraceServiceRequest *request)
{
    otlp__export_trace_service_request__free_unpacked(request, NULL);
}

static const Otlp__Span *the_span(const Otlp__ExportTraceServiceRequest *request)
{
    assert_int_equal(request->n_resource_spans, 1);
    assert_int_equal(request->resource_spans[0]->n_scope_spans, 1);
    assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 1);
    return request->resource_spans[0]->scope_spans[0]->spans[0];
}

static void test_a_root_has_no_parent_and_no_status(void **state)
{
    (void)state;
    Otlp__ExportTraceServiceRequest *request =
        there_and_back(&(struct mesh_span){.name = "POST /input",
                                           .kind = MESH_SPAN_SERVER,
                                           .context = own,
                                           .start_us = 5,
                                           .end_us = 9});
    const Otlp__Span *span = the_span(request);
    assert_int_equal(span->parent_span_id.len, 0);
    assert_null(span->status);
    assert_int_equal(span->trace_id.len, 16);
    assert_memory_equal(span->trace_id.data, own.trace_id, 16);
    assert_memory_equal(span->span_id.data, own.span_id, 8);
    assert_string_equal(span->name, "POST /input");
    assert_int_equal(span->kind, OTLP__SPAN_KIND__SPAN_KIND_SERVER);
    assert_int_equal(span->start_time_unix_nano, 1005000);
    assert_int_equal(span->end_time_unix_nano, 1009000);
    assert_int_equal(span->flags, 1);
    const Otlp__Resource *resource = request->resource_spans[0]->resource;
    assert_string_equal(resource->attributes[0]->key, "service.name");
    assert_string_equal(resource->attributes[0]->value->string_value, "test");
    done(request);
}

static void test_a_failed_child_says_so(void **state)
{
    (void)state;
    const uint8_t parent[MESH_SPAN_ID_SIZE] = {9, 9, 9, 9, 9, 9, 9, 9};
    const struct mesh_span_attribute attributes[] = {MESH_SPAN_TEXT("a", "text"),
                                                     MESH_SPAN_INT("b", -7)};
    Otlp__ExportTraceServiceRequest *request =
        there_and_back(&(struct mesh_span){.name = "send x",
                                           .kind = MESH_SPAN_PRODUCER,
                                           .context = own,
                                           .parent = parent,
                                           .error = "UNAVAILABLE",
                                           .attributes = attributes,
                                           .attribute_count = 2});
    const Otlp__Span *span = the_span(request);
    assert_memory_equal(span->parent_span_id.data, parent, 8);
    assert_int_equal(span->status->code, OTLP__STATUS_CODE__STATUS_CODE_ERROR);
    assert_string_equal(span->status->message, "UNAVAILABLE");
    assert_int_equal(span->n_attributes, 2);
    assert_string_equal(span->attributes[0]->value->string_value, "text");
    assert_int_equal(span->attributes[1]->value->int_value, -7);
    done(request);
}

static void test_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char text[400];
    for (size_t at = 0; at + 1 < sizeof(text); at++) {
        text[at] = at % 2 == 0 ? '\xc3' : '\xb1'; /* 199 times U+00F1 and half of one */
    }
    text[398] = '\0';
    const struct mesh_span_attribute attributes[] = {MESH_SPAN_TEXT("a", text)};
    Otlp__ExportTraceServiceRequest *request =
        there_and_back(&(struct mesh_span){.name = text,
                                           .kind = MESH_SPAN_INTERNAL,
                                           .context = own,
                                           .error = text,
                                           .attributes = attributes,
                                           .attribute_count = 1});
    const Otlp__Span *span = the_span(request);
    assert_int_equal(strlen(span->name), 254);
    assert_int_equal(strlen(span->status->message), 254);
    assert_int_equal(strlen(span->attributes[0]->value->string_value), 254);
    assert_true(mesh_bytes_is_utf8(mesh_bytes_of_text(span->name)));
    done(request);
}

static void test_links_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    struct mesh_trace_context links[MESH_SPAN_LINKS_MAX + 3];
    for (size_t i = 0; i < MESH_COUNT_OF(links); i++) {
        links[i] = own;
        links[i].span_id[0] = (uint8_t)i;
    }
    Otlp__ExportTraceServiceRequest *request =
        there_and_back(&(struct mesh_span){.name = "archive batch",
                                           .kind = MESH_SPAN_CONSUMER,
                                           .context = own,
                                           .links = links,
                                           .link_count = MESH_COUNT_OF(links)});
    const Otlp__Span *span = the_span(request);
    assert_int_equal(span->n_links, MESH_SPAN_LINKS_MAX);
    assert_int_equal(span->dropped_links_count, 3);
    assert_int_equal(span->links[5]->span_id.data[0], 5);
    assert_memory_equal(span->links[5]->trace_id.data, own.trace_id, 16);
    done(request);
}

static uint64_t rejected(const void *bytes, size_t size)
{
    return span_answer_read(mesh_bytes_of(bytes, size), 100);
}

static void test_answers_of_any_kind_do_no_harm(void **state)
{
    (void)state;
    /* partial_success {rejected_spans: 5}; the same with -1 and with 2^62 */
    static const uint8_t five[] = {0x0a, 0x02, 0x08, 0x05};
    static const uint8_t negative[] = {0x0a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t huge[] = {0x0a, 0x0a, 0x08, 0x80, 0x80, 0x80,
                                   0x80, 0x80, 0x80, 0x80, 0x80, 0x40};
    static const uint8_t endless[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f};
    char *much = mesh_alloc_zeroed(1, SPAN_ANSWER_BYTES_MAX + 1);

    assert_int_equal(rejected(five, sizeof(five)), 5);
    assert_int_equal(rejected(negative, sizeof(negative)), 0);
    assert_int_equal(rejected(huge, sizeof(huge)), 100);
    assert_int_equal(rejected(endless, sizeof(endless)), 0);
    assert_int_equal(rejected("", 0), 0);
    assert_int_equal(rejected(NULL, 0), 0);
    assert_int_equal(rejected("<html>", 6), 0);
    assert_int_equal(rejected(much, SPAN_ANSWER_BYTES_MAX + 1), 0);
    free(much);
}

static void test_both_sides_come_to_the_same_send_span(void **state)
{
    (void)state;
    const struct mesh_id one = mesh_id_new(1);
    const struct mesh_id other = mesh_id_new(1);
    struct mesh_trace_context elsewhere = own;
    uint8_t ids[4][MESH_SPAN_ID_SIZE];
    elsewhere.span_id[7] = 77;

    mesh_span_id_of_send(&own, &one, ids[0]);
    mesh_span_id_of_send(&own, &one, ids[1]);
    mesh_span_id_of_send(&own, &other, ids[2]);
    mesh_span_id_of_send(&elsewhere, &one, ids[3]);
    assert_memory_equal(ids[0], ids[1], MESH_SPAN_ID_SIZE);
    assert_memory_not_equal(ids[0], ids[2], MESH_SPAN_ID_SIZE);
    assert_memory_not_equal(ids[0], ids[3], MESH_SPAN_ID_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_root_has_no_parent_and_no_status),
        cmocka_unit_test(test_a_failed_child_says_so),
        cmocka_unit_test(test_texts_are_cut_between_characters),
        cmocka_unit_test(test_links_beyond_the_limit_are_counted),
        cmocka_unit_test(test_answers_of_any_kind_do_no_harm),
        cmocka_unit_test(test_both_sides_come_to_the_same_send_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
