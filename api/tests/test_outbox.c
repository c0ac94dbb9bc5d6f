/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: events leave at once while little is on its way, gather while much is, and never wait for
 * what does not come.
 * Method: the outbox alone, at times that the test makes up.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "outbox.h"
#include "support.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EVENT "{\"text\":\"rain\",\"country\":\"gt\"}"
#define START_US INT64_C(1000000)

struct order {
    struct publish_job job; /* first: the callback finds the rest */
    struct events events;
    bool released;
};

static struct mesh_streams *streams;
static struct outbox outbox;

static void on_release(struct publish_job *job)
{
    ((struct order *)job)->released = true;
}

/* A list of events; `misfit` is one that does not fit, or "". */
static struct order *add(size_t count, const char *misfit)
{
    struct order *order = mesh_new(struct order);
    struct mesh_buffer json = {0};
    mesh_buffer_add_format(&json, "[%s", misfit);
    for (size_t i = 0; i < count; i++) {
        mesh_buffer_add_format(&json, "%s" EVENT, i + (misfit[0] != '\0') == 0 ? "" : ",");
    }
    mesh_buffer_add_text(&json, "]");
    support_events(streams, json.data, &order->events);
    order->job = (struct publish_job){.events = &order->events, .release = on_release};
    outbox_add(&outbox, &order->job, START_US);
    mesh_buffer_done(&json);
    return order;
}

static void drop(struct order *order)
{
    outbox_drop(&order->job);
    assert_true(order->released);
    events_done(&order->events);
    free(order);
}

/* Takes a message, which must have so many events; 0: there must be none. */
static uint64_t take(size_t event_count, int64_t now_us)
{
    const struct outbox_message *message = outbox_take(&outbox, now_us);
    if (event_count == 0) {
        assert_null(message);
        return 0;
    }
    assert_non_null(message);
    assert_int_equal(message->event_count, event_count);
    return message->sequence;
}

static void reply(uint64_t sequence, size_t event_count, int64_t now_us)
{
    static uint32_t codes[MESH_EVENT_COUNT_MAX]; /* MESH_OK */
    static int32_t partitions[MESH_EVENT_COUNT_MAX];
    static int64_t offsets[MESH_EVENT_COUNT_MAX];
    Tweetmesh__V1__PublishReply message = TWEETMESH__V1__PUBLISH_REPLY__INIT;
    struct outbox_jobs finished = TAILQ_HEAD_INITIALIZER(finished);
    int64_t sent_us;
    struct publish_job *job;
    message.sequence = sequence;
    message.n_codes = message.n_partitions = message.n_offsets = event_count;
    message.codes = codes;
    message.partitions = partitions;
    message.offsets = offsets;
    assert_true(outbox_reply(&outbox, &message, now_us, &finished, &sent_us));
    while ((job = TAILQ_FIRST(&finished)) != NULL) {
        TAILQ_REMOVE(&finished, job, entry);
        drop((struct order *)job);
    }
}

/* So many messages of one event on their way that the next one gathers. */
static uint64_t fill(int64_t now_us)
{
    uint64_t last = 0;
    for (size_t i = 0; i < OUTBOX_HOPEFUL_MAX; i++) {
        (void)add(1, "");
        last = take(1, now_us);
    }
    return last;
}

static int setup(void **state)
{
    (void)state;
    outbox_init(&outbox);
    return 0;
}

/* Whatever a test has left is answered. */
static int teardown(void **state)
{
    (void)state;
    int64_t now_us = START_US;
    do {
        struct outbox_message *message;
        while ((message = TAILQ_FIRST(&outbox.in_flight)) != NULL) {
            reply(message->sequence, message->event_count, START_US);
        }
        now_us += OUTBOX_HOPE_US;
    } while (outbox_take(&outbox, now_us) != NULL);
    assert_int_equal(outbox.waiting_count, 0);
    return 0;
}

static void test_events_gather_until_a_reply(void **state)
{
    (void)state;
    uint64_t sequence = fill(START_US);
    (void)add(1, "");
    (void)add(2, "");
    take(0, START_US);
    reply(sequence, 1, START_US);
    take(3, START_US);
    take(0, START_US);
}

