/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulation: runs schedules, each from a seed, and says which one broke a promise.
 */
#include "mesh/error.h"
#include "mongo.h"
#include "mutants.h"
#include "redis_store.h"
#include "schedule.h"
#include "side.h"
#include "verdict.h"

#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

const struct mesh_streams *side_streams;

struct options {
    uint64_t seed;
    uint64_t count;
    bool trace;
    const char *mutant;
};

static void help(const char *program)
{
    (void)printf("usage: %s [--seed N] [--count N] [--trace] [--mutant NAME]\n"
                 "Runs schedules with the seeds N, N + 1, …; with a mutant: until one is broken.\n"
                 "Mutants:\n",
                 program);
    mutants_list();
}

static bool options_read(int argc, char **argv, struct options *out)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'}, {"count", required_argument, NULL, 'c'},
        {"trace", no_argument, NULL, 't'},      {"mutant", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},       {0}};
    int option = 0;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            out->seed = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            out->count = strtoull(optarg, NULL, 10);
            break;
        case 't':
            out->trace = true;
            break;
        case 'm':
            out->mutant = optarg;
            break;
        default:
            help(argv[0]);
            return false;
        }
    }
    if (out->mutant != NULL && !mutants_plant(out->mutant)) {
        help(argv[0]);
        return false;
    }
    return optind == argc;
}

static void print_sums(uint64_t count)
{
    const struct schedule_sums *sums = &schedule_sums;

    (void)printf("%" PRIu64 " schedules: %" PRIu64 " events, %" PRIu64 " acknowledged, %" PRIu64
                 " records, %" PRIu64 " documents; %" PRIu64 " kills, %" PRIu64
                 " times trouble with Redis, %" PRIu64 " with the group\n",
                 count, sums->events, sums->acknowledged, sums->records, sums->documents,
                 sums->kills, sums->set_backs, sums->rebalances);
}

static int run(const struct options *options, const char *program)
{
    for (uint64_t i = 0; i < options->count; i++) {
        uint64_t seed = options->seed + i;
        if (schedule_run(seed, options->trace)) {
            continue;
        }
        (void)printf("seed %" PRIu64 ": %s\n", seed, verdict_text());
        if (options->mutant != NULL) {
            (void)printf("mutant %s: caught by schedule %" PRIu64 "\n", options->mutant, i + 1);
            return EXIT_SUCCESS;
        }
        (void)printf("again, with all that happens: %s --seed %" PRIu64 " --trace\n", program,
                     seed);
        return EXIT_FAILURE;
    }
    print_sums(options->count);
    return options->mutant == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .count = 1};
    struct mesh_error err = {0};

    if (!options_read(argc, argv, &options)) {
        return 2;
    }
    /* What a schedule takes it gives back; the kernel need not hear of it each time. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
    struct mesh_streams *streams = mesh_streams_load(SIMULATION_STREAMS, &err);
    if (streams == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    side_streams = streams;
    int code = run(&options, argv[0]);
    redis_store_stop();
    mongo_start();
    mesh_streams_free(streams);
    return code;
}
