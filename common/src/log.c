/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/log.h"

#include "mesh/bytes.h"
#include "mesh/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Written once at start, before other threads exist. */
static const char *log_program;
static _Atomic enum mesh_log_level log_level = MESH_LOG_INFO;

void mesh_log_start(const char *program, enum mesh_log_level level)
{
    log_program = program;
    atomic_store(&log_level, level);
}

static void add_field(struct mesh_buffer *line, const struct mesh_log_field *field)
{
    mesh_buffer_add_format(line, ",\"%s\":", field->name);
    if (field->kind == MESH_LOG_KIND_INT) {
        mesh_buffer_add_format(line, "%" PRId64, field->number);
        return;
    }
    struct mesh_bytes text = mesh_bytes_of_text(field->text);
    if (field->text == NULL) {
        mesh_buffer_add_text(line, "null");
    } else if (mesh_bytes_is_utf8(text)) {
        mesh_buffer_add_json(line, text);
    } else {
        mesh_buffer_add_text(line, "\"(not UTF-8)\"");
    }
}

void mesh_log_write(enum mesh_log_level level, const struct mesh_log_field *fields, size_t count)
{
    if (level > atomic_load_explicit(&log_level, memory_order_relaxed)) {
        return;
    }
    char time_text[MESH_TIME_TEXT_SIZE];
    mesh_time_format(mesh_clock_wall_ms(), time_text);
    struct mesh_buffer line = {0};
    mesh_buffer_add_format(&line, "{\"time\":\"%s\",\"level\":\"%s\"", time_text,
                           level_names[level]);
    if (log_program != NULL) {
        mesh_buffer_add_format(&line, ",\"program\":\"%s\"", log_program);
    }
    for (size_t i = 0; i < count; i++) {
        add_field(&line, &fields[i]);
    }
    mesh_buffer_add_text(&line, "}\n");

    /* One write() a line keeps lines whole; what a full pipe does not take is lost, since waiting
     * for a log reader must never stop the mesh. */
    ssize_t written = 0;
    do {
        written = write(STDOUT_FILENO, line.data, line.size);
    } while (written < 0 && errno == EINTR);
    mesh_buffer_done(&line);
}

static void log_error_at(enum mesh_log_level level, const char *event, const struct mesh_error *err)
{
    mesh_log(level, event, MESH_LOG_TEXT("code", mesh_code_name(err->code)),
             MESH_LOG_TEXT("error", err->text));
}

void mesh_log_error(const char *event, const struct mesh_error *err)
{
    log_error_at(MESH_LOG_ERROR, event, err);
}

void mesh_log_warn(const char *event, const struct mesh_error *err)
{
    log_error_at(MESH_LOG_WARN, event, err);
}
