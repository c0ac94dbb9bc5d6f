/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: names that could break a Redis field or JSON are none; the entry is what others read.
 * Method: a table of names, and the bytes of an entry.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/health.h"
#include "mesh/macros.h"

#include <stdlib.h>
#include <string.h>

static void test_only_plain_short_words_are_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_name;
    } cases[] = {
        {"", false},     {"api", true},      {"host-1.example:8081", true},
        {"a b", false},  {"a/b", false},     {"a\"b", false},
        {"a\\b", false}, {"<script>", true}, {"\xc3\xa9", false},
        {"a\nb", false}, {"a\x7f", false},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        assert_int_equal(mesh_health_is_name(mesh_bytes_of_text(cases[i].text)), cases[i].is_name);
    }
    char longest[MESH_HEALTH_NAME_BYTES_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    assert_true(mesh_health_is_name(mesh_bytes_of(longest, sizeof(longest) - 1)));
    assert_false(mesh_health_is_name(mesh_bytes_of(longest, sizeof(longest))));
}

static void test_an_instance_is_named_by_host_and_port(void **state)
{
    (void)state;
    char *instance = mesh_health_instance(8083);
    assert_true(mesh_health_is_name(mesh_bytes_of_text(instance)));
    assert_non_null(strstr(instance, ":8083"));
    free(instance);
}

static void test_an_entry_is_json(void **state)
{
    (void)state;
    struct mesh_buffer entry = {0};
    mesh_health_write(&entry, "running", true, 1763731500000, "");
    assert_string_equal(entry.data,
                        "{\"at_ms\":1763731500000,\"state\":\"running\",\"ready\":true}");
    mesh_buffer_reset(&entry);
    mesh_health_write(&entry, "ready", false, 5, ",\"lag\":7");
    assert_string_equal(entry.data, "{\"at_ms\":5,\"state\":\"ready\",\"ready\":false,\"lag\":7}");
    mesh_buffer_done(&entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_plain_short_words_are_names),
        cmocka_unit_test(test_an_instance_is_named_by_host_and_port),
        cmocka_unit_test(test_an_entry_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
