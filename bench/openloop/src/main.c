/* SPDX-License-Identifier: Apache-2.0 */
#include "bodies.h"
#include "config.h"
#include "load.h"
#include "mesh/alloc.h"
#include "output.h"
#include "report.h"

#include <stdlib.h>

static bool run(const struct config *config, const struct bodies *bodies, struct mesh_error *err)
{
    struct tally *tally = mesh_new(struct tally);
    struct mesh_buffer text = {0};
    double seconds = 0;
    bool good = load_run(&(struct load_options){.host = config->host,
                                                .ca = config->ca,
                                                .port = (uint16_t)config->port,
                                                .bodies = bodies,
                                                .rate = config->rate,
                                                .seconds = config->seconds,
                                                .drain_seconds = config->drain_seconds,
                                                .connections = (uint32_t)config->connections,
                                                .retry = config->retry,
                                                .spread = config->spread,
                                                .first = config->first},
                         tally, &seconds, err);
    if (good) {
        report_write(tally, seconds, &text);
        good = output_print(&text, err);
    }
    mesh_buffer_done(&text);
    free(tally);
    return good;
}

int main(int argc, char **argv)
{
    struct config config = config_default;
    struct mesh_error err = {0};
    int code = arguments_read(&config_spec, argc, argv, &config);
    if (code != ARGUMENTS_GOOD) {
        return code;
    }
    struct bodies *bodies = bodies_new(
        &(struct bodies_options){
            .file = config.bodies, .host = config.host, .path = config.path, .key = config.key},
        &err);
    bool good = bodies != NULL && run(&config, bodies, &err);
    bodies_free(bodies);
    return good ? EXIT_SUCCESS : output_failure(config_spec.program, &err);
}