static void test_without_a_sign_one_more_goes(void **state)
{
    (void)state;
    (void)fill(START_US);
    for (size_t i = 1; i <= 3; i++) {
        int64_t since_us = START_US + (int64_t)(i - 1) * OUTBOX_HOPE_US;
        (void)add(1, "");
        take(0, since_us + OUTBOX_HOPE_US - 1);
        take(1, since_us + OUTBOX_HOPE_US);
        take(0, since_us + OUTBOX_HOPE_US);
    }
}

static void test_a_message_that_was_overtaken_holds_nothing_back(void **state)
{
    (void)state;
    int64_t now_us = START_US + OUTBOX_HOPE_US;
    (void)fill(START_US); /* is stuck */
    (void)add(1, "");
    uint64_t sequence = take(1, now_us);
    for (size_t i = 0; i < 5; i++) {
        reply(sequence, 1, ++now_us);
        (void)add(1, "");
        sequence = take(1, now_us);
        (void)add(1, "");
        take(0, now_us);
        reply(sequence, 1, ++now_us);
        sequence = take(1, now_us);
    }
}

/* Replies come, though slowly: more messages would not make them faster. */
static void test_while_replies_come_no_more_goes(void **state)
{
    (void)state;
    int64_t now_us = START_US + OUTBOX_HOPE_US;
    (void)fill(START_US);
    (void)add(1, "");
    uint64_t second = take(1, now_us);
    (void)add(1, "");
    (void)take(1, now_us + OUTBOX_HOPE_US);
    now_us += INT64_C(2) * OUTBOX_HOPE_US;
    reply(second, 1, now_us - 1);
    (void)add(1, "");
    take(0, now_us + OUTBOX_HOPE_US - 2);
    take(1, now_us + OUTBOX_HOPE_US - 1);
}

static void test_full_messages_go_at_once_but_not_any_number(void **state)
{
    (void)state;
    (void)fill(START_US);
    (void)add(MESH_EVENT_COUNT_MAX - 1, "");
    take(0, START_US);
    (void)add(1, "");
    for (size_t i = OUTBOX_HOPEFUL_MAX; i < OUTBOX_FULL_MAX; i++) {
        take(MESH_EVENT_COUNT_MAX, START_US);
        (void)add(MESH_EVENT_COUNT_MAX, "");
    }
    take(0, START_US);
    take(MESH_EVENT_COUNT_MAX, START_US + OUTBOX_HOPE_US);
}

/* Neither what was refused here nor what was withdrawn fills a message. */
static void test_what_is_not_sent_does_not_count(void **state)
{
    (void)state;
    (void)fill(START_US);
    struct order *withdrawn = add(MESH_EVENT_COUNT_MAX - 2, "{}");
    (void)add(1, "");
    take(0, START_US);
    assert_true(outbox_withdraw(&outbox, &withdrawn->job));
    drop(withdrawn);
    assert_int_equal(outbox.waiting_count, 1);
    (void)add(MESH_EVENT_COUNT_MAX - 2, "");
    take(0, START_US);
    (void)add(1, "");
    take(MESH_EVENT_COUNT_MAX, START_US);
}

static void test_half_a_job_that_is_withdrawn_does_not_count(void **state)
{
    (void)state;
    struct order *first = add(1, "");
    struct order *cut = add(MESH_EVENT_COUNT_MAX - 1, "{}");
    uint64_t sequence = take(MESH_EVENT_COUNT_MAX, START_US);
    struct order *rest = add(MESH_EVENT_COUNT_MAX - 1, "");
    struct order *half = add(3, "");
    take(MESH_EVENT_COUNT_MAX, START_US); /* one event of `half` is in it */
    assert_int_equal(outbox.waiting_count, 2);
    assert_true(outbox_withdraw(&outbox, &half->job));
    assert_int_equal(outbox.waiting_count, 0);
    outbox_drop(&half->job);
    assert_false(half->released); /* a message points to it */
    reply(sequence, MESH_EVENT_COUNT_MAX, START_US);
    reply(sequence + 1, MESH_EVENT_COUNT_MAX, START_US);
    assert_true(half->released);
    events_done(&half->events);
    free(half);
    (void)first;
    (void)cut;
    (void)rest;
}

