/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "cmocka_all.h"
#include "mesh/clock.h"

#include <string.h>
#include <time.h>

struct mesh_streams *support_streams(void)
{
    struct mesh_error err = {0};
    struct mesh_streams *streams = mesh_streams_load("streams", &err);
    if (streams == NULL) {
        fail_msg("%s", err.text);
    }
    return streams;
}

void support_events(const struct mesh_streams *streams, const char *json, struct events *out)
{
    struct body_head head = {.stream = mesh_streams_by_name(streams, mesh_bytes_of_text("tweets")),
                             .trace = mesh_trace_new()};
    struct body_refusal refusal = {0};
    if (!body_read(&head, mesh_bytes_of_text(json), mesh_clock_wall_ms(), out, &refusal)) {
        fail_msg("%s", refusal.detail);
    }
}

void support_wait(bool (*condition)(void *arg), void *arg)
{
    int64_t until_us = mesh_clock_mono_us() + (int64_t)SUPPORT_WAIT_MS * 1000;
    while (!condition(arg)) {
        if (mesh_clock_mono_us() > until_us) {
            fail_msg("what was waited for has not come");
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}
