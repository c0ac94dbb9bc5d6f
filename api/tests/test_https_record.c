/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a head and its body are one record, whoever calls is told the truth about the body, and all
 * of both arrives once and in order, whatever the socket takes and whatever the client wants.
 * Method: real TLS on both ends of a pair of sockets; answers are sent by the calls that
 * libmicrohttpd makes, which asks again with the same body until it is taken.
 */
#include "cmocka_all.h"
#include "https_record.h"
#include "https_wire.h"
#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BYTES 4096
#define RECORD_BYTES ((size_t)16384)
#define LARGE 300000
#define KEYS_MAX 8 /* new ones that GnuTLS lets a client ask for in a second */

static const char tls_1_3[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+PSK";
static const char tls_1_2[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK";

struct fixture {
    gnutls_psk_server_credentials_t server_credentials;
    gnutls_psk_client_credentials_t client_credentials;
    gnutls_session_t server;
    gnutls_session_t client;
    struct https_wire *wire;
    struct https_record *record; /* the server's */
    int socket;
    int peer;
    unsigned pushes;          /* by reluctant_push(), taken or not */
    char *data;               /* LARGE bytes, no two near ones alike */
    struct mesh_buffer texts; /* all that was sent */
    struct mesh_buffer got;   /* all that the client has received */
    unsigned records;         /* in which it came */
    size_t largest;           /* of them */
};

static int key_of(gnutls_session_t session, const char *name, gnutls_datum_t *out)
{
    (void)session;
    (void)name;
    out->data = gnutls_malloc(16);
    out->size = 16;
    memset(out->data, 7, 16);
    return 0;
}

static int set_up(void **state)
{
    struct fixture *fixture = mesh_new(struct fixture);
    gnutls_datum_t key;
    assert_int_equal(key_of(NULL, NULL, &key), 0);
    assert_int_equal(gnutls_psk_allocate_server_credentials(&fixture->server_credentials), 0);
    gnutls_psk_set_server_credentials_function(fixture->server_credentials, key_of);
    assert_int_equal(gnutls_psk_allocate_client_credentials(&fixture->client_credentials), 0);
    assert_int_equal(gnutls_psk_set_client_credentials(fixture->client_credentials, "client", &key,
                                                       GNUTLS_PSK_KEY_RAW),
                     0);
    gnutls_free(key.data);
    fixture->socket = -1;
    fixture->peer = -1;
    fixture->data = mesh_alloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        fixture->data[i] = (char)(i * 31 + i / 251);
    }
    *state = fixture;
    return 0;
}

/* Once more does no harm. */
static void hang_up(struct fixture *fixture)
{
    gnutls_deinit(fixture->server);
    gnutls_deinit(fixture->client);
    https_record_free(fixture->record);
    https_wire_free(fixture->wire);
    if (fixture->socket >= 0) {
        close(fixture->socket);
    }
    if (fixture->peer >= 0) {
        close(fixture->peer);
    }
    mesh_buffer_done(&fixture->texts);
    mesh_buffer_done(&fixture->got);
    fixture->server = NULL;
    fixture->client = NULL;
    fixture->record = NULL;
    fixture->wire = NULL;
    fixture->socket = -1;
    fixture->peer = -1;
    fixture->records = 0;
    fixture->largest = 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    hang_up(fixture);
    gnutls_psk_free_server_credentials(fixture->server_credentials);
    gnutls_psk_free_client_credentials(fixture->client_credentials);
    free(fixture->data);
    free(fixture);
    return 0;
}

static void shake_hands(const struct fixture *fixture)
{
    int server = GNUTLS_E_AGAIN;
    int client = GNUTLS_E_AGAIN;
    while (server != 0 || client != 0) {
        client = client == 0 ? 0 : gnutls_handshake(fixture->client);
        server = server == 0 ? 0 : gnutls_handshake(fixture->server);
        assert_true(client == 0 || client == GNUTLS_E_AGAIN);
        assert_true(server == 0 || server == GNUTLS_E_AGAIN);
    }
}

/* Makes the sessions. limit: of what the client takes in a record, 0: none. */
static void connect_both(struct fixture *fixture, const char *priorities, size_t limit)
{
    const unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;
    const int size = SOCKET_BYTES;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    fixture->socket = pair[0];
    fixture->peer = pair[1];
    fixture->wire = https_wire_new(pair[0]);
    assert_int_equal(gnutls_init(&fixture->server, GNUTLS_SERVER | flags), 0);
    assert_int_equal(gnutls_init(&fixture->client, GNUTLS_CLIENT | flags), 0);
    gnutls_transport_set_ptr(fixture->server, fixture->wire);
    gnutls_transport_set_pull_function(fixture->server, https_wire_pull);
    gnutls_transport_set_vec_push_function(fixture->server, https_wire_push);
    gnutls_transport_set_int(fixture->client, fixture->peer);
    assert_int_equal(gnutls_priority_set_direct(fixture->server, priorities, NULL), 0);
    assert_int_equal(gnutls_priority_set_direct(fixture->client, priorities, NULL), 0);
    assert_int_equal(
        gnutls_credentials_set(fixture->server, GNUTLS_CRD_PSK, fixture->server_credentials), 0);
    assert_int_equal(
        gnutls_credentials_set(fixture->client, GNUTLS_CRD_PSK, fixture->client_credentials), 0);
    if (limit > 0) {
        assert_int_equal(gnutls_record_set_max_recv_size(fixture->client, limit), 0);
    }
    shake_hands(fixture);
}

static void begin(struct fixture *fixture, const char *priorities, size_t limit)
{
    connect_both(fixture, priorities, limit);
    fixture->record = https_record_new(fixture->server);
}

/* Reads a record, if one has come whole. */
static bool client_reads_one(struct fixture *fixture)
{
    char *room = mesh_buffer_room(&fixture->got, 2 * RECORD_BYTES);
    ssize_t size = gnutls_record_recv(fixture->client, room, 2 * RECORD_BYTES);
    if (size < 0) {
        assert_int_equal(size, GNUTLS_E_AGAIN);
        return false;
    }
    assert_true(size > 0);
    fixture->got.size += (size_t)size;
    fixture->records++;
    fixture->largest = (size_t)size > fixture->largest ? (size_t)size : fixture->largest;
    return true;
}

/* Reads what is left: as "again" may also stand for a new key, not only the first is believed. */
static void client_reads_all(struct fixture *fixture)
{
    for (unsigned nothing = 0; nothing < 3;) {
        nothing = client_reads_one(fixture) ? 0 : nothing + 1;
    }
    assert_int_equal(fixture->got.size, fixture->texts.size);
    assert_memory_equal(fixture->got.data, fixture->texts.data, fixture->texts.size);
}

static void send_head(struct fixture *fixture, size_t from, size_t size)
{
    mesh_buffer_add(&fixture->texts, mesh_bytes_of(fixture->data + from, size));
    https_record_gather(fixture->record);
    assert_int_equal(gnutls_record_send(fixture->server, fixture->data + from, size), size);
}

/* Returns how often it was told to wait; then the client reads once. */
static unsigned send_body(struct fixture *fixture, size_t from, size_t size)
{
    unsigned waits = 0;
    mesh_buffer_add(&fixture->texts, mesh_bytes_of(fixture->data + from, size));
    while (size > 0) {
        ssize_t sent = gnutls_record_send(fixture->server, fixture->data + from, size);
        if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED) {
            waits++;
            (void)client_reads_one(fixture);
            continue;
        }
        assert_in_range(sent, 1, size);
        from += (size_t)sent;
        size -= (size_t)sent;
    }
    return waits;
}

