/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters, gauges and fixed-bucket histograms, shown in the Prometheus text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
 *
 * Metrics live in one table per process. Names are `tweetmesh_<noun>_<unit>`, counters end in
 * `_total`; labels come from small fixed sets, never from users. Threads: creating is done at
 * start; adding and observing from any thread, without locks.
 */
#ifndef MESH_METRICS_H
#define MESH_METRICS_H

#include "mesh/bytes.h"

#include <stdint.h>

struct mesh_metric;

/* Name, labels (`code="OK",stream="tweets"`, NULL: none) and help are copied. The same name with
 * the same labels gives the same metric again. Never fails; at most MESH_METRICS_MAX, beyond
 * which the program aborts: a label taken from outside is our own bug. */
#define MESH_METRICS_MAX 4096
struct mesh_metric *mesh_counter(const char *name, const char *labels, const char *help);
struct mesh_metric *mesh_gauge(const char *name, const char *labels, const char *help);

/* Seconds, from 50 us to 30 s: for name_seconds. */
struct mesh_metric *mesh_histogram_seconds(const char *name, const char *labels, const char *help);
/* Counts, 1 to 10,000 in steps of 1-2-5: for batch sizes. */
struct mesh_metric *mesh_histogram_count(const char *name, const char *labels, const char *help);

/* A counter that the caller can only raise. */
void mesh_metric_add(struct mesh_metric *counter, uint64_t n);
void mesh_metric_set(struct mesh_metric *gauge, int64_t value);
/* Leaves the gauge out of what is shown until it is set again: what it tells is not known now. */
void mesh_metric_hide(struct mesh_metric *gauge);
void mesh_metric_move(struct mesh_metric *gauge, int64_t by);
int64_t mesh_metric_value(const struct mesh_metric *counter_or_gauge);
void mesh_metric_observe_us(struct mesh_metric *histogram_seconds, int64_t us);
/* The same `times` times over: for what ended together. */
void mesh_metric_observe_us_times(struct mesh_metric *histogram_seconds, int64_t us,
                                  uint64_t times);
void mesh_metric_observe(struct mesh_metric *histogram_count, uint64_t n);

/* All metrics as text, plus process_* (start time, CPU seconds, resident bytes, descriptors). */
void mesh_metrics_write(struct mesh_buffer *out);
/* Forgets all metrics. For tests, and for the very end of main(). */
void mesh_metrics_done(void);

#endif
