/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the small things that come from outside: a date-time, an id, a traceparent, a
 * country, UTF-8. What is taken must survive being written again.
 */
#include "fuzz.h"
#include "mesh/bytes.h"
#include "mesh/clock.h"
#include "mesh/country.h"
#include "mesh/id.h"
#include "mesh/trace.h"

#include <string.h>
#include <yyjson.h>

static void time_try(struct mesh_bytes text)
{
    int64_t ms = INT64_MIN;
    int64_t ms_again = 0;
    char written[MESH_TIME_TEXT_SIZE];

    if (!mesh_time_parse(text, &ms)) {
        must(ms == INT64_MIN);
        return;
    }
    mesh_time_format(ms, written);
    must(mesh_time_parse(mesh_bytes_of_text(written), &ms_again));
    const bool in_range = ms >= 0 && ms <= INT64_C(253402300799999);
    must(!in_range || ms_again == ms);
}

static void id_try(struct mesh_bytes text)
{
    struct mesh_id id;
    if (mesh_id_parse(text, &id)) {
        must(mesh_bytes_equal_text(text, id.text));
    }
}

static void trace_try(struct mesh_bytes text)
{
    const struct mesh_trace trace = mesh_trace_continue(text);
    must(mesh_trace_valid(mesh_bytes_of_text(trace.traceparent)));
    if (mesh_trace_valid(text)) {
        must(memcmp(trace.traceparent + 3, text.data + 3, 32) == 0); /* the same trace */
    }
    struct mesh_trace_context context;
    struct mesh_trace again;
    must(mesh_trace_read(text, &context) == mesh_trace_valid(text));
    must(mesh_trace_copy(text, &again) == mesh_trace_valid(text));
    if (mesh_trace_valid(text)) {
        must(mesh_bytes_equal_text(text, again.traceparent));
        mesh_trace_write(&context, &again);
        must(mesh_bytes_equal_text(text, again.traceparent));
    }
}

static void country_try(struct mesh_bytes text)
{
    const size_t country = mesh_country_find(text);
    must(country < mesh_country_count());
    if (!mesh_bytes_is_utf8(text)) {
        must(country == mesh_country_unknown());
    }
    must(mesh_country_find(mesh_bytes_of_text(mesh_country_name(country))) == country);
}

static void utf8_try(struct mesh_bytes text)
{
    struct mesh_buffer json = {0};
    if (!mesh_bytes_is_utf8(text)) {
        return;
    }
    mesh_buffer_add_json(&json, text);
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    must(mesh_bytes_equal(mesh_bytes_of(yyjson_get_str(root), yyjson_get_len(root)), text));
    yyjson_doc_free(doc);
    mesh_buffer_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mesh_bytes text = mesh_bytes_of(data, size);
    time_try(text);
    id_try(text);
    trace_try(text);
    country_try(text);
    utf8_try(text);
    return 0;
}
