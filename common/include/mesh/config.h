/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: a program's settings, read from the environment by one table.
 *
 * A variable NAME may also be given as NAME_FILE, the path of a file that holds the value (for
 * secrets; one trailing newline is dropped). Everything wrong is reported at once.
 * Threads: call before the first thread starts.
 */
#ifndef MESH_CONFIG_H
#define MESH_CONFIG_H

#include "mesh/bytes.h"
#include "mesh/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mesh_option_type {
    MESH_UINT,   /* field: uint64_t; min and max bound the value */
    MESH_BOOL,   /* field: bool; "true" or "false" */
    MESH_TEXT,   /* field: char *, owned by the config; min and max bound the length */
    MESH_SECRET, /* as MESH_TEXT, but masked wherever it is shown */
    MESH_FILE,   /* field: char *, as MESH_TEXT: the path of a file that can be opened; NAME and
                  * NAME_FILE both give it, "": none */
    MESH_LEVEL,  /* field: enum mesh_log_level; "error", "warn", "info" or "debug" */
};

struct mesh_option {
    const char *name; /* environment variable */
    enum mesh_option_type type;
    size_t offset;            /* of the field in the program's struct config */
    const char *default_text; /* NULL: must be given */
    uint64_t min;
    uint64_t max;
    const char *help; /* one sentence */
};

struct mesh_config_spec {
    const char *program; /* "api" */
    const char *summary; /* one sentence for --help */
    const struct mesh_option *options;
    size_t option_count;
    /* The program reads arguments of its own: ours are answered only when they come first, others
     * are left alone. `usage` describes them for --help. */
    bool accepts_arguments;
    const char *usage;
    /* Looks for contradictions between settings; adds a line each. May be NULL. */
    void (*check)(const void *config, struct mesh_buffer *problems);
};

/* What a program should do after mesh_config_load(). */
enum mesh_config_outcome {
    MESH_CONFIG_RUN,  /* settings are good: start */
    MESH_CONFIG_EXIT, /* --help, --version or --check-config was answered: exit 0 */
    MESH_CONFIG_BAD,  /* everything wrong was written to stderr: exit 2 */
};

/* Reads arguments and environment into *config (zeroed by the caller). Knows --help, --version,
 * --check-config (prints effective values, secrets masked, and contradictions) and --options
 * (prints the table as JSON, which the documentation is checked against). */
MESH_MUST_CHECK
enum mesh_config_outcome mesh_config_load(const struct mesh_config_spec *spec, int argc,
                                          char **argv, void *config);

/* One JSON object of the effective values, secrets masked, for /status. */
void mesh_config_json(const struct mesh_config_spec *spec, const void *config,
                      struct mesh_buffer *out);

/* What a secret is now: read again if NAME_FILE gives it, and `at_start` if not, or while the file
 * cannot be read. The caller frees it. Any thread. */
char *mesh_config_secret_now(const char *name, const char *at_start);
/* The file that gives a secret; NULL: none does. */
const char *mesh_config_secret_file(const char *name);

/* Frees the texts in *config. */
void mesh_config_done(const struct mesh_config_spec *spec, void *config);

#endif
