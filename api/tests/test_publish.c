/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every job ends exactly once with true outcomes, whatever grpc-server does: answers late, in
 * another order, nonsense, not at all, goes away and comes back.
 * Method: a real gRPC server in this process that is told how to behave.
 */
#include "cmocka_all.h"
#include "ingest_server.h"
#include "mesh/alloc.h"
#include "publish.h"
#include "support.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOOD "{\"text\":\"rain\",\"country\":\"gt\"}"

static struct mesh_streams *streams;

struct order {
    struct publish_job job; /* first: the callbacks find the rest */
    struct events events;
    atomic_int done;
    atomic_int released;
};

static void on_done(struct publish_job *job)
{
    atomic_fetch_add(&((struct order *)job)->done, 1);
}

static void on_release(struct publish_job *job)
{
    atomic_fetch_add(&((struct order *)job)->released, 1);
}

static bool is_released(void *arg)
{
    return atomic_load(&((struct order *)arg)->released) == 1;
}

static bool is_ready(void *arg)
{
    return publish_ready(arg);
}

static bool is_not_ready(void *arg)
{
    return !publish_ready(arg);
}

static bool has_come(void *arg)
{
    return ingest_server_events(arg) > 0;
}

static bool two_streams(void *arg)
{
    return ingest_server_streams(arg) >= 2;
}

static void order_init(struct order *order, const char *json)
{
    memset(order, 0, sizeof(*order));
    support_events(streams, json, &order->events);
    order->job =
        (struct publish_job){.events = &order->events, .done = on_done, .release = on_release};
}

/* Ended once, by done. */
static void expect_done(struct order *order)
{
    support_wait(is_released, order);
    assert_int_equal(atomic_load(&order->done), 1);
}

static struct publish *client_of(uint16_t port, uint32_t down_ms_max, uint32_t reply_ms_max)
{
    char target[64];
    struct mesh_error err = {0};
    snprintf(target, sizeof(target), "127.0.0.1:%u", (unsigned)port);
    struct publish *publish = publish_new(&(struct publish_options){.target = target,
                                                                    .down_ms_max = down_ms_max,
                                                                    .reply_ms_max = reply_ms_max},
                                          &err);
    assert_non_null(publish);
    return publish;
}

struct fixture {
    struct ingest_server *server;
    struct publish *publish;
    size_t streams_before;
};

static bool has_more_streams(void *arg)
{
    const struct fixture *fixture = arg;
    return ingest_server_streams(fixture->server) > fixture->streams_before;
}

static int setup(void **state)
{
    struct fixture *fixture = mesh_new(struct fixture);
    fixture->server = ingest_server_new(0);
    fixture->publish = client_of(ingest_server_port(fixture->server), 2000, 60000);
    support_wait(is_ready, fixture->publish);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    publish_free(fixture->publish);
    ingest_server_free(fixture->server);
    free(fixture);
    return 0;
}

static void submit(struct publish *publish, struct order *order)
{
    assert_int_equal(publish_submit(publish, &order->job), MESH_OK);
}

