/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/config.h"

#include "mesh/alloc.h"
#include "mesh/failpoint.h"
#include "mesh/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX 65536

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const type_names[] = {
    [MESH_UINT] = "uint",     [MESH_BOOL] = "bool",   [MESH_TEXT] = "text",
    [MESH_SECRET] = "secret", [MESH_LEVEL] = "level", [MESH_FILE] = "file",
};

static void *field_of(const struct mesh_option *option, void *config)
{
    return (char *)config + option->offset;
}

/* The content of a NAME_FILE without its last newline. NULL: a problem was added. */
static char *read_value_file(const char *name, const char *path, struct mesh_buffer *problems)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        mesh_buffer_add_format(problems, "%s_FILE: cannot open \"%s\": %s\n", name, path,
                               strerror(errno));
        return NULL;
    }
    char *text = mesh_alloc(FILE_BYTES_MAX + 1);
    ssize_t size = read(file, text, FILE_BYTES_MAX);
    (void)close(file);
    if (size < 0 || memchr(text, '\0', (size_t)size) != NULL) {
        mesh_buffer_add_format(problems, "%s_FILE: cannot read text from \"%s\"\n", name, path);
        free(text);
        return NULL;
    }
    if (size > 0 && text[size - 1] == '\n') {
        size--;
    }
    text[size] = '\0';
    return text;
}

/* The text to use; the caller frees it. NULL: missing or unreadable, a problem was added. */
static char *text_of(const struct mesh_option *option, struct mesh_buffer *problems)
{
    char *file_variable = mesh_format("%s_FILE", option->name);
    const char *path = getenv(file_variable);
    const char *value = getenv(option->name);
    free(file_variable);
    if (path != NULL && value != NULL) {
        mesh_buffer_add_format(problems, "%s: give either %s or %s_FILE, not both\n", option->name,
                               option->name, option->name);
        return NULL;
    }
    if (path != NULL && option->type == MESH_FILE) {
        value = path;
    } else if (path != NULL) {
        return read_value_file(option->name, path, problems);
    }
    if (value == NULL) {
        value = option->default_text;
    }
    if (value == NULL) {
        mesh_buffer_add_format(problems, "%s: must be set. %s\n", option->name, option->help);
        return NULL;
    }
    return mesh_strdup(value);
}

static void set_uint(const struct mesh_option *option, const char *text, void *field,
                     struct mesh_buffer *problems)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
    if (!digits || value < option->min || value > option->max) {
        mesh_buffer_add_format(problems,
                               "%s: must be a whole number from %" PRIu64 " to %" PRIu64 "\n",
                               option->name, option->min, option->max);
        return;
    }
    *(uint64_t *)field = value;
}

static void set_bool(const struct mesh_option *option, const char *text, void *field,
                     struct mesh_buffer *problems)
{
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        mesh_buffer_add_format(problems, "%s: must be true or false\n", option->name);
        return;
    }
    *(bool *)field = is_true;
}

static void set_level(const struct mesh_option *option, const char *text, void *field,
                      struct mesh_buffer *problems)
{
    for (size_t i = 0; i < MESH_COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *(enum mesh_log_level *)field = (enum mesh_log_level)i;
            return;
        }
    }
    mesh_buffer_add_format(problems, "%s: must be error, warn, info or debug\n", option->name);
}

static void set_text(const struct mesh_option *option, const char *text, void *field,
                     struct mesh_buffer *problems)
{
    size_t length = strlen(text);
    if (length < option->min || length > option->max) {
        mesh_buffer_add_format(problems, "%s: must have %" PRIu64 " to %" PRIu64 " characters\n",
                               option->name, option->min, option->max);
        return;
    }
    *(char **)field = mesh_strdup(text);
}

static void set_file(const struct mesh_option *option, const char *text, void *field,
                     struct mesh_buffer *problems)
{
    int file = text[0] == '\0' ? -1 : open(text, O_RDONLY | O_CLOEXEC);
    if (text[0] != '\0' && file < 0) {
        mesh_buffer_add_format(problems, "%s: cannot open \"%s\": %s\n", option->name, text,
                               strerror(errno));
        return;
    }
    if (file >= 0) {
        (void)close(file);
    }
    set_text(option, text, field, problems);
}

