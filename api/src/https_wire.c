/* SPDX-License-Identifier: Apache-2.0 */
#include "https_wire.h"

#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Received at once, whatever GnuTLS asks for: a record's head first, then its body. */
#define AHEAD_BYTES 16384
#define AHEAD_BYTES_KEPT 2048 /* of memory, by a wire on which nothing lies here */

struct https_wire {
    int socket;
    struct mesh_buffer ahead; /* ciphertext that came with what was asked for */
    size_t ahead_taken;       /* of its bytes */
    uint64_t pulled;          /* bytes, ever */
};

static _Thread_local bool moved;

struct https_wire *https_wire_new(int socket)
{
    struct https_wire *wire = mesh_new(struct https_wire);
    wire->socket = socket;
    return wire;
}

void https_wire_free(struct https_wire *wire)
{
    if (wire == NULL) {
        return;
    }
    mesh_buffer_done(&wire->ahead);
    free(wire);
}

bool https_wire_moved(void)
{
    bool was = moved;
    moved = false;
    return was;
}

uint64_t https_wire_pulled(const struct https_wire *wire)
{
    return wire->pulled;
}

static size_t take_ahead(struct https_wire *wire, void *out, size_t size)
{
    size_t left = wire->ahead.size - wire->ahead_taken;
    size_t taken = size < left ? size : left;
    memcpy(out, wire->ahead.data + wire->ahead_taken, taken);
    wire->ahead_taken += taken;
    wire->pulled += taken;
    moved = true;
    if (taken < left) {
        return taken;
    }
    if (wire->ahead.capacity > AHEAD_BYTES_KEPT) {
        mesh_buffer_done(&wire->ahead);
    }
    wire->ahead.size = 0;
    wire->ahead_taken = 0;
    return taken;
}

ssize_t https_wire_pull(void *arg, void *out, size_t size)
{
    static _Thread_local char scratch[AHEAD_BYTES];
    struct https_wire *wire = arg;
    if (wire->ahead.size > 0) {
        return (ssize_t)take_ahead(wire, out, size);
    }
    const struct iovec parts[] = {{out, size}, {scratch, sizeof(scratch)}};
    ssize_t got = readv(wire->socket, parts, 2);
    if (got <= 0) {
        return got;
    }
    moved = true;
    if ((size_t)got > size) {
        mesh_buffer_add(&wire->ahead, mesh_bytes_of(scratch, (size_t)got - size));
        got = (ssize_t)size;
    }
    wire->pulled += (uint64_t)got;
    return got;
}

ssize_t https_wire_push(void *arg, const struct iovec *parts, int count)
{
    const struct https_wire *wire = arg;
    const struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(wire->socket, &message, MSG_NOSIGNAL);
    moved = moved || sent > 0;
    return sent;
}