static void test_what_is_resent_does_not_gather(void **state)
{
    (void)state;
    enum { BEFORE = OUTBOX_HOPEFUL_MAX + 2 };
    for (size_t i = 0; i < BEFORE; i++) {
        (void)add(1, "");
        take(1, START_US + (int64_t)i * OUTBOX_HOPE_US);
    }
    (void)add(1, "");
    outbox_broken(&outbox);
    int64_t later_us = START_US + (int64_t)BEFORE * OUTBOX_HOPE_US;
    for (size_t i = 0; i < BEFORE; i++) {
        take(1, later_us);
    }
    take(0, later_us); /* what was never sent does */
}

static void test_no_more_in_flight_than_the_table_holds(void **state)
{
    (void)state;
    int64_t now_us = START_US;
    for (size_t i = 0; i < OUTBOX_IN_FLIGHT_MAX; i++) {
        (void)add(1, "");
        now_us += OUTBOX_HOPE_US;
        take(1, now_us);
    }
    (void)add(MESH_EVENT_COUNT_MAX, "");
    take(0, now_us + OUTBOX_HOPE_US);
    reply(TAILQ_FIRST(&outbox.in_flight)->sequence, 1, now_us);
    take(MESH_EVENT_COUNT_MAX, now_us + OUTBOX_HOPE_US);
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

#define AFRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Ten requests are answered at once. Returns when. */
static int64_t answer_crowd(void)
{
    for (int i = 0; i < 10; i++) {
        (void)add(1, "");
    }
    const int64_t now_us = START_US + 500;
    reply(take(10, START_US), 10, now_us);
    return now_us;
}

static void test_who_was_answered_together_is_waited_for(void **state)
{
    (void)state;
    const int64_t now_us = answer_crowd();
    assert_int_equal(outbox_due_us(&outbox), 0); /* nothing waits */
    for (int i = 0; i < 9; i++) {
        (void)add(1, "");
        assert_int_equal(take(0, now_us), 0);
        assert_in_range(outbox_due_us(&outbox), now_us + 1, now_us + 2 * GATHER_ROUND_US_MAX);
    }
    (void)add(1, "");
    assert_int_equal(outbox_due_us(&outbox), 0); /* it waits for nobody: all are here */
    (void)take(10, now_us);
}

static void test_who_does_not_come_is_not_waited_for_longer(void **state)
{
    (void)state;
    (void)answer_crowd();
    (void)add(1, "");
    const int64_t due_us = outbox_due_us(&outbox);
    assert_int_equal(take(0, due_us - 1), 0);
    (void)take(1, due_us);
}

static void test_a_full_message_waits_for_nobody(void **state)
{
    (void)state;
    const int64_t now_us = answer_crowd();
    (void)add(MESH_EVENT_COUNT_MAX, "");
    (void)take(MESH_EVENT_COUNT_MAX, now_us);
}

static void test_what_is_withdrawn_is_waited_for_by_nobody(void **state)
{
    (void)state;
    (void)answer_crowd();
    struct order *order = add(1, "");
    assert_true(outbox_withdraw(&outbox, &order->job));
    drop(order);
    assert_int_equal(outbox_due_us(&outbox), 0);
    assert_int_equal(outbox.waiting_jobs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AFRESH(test_events_gather_until_a_reply),
        AFRESH(test_without_a_sign_one_more_goes),
        AFRESH(test_a_message_that_was_overtaken_holds_nothing_back),
        AFRESH(test_while_replies_come_no_more_goes),
        AFRESH(test_full_messages_go_at_once_but_not_any_number),
        AFRESH(test_what_is_not_sent_does_not_count),
        AFRESH(test_half_a_job_that_is_withdrawn_does_not_count),
        AFRESH(test_what_is_resent_does_not_gather),
        AFRESH(test_no_more_in_flight_than_the_table_holds),
        AFRESH(test_who_was_answered_together_is_waited_for),
        AFRESH(test_who_does_not_come_is_not_waited_for_longer),
        AFRESH(test_a_full_message_waits_for_nobody),
        AFRESH(test_what_is_withdrawn_is_waited_for_by_nobody),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
