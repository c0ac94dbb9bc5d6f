/* SPDX-License-Identifier: Apache-2.0 */
#include "https_wire.h"

#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define PARTS_MAX 8 /* written at once; GnuTLS comes again with the rest */

/* Received at once, whatever GnuTLS asks for: a record's head first, then its body. */
#define AHEAD_BYTES 16384
#define AHEAD_BYTES_KEPT 2048 /* of memory, by a wire on which nothing lies here */

struct https_wire {
    int socket;
    bool holds;              /* what it is given and the socket does not take */
    bool uncorked;           /* the socket */
    struct mesh_buffer held; /* ciphertext; if any, the wire is in `late` */
    LIST_ENTRY(https_wire) entry;
    struct mesh_buffer ahead; /* ciphertext that came with what was asked for */
    size_t ahead_taken;       /* of its bytes */
    uint64_t pulled;          /* bytes, ever */
};

static _Thread_local LIST_HEAD(https_wires, https_wire) late;
static _Thread_local bool moved;

struct https_wire *https_wire_new(int socket)
{
    struct https_wire *wire = mesh_new(struct https_wire);
    wire->socket = socket;
    return wire;
}

static void held_drop(struct https_wire *wire)
{
    if (wire->held.size > 0) {
        LIST_REMOVE(wire, entry);
        mesh_buffer_done(&wire->held);
    }
}

void https_wire_free(struct https_wire *wire)
{
    if (wire == NULL) {
        return;
    }
    held_drop(wire);
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

/* As sendmsg(). */
static ssize_t wire_send(struct https_wire *wire, struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(wire->socket, &message, MSG_NOSIGNAL);
    moved = moved || sent > 0;
    return sent;
}

/* False: errno is EAGAIN, or the connection is broken. */
static bool held_send(struct https_wire *wire)
{
    struct iovec rest = {wire->held.data, wire->held.size};
    ssize_t sent = wire_send(wire, &rest, 1);
    if (sent < 0) {
        return false;
    }
    if ((size_t)sent == wire->held.size) {
        held_drop(wire);
        return true;
    }
    wire->held.size -= (size_t)sent;
    memmove(wire->held.data, wire->held.data + sent, wire->held.size);
    errno = EAGAIN;
    return false;
}

/* Takes what comes after the first `sent` bytes of the parts. Returns the size of all. */
static ssize_t hold(struct https_wire *wire, const struct iovec *parts, int count, size_t sent)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        if (skip < parts[i].iov_len) {
            mesh_buffer_add(&wire->held, mesh_bytes_of((const char *)parts[i].iov_base + skip,
                                                       parts[i].iov_len - skip));
        }
        sent -= skip;
        size += parts[i].iov_len;
    }
    if (wire->held.size > 0) {
        LIST_INSERT_HEAD(&late, wire, entry);
    }
    return (ssize_t)size;
}

ssize_t https_wire_push(void *arg, const struct iovec *parts, int count)
{
    struct https_wire *wire = arg;
    struct iovec all[PARTS_MAX];
    if (wire->held.size > 0 && !held_send(wire)) {
        return -1;
    }
    size_t taken = count < PARTS_MAX ? (size_t)count : PARTS_MAX;
    memcpy(all, parts, taken * sizeof(all[0]));
    ssize_t sent = wire_send(wire, all, taken);
    if (!wire->holds || (sent < 0 && errno != EAGAIN)) {
        return sent;
    }
    return hold(wire, parts, count, sent < 0 ? 0 : (size_t)sent);
}

void https_wire_hold(struct https_wire *wire, bool holds)
{
    wire->holds = holds;
    /* libmicrohttpd corks the socket before its first answer, and pushes each by setting
     * TCP_NODELAY; but what is held until the answer is complete is written after that. */
    if (!wire->uncorked) {
        const int off = 0;
        (void)setsockopt(wire->socket, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
        wire->uncorked = true;
    }
}

bool https_wire_holds(const struct https_wire *wire)
{
    return wire->held.size > 0;
}

bool https_wire_retry(void)
{
    struct https_wire *next = NULL;
    for (struct https_wire *wire = LIST_FIRST(&late); wire != NULL; wire = next) {
        next = LIST_NEXT(wire, entry);
        if (!held_send(wire) && errno != EAGAIN) {
            held_drop(wire); /* libmicrohttpd finds out by itself */
        }
    }
    return !LIST_EMPTY(&late);
}

void https_wire_thread_end(void)
{
    while (!LIST_EMPTY(&late)) {
        held_drop(LIST_FIRST(&late));
    }
}
