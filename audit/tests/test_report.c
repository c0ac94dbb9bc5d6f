/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the JSON holds the members that others rely on and parses; the table names what differs.
 * Method: findings written and read back.
 */
#include "cmocka_all.h"
#include "findings.h"
#include "report.h"

#include <string.h>
#include <yyjson.h>

static void test_the_json_holds_what_others_rely_on(void **state)
{
    (void)state;
    struct findings findings[2] = {findings_equal(), findings_equal()};
    struct mesh_stream second = findings_stream;
    struct mesh_buffer text = {0};

    second.name = "others";
    findings[1].stream = &second;
    findings[1].mongo.groups[0] = 2;
    report_json(findings, 2, true, &text);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    assert_non_null(doc);
    yyjson_val *tweets = yyjson_doc_ptr_get(doc, "/streams/tweets");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "kafka_records")), 7);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "kafka_events")), 5);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "redis")), 5);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "mongo")), 5);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "groups_differing")), 0);
    assert_true(yyjson_is_true(yyjson_obj_get(tweets, "equal")));
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(tweets, "/groups/Guatemala")), 3);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "missing")), 0);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "foreign")), 0);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(tweets, "differences")), 0);
    yyjson_val *others = yyjson_doc_ptr_get(doc, "/streams/others");
    assert_true(yyjson_is_false(yyjson_obj_get(others, "equal")));
    assert_int_equal(yyjson_get_int(yyjson_obj_get(others, "groups_differing")), 1);
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(others, "/differences/0/group")),
                        "Guatemala");
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(others, "/differences/0/mongo")), 2);
    yyjson_doc_free(doc);
    mesh_buffer_done(&text);
}

static void test_strays_are_counted_and_named(void **state)
{
    (void)state;
    struct findings findings = findings_equal();
    struct mesh_buffer text = {0};

    compare_stray(&findings.missing, "0197a2b4-0000-7000-8000-000000000001");
    for (int i = 0; i <= STRAY_NAMED_MAX; i++) {
        compare_stray(&findings.foreign, "a \"stranger\"");
    }
    report_json(&findings, 1, false, &text);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    assert_non_null(doc);
    yyjson_val *tweets = yyjson_doc_ptr_get(doc, "/streams/tweets");
    assert_true(yyjson_is_false(yyjson_obj_get(tweets, "equal")));
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "groups_differing")), 0);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "missing")), 1);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(tweets, "foreign")), STRAY_NAMED_MAX + 1);
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(tweets, "/differences/0/missing/0")),
                        "0197a2b4-0000-7000-8000-000000000001");
    yyjson_val *named = yyjson_ptr_get(tweets, "/differences/1/foreign");
    assert_int_equal(yyjson_arr_size(named), STRAY_NAMED_MAX);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(named, 9)), "a \"stranger\"");
    yyjson_doc_free(doc);
    mesh_buffer_reset(&text);
    report_table(&findings, 1, false, &text);
    assert_non_null(strstr(text.data, "1 missing in MongoDB: "
                                      "\"0197a2b4-0000-7000-8000-000000000001\"\n"));
    assert_non_null(strstr(text.data, "11 in MongoDB, but not in Kafka: \"a \\\"stranger"));
    assert_non_null(strstr(text.data, ", ...\n"));
    mesh_buffer_done(&text);
}

static void test_the_table_names_what_differs(void **state)
{
    (void)state;
    struct findings findings = findings_equal();
    struct mesh_buffer text = {0};

    report_table(&findings, 1, false, &text);
    assert_non_null(strstr(text.data, "tweets: equal"));
    assert_null(strstr(text.data, "Peru"));
    mesh_buffer_reset(&text);
    findings.redis.groups[1] = 9;
    findings.shown.foreign = 1;
    report_table(&findings, 1, false, &text);
    assert_non_null(strstr(text.data, "tweets: DIFFERENT"));
    assert_non_null(strstr(text.data, "Peru"));
    assert_non_null(strstr(text.data, "(not in the stream file)"));
    assert_null(strstr(text.data, "Guatemala"));
    mesh_buffer_reset(&text);
    report_table(&findings, 1, true, &text);
    assert_non_null(strstr(text.data, "Guatemala"));
    mesh_buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_json_holds_what_others_rely_on),
        cmocka_unit_test(test_strays_are_counted_and_named),
        cmocka_unit_test(test_the_table_names_what_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
