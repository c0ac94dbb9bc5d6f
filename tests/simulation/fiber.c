/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber.h"

#include "chance.h"
#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 512 * 1024, FIBER_COUNT_MAX = 64, SPARE_COUNT_MAX = 32 };

struct fiber {
    ucontext_t context;
    ucontext_t back; /* of whoever resumed it */
    struct process *process;
    void *(*run)(void *arg);
    void *arg;
    void *stack;
    bool resumed; /* runs, or has resumed another one that has not come back */
    bool ended;
    /* AddressSanitizer's: */
    void *fake_stack;
    const void *back_stack;
    size_t back_size;
};

static struct fiber *fibers[FIBER_COUNT_MAX];
static size_t fiber_count;
static void *spare[SPARE_COUNT_MAX]; /* stacks */
static size_t spare_count;
static struct fiber *current;

static void switch_begin(void **fake_stack, const void *stack, size_t size)
{
#ifdef SANITIZED
    __sanitizer_start_switch_fiber(fake_stack, stack, size);
#else
    (void)fake_stack;
    (void)stack;
    (void)size;
#endif
}

static void switch_end(void *fake_stack, const void **stack, size_t *size)
{
#ifdef SANITIZED
    __sanitizer_finish_switch_fiber(fake_stack, stack, size);
#else
    (void)fake_stack;
    (void)stack;
    (void)size;
#endif
}

static void run(void)
{
    struct fiber *fiber = current;

    switch_end(NULL, &fiber->back_stack, &fiber->back_size);
    (void)fiber->run(fiber->arg);
    fiber->ended = true;
    switch_begin(NULL, fiber->back_stack, fiber->back_size);
    (void)setcontext(&fiber->back);
}

struct fiber *fiber_new(struct process *process, void *(*start)(void *arg), void *arg)
{
    struct fiber *fiber = mesh_new(struct fiber);

    assert(fiber_count < FIBER_COUNT_MAX);
    fiber->process = process;
    fiber->run = start;
    fiber->arg = arg;
    fiber->stack = spare_count > 0 ? spare[--spare_count] : mesh_alloc(STACK_BYTES);
    (void)getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, run, 0);
    fibers[fiber_count++] = fiber;
    return fiber;
}

void fiber_resume(struct fiber *fiber)
{
    struct fiber *before = current;
    struct process *process = process_current();
    void *fake_stack = NULL;

    assert(fiber_waits(fiber));
    fiber->resumed = true;
    current = fiber;
    process_enter(fiber->process);
    switch_begin(&fake_stack, fiber->stack, STACK_BYTES);
    (void)swapcontext(&fiber->back, &fiber->context);
    switch_end(fake_stack, NULL, NULL);
    process_enter(process);
    current = before;
    fiber->resumed = false;
}

void fiber_wait(void)
{
    struct fiber *fiber = current;

    assert(fiber != NULL);
    switch_begin(&fiber->fake_stack, fiber->back_stack, fiber->back_size);
    (void)swapcontext(&fiber->context, &fiber->back);
    switch_end(fiber->fake_stack, &fiber->back_stack, &fiber->back_size);
}

bool fiber_waits(const struct fiber *fiber)
{
    return !fiber->ended && !fiber->resumed;
}

bool fiber_ended(const struct fiber *fiber)
{
    return fiber->ended;
}

struct process *fiber_process(const struct fiber *fiber)
{
    return fiber->process;
}

struct fiber *fiber_current(void)
{
    return current;
}

void fiber_free(struct fiber *fiber)
{
    size_t at = 0;

    assert(fiber->ended);
    while (fibers[at] != fiber) {
        at++;
    }
    fibers[at] = fibers[--fiber_count];
    if (spare_count < SPARE_COUNT_MAX) {
        spare[spare_count++] = fiber->stack;
    } else {
        free(fiber->stack);
    }
    free(fiber);
}

struct fiber *fiber_any(void)
{
    if (fiber_count == 0) {
        return NULL;
    }
    struct fiber *fiber = fibers[chance_below(fiber_count)];
    return fiber->ended ? NULL : fiber;
}

struct fiber *fiber_at(size_t index)
{
    return index < fiber_count ? fibers[index] : NULL;
}
