/* SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/spans.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Windows kept for re-use; those above it are a burst's and are freed. */
#define SPARE_MAX 64

struct windows {
    size_t len_max;
    size_t len;
    struct window *oldest;
    struct window *newest;
    struct window *spare;
    size_t spare_count;
    size_t stream_count;
    struct window ***open; /* by stream and partition: the newest waiting, or NULL */
};

struct windows *windows_new(size_t stream_count, size_t len_max)
{
    assert(len_max > 0);
    struct windows *windows = mesh_new(struct windows);
    windows->len_max = len_max;
    windows->stream_count = stream_count;
    windows->open = mesh_new_array(struct window **, stream_count);
    for (size_t i = 0; i < stream_count; i++) {
        windows->open[i] = mesh_new_array(struct window *, MESH_COUNTERS_PARTITION_COUNT_MAX);
    }
    return windows;
}

static void list_free(struct window *list)
{
    while (list != NULL) {
        struct window *next = list->next;
        free(list->traces);
        free(list);
        list = next;
    }
}

void windows_free(struct windows *windows)
{
    if (windows == NULL) {
        return;
    }
    list_free(windows->oldest);
    list_free(windows->spare);
    for (size_t i = 0; i < windows->stream_count; i++) {
        free(windows->open[i]);
    }
    free(windows->open);
    free(windows);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Widens the window to hold [first, stop); new offsets are holes. False: too wide for one call. */
static bool widen(struct window *window, uint64_t first, uint64_t stop)
{
    const uint64_t new_first = min_u64(window->first_offset, first);
    const uint64_t new_stop = max_u64(window->first_offset + window->count, stop);
    if (new_stop - new_first > MESH_COUNTERS_RANGE_MAX) {
        return false;
    }
    const size_t before = (size_t)(window->first_offset - new_first);
    const size_t after = (size_t)(new_stop - new_first) - before - window->count;
    if (before > 0) {
        memmove(window->groups + before, window->groups, window->count);
        memset(window->groups, MESH_GROUP_HOLE, before);
    }
    memset(window->groups + before + window->count, MESH_GROUP_HOLE, after);
    window->first_offset = new_first;
    window->count = (size_t)(new_stop - new_first);
    return true;
}

/* The frame has some. */
static void traces_add(struct window *window, const struct frame *frame)
{
    const int64_t now_us = mesh_clock_mono_us();
    size_t at = 0;

    if (window->traces == NULL) {
        window->traces = mesh_new_array(struct window_trace, WINDOW_TRACES_MAX);
    }
    for (; at < frame->trace_count && window->trace_count < WINDOW_TRACES_MAX; at++) {
        window->traces[window->trace_count++] =
            (struct window_trace){.offset = frame->first_offset + frame->traces[at].index,
                                  .received_us = now_us,
                                  .send = frame->traces[at].send};
    }
    mesh_spans_left_out(frame->trace_count - at);
}

static bool merge(struct window *window, const struct frame *frame)
{
    if (!widen(window, frame->first_offset, frame->first_offset + frame->count)) {
        return false;
    }
    uint8_t *groups = window->groups + (frame->first_offset - window->first_offset);
    for (size_t i = 0; i < frame->count; i++) {
        if (groups[i] == MESH_GROUP_HOLE) {
            groups[i] = frame->groups[i];
        }
    }
    window->events += frame->events;
    if (window->accepted_at == 0 ||
        (frame->accepted_at != 0 && frame->accepted_at < window->accepted_at)) {
        window->accepted_at = frame->accepted_at;
    }
    if (frame->trace_count > 0) {
        traces_add(window, frame);
    }
    return true;
}

static struct window *pop(struct windows *windows)
{
    struct window *window = windows->oldest;
    struct window **open = &windows->open[window->stream_index][window->partition];
    windows->oldest = window->next;
    if (windows->oldest == NULL) {
        windows->newest = NULL;
    }
    if (*open == window) {
        *open = NULL;
    }
    windows->len--;
    window->next = NULL;
    return window;
}

static struct window *push(struct windows *windows)
{
    struct window *window = windows->spare;
    if (window == NULL) {
        window = mesh_alloc(sizeof(*window));
    } else {
        windows->spare = window->next;
        windows->spare_count--;
    }
    window->next = NULL;
    *(windows->newest == NULL ? &windows->oldest : &windows->newest->next) = window;
    windows->newest = window;
    windows->len++;
    return window;
}

size_t windows_add(struct windows *windows, const struct frame *frame)
{
    struct window **open = &windows->open[frame->stream_index][frame->partition];
    size_t dropped = 0;

    if (*open != NULL && merge(*open, frame)) {
        return 0;
    }
    if (windows->len == windows->len_max) {
        struct window *oldest = pop(windows);
        dropped = oldest->events;
        windows_give_back(windows, oldest);
    }
    struct window *window = push(windows);
    window->stream_index = frame->stream_index;
    window->stream = frame->stream;
    window->partition = frame->partition;
    window->first_offset = frame->first_offset;
    window->count = frame->count;
    window->events = frame->events;
    window->accepted_at = frame->accepted_at;
    memcpy(window->groups, frame->groups, frame->count);
    window->traces = NULL;
    window->trace_count = 0;
    if (frame->trace_count > 0) {
        traces_add(window, frame);
    }
    *open = window;
    return dropped;
}

struct window *windows_take(struct windows *windows, size_t len_max)
{
    struct window *list = NULL;
    struct window **end = &list;
    for (size_t i = 0; i < len_max && windows->len > 0; i++) {
        *end = pop(windows);
        end = &(*end)->next;
    }
    return list;
}

void windows_give_back(struct windows *windows, struct window *list)
{
    while (list != NULL) {
        struct window *next = list->next;
        free(list->traces);
        list->traces = NULL;
        if (windows->spare_count < SPARE_MAX) {
            list->next = windows->spare;
            windows->spare = list;
            windows->spare_count++;
        } else {
            free(list);
        }
        list = next;
    }
}

size_t windows_len(const struct windows *windows)
{
    return windows->len;
}
