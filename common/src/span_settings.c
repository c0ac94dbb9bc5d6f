/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/alloc.h"
#include "mesh/macros.h"
#include "span_record.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define TRACES_PATH "v1/traces"
#define ALL (UINT64_C(1) << 63)

/* ---- name=value,name=value ---- */

static int hex_value(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

/* In place. False: a % that two digits do not follow, or a NUL. */
static bool percent_decode(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        char byte = *at;
        if (byte == '%') {
            const int high = hex_value(at[1]);
            const int low = high < 0 ? -1 : hex_value(at[2]);
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            byte = (char)(high << 4 | low);
            at += 2;
        }
        *out++ = byte;
    }
    *out = '\0';
    return true;
}

static char *trimmed(const char *text, size_t size)
{
    while (size > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        size--;
    }
    return mesh_strndup(text, size);
}

/* Header names and attribute keys alike: visible ASCII without what separates. */
static bool name_is_good(const char *name)
{
    const char *at = name;
    while (*at > ' ' && *at <= '~' && strchr("\"(),/:;<=>?@[\\]{}", *at) == NULL) {
        at++;
    }
    return at != name && *at == '\0';
}

static bool value_is_good(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at)) {
            return false; /* no line of its own in a head */
        }
    }
    return mesh_bytes_is_utf8(mesh_bytes_of_text(value));
}

static const char *pair_read(const char *text, size_t size, struct span_pairs *out)
{
    const char *equals = memchr(text, '=', size);
    if (equals == NULL) {
        return "must look like name=value,name=value";
    }
    if (out->count == SPAN_PAIRS_MAX) {
        return "has too many pairs";
    }
    struct span_pair *pair = &out->at[out->count++];
    pair->name = trimmed(text, (size_t)(equals - text));
    pair->value = trimmed(equals + 1, size - (size_t)(equals + 1 - text));
    if (!name_is_good(pair->name)) {
        return "has a name that is empty or not visible ASCII";
    }
    if (!percent_decode(pair->value) || !value_is_good(pair->value)) {
        return "has a value that is not percent-encoded UTF-8";
    }
    return NULL;
}

const char *span_pairs_read(const char *text, struct span_pairs *out)
{
    *out = (struct span_pairs){.count = 0};
    while (*text != '\0') {
        const size_t size = strcspn(text, ",");
        const char *problem = NULL;
        if (strspn(text, " \t") < size) { /* an empty pair is nothing */
            problem = pair_read(text, size, out);
        }
        if (problem != NULL) {
            span_pairs_done(out);
            return problem;
        }
        text += size + (text[size] == ',' ? 1 : 0);
    }
    return NULL;
}

void span_pairs_add(struct span_pairs *pairs, const char *name, const char *value)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->at[i].name, name) == 0) {
            return; /* what people set stands */
        }
    }
    if (pairs->count < SPAN_PAIRS_MAX) {
        pairs->at[pairs->count++] =
            (struct span_pair){.name = mesh_strdup(name), .value = mesh_strdup(value)};
    }
}

void span_pairs_done(struct span_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->at[i].name);
        free(pairs->at[i].value);
    }
    pairs->count = 0;
}

/* ---- the sampler ---- */

static bool share_read(const char *text, double *out)
{
    char *end = NULL;
    if (text[0] == '\0') {
        *out = 1;
        return true;
    }
    *out = strtod(text, &end);
    return (isdigit((unsigned char)text[0]) || text[0] == '.') && *end == '\0' && *out >= 0 &&
           *out <= 1;
}

bool span_sampler_read(const char *name, const char *arg, struct span_sampler *out)
{
    static const char parent_based[] = "parentbased_";
    double share = 1;

    out->asks_parent = strncmp(name, parent_based, sizeof(parent_based) - 1) == 0;
    if (out->asks_parent) {
        name += sizeof(parent_based) - 1;
    }
    if (strcmp(name, "always_off") == 0) {
        share = 0;
    } else if (strcmp(name, "traceidratio") == 0) {
        if (!share_read(arg, &share)) {
            return false;
        }
    } else if (strcmp(name, "always_on") != 0) {
        return false;
    }
    out->below = share >= 1 ? ALL : (uint64_t)(share * (double)ALL);
    return true;
}

bool span_sampler_takes(const struct span_sampler *sampler,
                        const struct mesh_trace_context *context, bool has_parent)
{
    if (sampler->asks_parent && has_parent) {
        return (context->flags & MESH_TRACE_SAMPLED) != 0;
    }
    /* As other SDKs do it, so that all who are given the same share take the same traces. */
    uint64_t of_id = 0;
    for (size_t i = MESH_TRACE_ID_SIZE / 2; i < MESH_TRACE_ID_SIZE; i++) {
        of_id = of_id << 8 | context->trace_id[i];
    }
    return of_id >> 1 < sampler->below;
}

/* ---- the endpoint, and all together ---- */

char *span_endpoint(const struct mesh_spans_config *config)
{
    if (config->disabled) {
        return NULL;
    }
    if (config->traces_endpoint[0] != '\0') {
        return mesh_strdup(config->traces_endpoint);
    }
    const size_t size = strlen(config->endpoint);
    if (size == 0) {
        return NULL;
    }
    return mesh_format("%s%s" TRACES_PATH, config->endpoint,
                       config->endpoint[size - 1] == '/' ? "" : "/");
}

static bool url_is_good(const char *text)
{
    char *scheme = NULL;
    CURLU *url = curl_url();
    bool good = url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(url);
    return good;
}

static void check_url(const char *name, const char *text, struct mesh_buffer *problems)
{
    if (text[0] != '\0' && !url_is_good(text)) {
        mesh_buffer_add_format(problems, "%s: must look like http://host:4318\n", name);
    }
}

static void check_pairs(const char *name, const char *text, struct mesh_buffer *problems)
{
    struct span_pairs pairs;
    const char *problem = span_pairs_read(text, &pairs);
    if (problem != NULL) {
        mesh_buffer_add_format(problems, "%s: %s\n", name, problem);
    }
    span_pairs_done(&pairs);
}

void mesh_spans_check(const struct mesh_spans_config *config, struct mesh_buffer *problems)
{
    struct span_sampler sampler;

    check_url("OTEL_EXPORTER_OTLP_ENDPOINT", config->endpoint, problems);
    check_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", config->traces_endpoint, problems);
    check_pairs("OTEL_EXPORTER_OTLP_HEADERS", config->headers, problems);
    check_pairs("OTEL_RESOURCE_ATTRIBUTES", config->resource_attributes, problems);
    if (!mesh_bytes_is_utf8(mesh_bytes_of_text(config->service_name))) {
        mesh_buffer_add_text(problems, "OTEL_SERVICE_NAME: must be UTF-8\n");
    }
    if (!span_sampler_read(config->sampler, "", &sampler)) {
        mesh_buffer_add_text(problems, "OTEL_TRACES_SAMPLER: must be always_on, always_off or "
                                       "traceidratio, or parentbased_ and one of these\n");
    } else if (!span_sampler_read(config->sampler, config->sampler_arg, &sampler)) {
        mesh_buffer_add_text(problems, "OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1\n");
    }
    if (config->batch_len_max > config->queue_len_max) {
        mesh_buffer_add_text(problems, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: must not be above "
                                       "OTEL_BSP_MAX_QUEUE_SIZE\n");
    }
}