static void test_outcomes_find_their_events(void **state)
{
    struct fixture *fixture = *state;
    struct order order;
    order_init(&order, "[" GOOD ",{}," GOOD "," GOOD "]");
    ingest_server_fail_with(fixture->server, 8);
    ingest_server_set_mode(fixture->server, INGEST_ALTERNATES);
    submit(fixture->publish, &order);
    expect_done(&order);
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
    struct fixture *fixture = *state;
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
        submit(fixture->publish, &order);
        expect_done(&order);
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
    struct fixture *fixture = *state;
    struct order *orders = mesh_new_array(struct order, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        order_init(&orders[i], i % 100 == 0 ? "[" GOOD "," GOOD "]" : GOOD);
    }
    for (size_t i = 0; i < COUNT; i++) {
        submit(fixture->publish, &orders[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        expect_done(&orders[i]);
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
    struct fixture *fixture = *state;
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
        submit(fixture->publish, &orders[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        expect_done(&orders[i]);
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
    struct fixture *fixture = *state;
    struct order first;
    struct order second;
    order_init(&first, GOOD);
    order_init(&second, GOOD);
    ingest_server_set_mode(fixture->server, INGEST_REVERSES);
    submit(fixture->publish, &first);
    support_wait(has_come, fixture->server); /* so that it is a message of its own */
    submit(fixture->publish, &second);
    expect_done(&first);
    expect_done(&second);
    assert_true(first.events.at[0].offset == 0);
    assert_true(second.events.at[0].offset == 1);
    events_done(&first.events);
    events_done(&second.events);
}

/* Told to break or to talk nonsense once, the server gets the same event again on a new stream. */
static void expect_resend(struct fixture *fixture, enum ingest_mode mode)
{
    struct order order;
    order_init(&order, GOOD);
    ingest_server_set_mode(fixture->server, mode);
    submit(fixture->publish, &order);
    support_wait(two_streams, fixture->server);
    assert_int_equal(atomic_load(&order.done), 0);
    ingest_server_set_mode(fixture->server, INGEST_STORES);
    expect_done(&order);
    assert_int_equal(order.events.at[0].code, MESH_OK);
    assert_true(ingest_server_seen(fixture->server, order.events.at[0].id.text) >= 2);
    events_done(&order.events);
}

static void test_a_broken_stream_is_resent(void **state)
{
    expect_resend(*state, INGEST_BREAKS);
}

static void test_too_few_columns_break_the_stream(void **state)
{
    expect_resend(*state, INGEST_WRONG_COLUMNS);
}

static void test_an_unknown_sequence_breaks_the_stream(void **state)
{
    expect_resend(*state, INGEST_UNKNOWN_SEQUENCE);
}

/* The first stream ends without an answer, the second one refuses: nobody knows about the first. */
static void test_a_refusal_of_what_was_resent_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct order order;
    order_init(&order, GOOD);
    ingest_server_fail_with(fixture->server, MESH_UNAVAILABLE);
    ingest_server_set_mode(fixture->server, INGEST_BREAKS);
    submit(fixture->publish, &order);
    support_wait(two_streams, fixture->server);
    ingest_server_set_mode(fixture->server, INGEST_FAILS);
    expect_done(&order);
    assert_int_equal(order.events.at[0].code, MESH_DEADLINE_EXCEEDED);
    events_done(&order.events);
}

static void test_a_server_that_does_not_serve_gets_no_messages(void **state)
{
    struct fixture *fixture = *state;
    struct order order;
    publish_free(fixture->publish);
    ingest_server_set_serving(fixture->server, false);
    fixture->streams_before = ingest_server_streams(fixture->server);
    fixture->publish = client_of(ingest_server_port(fixture->server), 60000, 60000);
    order_init(&order, GOOD);
    submit(fixture->publish, &order);
    support_wait(has_more_streams, fixture);
    assert_int_equal(ingest_server_events(fixture->server), 0);
    ingest_server_set_serving(fixture->server, true);
    expect_done(&order);
    assert_int_equal(order.events.at[0].code, MESH_OK);
    events_done(&order.events);
}

static void test_withdrawn_after_it_was_sent_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct order order;
    order_init(&order, "[" GOOD ",{}]");
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    submit(fixture->publish, &order);
    support_wait(has_come, fixture->server);
    assert_true(publish_withdraw(fixture->publish, &order.job));
    assert_false(publish_withdraw(fixture->publish, &order.job));
    assert_int_equal(order.events.at[0].code, MESH_DEADLINE_EXCEEDED);
    assert_int_equal(order.events.at[1].code, MESH_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&order.done), 0);
    assert_int_equal(atomic_load(&order.released), 0); /* the message points to it */
    publish_free(fixture->publish);
    fixture->publish = NULL;
    assert_int_equal(atomic_load(&order.released), 1);
    events_done(&order.events);
}

static void test_a_server_away_means_unavailable_after_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct order kept;
    struct order waiting;
    struct order refused;
    publish_free(fixture->publish);
    uint16_t port = ingest_server_port(fixture->server);
    fixture->publish = client_of(port, 300, 60000);
    support_wait(is_ready, fixture->publish);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    order_init(&kept, GOOD);
    submit(fixture->publish, &kept);
    support_wait(has_come, fixture->server);
    ingest_server_free(fixture->server);
    support_wait(is_not_ready, fixture->publish);

    order_init(&waiting, GOOD);
    submit(fixture->publish, &waiting); /* the outage is young */
    expect_done(&waiting);
    assert_int_equal(waiting.events.at[0].code, MESH_UNAVAILABLE);
    order_init(&refused, GOOD);
    assert_int_equal(publish_submit(fixture->publish, &refused.job), MESH_UNAVAILABLE);
    assert_int_equal(atomic_load(&refused.done) + atomic_load(&refused.released), 0);
    assert_int_equal(atomic_load(&kept.done), 0); /* it was sent: its deadline decides */

    fixture->server = ingest_server_new(port);
    expect_done(&kept);
    assert_int_equal(kept.events.at[0].code, MESH_OK);
    events_done(&kept.events);
    events_done(&waiting.events);
    events_done(&refused.events);
}

static void test_a_server_that_never_answers_is_left(void **state)
{
    struct fixture *fixture = *state;
    struct order order;
    publish_free(fixture->publish);
    fixture->publish = client_of(ingest_server_port(fixture->server), 2000, 300);
    support_wait(is_ready, fixture->publish);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    order_init(&order, GOOD);
    submit(fixture->publish, &order);
    support_wait(has_come, fixture->server);
    assert_true(publish_withdraw(fixture->publish, &order.job));
    support_wait(is_released, &order);
    assert_int_equal(ingest_server_events(fixture->server), 1); /* nobody waits: not sent again */
    events_done(&order.events);
}

static void test_freeing_ends_what_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct order order;
    order_init(&order, GOOD);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    submit(fixture->publish, &order);
    support_wait(has_come, fixture->server);
    publish_free(fixture->publish);
    fixture->publish = NULL;
    assert_int_equal(atomic_load(&order.done), 1);
    assert_int_equal(atomic_load(&order.released), 1);
    assert_int_equal(order.events.at[0].code, MESH_DEADLINE_EXCEEDED);
    events_done(&order.events);
}

