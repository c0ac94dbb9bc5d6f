/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what GnuTLS is given and gives goes through whole and in order, however little a socket
 * takes or has, and nobody is told that all was written when it was not.
 * Method: a pair of sockets with small buffers; pieces of many sizes; a peer that reads late, or
 * not at all, or hangs up.
 */
#include "cmocka_all.h"
#include "https_wire.h"
#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BYTES 4096
#define LARGE 300000

struct fixture {
    struct https_wire *wire;
    int peer;
    int socket;
    char *data; /* LARGE bytes, no two near ones alike */
};

static int set_up(void **state)
{
    struct fixture *fixture = mesh_new(struct fixture);
    int pair[2];
    const int size = SOCKET_BYTES;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    fixture->socket = pair[0];
    fixture->peer = pair[1];
    fixture->wire = https_wire_new(pair[0]);
    fixture->data = mesh_alloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        fixture->data[i] = (char)(i * 31 + i / 251);
    }
    (void)https_wire_moved();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    https_wire_free(fixture->wire);
    close(fixture->socket);
    if (fixture->peer >= 0) {
        close(fixture->peer);
    }
    free(fixture->data);
    free(fixture);
    return 0;
}

/* Adds what the peer has received. */
static void peer_read(const struct fixture *fixture, struct mesh_buffer *out)
{
    for (;;) {
        char *room = mesh_buffer_room(out, 65536);
        ssize_t got = read(fixture->peer, room, 65536);
        if (got <= 0) {
            return;
        }
        out->size += (size_t)got;
    }
}

static void test_records_are_read_whole_whatever_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    static const size_t wants[] = {1, 5, 300, 16384, 20000};
    char *got = mesh_alloc(LARGE);
    size_t written = 0;
    size_t taken = 0;
    for (size_t i = 0; taken < LARGE; i++) {
        ssize_t more = write(fixture->peer, fixture->data + written,
                             written + 40000 < LARGE ? 40000 : LARGE - written);
        written += more > 0 ? (size_t)more : 0;
        size_t want = wants[i % 5] < LARGE - taken ? wants[i % 5] : LARGE - taken;
        ssize_t size = https_wire_pull(fixture->wire, got + taken, want);
        if (size < 0) {
            assert_int_equal(errno, EAGAIN);
            continue;
        }
        assert_in_range(size, 1, want);
        taken += (size_t)size;
        assert_int_equal(https_wire_pulled(fixture->wire), taken);
    }
    assert_memory_equal(got, fixture->data, LARGE);
    assert_int_equal(https_wire_pull(fixture->wire, got, 5), -1);
    assert_int_equal(errno, EAGAIN);
    free(got);
}

static void test_an_end_comes_after_what_was_read_ahead(void **state)
{
    struct fixture *fixture = *state;
    char got[8];
    assert_int_equal(write(fixture->peer, "12345678", 8), 8);
    close(fixture->peer);
    fixture->peer = -1;
    assert_int_equal(https_wire_pull(fixture->wire, got, 5), 5);
    assert_int_equal(https_wire_pull(fixture->wire, got, 5), 3);
    assert_memory_equal(got, "678", 3);
    assert_int_equal(https_wire_pull(fixture->wire, got, 5), 0);
}

static void test_what_moved_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    char got[4];
    const struct iovec part = {fixture->data, 4};
    assert_false(https_wire_moved());
    assert_int_equal(https_wire_pull(fixture->wire, got, 4), -1);
    assert_false(https_wire_moved());
    assert_int_equal(write(fixture->peer, "12345678", 8), 8);
    for (int turn = 0; turn < 2; turn++) { /* from the socket, and from what was read ahead */
        assert_int_equal(https_wire_pull(fixture->wire, got, 4), 4);
        assert_true(https_wire_moved());
        assert_false(https_wire_moved());
    }
    assert_int_equal(https_wire_push(fixture->wire, &part, 1), 4);
    assert_true(https_wire_moved());
}

/* As GnuTLS does: several parts at once, and what was not taken comes again. */
static void test_a_full_socket_gets_all_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct mesh_buffer got = {0};
    unsigned waits = 0;
    for (size_t sent = 0; sent < LARGE;) {
        char *rest = fixture->data + sent;
        size_t first = (LARGE - sent) / 3;
        const struct iovec parts[] = {
            {rest, first}, {rest, 0}, {rest + first, LARGE - sent - first}};
        ssize_t size = https_wire_push(fixture->wire, parts, 3);
        if (size >= 0) {
            sent += (size_t)size;
            continue;
        }
        assert_int_equal(errno, EAGAIN);
        waits++;
        peer_read(fixture, &got);
    }
    assert_true(waits > 0);
    peer_read(fixture, &got);
    assert_int_equal(got.size, LARGE);
    assert_memory_equal(got.data, fixture->data, LARGE);
    mesh_buffer_done(&got);
}

static void test_a_peer_that_went_is_told(void **state)
{
    struct fixture *fixture = *state;
    const struct iovec part = {fixture->data, 10};
    close(fixture->peer);
    fixture->peer = -1;
    assert_int_equal(https_wire_push(fixture->wire, &part, 1), -1);
    assert_int_equal(errno, EPIPE);
}

#define AFRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AFRESH(test_records_are_read_whole_whatever_is_asked_for),
        AFRESH(test_an_end_comes_after_what_was_read_ahead),
        AFRESH(test_what_moved_is_told_once),
        AFRESH(test_a_full_socket_gets_all_in_order),
        AFRESH(test_a_peer_that_went_is_told),
    };
    return cmocka_run_group_tests_name("https_wire", tests, NULL, NULL);
}
