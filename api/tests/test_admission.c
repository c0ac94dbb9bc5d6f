/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: bursts are taken, queues are cut to what is stored in the time events may wait, and what
 * stalls for a moment is not taken for slow.
 * Method: looks at moments of the test; a queue that is simulated event by event.
 */
#include "admission.h"
#include "cmocka_all.h"
#include "mesh/macros.h"

#include <stdbool.h>

#define WAIT_US 1000000
#define LOOK_US (WAIT_US / ADMISSION_LOOKS)
#define EVENTS_MAX 50000

/* A first-in first-out queue: `arrive` events a look want in, `leave` are stored. */
struct queue {
    struct admission admission;
    struct admission_look look;
    uint64_t in; /* events let in so far */
    uint64_t asked;
    uint64_t in_by_look[10000]; /* let in before the end of a look */
    size_t looks;
    int64_t longest_wait_us; /* of what was stored in the last run */
};

static int start(void **state)
{
    static struct queue queue;
    queue = (struct queue){0};
    admission_init(&queue.admission, WAIT_US, EVENTS_MAX, 0);
    *state = &queue;
    return 0;
}

/* The look by whose end the event with this number had come in. */
static size_t look_of(const struct queue *queue, uint64_t number)
{
    size_t at = 0;
    while (at < queue->looks && queue->in_by_look[at] <= number) {
        at++;
    }
    return at;
}

static int64_t waited_us(const struct queue *queue, uint64_t number)
{
    return (int64_t)(queue->looks - look_of(queue, number)) * LOOK_US;
}

static void run(struct queue *queue, size_t looks, uint64_t arrive, uint64_t leave)
{
    queue->longest_wait_us = 0;
    for (size_t i = 0; i < looks; i++) {
        for (uint64_t k = 0; k < arrive; k++) {
            queue->asked++;
            if (queue->in - queue->look.stored < atomic_load(&queue->admission.limit)) {
                queue->in++;
            } else {
                queue->look.refused++;
            }
        }
        queue->in_by_look[queue->looks++] = queue->in;
        uint64_t waiting = queue->in - queue->look.stored;
        uint64_t stored = waiting < leave ? waiting : leave;
        if (stored > 0) {
            int64_t wait_us = waited_us(queue, queue->look.stored + stored - 1);
            if (wait_us > queue->longest_wait_us) {
                queue->longest_wait_us = wait_us;
            }
        }
        queue->look.stored += stored;
        queue->look.now_us += LOOK_US;
        queue->look.in_flight = queue->in - queue->look.stored;
        queue->look.waiting_us =
            queue->look.stored == queue->in ? 0 : waited_us(queue, queue->look.stored);
        admission_look(&queue->admission, &queue->look);
    }
}

static void test_at_first_everything_is_let_in(void **state)
{
    struct queue *queue = *state;
    assert_int_equal(atomic_load(&queue->admission.limit), EVENTS_MAX);
    assert_int_equal(atomic_load(&queue->admission.come_back), 1);
}

static void test_what_is_stored_at_once_is_never_refused(void **state)
{
    struct queue *queue = *state;
    run(queue, 300, 4000, 4000);
    assert_int_equal(queue->look.refused, 0);
}

static void test_a_burst_from_rest_is_taken(void **state)
{
    struct queue *queue = *state;
    run(queue, 300, 1, 2000);
    run(queue, 1, 4000, 2000);
    run(queue, 100, 1, 2000);
    assert_int_equal(queue->look.refused, 0);
}

/* Clients that each wait for their answer, and lists of events: always 6,000 in flight, at a speed
 * that is not known yet. */
static void test_clients_that_wait_for_answers_are_not_refused(void **state)
{
    struct queue *queue = *state;
    run(queue, 300, 100, 2000);
    run(queue, 1, 6000, 0);
    run(queue, 3, 0, 0);
    run(queue, 1, 0, 1500);
    run(queue, 100, 1500, 1500);
    assert_int_equal(queue->look.refused, 0);
}

/* At 2 and 10 times what is stored: all that can be stored is, and none waits much longer than it
 * should once the queue that built up at first has gone. */