/* Takes every third push only, and of that not more than 1,000 bytes. */
static ssize_t reluctant_push(void *arg, const struct iovec *parts, int count)
{
    struct fixture *fixture = arg;
    struct iovec part = parts[0];
    (void)count;
    if (++fixture->pushes % 3 != 0) {
        errno = fixture->pushes % 3 == 1 ? EAGAIN : EINTR;
        return -1;
    }
    part.iov_len = part.iov_len < 1000 ? part.iov_len : 1000;
    return https_wire_push(fixture->wire, &part, 1);
}

static void push_reluctantly(struct fixture *fixture)
{
    gnutls_transport_set_ptr2(fixture->server, fixture->wire, fixture);
    gnutls_transport_set_vec_push_function(fixture->server, reluctant_push);
}

/* The client asks for a new key, and the server hears of it. */
static void ask_for_a_new_key(const struct fixture *fixture)
{
    char byte;
    assert_int_equal(gnutls_session_key_update(fixture->client, GNUTLS_KU_PEER), 0);
    assert_int_equal(gnutls_record_recv(fixture->server, &byte, 1), GNUTLS_E_AGAIN);
}

static void test_a_head_and_its_body_are_one_record(void **state)
{
    struct fixture *fixture = *state;
    const char *versions[] = {tls_1_3, tls_1_2};
    for (size_t i = 0; i < 2; i++) {
        begin(fixture, versions[i], 0);
        for (unsigned count = 1; count <= 3; count++) {
            send_head(fixture, 0, 200);
            assert_false(client_reads_one(fixture));
            assert_int_equal(send_body(fixture, 1000, 100), 0);
            client_reads_all(fixture);
            assert_int_equal(fixture->records, count);
        }
        hang_up(fixture);
    }
}

