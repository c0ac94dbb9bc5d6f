/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub_state: what hub.c (life) and peers.c (the libwebsockets callbacks) share; for no one else.
 */
#ifndef HUB_STATE_H
#define HUB_STATE_H

#include "counts.h"
#include "health.h"
#include "live.h"
#include "mesh/metrics.h"
#include "mesh/tls.h"
#include "page.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum stage {
    SERVING,
    DRAINING, /* no feeders any more */
    ENDING,   /* no viewers any more either */
    STOPPED,  /* the thread ends */
};

#define RECEIVE_BYTES 16384 /* read at once */

/* One WebSocket; lives in libwebsockets' memory per session. */
struct peer {
    struct lws *wsi;
    struct peer *prev;
    struct peer *next;
    struct mesh_buffer message; /* feeder: the fragments so far */
    uint64_t version;           /* viewer: of the message last sent */
    int64_t waiting_us;         /* viewer: since when it has not taken the newest; 0: it has */
    bool knows_history;         /* viewer: nothing more to tell of before its time */
};

struct hub {
    struct counts *counts;
    struct live *live;
    struct health *health; /* NULL: nobody wants to know */
    uint32_t feeders_max;
    uint32_t viewers_max;
    int64_t viewer_us_max;
    int64_t update_us_min;
    uint16_t port;
    const struct mesh_tls_files *tls;
    atomic_bool certificate_changed;
    struct lws_context *context;
    pthread_t thread;
    bool started;

    /* libwebsockets thread */
    struct page *page;
    struct peer *feeders;
    struct peer *viewers;
    struct mesh_buffer message; /* the newest, behind LWS_PRE bytes */
    uint64_t version;
    struct mesh_buffer history; /* likewise; empty: none */
    uint64_t history_version;
    lws_sorted_usec_list_t later; /* a message waits until it may go to the viewers */
    int64_t update_us;            /* when the last one went */
    size_t received;              /* bytes of frames in this round of service */
    size_t events;                /* in these */
    int64_t round_us;             /* when the last round with frames was over */
    double events_per_ms;

    /* lock guards the waiting for: */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_int stage;
    atomic_uint feeder_count;
    atomic_uint viewer_count;

    struct mesh_metric *feeders_gauge;
    struct mesh_metric *viewers_gauge;
    struct mesh_metric *refused_feeders;
    struct mesh_metric *refused_viewers;
    struct mesh_metric *refused_other;
    struct mesh_metric *slow_viewers;
    struct mesh_metric *bad_messages;
    struct mesh_metric *live_messages;
};

/* Plain HTTP, counts.v1 and live.v1; the context's user is the hub. */
extern const struct lws_protocols peers_protocols[];

#endif
