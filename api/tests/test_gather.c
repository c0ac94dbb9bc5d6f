/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: clients that come back together share a message, and nobody else ever waits for long.
 * Method: a model of clients and of one message at a time, in a time of its own; each crowd is
 * played with gathering and without. Latencies are from a request's arrival to its reply.
 */
#include "cmocka_all.h"
#include "gather.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 64
#define NEVER INT64_MAX
#define WARM_US INT64_C(1000000) /* is not measured */
#define PLAY_US INT64_C(10000000)

/* A message takes so long, and answers leave one after the other. */
#define ROUND_US 300
#define EACH_US 10

struct crowd {
    size_t clients;          /* that send when they are answered */
    int64_t think_us;        /* before they do */
    int64_t first_think_us;  /* the first of them, instead */
    double rate;             /* requests a second that come by themselves, besides */
    int64_t clients_stop_us; /* when they do; 0: never */
};

struct played {
    size_t messages;
    size_t requests;
    double latency_us;  /* on average */
    double gathered_us; /* of all requests, on average */
    int64_t gathered_max_us;
};

struct world {
    const struct crowd *crowd;
    struct gather gather;
    bool gathers;
    int64_t now_us;
    int64_t next_us[CLIENTS_MAX]; /* when a client sends; NEVER: it waits for an answer */
    int64_t stranger_us;          /* when the next one who comes by himself does */
    uint64_t chance;
    /* waiting and on their way: clients, and of all the sum of their arrivals */
    bool waiting[CLIENTS_MAX];
    bool sent[CLIENTS_MAX];
    size_t waiting_count;
    size_t sent_count;
    int64_t first_us;
    double waiting_sum_us;
    double sent_sum_us;
    int64_t sent_at_us;
    int64_t reply_us; /* NEVER: nothing is on its way */
    struct played played;
};

static double chance(struct world *world)
{
    world->chance = world->chance * 6364136223846793005U + 1442695040888963407U;
    return ((double)(world->chance >> 11) + 1) / 9007199254740993.0;
}

static void stranger_next(struct world *world)
{
    double rate = world->crowd->rate;
    world->stranger_us =
        rate == 0 ? NEVER : world->now_us + 1 + (int64_t)(-log(chance(world)) * 1000000 / rate);
}

static void arrive(struct world *world)
{
    world->first_us = world->waiting_count == 0 ? world->now_us : world->first_us;
    world->waiting_count++;
    world->waiting_sum_us += (double)world->now_us;
    gather_arrived(&world->gather, world->now_us);
}

static bool measured(const struct world *world)
{
    return world->now_us >= WARM_US && world->now_us >= world->crowd->clients_stop_us * 2;
}

static void leave(struct world *world)
{
    int64_t gathered_us =
        gather_left(&world->gather, world->waiting_count, world->first_us, world->now_us);
    assert_in_range(gathered_us, 0, 2 * GATHER_ROUND_US_MAX);
    memcpy(world->sent, world->waiting, sizeof(world->sent));
    memset(world->waiting, 0, sizeof(world->waiting));
    world->sent_count = world->waiting_count;
    world->sent_sum_us = world->waiting_sum_us;
    world->waiting_count = 0;
    world->waiting_sum_us = 0;
    world->sent_at_us = world->now_us;
    world->reply_us = world->now_us + ROUND_US + EACH_US * (int64_t)world->sent_count;
    if (measured(world)) {
        struct played *played = &world->played;
        played->messages++;
        played->gathered_us += (double)gathered_us * (double)world->sent_count;
        played->gathered_max_us =
            gathered_us > played->gathered_max_us ? gathered_us : played->gathered_max_us;
    }
}

static void come_back(struct world *world)
{
    const struct crowd *crowd = world->crowd;
    int64_t at_us = world->now_us;
    bool stopped = crowd->clients_stop_us > 0 && world->now_us >= crowd->clients_stop_us;
    for (size_t i = 0; i < crowd->clients; i++) {
        if (world->sent[i]) {
            int64_t think_us = i == 0 ? crowd->first_think_us : crowd->think_us;
            at_us += EACH_US;
            world->next_us[i] = stopped ? NEVER : at_us + think_us;
        }
    }
}

