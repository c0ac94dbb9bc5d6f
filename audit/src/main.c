/* SPDX-License-Identifier: Apache-2.0 */
/* audit: proves that Kafka, Redis and MongoDB hold the same events, or says where not. */
#include "arguments.h"
#include "compare.h"
#include "config.h"
#include "inspect.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "one_shot.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_EQUAL = 0, EXIT_DIFFERENT = 1, EXIT_BLIND = 2 };

/* Between two looks at stores that differ although everything is settled: the hashes that people
 * read follow a moment later. */
enum { LOOK_AGAIN_US = 300 * 1000 };

/* Looks until the stream is equal everywhere or the time is over. */
static bool look(struct inspector *inspector, const struct mesh_stream *stream, int64_t until_us,
                 struct findings *out, struct mesh_error *err)
{
    for (;;) {
        if (!inspect_wait(inspector, stream, until_us, err) ||
            !inspect_stream(inspector, stream, out, err)) {
            return false;
        }
        if (compare_equal(out) || mesh_clock_mono_us() + LOOK_AGAIN_US > until_us) {
            return true;
        }
        (void)usleep(LOOK_AGAIN_US);
    }
}

static bool look_all(const struct config *config, const struct mesh_stream **streams, size_t count,
                     uint32_t wait_s, struct findings *out, struct mesh_error *err)
{
    int64_t until_us = mesh_clock_mono_us() + (int64_t)wait_s * 1000000;
    struct inspector *inspector = inspector_new(config, err);
    bool ok = inspector != NULL;

    for (size_t i = 0; ok && i < count; i++) {
        ok = look(inspector, streams[i], until_us, &out[i], err);
    }
    inspector_free(inspector);
    return ok;
}

static int print(const struct findings *findings, size_t count, const struct arguments *arguments,
                 FILE *file)
{
    struct mesh_buffer text = {0};
    int exit_code = EXIT_EQUAL;

    if (arguments->json) {
        report_json(findings, count, arguments->groups, &text);
    } else {
        report_table(findings, count, arguments->groups, &text);
    }
    for (size_t i = 0; i < count; i++) {
        if (!compare_equal(&findings[i])) {
            exit_code = EXIT_DIFFERENT;
        }
    }
    (void)fputs(text.data, file);
    mesh_buffer_done(&text);
    return fflush(file) == 0 ? exit_code : EXIT_BLIND;
}

static int run(const struct config *config, const struct arguments *arguments, FILE *file)
{
    struct mesh_error err = {0};
    int exit_code = EXIT_BLIND;
    const struct mesh_stream **chosen = NULL;
    size_t count = 0;
    struct findings *findings = NULL;
    struct mesh_streams *streams = mesh_streams_load(config->streams_dir, &err);

    if (streams == NULL) {
        goto out;
    }
    chosen = one_shot_choose(streams, arguments->stream, &count, &err);
    if (chosen == NULL) {
        goto out;
    }
    findings = mesh_new_array(struct findings, count);
    if (look_all(config, chosen, count, arguments->wait_s, findings, &err)) {
        exit_code = print(findings, count, arguments, file);
    }

out:
    if (exit_code == EXIT_BLIND) {
        (void)fprintf(stderr, "audit: %s\n", err.text);
    }
    free(findings);
    free(chosen);
    mesh_streams_free(streams);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct arguments arguments = {0};
    struct mesh_error err = {0};
    int exit_code = EXIT_BLIND;

    enum mesh_config_outcome outcome = mesh_config_load(&config_spec, argc, argv, &config);
    if (outcome != MESH_CONFIG_RUN) {
        mesh_config_done(&config_spec, &config);
        return outcome == MESH_CONFIG_EXIT ? EXIT_EQUAL : EXIT_BLIND;
    }
    if (!arguments_read(argc, argv, &arguments, &err)) {
        (void)fprintf(stderr, "audit: %s\n", err.text);
        mesh_config_done(&config_spec, &config);
        return EXIT_BLIND;
    }
    mesh_kafka_login_use(&config.kafka_login);
    mesh_mongo_login_use(&config.mongo_login);
    mesh_redis_login_use(&config.redis_login);
    FILE *file = one_shot_output();
    if (file != NULL) {
        mesh_log_start("audit", MESH_LOG_ERROR);
        exit_code = run(&config, &arguments, file);
    }
    if (file != NULL && fclose(file) != 0) {
        exit_code = EXIT_BLIND;
    }
    mesh_config_done(&config_spec, &config);
    return exit_code;
}
