/* SPDX-License-Identifier: Apache-2.0 */
/* recount: rebuilds the counters of a stream in Redis from Kafka or MongoDB, under traffic. */
#include "arguments.h"
#include "config.h"
#include "mesh/alloc.h"
#include "mesh/log.h"
#include "one_shot.h"
#include "rebuild.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_REBUILT = 0, EXIT_FAILED = 2 };

/* Rebuilds the chosen streams one by one; what is done stays done. */
static bool rebuild_all(const struct config *config, const struct mesh_stream *const *streams,
                        size_t count, const struct arguments *arguments, struct rebuilt *out,
                        size_t *out_count, struct mesh_error *err)
{
    struct rebuilder *rebuilder = rebuilder_new(config, err);
    bool ok = rebuilder != NULL;

    for (size_t i = 0; ok && i < count; i++) {
        ok = rebuild_stream(rebuilder, streams[i], arguments, &out[*out_count], err);
        *out_count += ok ? 1 : 0;
    }
    rebuilder_free(rebuilder);
    return ok;
}

static int run(const struct config *config, const struct arguments *arguments, FILE *file)
{
    struct mesh_error err = {0};
    struct mesh_buffer text = {0};
    const struct mesh_stream **chosen = NULL;
    size_t count = 0;
    struct rebuilt *rebuilt = NULL;
    size_t done = 0;
    bool ok = false;
    struct mesh_streams *streams = mesh_streams_load(config->streams_dir, &err);

    if (streams == NULL) {
        goto out;
    }
    chosen = one_shot_choose(streams, arguments->stream, &count, &err);
    if (chosen == NULL) {
        goto out;
    }
    rebuilt = mesh_new_array(struct rebuilt, count);
    ok = rebuild_all(config, chosen, count, arguments, rebuilt, &done, &err);
    report(rebuilt, done, arguments->json, &text);
    (void)fputs(text.data, file);

out:
    if (!ok) {
        (void)fprintf(stderr, "recount: %s\n", err.text);
    }
    mesh_buffer_done(&text);
    free(rebuilt);
    free(chosen);
    mesh_streams_free(streams);
    return fflush(file) == 0 && ok ? EXIT_REBUILT : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct arguments arguments = {0};
    struct mesh_error err = {0};
    int exit_code = EXIT_FAILED;

    enum mesh_config_outcome outcome = mesh_config_load(&config_spec, argc, argv, &config);
    if (outcome != MESH_CONFIG_RUN) {
        mesh_config_done(&config_spec, &config);
        return outcome == MESH_CONFIG_EXIT ? EXIT_REBUILT : EXIT_FAILED;
    }
    if (!arguments_read(argc, argv, &arguments, &err)) {
        (void)fprintf(stderr, "recount: %s\n", err.text);
        mesh_config_done(&config_spec, &config);
        return EXIT_FAILED;
    }
    mesh_kafka_login_use(&config.kafka_login);
    mesh_mongo_login_use(&config.mongo_login);
    mesh_redis_login_use(&config.redis_login);
    FILE *file = one_shot_output();
    if (file != NULL) {
        mesh_log_start("recount", MESH_LOG_ERROR);
        exit_code = run(&config, &arguments, file);
    }
    if (file != NULL && fclose(file) != 0) {
        exit_code = EXIT_FAILED;
    }
    mesh_config_done(&config_spec, &config);
    return exit_code;
}