static void reply(struct world *world)
{
    if (measured(world)) {
        world->played.requests += world->sent_count;
        world->played.latency_us +=
            (double)world->now_us * (double)world->sent_count - world->sent_sum_us;
    }
    come_back(world);
    world->reply_us = NEVER;
    if (world->gathers) {
        gather_replied(&world->gather, world->sent_count, world->waiting_count,
                       world->now_us - world->sent_at_us, world->now_us);
    }
}

/* Returns the client who sends first; clients_count: none. */
static size_t first_client(const struct world *world)
{
    size_t first = world->crowd->clients;
    for (size_t i = 0; i < world->crowd->clients; i++) {
        if (world->next_us[i] != NEVER &&
            (first == world->crowd->clients || world->next_us[i] < world->next_us[first])) {
            first = i;
        }
    }
    return first;
}

static void step(struct world *world)
{
    size_t client = first_client(world);
    int64_t client_us = client < world->crowd->clients ? world->next_us[client] : NEVER;
    int64_t leave_us = NEVER;
    if (world->waiting_count > 0 && world->reply_us == NEVER) {
        leave_us = gather_until_us(&world->gather, world->waiting_count);
        leave_us = leave_us > world->now_us ? leave_us : world->now_us;
    }
    int64_t next_us = client_us < world->stranger_us ? client_us : world->stranger_us;
    next_us = world->reply_us < next_us ? world->reply_us : next_us;
    next_us = leave_us < next_us ? leave_us : next_us;
    world->now_us = next_us;
    if (next_us == leave_us) {
        leave(world);
    } else if (next_us == world->reply_us) {
        reply(world);
    } else if (next_us == client_us) {
        world->next_us[client] = NEVER;
        world->waiting[client] = true;
        arrive(world);
    } else {
        arrive(world);
        stranger_next(world);
    }
}

static struct played play(const struct crowd *crowd, bool gathers)
{
    struct world world = {.crowd = crowd, .gathers = gathers, .reply_us = NEVER, .chance = 1};
    for (size_t i = 0; i < crowd->clients; i++) {
        world.next_us[i] = (int64_t)(1 + 20 * i);
    }
    stranger_next(&world);
    while (world.now_us < PLAY_US) {
        step(&world);
    }
    assert_true(world.played.requests > 1000);
    world.played.latency_us /= (double)world.played.requests;
    world.played.gathered_us /= (double)world.played.requests;
    return world.played;
}

static double size_of(const struct played *played)
{
    return (double)played->requests / (double)played->messages;
}

static void test_clients_that_come_back_together_share_a_message(void **state)
{
    (void)state;
    for (size_t clients = 8; clients <= CLIENTS_MAX; clients *= 2) {
        const struct crowd crowd = {.clients = clients};
        const struct played with = play(&crowd, true);
        const struct played without = play(&crowd, false);
        assert_true(size_of(&with) > 0.9 * (double)clients);
        assert_true(size_of(&without) < 0.7 * (double)clients);
    }
}

/* Neither who waits nor anybody else is answered later for it, but for a trial now and then. */
static void nobody_waits(const struct crowd *crowd)
{
    const struct played with = play(crowd, true);
    const struct played without = play(crowd, false);
    assert_true(with.latency_us < 1.05 * without.latency_us);
    assert_true(with.gathered_us < 0.05 * without.latency_us);
}

static void test_requests_at_times_of_their_own_do_not_wait(void **state)
{
    (void)state;
    static const double rates[] = {300, 2000, 5000, 10000, 20000, 40000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        nobody_waits(&(struct crowd){.rate = rates[i]});
    }
}

static void test_clients_that_take_their_time_are_not_waited_for(void **state)
{
    (void)state;
    for (int64_t think_us = 3000; think_us <= 100000; think_us *= 3) {
        nobody_waits(
            &(struct crowd){.clients = 64, .think_us = think_us, .first_think_us = think_us});
    }
}

static void test_few_are_never_waited_for(void **state)
{
    (void)state;
    const struct crowd crowd = {.clients = GATHER_CROWD_MIN - 1};
    assert_int_equal(play(&crowd, true).gathered_max_us, 0);
}