static void test_overload_keeps_the_queue_short_and_never_empty(void **state)
{
    static const uint64_t times[] = {2, 10};
    for (size_t i = 0; i < MESH_COUNT_OF(times); i++) {
        start(state);
        struct queue *queue = *state;
        run(queue, 100, 100, 150);
        run(queue, 100, 150 * times[i], 150);
        uint64_t stored = queue->look.stored;
        run(queue, 300, 150 * times[i], 150);
        assert_int_equal(queue->look.stored - stored, 300 * 150);
        assert_in_range(queue->longest_wait_us, WAIT_US / 4, WAIT_US * 3 / 2);
        assert_true(queue->look.refused > 0);
    }
}

static void test_clients_come_back_in_proportion(void **state)
{
    struct queue *queue = *state;
    run(queue, 100, 150, 150);
    run(queue, 200, 900, 150);
    assert_in_range(atomic_load(&queue->admission.come_back), 5, 6);
    run(queue, 200, 150000, 150);
    assert_int_equal(atomic_load(&queue->admission.come_back), ADMISSION_RETRY_AFTER_S_MAX);
    run(queue, 200, 100, 150);
    assert_int_equal(atomic_load(&queue->admission.come_back), 1);
    assert_int_equal(atomic_load(&queue->admission.limit), EVENTS_MAX);
}

/* Half a second without an acknowledgement, at a load that it can take. */
static void test_a_short_stall_refuses_nothing(void **state)
{
    struct queue *queue = *state;
    run(queue, 100, 100, 150);
    run(queue, 5, 100, 0);
    run(queue, 100, 100, 150);
    assert_int_equal(queue->look.refused, 0);
}

/* Acknowledged in lumps: nothing for 0.7 s, then all at once. */
static void test_lumps_are_stored_whole(void **state)
{
    struct queue *queue = *state;
    run(queue, 100, 100, 150);
    for (int i = 0; i < 50; i++) {
        run(queue, 7, 300, 0);
        run(queue, 1, 300, 1200);
    }
    uint64_t stored = queue->look.stored;
    for (int i = 0; i < 20; i++) {
        run(queue, 7, 300, 0);
        run(queue, 1, 300, 1200);
    }
    assert_int_equal(queue->look.stored - stored, 20 * 1200);
    assert_in_range(queue->longest_wait_us, 0, 2 * WAIT_US);
}

static void test_what_stands_still_lets_a_few_in(void **state)
{
    struct queue *queue = *state;
    run(queue, 100, 100, 150);
    run(queue, 300, 1000, 0);
    assert_int_equal(atomic_load(&queue->admission.limit), ADMISSION_EVENTS_MIN);
    run(queue, 300, 1000, 150);
    assert_in_range(atomic_load(&queue->admission.limit), 1400, 1600);
}

/* The deadline thread may be late: what counts is the time that really went by. */
static void test_late_looks_do_no_harm(void **state)
{
    struct queue *queue = *state;
    for (int i = 0; i < 100; i++) {
        queue->look.now_us += (int64_t)3 * LOOK_US;
        queue->look.stored += 450;
        queue->look.waiting_us = WAIT_US;
        admission_look(&queue->admission, &queue->look);
    }
    assert_int_equal(atomic_load(&queue->admission.limit), 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_at_first_everything_is_let_in, start),
        cmocka_unit_test_setup(test_what_is_stored_at_once_is_never_refused, start),
        cmocka_unit_test_setup(test_a_burst_from_rest_is_taken, start),
        cmocka_unit_test_setup(test_clients_that_wait_for_answers_are_not_refused, start),
        cmocka_unit_test_setup(test_overload_keeps_the_queue_short_and_never_empty, start),
        cmocka_unit_test_setup(test_clients_come_back_in_proportion, start),
        cmocka_unit_test_setup(test_a_short_stall_refuses_nothing, start),
        cmocka_unit_test_setup(test_lumps_are_stored_whole, start),
        cmocka_unit_test_setup(test_what_stands_still_lets_a_few_in, start),
        cmocka_unit_test_setup(test_late_looks_do_no_harm, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