static void set_option(const struct mesh_option *option, void *config, struct mesh_buffer *problems)
{
    char *text = text_of(option, problems);
    if (text == NULL) {
        return;
    }
    void *field = field_of(option, config);
    switch (option->type) {
    case MESH_UINT:
        set_uint(option, text, field, problems);
        break;
    case MESH_BOOL:
        set_bool(option, text, field, problems);
        break;
    case MESH_LEVEL:
        set_level(option, text, field, problems);
        break;
    case MESH_TEXT:
    case MESH_SECRET:
        set_text(option, text, field, problems);
        break;
    case MESH_FILE:
        set_file(option, text, field, problems);
        break;
    }
    free(text);
}

static void add_text_value(const struct mesh_option *option, const char *text,
                           struct mesh_buffer *out)
{
    struct mesh_bytes bytes = mesh_bytes_of_text(text);
    if (option->type == MESH_SECRET) {
        mesh_buffer_add_text(out, bytes.size > 0 ? "\"***\"" : "\"\"");
        return;
    }
    const uint8_t *at = memchr(bytes.data, '@', bytes.size);
    const char *scheme_end = strstr(text, "://");
    if (at != NULL && scheme_end != NULL) {
        /* user:password@host inside a URL: never shown. */
        size_t head = (size_t)(scheme_end + 3 - text);
        char *shown = mesh_format("%.*s***@%s", (int)head, text, (const char *)at + 1);
        mesh_buffer_add_json(out, mesh_bytes_of_text(shown));
        free(shown);
        return;
    }
    mesh_buffer_add_json(out, bytes);
}

static void add_value(const struct mesh_option *option, const void *config, struct mesh_buffer *out)
{
    const void *field = (const char *)config + option->offset;
    switch (option->type) {
    case MESH_UINT:
        mesh_buffer_add_format(out, "%" PRIu64, *(const uint64_t *)field);
        break;
    case MESH_BOOL:
        mesh_buffer_add_text(out, *(const bool *)field ? "true" : "false");
        break;
    case MESH_LEVEL:
        mesh_buffer_add_format(out, "\"%s\"", level_names[*(const enum mesh_log_level *)field]);
        break;
    case MESH_FILE:
    case MESH_TEXT:
    case MESH_SECRET: {
        const char *text = *(char *const *)field;
        add_text_value(option, text != NULL ? text : "", out);
        break;
    }
    }
}

void mesh_config_json(const struct mesh_config_spec *spec, const void *config,
                      struct mesh_buffer *out)
{
    for (size_t i = 0; i < spec->option_count; i++) {
        mesh_buffer_add_format(out, "%s\"%s\":", i == 0 ? "{" : ",", spec->options[i].name);
        add_value(&spec->options[i], config, out);
    }
    mesh_buffer_add_text(out, spec->option_count == 0 ? "{}" : "}");
}

/* Shown to people: one setting a line. */
static void print_values(const struct mesh_config_spec *spec, const void *config)
{
    struct mesh_buffer line = {0};
    for (size_t i = 0; i < spec->option_count; i++) {
        mesh_buffer_reset(&line);
        add_value(&spec->options[i], config, &line);
        printf("%-24s %s\n", spec->options[i].name, line.data);
    }
    mesh_buffer_done(&line);
}

static void print_help(const struct mesh_config_spec *spec)
{
    printf("%s: %s\n\nusage: %s [--help | --version | --check-config | --options]%s\n\n",
           spec->program, spec->summary, spec->program, spec->accepts_arguments ? " [...]" : "");
    if (spec->usage != NULL) {
        printf("%s\n", spec->usage);
    }
    printf(
        "Settings come from the environment; NAME_FILE names a file that holds NAME's value.\n\n");
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct mesh_option *option = &spec->options[i];
        printf("  %-24s %s", option->name, option->help);
        if (option->default_text == NULL) {
            printf(" Must be set.\n");
        } else {
            printf(" Default: %s\n",
                   option->default_text[0] != '\0' ? option->default_text : "none");
        }
    }
    struct mesh_buffer failpoints = {0};
    mesh_failpoints_list(&failpoints);
    printf("%s", failpoints.size > 0 ? failpoints.data : "");
    mesh_buffer_done(&failpoints);
}