static void test_a_server_that_does_not_serve_is_not_ready(void **state)
{
    struct fixture *fixture = *state;
    ingest_server_set_serving(fixture->server, false);
    support_wait(is_not_ready, fixture->publish);
    ingest_server_set_serving(fixture->server, true);
    support_wait(is_ready, fixture->publish);
}

static int group_setup(void **state)
{
    (void)state;
    streams = support_streams();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    mesh_streams_free(streams);
    return 0;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_outcomes_find_their_events),
        WITH_SERVER(test_codes_of_the_server),
        WITH_SERVER(test_many_jobs_share_messages),
        WITH_SERVER(test_large_jobs_are_split),
        WITH_SERVER(test_replies_may_come_in_any_order),
        WITH_SERVER(test_a_broken_stream_is_resent),
        WITH_SERVER(test_a_refusal_of_what_was_resent_is_unknown),
        WITH_SERVER(test_a_server_that_does_not_serve_gets_no_messages),
        WITH_SERVER(test_too_few_columns_break_the_stream),
        WITH_SERVER(test_an_unknown_sequence_breaks_the_stream),
        WITH_SERVER(test_withdrawn_after_it_was_sent_is_unknown),
        WITH_SERVER(test_a_server_away_means_unavailable_after_a_while),
        WITH_SERVER(test_a_server_that_never_answers_is_left),
        WITH_SERVER(test_freeing_ends_what_is_open),
        WITH_SERVER(test_a_server_that_does_not_serve_is_not_ready),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
