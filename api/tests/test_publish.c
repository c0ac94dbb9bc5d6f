/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every event of every job gets the outcome the server gave it, however messages are cut and
 * in whatever order replies come.
 * Method: a real gRPC server in this process that is told how to behave.
 */
#include "cmocka_all.h"
#include "ingest_server.h"
#include "mesh/abseil.h"
#include "mesh/alloc.h"
#include "outbox.h"
#include "publish_fixture.h"
#include "support.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void test_outcomes_find_their_events(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order order;
    order_init(&order, "[" GOOD ",{}," GOOD "," GOOD "]");
    ingest_server_fail_with(fixture->server, 8);
    ingest_server_set_mode(fixture->server, INGEST_ALTERNATES);
    order_submit(fixture->publish, &order);
    order_expect_done(&order);
    assert_int_equal(order.events.at[0].code, MESH_OK);
    assert_true(order.events.at[0].offset == 0);
    assert_int_equal(order.events.at[1].code, MESH_INVALID_ARGUMENT); /* never sent */
    assert_int_equal(order.events.at[2].code, MESH_RESOURCE_EXHAUSTED);
    assert_true(order.events.at[2].offset == -1);
    assert_int_equal(order.events.at[3].code, MESH_OK);
    assert_int_equal(order.events.at[3].partition, 2);
    assert_int_equal(ingest_server_events(fixture->server), 3);
    events_done(&order.events);
}

static void test_codes_of_the_server(void **state)
{
    struct publish_fixture *fixture = *state;
    static const struct {
        uint32_t from;
        enum mesh_code to;
    } cases[] = {{3, MESH_INVALID_ARGUMENT},   {4, MESH_DEADLINE_EXCEEDED},
                 {8, MESH_RESOURCE_EXHAUSTED}, {14, MESH_UNAVAILABLE},
                 {2, MESH_DEADLINE_EXCEEDED},  {13, MESH_DEADLINE_EXCEEDED},
                 {77, MESH_DEADLINE_EXCEEDED}};
    ingest_server_set_mode(fixture->server, INGEST_FAILS);
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        struct order order;
        order_init(&order, GOOD);
        ingest_server_fail_with(fixture->server, cases[i].from);
        order_submit(fixture->publish, &order);
        order_expect_done(&order);
        assert_int_equal(order.events.at[0].code, cases[i].to);
        if (cases[i].from == 3) {
            assert_int_equal(order.events.at[0].reasons.count, 1);
            assert_string_equal(order.events.at[0].reasons.at[0].pointer, "/country");
        }
        events_done(&order.events);
    }
}