static void print_options(const struct mesh_config_spec *spec)
{
    struct mesh_buffer out = {0};
    mesh_buffer_add_format(&out, "{\"program\":\"%s\",\"options\":[", spec->program);
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct mesh_option *option = &spec->options[i];
        mesh_buffer_add_format(&out,
                               "%s{\"name\":\"%s\",\"type\":\"%s\",\"default\":", i == 0 ? "" : ",",
                               option->name, type_names[option->type]);
        if (option->default_text != NULL) {
            mesh_buffer_add_json(&out, mesh_bytes_of_text(option->default_text));
        } else {
            mesh_buffer_add_text(&out, "null");
        }
        mesh_buffer_add_format(
            &out, ",\"min\":%" PRIu64 ",\"max\":%" PRIu64 ",\"help\":", option->min, option->max);
        mesh_buffer_add_json(&out, mesh_bytes_of_text(option->help));
        mesh_buffer_add_text(&out, "}");
    }
    mesh_buffer_add_text(&out, "]}");
    printf("%s\n", out.data);
    mesh_buffer_done(&out);
}

/* Answers an argument that needs no settings. */
static bool answer_argument(const struct mesh_config_spec *spec, const char *argument)
{
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        print_help(spec);
    } else if (strcmp(argument, "--version") == 0) {
        printf("%s %s\n", spec->program, MESH_VERSION);
    } else if (strcmp(argument, "--options") == 0) {
        print_options(spec);
    } else {
        return false;
    }
    return true;
}

enum mesh_config_outcome mesh_config_load(const struct mesh_config_spec *spec, int argc,
                                          char **argv, void *config)
{
    bool check_only = false;
    if (argc > 1) {
        check_only = strcmp(argv[1], "--check-config") == 0;
        if (!check_only && answer_argument(spec, argv[1])) {
            return MESH_CONFIG_EXIT;
        }
        if (!spec->accepts_arguments && (!check_only || argc > 2)) {
            (void)fprintf(stderr, "%s: unknown argument; see %s --help\n", spec->program,
                          spec->program);
            return MESH_CONFIG_BAD;
        }
    }
    struct mesh_buffer problems = {0};
    for (size_t i = 0; i < spec->option_count; i++) {
        set_option(&spec->options[i], config, &problems);
    }
    mesh_failpoints_load(&problems);
    if (problems.size == 0 && spec->check != NULL) {
        spec->check(config, &problems);
    }
    enum mesh_config_outcome outcome = MESH_CONFIG_RUN;
    if (problems.size > 0) {
        (void)fprintf(stderr, "%s: the configuration is wrong:\n%s", spec->program, problems.data);
        outcome = MESH_CONFIG_BAD;
    } else if (check_only) {
        print_values(spec, config);
        outcome = MESH_CONFIG_EXIT;
    }
    mesh_buffer_done(&problems);
    return outcome;
}

const char *mesh_config_secret_file(const char *name)
{
    char *variable = mesh_format("%s_FILE", name);
    const char *path = getenv(variable);
    free(variable);
    return path;
}

char *mesh_config_secret_now(const char *name, const char *at_start)
{
    const char *path = mesh_config_secret_file(name);
    struct mesh_buffer problems = {0};
    char *text = path == NULL ? NULL : read_value_file(name, path, &problems);
    mesh_buffer_done(&problems);
    return text != NULL ? text : mesh_strdup(at_start);
}

void mesh_config_done(const struct mesh_config_spec *spec, void *config)
{
    for (size_t i = 0; i < spec->option_count; i++) {
        enum mesh_option_type type = spec->options[i].type;
        if (type == MESH_TEXT || type == MESH_SECRET || type == MESH_FILE) {
            char **text = field_of(&spec->options[i], config);
            free(*text);
            *text = NULL;
        }
    }
}