static void test_one_who_is_slow_does_not_keep_the_others(void **state)
{
    (void)state;
    const struct crowd crowd = {.clients = 64};
    const struct crowd with_a_slow_one = {.clients = 64, .first_think_us = 20000};
    const struct played all = play(&crowd, true);
    const struct played slow = play(&with_a_slow_one, true);
    assert_true(slow.latency_us < 1.1 * all.latency_us);
    assert_true(size_of(&slow) > 0.85 * 63);
}

static void test_a_crowd_that_went_is_soon_forgotten(void **state)
{
    (void)state;
    nobody_waits(&(struct crowd){.clients = 64, .clients_stop_us = 3000000, .rate = 10000});
}

static void test_a_wait_has_a_limit_whatever_a_round_took(void **state)
{
    (void)state;
    struct gather gather = {0};
    int64_t now_us = 1000000;
    for (int i = 0; i < 100; i++) {
        now_us += 60000000;
        gather_replied(&gather, 20, 0, 60000000, now_us);
        gather_arrived(&gather, now_us + 5);
        assert_true(gather_until_us(&gather, 1) <= now_us + 2 * GATHER_ROUND_US_MAX);
        (void)gather_left(&gather, 20, now_us + 5, now_us + 10);
    }
    gather_replied(&gather, 20, 0, 60000000, now_us);
    assert_true(gather_until_us(&gather, 1) > now_us); /* so it does wait */
    assert_int_equal(gather_until_us(&gather, 20), 0);
}

static void test_a_reply_that_wakes_nobody_lets_the_next_message_go(void **state)
{
    (void)state;
    struct gather gather = {0};
    for (int64_t i = 1; i <= 100; i++) {
        gather_replied(&gather, 20, 0, 500, i * 1000);
        (void)gather_left(&gather, 20, i * 1000, i * 1000);
    }
    gather_replied(&gather, 0, 10, 500, 200000);
    assert_int_equal(gather_until_us(&gather, 1), 0);
}

/* Three crowds of which nobody comes; returns how long nobody is waited for then. */
static int64_t miss(struct gather *gather, int64_t now_us)
{
    for (int i = 0; i < 3; i++) {
        gather_replied(gather, 20, 0, 500, now_us);
        assert_true(gather_until_us(gather, 1) > now_us);
        (void)gather_left(gather, 1, now_us, now_us + 500);
    }
    gather_replied(gather, 20, 0, 500, now_us + 500);
    assert_int_equal(gather_until_us(gather, 1), 0);
    return gather->rest_until_us - now_us - 500;
}

static void test_rests_grow_until_crowds_come_again(void **state)
{
    (void)state;
    struct gather gather = {0};
    int64_t now_us = 1000000;
    for (int64_t rest_us = GATHER_REST_US_MIN; rest_us <= GATHER_REST_US_MAX; rest_us *= 2) {
        assert_int_equal(miss(&gather, now_us), rest_us);
        now_us += 10000000;
    }
    assert_int_equal(miss(&gather, now_us), GATHER_REST_US_MAX);
    now_us += 10000000;
    for (int i = 0; i < 100; i++) {
        gather_replied(&gather, 20, 0, 500, now_us);
        (void)gather_left(&gather, 18, now_us, now_us); /* all but a few is good enough */
    }
    assert_int_equal(miss(&gather, now_us), GATHER_REST_US_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_that_come_back_together_share_a_message),
        cmocka_unit_test(test_requests_at_times_of_their_own_do_not_wait),
        cmocka_unit_test(test_clients_that_take_their_time_are_not_waited_for),
        cmocka_unit_test(test_few_are_never_waited_for),
        cmocka_unit_test(test_one_who_is_slow_does_not_keep_the_others),
        cmocka_unit_test(test_a_crowd_that_went_is_soon_forgotten),
        cmocka_unit_test(test_a_wait_has_a_limit_whatever_a_round_took),
        cmocka_unit_test(test_a_reply_that_wakes_nobody_lets_the_next_message_go),
        cmocka_unit_test(test_rests_grow_until_crowds_come_again),
    };
    return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
