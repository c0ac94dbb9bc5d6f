/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "load.h"

#define AT(field) offsetof(struct config, field)

const struct config config_default = {
    .host = "127.0.0.1", .path = "/input", .seconds = 10, .drain_seconds = 12, .connections = 100};

/* clang-format off */
static const struct argument table[] = {
    {"port", ARGUMENT_COUNT, true, AT(port), 1, 65535, "of the server"},
    {"bodies", ARGUMENT_TEXT, true, AT(bodies), 0, 0, "file; each line is the body of a request"},
    {"host", ARGUMENT_TEXT, false, AT(host), 0, 0, "numeric IPv4 address (127.0.0.1)"},
    {"ca", ARGUMENT_TEXT, false, AT(ca), 0, 0,
     "file (PEM) with the authorities of the server's certificate: HTTPS; without: plain HTTP"},
    {"path", ARGUMENT_TEXT, false, AT(path), 0, 0, "(/input)"},
    {"rate", ARGUMENT_NUMBER, false, AT(rate), 0, 1e6,
     "requests a second, evenly spaced, whatever becomes of them (open loop);\n"
     "                          0: each connection sends as soon as it was answered (closed loop) (0)"},
    {"seconds", ARGUMENT_NUMBER, false, AT(seconds), 0.1, TALLY_SECONDS_MAX / 2.0, "how long (10)"},
    {"drain", ARGUMENT_NUMBER, false, AT(drain_seconds), 0, TALLY_SECONDS_MAX / 2.0,
     "seconds that the last answers are waited for (12)"},
    {"connections", ARGUMENT_COUNT, false, AT(connections), 1, LOAD_CONNECTIONS_MAX,
     "at most so many at once (100)"},
    {"key", ARGUMENT_TEXT, false, AT(key), 0, 0, "Idempotency-Key: TEXT-<number of the request>"},
    {"first", ARGUMENT_COUNT, false, AT(first), 0, 1e15, "number of the first request (0)"},
    {"spread", ARGUMENT_FLAG, false, AT(spread), 0, 0,
     "all connections are used in turn, not the last used first"},
    {"retry", ARGUMENT_FLAG, false, AT(retry), 0, 0,
     "503, 504 and broken connections are tried again, at once"},
};
/* clang-format on */

const struct arguments_spec config_spec = {
    .program = "openloop",
    .summary =
        "Sends the lines of a file as POST requests, and prints as JSON what became of them.",
    .table = table,
    .count = MESH_COUNT_OF(table),
};
