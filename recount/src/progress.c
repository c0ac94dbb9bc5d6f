/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "mesh/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* The clock is looked at every so often only. */
enum { SOME = 256, SAY_US = 1000000 };

void progress_start(struct progress *progress, const char *stream)
{
    *progress = (struct progress){.stream = stream, .said_us = mesh_clock_mono_us()};
}

/* A terminal shows one line that changes. */
static void say(struct progress *progress, bool last)
{
    bool terminal = isatty(STDERR_FILENO) == 1;

    (void)fprintf(stderr, "%srecount: %s: %" PRIu64 " %s%s", terminal ? "\r" : "", progress->stream,
                  progress->count, progress->what, terminal && !last ? "" : "\n");
    progress->said = true;
}

void progress_add(struct progress *progress, const char *what)
{
    if (progress->what != what) {
        progress_end(progress);
        progress->what = what;
    }
    progress->count++;
    if (progress->count % SOME == 0 && mesh_clock_mono_us() - progress->said_us > SAY_US) {
        say(progress, false);
        progress->said_us = mesh_clock_mono_us();
    }
}

void progress_end(struct progress *progress)
{
    if (progress->said) {
        say(progress, true);
    }
    progress->said = false;
    progress->count = 0;
    progress->what = NULL;
}
