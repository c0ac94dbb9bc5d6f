/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every job ends exactly once with true outcomes when streams break, when grpc-server talks
 * nonsense, never answers, does not serve, goes away and comes back.
 * Method: a real gRPC server in this process that is told how to behave.
 */
#include "cmocka_all.h"
#include "ingest_server.h"
#include "mesh/alloc.h"
#include "publish_fixture.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct watch {
    struct publish_fixture *fixture;
    atomic_bool *ended;
};

static bool has_more_streams_or_ended(void *arg)
{
    const struct watch *watch = arg;
    return publish_fixture_has_more_streams(watch->fixture) || atomic_load(watch->ended);
}

/* Told to break or to talk nonsense once, the server gets the same event again on a new stream. */
static void expect_resend(struct publish_fixture *fixture, enum ingest_mode mode)
{
    struct order order;
    order_init(&order, GOOD);
    ingest_server_set_mode(fixture->server, mode);
    order_submit(fixture->publish, &order);
    support_wait(ingest_has_two_streams, fixture->server);
    assert_int_equal(atomic_load(&order.done), 0);
    ingest_server_set_mode(fixture->server, INGEST_STORES);
    order_expect_done(&order);
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
    struct publish_fixture *fixture = *state;
    struct order order;
    order_init(&order, GOOD);
    ingest_server_fail_with(fixture->server, MESH_UNAVAILABLE);
    ingest_server_set_mode(fixture->server, INGEST_BREAKS);
    order_submit(fixture->publish, &order);
    support_wait(ingest_has_two_streams, fixture->server);
    ingest_server_set_mode(fixture->server, INGEST_FAILS);
    order_expect_done(&order);
    assert_int_equal(order.events.at[0].code, MESH_DEADLINE_EXCEEDED);
    events_done(&order.events);
}

static void test_a_server_that_does_not_serve_gets_no_messages(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order order;
    publish_free(fixture->publish);
    ingest_server_set_serving(fixture->server, false);
    fixture->streams_before = ingest_server_streams(fixture->server);
    fixture->publish = publish_client(ingest_server_port(fixture->server), 60000, 60000);
    order_init(&order, GOOD);
    order_submit(fixture->publish, &order);
    support_wait(publish_fixture_has_more_streams, fixture);
    assert_int_equal(ingest_server_events(fixture->server), 0);
    ingest_server_set_serving(fixture->server, true);
    order_expect_done(&order);
    assert_int_equal(order.events.at[0].code, MESH_OK);
    events_done(&order.events);
}

enum { CROWD = 3, CROWD_ORDERS = 600 };

struct crowd {
    struct publish *publish;
    struct order orders[CROWD_ORDERS];
    atomic_bool ended;
};

/* A light load: a send that fails would announce the end of the stream by itself, so some streams
 * must end while nothing is being sent. */
static void *crowd_run(void *arg)
{
    struct crowd *crowd = arg;
    for (size_t i = 0; i < CROWD_ORDERS; i++) {
        struct order *order = &crowd->orders[i];
        order_init(order, GOOD);
        if (publish_submit(crowd->publish, &order->job) != MESH_OK) {
            abort();
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* a steady load, no wait */
    }
    atomic_store(&crowd->ended, true);
    return NULL;
}

static void test_streams_that_end_while_others_send(void **state)
{
    struct publish_fixture *fixture = *state;
    struct crowd *crowds = mesh_new_array(struct crowd, CROWD);
    pthread_t threads[CROWD];
    for (size_t i = 0; i < CROWD; i++) {
        crowds[i].publish = fixture->publish;
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowds[i]), 0);
    }
    while (!atomic_load(&crowds[0].ended)) {
        fixture->streams_before = ingest_server_streams(fixture->server);
        ingest_server_set_mode(fixture->server, INGEST_BREAKS);
        support_wait(has_more_streams_or_ended, &(struct watch){fixture, &crowds[0].ended});
        ingest_server_set_mode(fixture->server, INGEST_STORES);
    }
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t k = 0; k < CROWD_ORDERS; k++) {
            order_expect_done(&crowds[i].orders[k]);
            assert_int_equal(crowds[i].orders[k].events.at[0].code, MESH_OK);
            events_done(&crowds[i].orders[k].events);
        }
    }
    free(crowds);
}

/* Messages whose replies are late go on lanes of their own; when one of these ends, the others have
 * a moment, and then all goes again. */
