/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"
#include "client.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "output.h"

#include <stdlib.h>

struct config {
    struct client_options client;
    struct run_options run;
    const char *stream;
    const char *values;
};

#define AT(field) offsetof(struct config, field)

/* clang-format off */
static const struct argument table[] = {
    {"target", ARGUMENT_TEXT, true, AT(client.target), 0, 0, "host:port or unix:/path"},
    {"stream", ARGUMENT_TEXT, true, AT(stream), 0, 0, "name of a declared stream"},
    {"values", ARGUMENT_TEXT, true, AT(values), 0, 0,
     "file; each line is an event as a JSON object, round and round"},
    {"batch", ARGUMENT_COUNT, false, AT(client.batch), 1, MESSAGES_BATCH_MAX,
     "events in a message (100)"},
    {"window", ARGUMENT_COUNT, false, AT(client.window), 1, CLIENT_WINDOW_MAX,
     "messages under way on each connection (16)"},
    {"connections", ARGUMENT_COUNT, false, AT(client.connections), 1, CLIENT_CONNECTIONS_MAX,
     "with a stream on each (1)"},
    {"seconds", ARGUMENT_NUMBER, false, AT(run.seconds), 0.01, 86400, "measured time; or:"},
    {"count", ARGUMENT_COUNT, false, AT(run.count), 1, 1e12, "events to measure"},
    {"warmup", ARGUMENT_NUMBER, false, AT(run.warmup_seconds), 0, 3600,
     "seconds of load before what is measured (0)"},
};
/* clang-format on */

static const struct arguments_spec spec = {
    .program = "bench-stream",
    .summary =
        "The rate and latency of PublishStream, for a client from outside, as one JSON object.",
    .table = table,
    .count = MESH_COUNT_OF(table),
};

static bool measure(const struct config *config, const struct lines *lines, struct run *run,
                    struct mesh_error *err)
{
    struct messages *messages = messages_new(lines, config->stream, config->client.batch, err);
    struct mesh_error unprinted = {0};
    if (messages == NULL) {
        return false;
    }
    run_start(run, &config->run, mesh_clock_mono_us());
    bool good = client_run(&config->client, messages, run, err);
    messages_free(messages);
    return run_print(run, good ? err : &unprinted) && good && run_is_whole(run, err);
}

int main(int argc, char **argv)
{
    struct config config = {.client = {.batch = 100, .window = 16, .connections = 1}};
    struct mesh_error err = {0};
    int code = arguments_read(&spec, argc, argv, &config);
    if (code != ARGUMENTS_GOOD) {
        return code;
    }
    struct run *run = mesh_new(struct run);
    struct lines *lines = NULL;
    bool good = run_options_check(&config.run, &err) &&
                (lines = lines_new(config.values, &err)) != NULL &&
                measure(&config, lines, run, &err);
    lines_free(lines);
    free(run);
    return good ? EXIT_SUCCESS : output_failure(spec.program, &err);
}
