/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "Usage: openloop --port PORT --bodies FILE [options]\n"
    "Sends the lines of FILE as POST requests, and prints as JSON what became of them.\n\n"
    "  --host ADDRESS      numeric IPv4 address (127.0.0.1)\n"
    "  --path PATH         (/input)\n"
    "  --rate N            requests a second, evenly spaced, whatever becomes of them (open "
    "loop);\n"
    "                      0: each connection sends as soon as it was answered (closed loop) (0)\n"
    "  --seconds S         how long (10)\n"
    "  --drain S           how long the last answers are waited for (12)\n"
    "  --connections N     at most so many at once (100)\n"
    "  --key TEXT          Idempotency-Key: TEXT-<number of the request>\n"
    "  --first N           number of the first request (0)\n"
    "  --retry             503, 504 and broken connections are tried again, at once\n";

enum choice {
    OPTION_HOST = 1,
    OPTION_PORT,
    OPTION_PATH,
    OPTION_BODIES,
    OPTION_RATE,
    OPTION_SECONDS,
    OPTION_DRAIN,
    OPTION_CONNECTIONS,
    OPTION_KEY,
    OPTION_FIRST,
    OPTION_RETRY,
    OPTION_HELP
};

static const struct option options[] = {
    {"host", required_argument, NULL, OPTION_HOST},
    {"port", required_argument, NULL, OPTION_PORT},
    {"path", required_argument, NULL, OPTION_PATH},
    {"bodies", required_argument, NULL, OPTION_BODIES},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"drain", required_argument, NULL, OPTION_DRAIN},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"key", required_argument, NULL, OPTION_KEY},
    {"first", required_argument, NULL, OPTION_FIRST},
    {"retry", no_argument, NULL, OPTION_RETRY},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

/* A number from min to max; else says so and gives NaN. */
static double number(const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= min && value <= max)) {
        (void)fprintf(stderr, "openloop: %s is not a number from %g to %g\n", text, min, max);
        return NAN;
    }
    return value;
}

/* False: it is wrong. */
static bool read_one(int option, const char *text, struct arguments *out)
{
    struct load_options *load = &out->load;
    double value = 0;
    switch (option) {
    case OPTION_HOST:
        load->host = text;
        break;
    case OPTION_PATH:
        out->path = text;
        break;
    case OPTION_BODIES:
        out->bodies = text;
        break;
    case OPTION_KEY:
        out->key = text;
        break;
    case OPTION_RETRY:
        load->retry = true;
        break;
    case OPTION_PORT:
        value = number(text, 1, 65535);
        load->port = isnan(value) ? 0 : (uint16_t)value;
        break;
    case OPTION_RATE:
        value = load->rate = number(text, 0, 1e6);
        break;
    case OPTION_SECONDS:
        value = load->seconds = number(text, 0.1, TALLY_SECONDS_MAX / 2.0);
        break;
    case OPTION_DRAIN:
        value = load->drain_seconds = number(text, 0, TALLY_SECONDS_MAX / 2.0);
        break;
    case OPTION_CONNECTIONS:
        value = number(text, 1, LOAD_CONNECTIONS_MAX);
        load->connections = isnan(value) ? 0 : (uint32_t)value;
        break;
    case OPTION_FIRST:
        value = number(text, 0, 1e15);
        load->first = isnan(value) ? 0 : (uint64_t)value;
        break;
    default:
        return false;
    }
    return !isnan(value);
}

enum arguments_outcome arguments_read(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){
        .path = "/input",
        .load = {.host = "127.0.0.1", .seconds = 10, .drain_seconds = 12, .connections = 100}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            (void)fputs(help, stdout);
            return ARGUMENTS_HELP;
        }
        if (!read_one(option, optarg, out)) {
            return ARGUMENTS_WRONG;
        }
    }
    if (optind < argc || out->load.port == 0 || out->bodies == NULL) {
        (void)fputs(help, stderr);
        return ARGUMENTS_WRONG;
    }
    return ARGUMENTS_RUN;
}
