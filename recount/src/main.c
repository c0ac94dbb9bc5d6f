/* SPDX-License-Identifier: Apache-2.0 */
/* recount: rebuilds the counters of a stream in Redis from Kafka or MongoDB, under traffic. */
#include "arguments.h"
#include "config.h"
#include "mesh/alloc.h"
#include "mesh/log.h"
#include "rebuild.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_REBUILT = 0, EXIT_FAILED = 2 };

static bool is_chosen(const struct mesh_stream *stream, const struct arguments *arguments)
{
    return arguments->stream == NULL ||
           mesh_bytes_equal_text(mesh_bytes_of_text(stream->name), arguments->stream);
}

/* Rebuilds the chosen streams one by one; what is done stays done. */
static bool rebuild_all(const struct config *config, const struct mesh_streams *streams,
                        const struct arguments *arguments, struct rebuilt *out, size_t *out_count,
                        struct mesh_error *err)
{
    struct rebuilder *rebuilder = rebuilder_new(config, err);
    bool ok = rebuilder != NULL;

    for (size_t i = 0; ok && i < mesh_streams_count(streams); i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        if (is_chosen(stream, arguments)) {
            ok = rebuild_stream(rebuilder, stream, arguments, &out[*out_count], err);
            *out_count += ok ? 1 : 0;
        }
    }
    rebuilder_free(rebuilder);
    if (ok && *out_count == 0) {
        return mesh_fail(err, MESH_NOT_FOUND, "--stream: there is no such stream");
    }
    return ok;
}

static int run(const struct config *config, const struct arguments *arguments, FILE *file)
{
    struct mesh_error err = {0};
    struct mesh_buffer text = {0};
    struct rebuilt *rebuilt = NULL;
    size_t count = 0;
    bool ok = false;
    struct mesh_streams *streams = mesh_streams_load(config->streams_dir, &err);

    if (streams != NULL) {
        rebuilt = mesh_new_array(struct rebuilt, mesh_streams_count(streams));
        ok = rebuild_all(config, streams, arguments, rebuilt, &count, &err);
        report(rebuilt, count, arguments->json, &text);
        (void)fputs(text.data, file);
    }
    if (!ok) {
        (void)fprintf(stderr, "recount: %s\n", err.text);
    }
    mesh_buffer_done(&text);
    free(rebuilt);
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
    /* Standard output is for the report alone; what libraries log goes to standard error. */
    int report_fd = dup(STDOUT_FILENO);
    FILE *file = report_fd < 0 ? NULL : fdopen(report_fd, "w");
    if (file != NULL && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
        mesh_log_start("recount", MESH_LOG_ERROR);
        exit_code = run(&config, &arguments, file);
    }
    if (file != NULL && fclose(file) != 0) {
        exit_code = EXIT_FAILED;
    }
    mesh_config_done(&config_spec, &config);
    return exit_code;
}
