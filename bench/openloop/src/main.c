/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"
#include "bodies.h"
#include "load.h"
#include "mesh/alloc.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct mesh_error err = {0};
    enum arguments_outcome outcome = arguments_read(argc, argv, &arguments);
    if (outcome != ARGUMENTS_RUN) {
        return outcome == ARGUMENTS_HELP ? EXIT_SUCCESS : 2;
    }
    struct bodies *bodies = bodies_new(&(struct bodies_options){.file = arguments.bodies,
                                                                .host = arguments.load.host,
                                                                .path = arguments.path,
                                                                .key = arguments.key},
                                       &err);
    struct tally *tally = mesh_new(struct tally);
    struct mesh_buffer text = {0};
    double seconds = 0;
    arguments.load.bodies = bodies;
    bool good = bodies != NULL && load_run(&arguments.load, tally, &seconds, &err);
    if (good) {
        report_write(tally, seconds, &text);
        good = fwrite(text.data, 1, text.size, stdout) == text.size && fflush(stdout) == 0;
    } else {
        (void)fprintf(stderr, "openloop: %s\n", err.text);
    }
    mesh_buffer_done(&text);
    free(tally);
    bodies_free(bodies);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
