/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "output.h"

#include <stdlib.h>

static bool measure(const struct config *config, const struct lines *values, struct run *run,
                    struct mesh_error *err)
{
    struct producer *producer = producer_new(&config->producer, err);
    struct mesh_error unprinted = {0};
    if (producer == NULL) {
        return false;
    }
    run_start(run, &config->run, mesh_clock_mono_us());
    bool good = producer_run(producer, values, run, err);
    producer_free(producer);
    return run_print(run, good ? err : &unprinted) && good && run_is_whole(run, err);
}

int main(int argc, char **argv)
{
    struct config config = config_default;
    struct mesh_error err = {0};
    int code = arguments_read(&config_spec, argc, argv, &config);
    if (code != ARGUMENTS_GOOD) {
        return code;
    }
    struct run *run = mesh_new(struct run);
    struct lines *values = NULL;
    bool good = run_options_check(&config.run, &err) &&
                (values = lines_new(config.values, &err)) != NULL &&
                measure(&config, values, run, &err);
    lines_free(values);
    free(run);
    return good ? EXIT_SUCCESS : output_failure(config_spec.program, &err);
}
