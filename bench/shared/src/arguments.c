/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include <assert.h>
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above all characters, since getopt answers '?' where something is wrong. */
enum { OPTION_HELP = 256, OPTION_FIRST };

static void print_help(const struct arguments_spec *spec)
{
    static const char *const values[] = {" TEXT", " NUMBER", " N", ""};
    (void)printf("Usage: %s [options]\n%s\n\n", spec->program, spec->summary);
    for (size_t i = 0; i < spec->count; i++) {
        const struct argument *row = &spec->table[i];
        int size = printf("  --%s%s", row->name, values[row->type]);
        (void)printf("%*s%s%s\n", size < 26 ? 26 - size : 1, "", row->help,
                     row->needed ? " (needed)" : "");
    }
}

static bool complain(const struct arguments_spec *spec, const char *name, const char *what)
{
    (void)fprintf(stderr, "%s: --%s %s\n", spec->program, name, what);
    return false;
}

/* False, and says so: it is no number of the row's range. */
static bool read_number(const struct arguments_spec *spec, const struct argument *row,
                        const char *text, double *out)
{
    char wanted[128];
    char *end;
    double value = strtod(text, &end);
    if (end != text && *end == '\0' && value >= row->min && value <= row->max &&
        (row->type != ARGUMENT_COUNT || value == floor(value))) {
        *out = value;
        return true;
    }
    (void)snprintf(wanted, sizeof(wanted), "wants a %s from %.15g to %.15g",
                   row->type == ARGUMENT_COUNT ? "whole number" : "number", row->min, row->max);
    return complain(spec, row->name, wanted);
}

static bool read_one(const struct arguments_spec *spec, const struct argument *row,
                     const char *text, void *out)
{
    void *field = (char *)out + row->offset;
    double value = 0;
    switch (row->type) {
    case ARGUMENT_TEXT:
        *(const char **)field = text;
        return text[0] != '\0' || complain(spec, row->name, "wants a text that is not empty");
    case ARGUMENT_FLAG:
        *(bool *)field = true;
        return true;
    case ARGUMENT_NUMBER:
        return read_number(spec, row, text, field);
    default:
        if (!read_number(spec, row, text, &value)) {
            return false;
        }
        *(uint64_t *)field = (uint64_t)value;
        return true;
    }
}

static bool all_there(const struct arguments_spec *spec, const bool *given)
{
    for (size_t i = 0; i < spec->count; i++) {
        if (spec->table[i].needed && !given[i]) {
            return complain(spec, spec->table[i].name, "is missing (--help tells all options)");
        }
    }
    return true;
}

int arguments_read(const struct arguments_spec *spec, int argc, char **argv, void *out)
{
    struct option options[ARGUMENTS_MAX + 2] = {{0}};
    bool given[ARGUMENTS_MAX] = {0};
    int found;

    assert(spec->count <= ARGUMENTS_MAX);
    for (size_t i = 0; i < spec->count; i++) {
        options[i] = (struct option){
            .name = spec->table[i].name,
            .has_arg = spec->table[i].type == ARGUMENT_FLAG ? no_argument : required_argument,
            .val = OPTION_FIRST + (int)i};
    }
    options[spec->count] = (struct option){.name = "help", .val = OPTION_HELP};
    optind = 0; /* begins anew, and looks at POSIXLY_CORRECT again */
    while ((found = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (found == OPTION_HELP) {
            print_help(spec);
            return EXIT_SUCCESS;
        }
        if (found == '?') {
            return ARGUMENTS_WRONG; /* getopt has said why */
        }
        const struct argument *row = &spec->table[found - OPTION_FIRST];
        if (!read_one(spec, row, optarg, out)) {
            return ARGUMENTS_WRONG;
        }
        given[found - OPTION_FIRST] = true;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "%s: %s is no option (--help tells all)\n", spec->program,
                      argv[optind]);
        return ARGUMENTS_WRONG;
    }
    return all_there(spec, given) ? ARGUMENTS_GOOD : ARGUMENTS_WRONG;
}
