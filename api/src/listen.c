/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_address(const char *host, uint16_t port, union address *out, socklen_t *out_size)
{
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *out_size = sizeof(out->v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *out_size = sizeof(out->v6);
        return true;
    }
    return false;
}

static bool bind_and_listen(int listener, const union address *address, socklen_t size)
{
    int on = 1;
    /* A restart need not wait for old connections; answers are not held back to fill packets. */
    return setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
           bind(listener, &address->any, size) == 0 && listen(listener, SOMAXCONN) == 0;
}

int listen_on(const char *host, uint16_t port, uint16_t *out_port, struct mesh_error *err)
{
    union address address;
    socklen_t size;
    if (!read_address(host, port, &address, &size)) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "%s is no numeric IPv4 or IPv6 address", host);
        return -1;
    }
    int listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "socket: %s", strerror(errno));
        return -1;
    }
    if (!bind_and_listen(listener, &address, size) ||
        getsockname(listener, &address.any, &size) != 0) {
        mesh_fail(err, MESH_UNAVAILABLE, "cannot listen on %s port %u: %s", host, (unsigned)port,
                  strerror(errno));
        close(listener);
        return -1;
    }
    *out_port =
        ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return listener;
}
