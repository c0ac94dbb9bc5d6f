/* SPDX-License-Identifier: Apache-2.0 */
#include "span_record.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <string.h>

/* Bytes of a text that are kept: whole characters of UTF-8. */
static size_t kept(const char *text)
{
    size_t size = strnlen(text, MESH_SPAN_TEXT_BYTES_MAX + 1);
    if (size > MESH_SPAN_TEXT_BYTES_MAX) {
        size = MESH_SPAN_TEXT_BYTES_MAX;
        while (size > 0 && ((uint8_t)text[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    return size;
}

static size_t texts_size(const struct mesh_span *span)
{
    size_t size = kept(span->name) + 1;
    if (span->error != NULL) {
        size += kept(span->error) + 1;
    }
    for (size_t i = 0; i < span->attribute_count; i++) {
        if (span->attributes[i].text != NULL) {
            size += kept(span->attributes[i].text) + 1;
        }
    }
    return size;
}

static const char *put_text(char **room, const char *text)
{
    const size_t size = kept(text);
    char *copy = *room;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *room += size + 1;
    return copy;
}

static uint64_t wall_ns(int64_t mono_us, int64_t wall_us)
{
    const int64_t us = mono_us + wall_us;
    return us > 0 ? (uint64_t)us * 1000 : 0;
}

struct span_record *span_record_new(const struct mesh_span *span, int64_t wall_us)
{
    assert(span->attribute_count <= MESH_SPAN_ATTRIBUTES_MAX);
    const size_t link_count =
        span->link_count < MESH_SPAN_LINKS_MAX ? span->link_count : MESH_SPAN_LINKS_MAX;
    const size_t attributes_size = span->attribute_count * sizeof(span->attributes[0]);
    const size_t links_size = link_count * sizeof(span->links[0]);
    struct span_record *record =
        mesh_alloc(sizeof(*record) + attributes_size + links_size + texts_size(span));
    struct mesh_span_attribute *attributes = (struct mesh_span_attribute *)(record + 1);
    struct mesh_trace_context *links =
        (struct mesh_trace_context *)(attributes + span->attribute_count);
    char *room = (char *)(links + link_count);

    *record = (struct span_record){.span = *span,
                                   .start_ns = wall_ns(span->start_us, wall_us),
                                   .end_ns = wall_ns(span->end_us, wall_us),
                                   .links_left_out = span->link_count - link_count};
    if (span->parent != NULL) {
        memcpy(record->parent, span->parent, sizeof(record->parent));
        record->span.parent = record->parent;
    }
    record->span.name = put_text(&room, span->name);
    record->span.error = span->error == NULL ? NULL : put_text(&room, span->error);
    for (size_t i = 0; i < span->attribute_count; i++) {
        attributes[i] = span->attributes[i];
        if (attributes[i].text != NULL) {
            attributes[i].text = put_text(&room, attributes[i].text);
        }
    }
    if (link_count > 0) {
        memcpy(links, span->links, links_size);
    }
    record->span.attributes = attributes;
    record->span.links = links;
    record->span.link_count = link_count;
    return record;
}
