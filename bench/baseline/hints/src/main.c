/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"
#include "feeder.h"
#include "output.h"
#include "process.h"

#include <inttypes.h>
#include <stdlib.h>

struct config {
    struct feeder_options feeder;
    const char *groups;
};

#define AT(field) offsetof(struct config, field)

/* clang-format off */
static const struct argument table[] = {
    {"port", ARGUMENT_COUNT, true, AT(feeder.port), 1, 65535, "of ws-redis on 127.0.0.1"},
    {"redis", ARGUMENT_TEXT, true, AT(feeder.redis), 0, 0, "URL of where it counts"},
    {"stream", ARGUMENT_TEXT, true, AT(feeder.stream), 0, 0, "name of a declared stream"},
    {"groups", ARGUMENT_TEXT, true, AT(groups), 0, 0, "A,B,…: names of its groups, in turn"},
    {"frame", ARGUMENT_COUNT, false, AT(feeder.frame), 1, FEEDER_FRAME_MAX,
     "events in a frame (100)"},
    {"partitions", ARGUMENT_COUNT, false, AT(feeder.partitions), 1, FEEDER_PARTITIONS_MAX,
     "filled in turn (4)"},
    {"first", ARGUMENT_COUNT, false, AT(feeder.first), 0, 1e15,
     "offset to begin with, in each partition (0)"},
    {"lead", ARGUMENT_COUNT, false, AT(feeder.lead), 1, 1e9,
     "events sent and not counted yet, at most (200000)"},
    {"seconds", ARGUMENT_NUMBER, false, AT(feeder.seconds), 0.01, 3600, "how long to send (10)"},
};
/* clang-format on */

static const struct arguments_spec spec = {
    .program = "bench-hints",
    .summary =
        "Sends counting hints to ws-redis, as api does and as fast as Redis takes them, and\n"
        "prints as JSON how many events were counted.",
    .table = table,
    .count = MESH_COUNT_OF(table),
};

static bool print(const struct feeder_result *result, struct mesh_error *err)
{
    struct mesh_buffer text = {0};
    mesh_buffer_add_format(&text,
                           "{\"sent\": %" PRIu64 ", \"counted\": %" PRIu64 ", \"frames\": %" PRIu64
                           ", \"seconds\": %.3f, \"events_per_s\": %.1f, \"cpu_seconds\": %.3f}\n",
                           result->sent, result->counted, result->frames, result->seconds,
                           (double)result->counted / result->seconds, process_cpu_seconds());
    bool good = output_print(&text, err);
    mesh_buffer_done(&text);
    return good;
}

static bool measure(const struct feeder_options *options, struct mesh_error *err)
{
    struct feeder_result result;
    struct feeder *feeder = feeder_new(options, err);
    bool good = feeder != NULL && feeder_run(feeder, &result, err) && print(&result, err);
    feeder_free(feeder);
    return good;
}

int main(int argc, char **argv)
{
    struct config config = {
        .feeder = {.frame = 100, .partitions = 4, .lead = 200000, .seconds = 10}};
    struct groups groups = {0};
    struct mesh_error err = {0};
    int code = arguments_read(&spec, argc, argv, &config);
    if (code != ARGUMENTS_GOOD) {
        return code;
    }
    config.feeder.groups = &groups;
    bool good = groups_read(&groups, config.groups, &err) && measure(&config.feeder, &err);
    groups_done(&groups);
    return good ? EXIT_SUCCESS : output_failure(spec.program, &err);
}