static void test_many_jobs_share_messages(void **state)
{
    enum { COUNT = 3000 };
    struct publish_fixture *fixture = *state;
    struct order *orders = mesh_new_array(struct order, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        order_init(&orders[i], i % 100 == 0 ? "[" GOOD "," GOOD "]" : GOOD);
    }
    for (size_t i = 0; i < COUNT; i++) {
        order_submit(fixture->publish, &orders[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        order_expect_done(&orders[i]);
        assert_int_equal(orders[i].events.at[0].code, MESH_OK);
        events_done(&orders[i].events);
    }
    assert_int_equal(ingest_server_events(fixture->server), COUNT + COUNT / 100);
    assert_true(ingest_server_messages(fixture->server) < COUNT);
    free(orders);
}

static void test_large_jobs_are_split(void **state)
{
    enum { COUNT = 8 };
    struct publish_fixture *fixture = *state;
    struct order *orders = mesh_new_array(struct order, COUNT);
    struct mesh_buffer json = {0};
    char *text = mesh_alloc(4000);
    memset(text, 'x', 3999);
    text[3999] = '\0';
    for (size_t i = 0; i < 999; i++) {
        mesh_buffer_add_format(&json, "%s{\"text\":\"%s\",\"country\":\"gt\"}", i == 0 ? "[" : ",",
                               text);
    }
    mesh_buffer_add_text(&json, "]");
    for (size_t i = 0; i < COUNT; i++) {
        order_init(&orders[i], json.data);
        order_submit(fixture->publish, &orders[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        order_expect_done(&orders[i]);
        assert_int_equal(orders[i].events.at[998].code, MESH_OK);
        assert_int_equal(ingest_server_seen(fixture->server, orders[i].events.at[998].id.text), 1);
        events_done(&orders[i].events);
    }
    assert_true(ingest_server_messages(fixture->server) > COUNT); /* 4 MB each */
    mesh_buffer_done(&json);
    free(text);
    free(orders);
}

static void test_replies_may_come_in_any_order(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order first;
    struct order second;
    order_init(&first, GOOD);
    order_init(&second, GOOD);
    ingest_server_set_mode(fixture->server, INGEST_REVERSES);
    order_submit(fixture->publish, &first);
    support_wait(ingest_has_come, fixture->server); /* so that it is a message of its own */
    order_submit(fixture->publish, &second);
    order_expect_done(&first);
    order_expect_done(&second);
    assert_true(first.events.at[0].offset == 0);
    assert_true(second.events.at[0].offset == 1);
    events_done(&first.events);
    events_done(&second.events);
}

static bool all_have_come(void *arg)
{
    return ingest_server_events(arg) == OUTBOX_HOPEFUL_MAX + 1;
}

/* Nothing happens any more that could send the last one but its time. */
static void test_messages_without_an_answer_hold_others_back_for_a_while_only(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order orders[OUTBOX_HOPEFUL_MAX + 1];
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    for (size_t i = 0; i < MESH_COUNT_OF(orders); i++) {
        order_init(&orders[i], GOOD);
        order_submit(fixture->publish, &orders[i]);
    }
    support_wait(all_have_come, fixture->server);
    publish_free(fixture->publish);
    fixture->publish = NULL;
    for (size_t i = 0; i < MESH_COUNT_OF(orders); i++) {
        order_expect_done(&orders[i]);
        events_done(&orders[i].events);
    }
}

/* Sends a crowd, then one who is alone. Returns how long he is to wait; -1: he did not, for the
 * crowd's last message was a small one. */
static int64_t one_after_a_crowd(struct publish *publish, struct order *alone)
{
    struct order orders[40];
    for (size_t i = 0; i < MESH_COUNT_OF(orders); i++) {
        order_init(&orders[i], GOOD);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(orders); i++) {
        order_submit(publish, &orders[i]);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(orders); i++) {
        order_expect_done(&orders[i]);
        events_done(&orders[i].events);
    }
    order_init(alone, GOOD);
    order_submit(publish, alone);
    return publish_flush(publish);
}

static void test_who_waits_for_a_crowd_goes_when_it_does_not_come(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order alone;
    int64_t wait_us = one_after_a_crowd(fixture->publish, &alone);
    for (int i = 0; i < 100 && wait_us < 0; i++) {
        order_expect_done(&alone);
        events_done(&alone.events);
        wait_us = one_after_a_crowd(fixture->publish, &alone);
    }
    assert_in_range(wait_us, 1, 2 * GATHER_ROUND_US_MAX);
    assert_int_equal(atomic_load(&alone.done), 0);
    nanosleep(&(struct timespec){.tv_nsec = (long)wait_us * 1000}, NULL);
    assert_int_equal(publish_flush(fixture->publish), -1);
    order_expect_done(&alone);
    assert_int_equal(publish_flush(fixture->publish), -1);
    events_done(&alone.events);
}

/* Another build of Abseil may not have these checks, or name the function otherwise. */
static void test_abseil_can_be_told(void **state)
{
    (void)state;
    if (!mesh_abseil_checks_off()) {
        skip();
    }
}

#define WITH_SERVER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, publish_fixture_setup, publish_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abseil_can_be_told),
        WITH_SERVER(test_outcomes_find_their_events),
        WITH_SERVER(test_codes_of_the_server),
        WITH_SERVER(test_many_jobs_share_messages),
        WITH_SERVER(test_large_jobs_are_split),
        WITH_SERVER(test_replies_may_come_in_any_order),
        WITH_SERVER(test_messages_without_an_answer_hold_others_back_for_a_while_only),
        WITH_SERVER(test_who_waits_for_a_crowd_goes_when_it_does_not_come),
    };
    return cmocka_run_group_tests(tests, publish_fixture_group_setup,
                                  publish_fixture_group_teardown);
}
