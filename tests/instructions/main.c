/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs each path of the program, under callgrind or (as a test) without it. Prints a line per path:
 * its name, and how many events were counted. Callgrind writes one file per path, which names it
 * as what triggered the dump.
 */
#include "path.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#define WARM_UP_ROUNDS 3 /* until buffers and the allocator's lists have their size */
#define COUNTED_ROUNDS 10
#define SLOWED_ROUNDS 1 /* done besides, and said to be none: 1.1 times the work */

static void round_run(const struct path *path, size_t round, bool counted)
{
    if (path->prepare != NULL) {
        path->prepare(round);
    }
    if (counted) {
        CALLGRIND_TOGGLE_COLLECT;
    }
    path->work(round);
    if (counted) {
        CALLGRIND_TOGGLE_COLLECT;
    }
    if (path->tidy != NULL) {
        path->tidy(round);
    }
}

static void path_run(const struct path *path, const struct corpus *corpus, bool slowed)
{
    size_t rounds = WARM_UP_ROUNDS + COUNTED_ROUNDS + (slowed ? SLOWED_ROUNDS : 0);

    path->open(corpus);
    for (size_t round = 0; round < rounds; round++) {
        round_run(path, round, round >= WARM_UP_ROUNDS);
    }
    CALLGRIND_DUMP_STATS_AT(path->name);
    path->close();
    (void)printf("%s %d\n", path->name, COUNTED_ROUNDS * PATH_BATCH_LEN);
}

int main(int argc, char **argv)
{
    static_assert(WARM_UP_ROUNDS + COUNTED_ROUNDS + SLOWED_ROUNDS <= PATH_ROUND_COUNT_MAX,
                  "paths have room for so many");
    bool slowed = argc == 2 && strcmp(argv[1], "--slowed") == 0;

    if (argc > 1 && !slowed) {
        (void)fprintf(stderr, "usage: %s [--slowed]: as if each path did 1.1 times its work\n",
                      argv[0]);
        return 2;
    }
    struct corpus *corpus = corpus_new();
    if (corpus == NULL) {
        return EXIT_FAILURE;
    }
    for (const struct path *const *path = paths; *path != NULL; path++) {
        path_run(*path, corpus, slowed);
    }
    corpus_free(corpus);
    return EXIT_SUCCESS;
}
