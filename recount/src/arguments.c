/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include "mesh/macros.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

static bool source_read(const char *text, enum arguments_source *out)
{
    static const char *const names[] = {
        [SOURCE_AUTO] = "auto", [SOURCE_KAFKA] = "kafka", [SOURCE_MONGODB] = "mongodb"};

    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum arguments_source)i;
            return true;
        }
    }
    return false;
}

bool arguments_read(int argc, char **argv, struct arguments *out, struct mesh_error *err)
{
    static const struct option known[] = {
        {"from", required_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"new-topic", no_argument, NULL, 'n'},
        {"stream", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {0};
    int option = 0;

    optind = 0; /* getopt starts anew, also for the second caller in a process */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'f':
            if (!source_read(optarg, &arguments.source)) {
                return mesh_fail(err, MESH_INVALID_ARGUMENT,
                                 "--from: must be auto, kafka or mongodb");
            }
            break;
        case 'j':
            arguments.json = true;
            break;
        case 'n':
            arguments.new_topic = true;
            break;
        case 's':
            arguments.stream = optarg;
            break;
        default:
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "unknown or incomplete argument; --help");
        }
    }
    if (optind < argc) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "unexpected argument; --help");
    }
    if (arguments.new_topic && arguments.source == SOURCE_MONGODB) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT,
                         "--new-topic: the archive also holds documents of the old topic, so it "
                         "cannot be --from mongodb");
    }
    *out = arguments;
    return true;
}
