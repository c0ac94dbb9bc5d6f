/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one JSON object per line on stdout.
 *
 * `event` is a constant that can be searched for; what varies goes into fields. Never text of
 * users, never secrets. error = lost or refused, warn = coped, info = life cycle.
 * Threads: any; a line is written by one write() and never torn.
 */
#ifndef MESH_LOG_H
#define MESH_LOG_H

#include "mesh/error.h"

#include <stddef.h>
#include <stdint.h>

enum mesh_log_level { MESH_LOG_ERROR, MESH_LOG_WARN, MESH_LOG_INFO, MESH_LOG_DEBUG };

enum mesh_log_kind { MESH_LOG_KIND_TEXT, MESH_LOG_KIND_INT };

struct mesh_log_field {
    const char *name;
    enum mesh_log_kind kind;
    const char *text; /* borrowed during the call; NULL is written as null */
    int64_t number;
};

#define MESH_LOG_TEXT(field, value)                                                                \
    ((struct mesh_log_field){.name = (field), .kind = MESH_LOG_KIND_TEXT, .text = (value)})
#define MESH_LOG_INT(field, value)                                                                 \
    ((struct mesh_log_field){                                                                      \
        .name = (field), .kind = MESH_LOG_KIND_INT, .number = (int64_t)(value)})

/* mesh_log(MESH_LOG_INFO, "ready", MESH_LOG_INT("port", port)); fields are optional. */
#define mesh_log(level, event, ...)                                                                \
    mesh_log_write(                                                                                \
        (level), (const struct mesh_log_field[]){MESH_LOG_TEXT("event", event), __VA_ARGS__},      \
        sizeof((const struct mesh_log_field[]){MESH_LOG_TEXT("event", event), __VA_ARGS__}) /      \
            sizeof(struct mesh_log_field))

/* Until this is called, lines carry no program name and the level is info. */
void mesh_log_start(const char *program, enum mesh_log_level level);
void mesh_log_write(enum mesh_log_level level, const struct mesh_log_field *fields, size_t count);
/* An error with its code and message. */
void mesh_log_error(const char *event, const struct mesh_error *err);
void mesh_log_warn(const char *event, const struct mesh_error *err);

#endif