static void test_what_is_not_gathered_is_a_record_each(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 0);
    send_head(fixture, 0, 200);
    (void)send_body(fixture, 200, 100);
    (void)send_body(fixture, 300, 50);
    (void)send_body(fixture, 350, 50);
    client_reads_all(fixture);
    assert_int_equal(fixture->records, 3);
}

static void test_a_session_without_a_record_of_ours_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    connect_both(fixture, tls_1_3, 0);
    (void)send_body(fixture, 0, 200);
    (void)send_body(fixture, 200, 100);
    client_reads_all(fixture);
    assert_int_equal(fixture->records, 2);
}

/* Sizes about the borders, of records that hold `limit` bytes. */
static void answer_in_many_sizes(struct fixture *fixture, size_t limit)
{
    const size_t heads[] = {1, limit - 1, limit, limit + 1, 2 * limit, 3 * limit - 100};
    const size_t bodies[] = {1, 99, 100, 101, limit - 1, limit, 2 * limit + 1};
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 7; j++) {
            size_t texts = heads[i] + bodies[j];
            fixture->records = 0;
            send_head(fixture, i, heads[i]);
            (void)send_body(fixture, 100 + j, bodies[j]);
            client_reads_all(fixture);
            assert_int_equal(fixture->records, (texts + limit - 1) / limit);
        }
    }
    assert_int_equal(fixture->largest, limit);
}

static void test_what_is_larger_than_a_record_fills_one_after_the_other(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 0);
    answer_in_many_sizes(fixture, RECORD_BYTES);
}

static void test_a_client_may_want_records_smaller_than_a_head(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 512);
    answer_in_many_sizes(fixture, 512);
    push_reluctantly(fixture);
    answer_in_many_sizes(fixture, 512);
}

static void test_only_the_body_is_counted(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 512);
    send_head(fixture, 0, 500);
    assert_int_equal(gnutls_record_send(fixture->server, fixture->data, 2000), 12);
    assert_int_equal(gnutls_record_send(fixture->server, fixture->data + 12, 1988), 512);
    send_head(fixture, 0, 1100);
    assert_int_equal(gnutls_record_send(fixture->server, fixture->data, 10), 10);
}

static void test_who_reads_late_gets_all_once_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    const size_t limits[] = {0, 512};
    const size_t bodies[] = {100, 3000, 40000};
    for (size_t i = 0; i < 2; i++) {
        unsigned waits = 0;
        begin(fixture, tls_1_3, limits[i]);
        for (size_t j = 0; j < 300; j++) {
            send_head(fixture, 10 * j, 150 + j);
            waits += send_body(fixture, 1000 + 17 * j, bodies[j % 3] + j);
        }
        assert_true(waits > 300); /* an answer each, and more */
        client_reads_all(fixture);
        hang_up(fixture);
    }
}

