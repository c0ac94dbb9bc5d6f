/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

/* A number is (round + 1) * size + place, so that it tells its place and none comes twice. */
struct window {
    uint64_t size;
    uint64_t *rounds; /* of each place */
    struct window_message *messages;
    uint64_t *free_places; /* the last one is taken first */
    uint64_t free_count;
};

struct window *window_new(uint64_t size)
{
    struct window *window = mesh_new(struct window);
    assert(size > 0);
    window->size = size;
    window->rounds = mesh_new_array(uint64_t, size);
    window->messages = mesh_new_array(struct window_message, size);
    window->free_places = mesh_new_array(uint64_t, size);
    for (uint64_t place = size; place-- > 0;) {
        window->free_places[window->free_count++] = place;
    }
    return window;
}

bool window_is_full(const struct window *window)
{
    return window->free_count == 0;
}

uint64_t window_open(struct window *window, uint64_t events, int64_t sent_us)
{
    assert(window->free_count > 0);
    uint64_t place = window->free_places[--window->free_count];
    uint64_t sequence = ++window->rounds[place] * window->size + place;
    window->messages[place] =
        (struct window_message){.sequence = sequence, .events = events, .sent_us = sent_us};
    return sequence;
}

bool window_close(struct window *window, uint64_t sequence, struct window_message *out)
{
    uint64_t place = sequence % window->size;
    struct window_message *message = &window->messages[place];
    if (sequence == 0 || message->sequence != sequence) {
        return false;
    }
    *out = *message;
    message->sequence = 0;
    window->free_places[window->free_count++] = place;
    return true;
}

void window_free(struct window *window)
{
    if (window == NULL) {
        return;
    }
    free(window->rounds);
    free(window->messages);
    free(window->free_places);
    free(window);
}
