/* SPDX-License-Identifier: Apache-2.0 */
/*
 * side: what the programs' sides of the simulation show to the schedule. Each side is built with
 * the headers of its own program.
 *
 * A pod is api, grpc-server and ws-redis, with what is on its way between them. Threads: one.
 */
#ifndef SIMULATION_SIDE_H
#define SIMULATION_SIDE_H

#include "ledger.h"
#include "mesh/bytes.h"
#include "mesh/stream.h"
#include "process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POD_COUNT_MAX = 2, CONSUMER_COUNT_MAX = 2 };

extern const struct mesh_streams *side_streams;

struct pod;

/* ---- api ---- */
struct api;
struct api *api_start(struct pod *pod, struct process *process);
/* Ends what is open; then its postings are to be ended, and then it is taken down. */
void api_close(struct api *api);
void api_stop(struct api *api);
/* What the stream to grpc-server does. */
void api_link_up(struct api *api);
/* False: the stream is to end. */
bool api_link_reply(struct api *api, struct mesh_bytes reply);
void api_link_closing(struct api *api);
void api_link_down(struct api *api);
bool api_link_tick(struct api *api);
/* What is due by the clock. */
void api_look(struct api *api);
/* Appends the next hint frame to *out; false: there is none. */
bool api_next_frame(struct api *api, struct mesh_buffer *out);
/* A client sends; its sendings are first to first + count. */
struct posting;
struct posting *api_post(struct api *api, const char *body, const char *key,
                         const char *traceparent);
bool posting_answered(const struct posting *posting);
/* The deadline passes. */
void posting_expire(struct posting *posting);
/* Reads the answer, if there is one: outcomes of `count` sendings from `first` on; and ends it. */
void posting_end(struct posting *posting, size_t first, size_t count);

/* ---- what is between the programs of a pod ---- */
struct pod *pod_new(size_t number);
/* All is at rest. */
void pod_free(struct pod *pod);
/* Something happens, chosen at random. */
void pod_step(struct pod *pod);
void pod_kill(struct pod *pod);
/* Takes down what was killed. */
void pod_reap(struct pod *pod);
/* Starts what is not running; true: all of it was. */
bool pod_start(struct pod *pod);
bool pod_at_rest(struct pod *pod);
/* NULL: it is not running. */
struct api *pod_api(struct pod *pod);
/* Called by the api's and the server's side. */
void pod_send(struct pod *pod, struct mesh_bytes message);
/* `life`: of the stream that the message came on which is answered. */
void pod_reply(struct pod *pod, unsigned int life, struct mesh_bytes reply);

/* ---- grpc-server ---- */
struct server;
struct server *server_start(struct pod *pod, struct process *process);
void server_stop(struct server *server);
void server_receive(struct server *server, unsigned int life, struct mesh_bytes message);
/* Whether it would say SERVING. */
bool server_ready(struct server *server);

/* ---- ws-redis ---- */
struct hub;
struct hub *hub_start(struct process *process);
void hub_stop(struct hub *hub);
void hub_receive(struct hub *hub, struct mesh_bytes frame);
bool hub_at_rest(struct hub *hub);

/* ---- kafka-consumer ---- */
struct member_process;
/* A fiber that turns its loop. */
struct member_process *consumer_start(struct process *process);
/* Lets it come to an end: in order, or as one that was killed. */
void consumer_stop(struct member_process *consumer);

#endif
