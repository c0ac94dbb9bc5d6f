/* SPDX-License-Identifier: Apache-2.0 */
/* ws-redis: frames, windows, its Redis thread and calls are the real ones; nobody watches. */
#include "counts.h"
#include "live.h"
#include "mesh/alloc.h"
#include "side.h"
#include "verdict.h"

#include <stdlib.h>

enum { QUEUE_LEN_MAX = 4 };

struct hub {
    struct process *process;
    struct counts *counts;
};

void live_update(struct live *live, size_t stream_index, const redisReply *groups,
                 const redisReply *totals, int64_t now_us)
{
    (void)live;
    (void)stream_index;
    (void)groups;
    (void)totals;
    (void)now_us;
}

void live_publish(struct live *live, bool redis_up)
{
    (void)live;
    (void)redis_up;
}

struct hub *hub_start(struct process *process)
{
    struct hub *hub = mesh_new(struct hub);
    struct mesh_error err = {0};

    process_enter(process);
    hub->process = process;
    hub->counts = counts_new(&(struct counts_options){.redis_url = "redis://simulated",
                                                      .redis_ms_max = 1000,
                                                      .queue_len_max = QUEUE_LEN_MAX,
                                                      .streams = side_streams},
                             &err);
    if (hub->counts == NULL) {
        abort();
    }
    return hub;
}

void hub_stop(struct hub *hub)
{
    process_enter(hub->process);
    counts_free(hub->counts);
    free(hub);
}

void hub_receive(struct hub *hub, struct mesh_bytes frame)
{
    process_enter(hub->process);
    enum frame_result result = counts_offer(hub->counts, frame);
    if (result != FRAME_GOOD) {
        verdict_broken("ws-redis does not understand a frame of api's: %d", (int)result);
    }
}

bool hub_at_rest(struct hub *hub)
{
    process_enter(hub->process);
    return counts_drain(hub->counts, 0);
}
