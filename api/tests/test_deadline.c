/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is armed is called, never early, in order, again when asked, and never after
 * disarming. Method: the real wheel and clock; moments are compared with each other, not with
 * absolute times.
 */
#include "cmocka_all.h"
#include "deadline.h"
#include "mesh/clock.h"
#include "support.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct call {
    struct deadline deadline; /* first: the callback finds the rest */
    int64_t at_us;
    int64_t again_us; /* from now; 0: once */
    atomic_int calls;
    atomic_int early;
    int order;
};

static atomic_int order;

static int64_t on_late(struct deadline *deadline, int64_t now_us)
{
    struct call *call = (struct call *)deadline;
    if (now_us < call->at_us) {
        atomic_fetch_add(&call->early, 1);
    }
    call->order = atomic_fetch_add(&order, 1);
    atomic_fetch_add(&call->calls, 1);
    if (call->again_us == 0) {
        return 0;
    }
    call->at_us = now_us + call->again_us;
    return call->at_us;
}

static void arm(struct deadlines *deadlines, struct call *call, int64_t in_us)
{
    call->deadline.late = on_late;
    call->at_us = mesh_clock_mono_us() + in_us;
    deadline_arm(deadlines, &call->deadline, call->at_us);
}

static bool was_called(void *arg)
{
    return atomic_load(&((struct call *)arg)->calls) >= 1;
}

static bool was_called_thrice(void *arg)
{
    return atomic_load(&((struct call *)arg)->calls) >= 3;
}

static void test_disarmed_is_never_called(void **state)
{
    struct call gone = {0};
    struct call later = {0};
    arm(*state, &gone, 60000);
    arm(*state, &later, 300000);
    deadline_disarm(*state, &gone.deadline);
    deadline_disarm(*state, &gone.deadline); /* harmless */
    support_wait(was_called, &later);
    assert_int_equal(atomic_load(&gone.calls), 0);
    deadline_disarm(*state, &later.deadline); /* its callback has returned: it may go */
}

static void test_earlier_ones_come_first_however_armed(void **state)
{
    struct call far = {0}; /* goes round the wheel more than once before it is disarmed */
    struct call late = {0};
    struct call soon = {0};
    struct call past = {0};
    arm(*state, &far, 60000000);
    arm(*state, &late, 500000);
    arm(*state, &soon, 150000);
    arm(*state, &past, -1000000);
    support_wait(was_called, &late);
    assert_true(past.order < soon.order);
    assert_true(soon.order < late.order);
    assert_int_equal(atomic_load(&soon.early) + atomic_load(&late.early), 0);
    assert_int_equal(atomic_load(&far.calls), 0);
    deadline_disarm(*state, &far.deadline);
    deadline_disarm(*state, &late.deadline);
}

static void test_again_when_asked(void **state)
{
    struct call often = {.again_us = 60000};
    arm(*state, &often, 1);
    support_wait(was_called_thrice, &often);
    assert_int_equal(atomic_load(&often.early), 0);
    deadline_disarm(*state, &often.deadline);
}

static int setup(void **state)
{
    struct mesh_error err = {0};
    *state = deadlines_new(&err);
    return *state == NULL;
}

static int teardown(void **state)
{
    deadlines_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disarmed_is_never_called),
        cmocka_unit_test(test_earlier_ones_come_first_however_armed),
        cmocka_unit_test(test_again_when_asked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
