/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: what the command line says.
 *
 * Threads: main().
 */
#ifndef OPENLOOP_CONFIG_H
#define OPENLOOP_CONFIG_H

#include "arguments.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts are argv's. */
struct config {
    const char *bodies;
    const char *ca; /* NULL: plain HTTP */
    const char *host;
    const char *path;
    const char *key; /* NULL: none */
    double rate;
    double seconds;
    double drain_seconds;
    uint64_t port;
    uint64_t connections;
    uint64_t first;
    bool retry;
    bool spread;
};

extern const struct config config_default;
extern const struct arguments_spec config_spec;

#endif
