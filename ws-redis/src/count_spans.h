/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count_spans: the span count of each sampled event of a window: from the frame's coming to Redis'
 * answer.
 *
 * Threads: a window's traces go with it. Nothing at all while no frame has traces.
 */
#ifndef COUNT_SPANS_H
#define COUNT_SPANS_H

#include "windows.h"

#include <stdbool.h>

/* Redis has answered for the window; counted: it did what it was asked. */
void count_spans_record(const struct window *window, bool counted);

#endif
