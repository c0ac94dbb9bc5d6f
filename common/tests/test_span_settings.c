/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: settings are taken as OpenTelemetry writes them, wrong ones are named, and samplers take
 * the traces they should.
 * Method: tables of good and bad values; many random traces for a share.
 */
#include "../src/span_record.h"
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/spans.h"

#include <stdlib.h>
#include <string.h>

/* What a config table gives without any variable. */
static struct mesh_spans_config config_of(void)
{
    return (struct mesh_spans_config){.endpoint = "",
                                      .traces_endpoint = "",
                                      .headers = "",
                                      .timeout_ms = 10000,
                                      .sampler = "parentbased_always_on",
                                      .sampler_arg = "",
                                      .service_name = "",
                                      .resource_attributes = "",
                                      .batch_len_max = 512,
                                      .queue_len_max = 2048,
                                      .delay_ms = 5000,
                                      .export_ms_max = 30000};
}

static void check_says(const struct mesh_spans_config *config, const char *name)
{
    struct mesh_buffer problems = {0};
    mesh_spans_check(config, &problems);
    if (name == NULL) {
        assert_int_equal(problems.size, 0);
    } else {
        assert_non_null(problems.data);
        assert_ptr_equal(strstr(problems.data, name), problems.data); /* this one */
        assert_ptr_equal(strchr(problems.data, '\n') + 1, problems.data + problems.size); /* only */
    }
    mesh_buffer_done(&problems);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const bad_urls[] = {"localhost:4318", "grpc://host:4317", "http://",
                                           "unix:/socket", "http://host:99999"};
    static const char *const bad_pairs[] = {"name", "=value", "a=b,name", "a b=c",        "a=%",
                                            "a=%4", "a=%zz",  "a=%00",    "a=%0d%0aX: y", "a=%ff"};
    for (size_t i = 0; i < MESH_COUNT_OF(bad_urls); i++) {
        struct mesh_spans_config config = config_of();
        config.endpoint = (char *)(uintptr_t)bad_urls[i];
        check_says(&config, "OTEL_EXPORTER_OTLP_ENDPOINT: ");
        config = config_of();
        config.traces_endpoint = (char *)(uintptr_t)bad_urls[i];
        check_says(&config, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ");
    }
    for (size_t i = 0; i < MESH_COUNT_OF(bad_pairs); i++) {
        struct mesh_spans_config config = config_of();
        config.headers = (char *)(uintptr_t)bad_pairs[i];
        check_says(&config, "OTEL_EXPORTER_OTLP_HEADERS: ");
        config = config_of();
        config.resource_attributes = (char *)(uintptr_t)bad_pairs[i];
        check_says(&config, "OTEL_RESOURCE_ATTRIBUTES: ");
    }
    struct mesh_spans_config config = config_of();
    config.queue_len_max = config.batch_len_max - 1;
    check_says(&config, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: ");
    config = config_of();
    config.sampler = "sometimes";
    check_says(&config, "OTEL_TRACES_SAMPLER: ");
    config.sampler = "parentbased_";
    check_says(&config, "OTEL_TRACES_SAMPLER: ");
}

static void test_a_share_is_a_number_from_0_to_1(void **state)
{
    (void)state;
    static const char *const good[] = {"", "0", "1", "0.5", ".25", "1e-3", "1.0"};
    static const char *const bad[] = {"-0.1", "1.1", "x", "0.5x", "nan", "inf", "0,5", " 1", "2e9"};
    struct mesh_spans_config config = config_of();
    config.sampler = "traceidratio";
    for (size_t i = 0; i < MESH_COUNT_OF(good); i++) {
        config.sampler_arg = (char *)(uintptr_t)good[i];
        check_says(&config, NULL);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        config.sampler_arg = (char *)(uintptr_t)bad[i];
        check_says(&config, "OTEL_TRACES_SAMPLER_ARG: ");
    }
    config.sampler = "always_on"; /* has none, so whatever it is does not matter */
    check_says(&config, NULL);
}

static void test_pairs_are_taken_apart(void **state)
{
    (void)state;
    struct span_pairs pairs;
    assert_null(span_pairs_read(" a = b%20c , ,d=,e=f=g", &pairs));
    assert_int_equal(pairs.count, 3);
    assert_string_equal(pairs.at[0].name, "a");
    assert_string_equal(pairs.at[0].value, "b c");
    assert_string_equal(pairs.at[1].value, "");
    assert_string_equal(pairs.at[2].value, "f=g");
    span_pairs_add(&pairs, "a", "other"); /* what people set stands */
    assert_int_equal(pairs.count, 3);
    span_pairs_done(&pairs);

    struct mesh_buffer many = {0};
    for (size_t i = 0; i <= SPAN_PAIRS_MAX; i++) {
        mesh_buffer_add_format(&many, "n%zu=v,", i);
    }
    assert_non_null(span_pairs_read(many.data, &pairs));
    assert_int_equal(pairs.count, 0);
    mesh_buffer_done(&many);
}

static void endpoint_is(const struct mesh_spans_config *config, const char *expected)
{
    char *url = span_endpoint(config);
    if (expected == NULL) {
        assert_null(url);
    } else {
        assert_string_equal(url, expected);
    }
    free(url);
}

static void test_spans_go_where_the_specification_says(void **state)
{
    (void)state;
    struct mesh_spans_config config = config_of();
    endpoint_is(&config, NULL);
    config.endpoint = "http://host:4318";
    check_says(&config, NULL);
    endpoint_is(&config, "http://host:4318/v1/traces");
    config.endpoint = "https://host/prefix/";
    endpoint_is(&config, "https://host/prefix/v1/traces");
    config.traces_endpoint = "http://other:4318/as-it-is";
    check_says(&config, NULL);
    endpoint_is(&config, "http://other:4318/as-it-is");
    config.disabled = true;
    endpoint_is(&config, NULL);
}

static size_t taken_of_1000(const char *name, const char *arg, bool has_parent, uint8_t flags)
{
    struct span_sampler sampler;
    size_t taken = 0;
    assert_true(span_sampler_read(name, arg, &sampler));
    for (size_t i = 0; i < 1000; i++) {
        struct mesh_trace_context context;
        const struct mesh_trace trace = mesh_trace_new();
        assert_true(mesh_trace_read(mesh_bytes_of_text(trace.traceparent), &context));
        context.flags = flags;
        const bool takes = span_sampler_takes(&sampler, &context, has_parent);
        assert_int_equal(takes, span_sampler_takes(&sampler, &context, has_parent));
        taken += takes;
    }
    return taken;
}

static void test_samplers_take_what_they_should(void **state)
{
    (void)state;
    assert_int_equal(taken_of_1000("always_on", "", true, 0), 1000);
    assert_int_equal(taken_of_1000("always_off", "", true, MESH_TRACE_SAMPLED), 0);
    assert_int_equal(taken_of_1000("traceidratio", "0", false, 0), 0);
    assert_int_equal(taken_of_1000("traceidratio", "1", true, 0), 1000);
    assert_int_equal(taken_of_1000("traceidratio", "", false, 0), 1000);
    assert_int_equal(taken_of_1000("parentbased_always_on", "", true, 0), 0);
    assert_int_equal(taken_of_1000("parentbased_always_on", "", false, 0), 1000);
    assert_int_equal(taken_of_1000("parentbased_always_off", "", true, MESH_TRACE_SAMPLED), 1000);
    assert_int_equal(taken_of_1000("parentbased_always_off", "", false, 0), 0);
    assert_int_equal(taken_of_1000("parentbased_traceidratio", "0", true, MESH_TRACE_SAMPLED),
                     1000);
    /* 7 standard deviations either way */
    assert_in_range(taken_of_1000("traceidratio", "0.5", false, 0), 389, 611);
    assert_in_range(taken_of_1000("parentbased_traceidratio", "0.1", false, 0), 33, 167);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_a_share_is_a_number_from_0_to_1),
        cmocka_unit_test(test_pairs_are_taken_apart),
        cmocka_unit_test(test_spans_go_where_the_specification_says),
        cmocka_unit_test(test_samplers_take_what_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
