/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: what the command line says.
 *
 * Threads: main().
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "arguments.h"
#include "producer.h"
#include "run.h"

struct config {
    const char *values;
    struct producer_options producer;
    struct run_options run;
    bool json;
};

extern const struct config config_default;
extern const struct arguments_spec config_spec;

#endif
