/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include "mesh/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 20000

struct server {
    struct MHD_Daemon *daemon;
    struct MHD_Response *response; /* the same for all */
    uint64_t answered;             /* libmicrohttpd's thread, until it is stopped */
};

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **slot)
{
    struct server *server = cls;
    (void)path;
    (void)method;
    (void)version;
    (void)data;
    if (*slot == NULL) { /* the head; an answer now would close the connection */
        *slot = server;
        return MHD_YES;
    }
    if (*data_size > 0) {
        *data_size = 0;
        return MHD_YES;
    }
    server->answered++;
    return MHD_queue_response(connection, MHD_HTTP_ACCEPTED, server->response);
}

static void make_response(struct server *server)
{
    /* As long as api's answer to one event. */
    static char body[] = "{\"id\":\"019a9c5e-7c1f-7d3a-8b0e-6f2d4c1b9a57\",\"partition\":3,"
                         "\"offset\":1234567}";
    server->response =
        MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
    if (server->response == NULL) {
        abort(); /* only for want of memory */
    }
    MHD_add_response_header(server->response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
}

struct server *server_new(uint16_t port, struct mesh_error *err)
{
    struct server *server = mesh_new(struct server);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    make_response(server);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO, port, NULL, NULL, on_request, server,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, (int)1, MHD_OPTION_END);
    if (server->daemon == NULL) {
        mesh_fail(err, MESH_UNAVAILABLE, "libmicrohttpd does not start on port %u: %s", port,
                  strerror(errno));
        server_free(server);
        return NULL;
    }
    return server;
}

uint16_t server_port(const struct server *server)
{
    return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

uint64_t server_stop(struct server *server)
{
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    return server->answered;
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
    }
    MHD_destroy_response(server->response);
    free(server);
}
