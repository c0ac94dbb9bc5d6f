/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>

enum { WAIT_S_MAX = 86400 };

static bool seconds_read(const char *text, uint32_t *out)
{
    char *end = NULL;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > WAIT_S_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

bool arguments_read(int argc, char **argv, struct arguments *out, struct mesh_error *err)
{
    static const struct option known[] = {
        {"groups", no_argument, NULL, 'g'},
        {"json", no_argument, NULL, 'j'},
        {"stream", required_argument, NULL, 's'},
        {"wait", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {0};
    int option = 0;

    optind = 0; /* getopt starts anew, also for the second caller in a process */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'g':
            arguments.groups = true;
            break;
        case 'j':
            arguments.json = true;
            break;
        case 's':
            arguments.stream = optarg;
            break;
        case 'w':
            if (!seconds_read(optarg, &arguments.wait_s)) {
                return mesh_fail(err, MESH_INVALID_ARGUMENT,
                                 "--wait: must be a whole number of seconds up to %d", WAIT_S_MAX);
            }
            break;
        default:
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "unknown or incomplete argument; --help");
        }
    }
    if (optind < argc) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "unexpected argument; --help");
    }
    *out = arguments;
    return true;
}
