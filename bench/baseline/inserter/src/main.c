/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"
#include "inserter.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>

struct config {
    struct inserter_options inserter;
    const char *values;
    uint64_t count;
    uint64_t batch;
};

#define AT(field) offsetof(struct config, field)

/* clang-format off */
static const struct argument table[] = {
    {"uri", ARGUMENT_TEXT, true, AT(inserter.uri), 0, 0, "mongodb://host:port"},
    {"database", ARGUMENT_TEXT, true, AT(inserter.database), 0, 0, ""},
    {"collection", ARGUMENT_TEXT, true, AT(inserter.collection), 0, 0, ""},
    {"values", ARGUMENT_TEXT, true, AT(values), 0, 0,
     "file; each line is an event as a JSON object, round and round"},
    {"count", ARGUMENT_COUNT, true, AT(count), 1, 1e12, "documents"},
    {"batch", ARGUMENT_COUNT, false, AT(batch), 1, 100000, "documents in one command (1000)"},
};
/* clang-format on */

static const struct arguments_spec spec = {
    .program = "bench-inserter",
    .summary =
        "The rate and CPU time of bare unordered bulk inserts of kafka-consumer's documents,\n"
        "each with an id of its own, as one JSON object.",
    .table = table,
    .count = MESH_COUNT_OF(table),
};

static bool print(const struct inserter_result *result, struct mesh_error *err)
{
    struct mesh_buffer text = {0};
    double inserted = (double)result->inserted;
    mesh_buffer_add_format(&text,
                           "{\"inserted\": %" PRIu64 ", \"seconds\": %.6f, \"docs_per_s\": %.1f"
                           ", \"cpu_seconds\": %.6f, \"cpu_us_per_doc\": %.4f}\n",
                           result->inserted, result->seconds, inserted / result->seconds,
                           result->cpu_seconds,
                           inserted > 0 ? 1e6 * result->cpu_seconds / inserted : 0);
    bool good = output_print(&text, err);
    mesh_buffer_done(&text);
    return good;
}

static bool measure(const struct config *config, struct documents *documents,
                    struct mesh_error *err)
{
    struct mesh_error unprinted = {0};
    struct inserter_result result;
    struct inserter *inserter = inserter_new(&config->inserter, err);
    if (inserter == NULL) {
        return false;
    }
    bool good = inserter_run(inserter, documents, config->count, config->batch, &result, err);
    inserter_free(inserter);
    return print(&result, good ? err : &unprinted) && good;
}

int main(int argc, char **argv)
{
    struct config config = {.batch = 1000};
    struct mesh_error err = {0};
    int code = arguments_read(&spec, argc, argv, &config);
    if (code != ARGUMENTS_GOOD) {
        return code;
    }
    struct lines *lines = lines_new(config.values, &err);
    struct documents *documents = lines == NULL ? NULL : documents_new(lines, &err);
    bool good = documents != NULL && measure(&config, documents, &err);
    documents_free(documents);
    lines_free(lines);
    return good ? EXIT_SUCCESS : output_failure(spec.program, &err);
}
