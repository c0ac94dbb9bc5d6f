/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"
#include "mesh/shutdown.h"
#include "output.h"
#include "process.h"
#include "server.h"

#include <inttypes.h>
#include <stdlib.h>

struct config {
    uint64_t port;
};

static const struct argument table[] = {
    {"port", ARGUMENT_COUNT, true, offsetof(struct config, port), 0, 65535,
     "on 127.0.0.1; 0: any free one, told in a line {\"port\": n}"},
};

static const struct arguments_spec spec = {
    .program = "bench-mhd",
    .summary =
        "Bare libmicrohttpd: one thread, reads bodies, answers 202. SIGTERM ends it; then it\n"
        "prints {\"requests\", \"cpu_seconds\"}.",
    .table = table,
    .count = MESH_COUNT_OF(table),
};

static bool tell_port(const struct server *server, struct mesh_error *err)
{
    struct mesh_buffer text = {0};
    mesh_buffer_add_format(&text, "{\"port\": %u}\n", server_port(server));
    bool good = output_print(&text, err);
    mesh_buffer_done(&text);
    return good;
}

static bool tell_end(uint64_t requests, struct mesh_error *err)
{
    struct mesh_buffer text = {0};
    mesh_buffer_add_format(&text, "{\"requests\": %" PRIu64 ", \"cpu_seconds\": %.6f}\n", requests,
                           process_cpu_seconds());
    bool good = output_print(&text, err);
    mesh_buffer_done(&text);
    return good;
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct mesh_error err = {0};
    int code = arguments_read(&spec, argc, argv, &config);
    if (code != ARGUMENTS_GOOD) {
        return code;
    }
    process_raise_files();
    mesh_shutdown_catch_signals(); /* before any thread exists */
    struct server *server = server_new((uint16_t)config.port, &err);
    bool good = server != NULL && (config.port != 0 || tell_port(server, &err));
    if (good) {
        (void)mesh_shutdown_wait();
        good = tell_end(server_stop(server), &err);
    }
    server_free(server);
    return good ? EXIT_SUCCESS : output_failure(spec.program, &err);
}