static void test_who_is_told_to_wait_may_ask_often(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_2, 0);
    push_reluctantly(fixture);
    for (size_t i = 0; i < 20; i++) {
        send_head(fixture, 10 * i, 200);
        assert_true(send_body(fixture, 1000 + 20 * i, i % 2 == 0 ? 300 : 20000) >= 2);
    }
    client_reads_all(fixture);
}

static void test_a_new_key_that_is_asked_for_comes_before_the_answer(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 0);
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        if (i == KEYS_MAX / 2) {
            push_reluctantly(fixture);
        }
        ask_for_a_new_key(fixture);
        fixture->records = 0;
        send_head(fixture, i, 200);
        (void)send_body(fixture, 1000 + i, i % 2 == 0 ? 300 : RECORD_BYTES);
        client_reads_all(fixture);
        assert_int_equal(fixture->records, i % 2 == 0 ? 1 : 2);
    }
}

/* libmicrohttpd does not read while it writes; if it did, GnuTLS would send twice what waits and is
 * passed to it again. */
static void test_a_new_key_that_is_asked_for_while_an_answer_waits_sends_nothing_twice(void **state)
{
    struct fixture *fixture = *state;
    const int reasons[] = {GNUTLS_E_AGAIN, GNUTLS_E_INTERRUPTED};
    for (unsigned i = 0; i < 2; i++) {
        begin(fixture, tls_1_3, 0);
        push_reluctantly(fixture);
        fixture->pushes = i;
        send_head(fixture, 0, 200);
        mesh_buffer_add(&fixture->texts, mesh_bytes_of(fixture->data + 300, 100));
        ssize_t sent = gnutls_record_send(fixture->server, fixture->data + 300, 100);
        assert_int_equal(sent, reasons[i]);
        ask_for_a_new_key(fixture);
        while (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED) {
            sent = gnutls_record_send(fixture->server, fixture->data + 300, 100);
        }
        assert_int_equal(sent, GNUTLS_E_INVALID_REQUEST); /* the connection is closed then */
        client_reads_all(fixture);
        hang_up(fixture);
    }
}

static void test_a_peer_that_went_is_told(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 0);
    send_head(fixture, 0, 200);
    close(fixture->peer);
    fixture->peer = -1;
    for (unsigned turn = 0; turn < 2; turn++) {
        ssize_t sent = gnutls_record_send(fixture->server, fixture->data, 40000);
        assert_true(sent < 0);
        assert_true(gnutls_error_is_fatal((int)sent));
    }
}

static void test_an_answer_may_end_in_the_middle(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, tls_1_3, 0);
    send_head(fixture, 0, 200);
    assert_int_equal(gnutls_record_send(fixture->server, fixture->data, 40000), GNUTLS_E_AGAIN);
}

#define AFRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AFRESH(test_a_head_and_its_body_are_one_record),
        AFRESH(test_what_is_not_gathered_is_a_record_each),
        AFRESH(test_a_session_without_a_record_of_ours_is_left_alone),
        AFRESH(test_what_is_larger_than_a_record_fills_one_after_the_other),
        AFRESH(test_a_client_may_want_records_smaller_than_a_head),
        AFRESH(test_only_the_body_is_counted),
        AFRESH(test_who_reads_late_gets_all_once_and_in_order),
        AFRESH(test_who_is_told_to_wait_may_ask_often),
        AFRESH(test_a_new_key_that_is_asked_for_comes_before_the_answer),
        AFRESH(test_a_new_key_that_is_asked_for_while_an_answer_waits_sends_nothing_twice),
        AFRESH(test_a_peer_that_went_is_told),
        AFRESH(test_an_answer_may_end_in_the_middle),
    };
    return cmocka_run_group_tests_name("https_record", tests, NULL, NULL);
}