static void test_lanes_end_together(void **state)
{
    enum { LATE = 4 };
    struct publish_fixture *fixture = *state;
    struct order orders[LATE];
    size_t streams_before = ingest_server_streams(fixture->server);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    for (size_t i = 0; i < LATE; i++) {
        if (i == LATE - 1) {
            ingest_server_set_mode(fixture->server, INGEST_BREAKS);
        }
        size_t messages = ingest_server_messages(fixture->server);
        order_init(&orders[i], GOOD);
        order_submit(fixture->publish, &orders[i]);
        while (ingest_server_messages(fixture->server) == messages) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* ctest has a limit */
        }
    }
    assert_true(ingest_server_streams(fixture->server) >= streams_before + LATE - 1);
    ingest_server_set_mode(fixture->server, INGEST_STORES);
    for (size_t i = 0; i < LATE; i++) {
        order_expect_done(&orders[i]);
        assert_int_equal(orders[i].events.at[0].code, MESH_OK);
        assert_true(ingest_server_seen(fixture->server, orders[i].events.at[0].id.text) >= 2);
        events_done(&orders[i].events);
    }
}

static void test_withdrawn_after_it_was_sent_is_unknown(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order order;
    order_init(&order, "[" GOOD ",{}]");
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    order_submit(fixture->publish, &order);
    support_wait(ingest_has_come, fixture->server);
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
    struct publish_fixture *fixture = *state;
    struct order kept;
    struct order waiting;
    struct order refused;
    publish_free(fixture->publish);
    uint16_t port = ingest_server_port(fixture->server);
    fixture->publish = publish_client(port, 300, 60000);
    support_wait(publish_is_ready, fixture->publish);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    order_init(&kept, GOOD);
    order_submit(fixture->publish, &kept);
    support_wait(ingest_has_come, fixture->server);
    ingest_server_free(fixture->server);
    support_wait(publish_is_not_ready, fixture->publish);

    order_init(&waiting, GOOD);
    order_submit(fixture->publish, &waiting); /* the outage is young */
    order_expect_done(&waiting);
    assert_int_equal(waiting.events.at[0].code, MESH_UNAVAILABLE);
    order_init(&refused, GOOD);
    assert_int_equal(publish_submit(fixture->publish, &refused.job), MESH_UNAVAILABLE);
    assert_int_equal(atomic_load(&refused.done) + atomic_load(&refused.released), 0);
    assert_int_equal(atomic_load(&kept.done), 0); /* it was sent: its deadline decides */

    fixture->server = ingest_server_new(port);
    order_expect_done(&kept);
    assert_int_equal(kept.events.at[0].code, MESH_OK);
    events_done(&kept.events);
    events_done(&waiting.events);
    events_done(&refused.events);
}

static void test_a_server_that_never_answers_is_left(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order order;
    publish_free(fixture->publish);
    fixture->publish = publish_client(ingest_server_port(fixture->server), 2000, 300);
    support_wait(publish_is_ready, fixture->publish);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    order_init(&order, GOOD);
    order_submit(fixture->publish, &order);
    support_wait(ingest_has_come, fixture->server);
    assert_true(publish_withdraw(fixture->publish, &order.job));
    support_wait(order_is_released, &order);
    assert_int_equal(ingest_server_events(fixture->server), 1); /* nobody waits: not sent again */
    events_done(&order.events);
}

static void test_freeing_ends_what_is_open(void **state)
{
    struct publish_fixture *fixture = *state;
    struct order order;
    order_init(&order, GOOD);
    ingest_server_set_mode(fixture->server, INGEST_HOLDS);
    order_submit(fixture->publish, &order);
    support_wait(ingest_has_come, fixture->server);
    publish_free(fixture->publish);
    fixture->publish = NULL;
    assert_int_equal(atomic_load(&order.done), 1);
    assert_int_equal(atomic_load(&order.released), 1);
    assert_int_equal(order.events.at[0].code, MESH_DEADLINE_EXCEEDED);
    events_done(&order.events);
}

static void test_a_server_that_does_not_serve_is_not_ready(void **state)
{
    struct publish_fixture *fixture = *state;
    ingest_server_set_serving(fixture->server, false);
    support_wait(publish_is_not_ready, fixture->publish);
    ingest_server_set_serving(fixture->server, true);
    support_wait(publish_is_ready, fixture->publish);
}

#define WITH_SERVER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, publish_fixture_setup, publish_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_a_broken_stream_is_resent),
        WITH_SERVER(test_too_few_columns_break_the_stream),
        WITH_SERVER(test_an_unknown_sequence_breaks_the_stream),
        WITH_SERVER(test_a_refusal_of_what_was_resent_is_unknown),
        WITH_SERVER(test_a_server_that_does_not_serve_gets_no_messages),
        WITH_SERVER(test_streams_that_end_while_others_send),
        WITH_SERVER(test_lanes_end_together),
        WITH_SERVER(test_withdrawn_after_it_was_sent_is_unknown),
        WITH_SERVER(test_a_server_away_means_unavailable_after_a_while),
        WITH_SERVER(test_a_server_that_never_answers_is_left),
        WITH_SERVER(test_freeing_ends_what_is_open),
        WITH_SERVER(test_a_server_that_does_not_serve_is_not_ready),
    };
    return cmocka_run_group_tests(tests, publish_fixture_group_setup,
                                  publish_fixture_group_teardown);
}
