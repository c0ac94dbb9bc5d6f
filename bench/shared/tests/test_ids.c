/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: ids are UUIDs that the mesh takes, each one new and greater than the one before. Method:
 * some thousands of two sources.
 */
#include "cmocka_all.h"
#include "ids.h"

#include <string.h>

static struct mesh_id next(struct ids *ids)
{
    char text[MESH_ID_LENGTH];
    struct mesh_id id;
    ids_write(ids, text);
    assert_true(mesh_id_parse(mesh_bytes_of(text, sizeof(text)), &id));
    assert_int_equal(text[14], '7');
    return id;
}

static void test_ids_ascend(void **state)
{
    (void)state;
    struct ids ids;
    ids_init(&ids);
    struct mesh_id last = next(&ids);
    for (int i = 0; i < 70000; i++) {
        struct mesh_id id = next(&ids);
        assert_true(strcmp(last.text, id.text) < 0);
        last = id;
    }
}

static void test_two_sources_differ(void **state)
{
    (void)state;
    struct ids ids[2];
    ids_init(&ids[0]);
    ids_init(&ids[1]);
    assert_string_not_equal(next(&ids[0]).text, next(&ids[1]).text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_ascend),
        cmocka_unit_test(test_two_sources_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
