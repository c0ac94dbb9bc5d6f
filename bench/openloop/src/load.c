/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "pace.h"
#include "process.h"
#include "response.h"
#include "secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 256
#define DUE_AT_ONCE 256 /* sent before answers are looked at again */
#define READ_BYTES 65536
#define LOOK_US 100000 /* at least so often, for signals and the end */
#define NO_SOCKET (-1)

/* One connection, and the request on it. */
struct client {
    int socket;
    struct ssl_st *tls; /* NULL: plain */
    bool busy;
    bool again; /* waits in load.again for being sent once more */
    uint64_t number;
    int64_t due_us;
    int64_t sent_us;
    struct mesh_buffer request;
    size_t request_sent;
    struct response response;
};

struct load {
    const struct load_options *options;
    struct tally *tally;
    struct sockaddr_in address;
    struct ssl_ctx_st *secure; /* NULL: plain */
    int epoll;
    int64_t start_us;
    struct pace pace; /* with a rate */
    int64_t end_us;   /* of the schedule */
    uint64_t begun;   /* requests */
    uint32_t busy;
    struct client *clients;
    uint32_t *idle; /* a ring of clients, in the order in which they became idle */
    uint32_t idle_first;
    uint32_t idle_count;
    uint32_t *again; /* clients whose request is to be sent once more */
    uint32_t again_count;
    char *received;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static void finish(struct load *load, struct client *client, bool failed);

static void idle_put(struct load *load, const struct client *client)
{
    uint32_t place = (load->idle_first + load->idle_count++) % load->options->connections;
    load->idle[place] = (uint32_t)(client - load->clients);
}

/* The one used last, so that few connections are opened, or with spread the one idle longest. */
static struct client *idle_take(struct load *load)
{
    uint32_t place = load->idle_first;
    load->idle_count--;
    if (load->options->spread) {
        load->idle_first = (load->idle_first + 1) % load->options->connections;
    } else {
        place = (load->idle_first + load->idle_count) % load->options->connections;
    }
    return &load->clients[load->idle[place]];
}

/* Returns whether the connection is still good. */
static bool write_more(struct client *client)
{
    while (client->request_sent < client->request.size) {
        const char *rest = client->request.data + client->request_sent;
        size_t rest_size = client->request.size - client->request_sent;
        ssize_t size = client->tls == NULL ? send(client->socket, rest, rest_size, MSG_NOSIGNAL)
                                           : secure_send(client->tls, rest, rest_size);
        if (size < 0) {
            return errno == EAGAIN || errno == ENOTCONN;
        }
        client->request_sent += (size_t)size;
    }
    return true;
}

/* Starts connecting. */
static bool open_socket(struct load *load, struct client *client)
{
    int on = 1;
    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->socket < 0) {
        return false;
    }
    load->tally->connects++;
    if (load->secure != NULL) {
        client->tls = secure_open(load->secure, client->socket, load->options->host);
        if (client->tls == NULL) {
            return false;
        }
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = client};
    return setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
           epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->socket, &event) == 0 &&
           (connect(client->socket, (struct sockaddr *)&load->address, sizeof(load->address)) ==
                0 ||
            errno == EINPROGRESS);
}

static void close_socket(struct client *client)
{
    secure_close(client->tls);
    client->tls = NULL;
    if (client->socket != NO_SOCKET) {
        close(client->socket);
        client->socket = NO_SOCKET;
    }
    response_next(&client->response);
}

/* Sends the client's request from its beginning. */
static void send_request(struct load *load, struct client *client)
{
    client->request_sent = 0;
    client->sent_us = mesh_clock_mono_us();
    if ((client->socket == NO_SOCKET && !open_socket(load, client)) || !write_more(client)) {
        finish(load, client, true);
    }
}

static void begin(struct load *load, struct client *client, int64_t due_us)
{
    client->busy = true;
    client->number = load->options->first + load->begun++;
    client->due_us = due_us;
    load->busy++;
    load->tally->sent++;
    bodies_request(load->options->bodies, client->number, &client->request);
    send_request(load, client);
}

/* The request has ended: answered, or failed without an answer. */
static void finish(struct load *load, struct client *client, bool failed)
{
    int status = client->response.status;
    if (failed) {
        load->tally->broken++;
    } else {
        tally_add(load->tally, &(struct tally_answer){.status = status,
                                                      .retry_after = client->response.retry_after,
                                                      .start_us = load->start_us,
                                                      .due_us = client->due_us,
                                                      .sent_us = client->sent_us,
                                                      .now_us = mesh_clock_mono_us()});
    }
    if (failed || client->response.closes) {
        close_socket(client);
    }
    if (load->options->retry && (failed || status == 503 || status == 504)) {
        client->again = true;
        load->again[load->again_count++] = (uint32_t)(client - load->clients);
        return;
    }
    client->busy = false;
    load->busy--;
    idle_put(load, client);
}

/* False: the connection has ended. */
static bool read_more(struct load *load, struct client *client, bool hung_up)
{
    for (;;) {
        ssize_t size = client->tls == NULL
                           ? recv(client->socket, load->received, READ_BYTES, 0)
                           : secure_receive(client->tls, load->received, READ_BYTES);
        if (size <= 0) {
            return size < 0 && errno == EAGAIN;
        }
        struct mesh_bytes bytes = mesh_bytes_of(load->received, (size_t)size);
        while (bytes.size > 0) {
            if (!client->busy || client->again) {
                return false; /* an answer that nobody asked for */
            }
            enum response_state state = response_add(&client->response, &bytes);
            if (state == RESPONSE_BROKEN) {
                return false;
            }
            if (state == RESPONSE_WHOLE) {
                finish(load, client, false);
                response_next(&client->response);
            }
            if (client->socket == NO_SOCKET) {
                return true; /* closed with its answer */
            }
        }
        bool whole = client->tls == NULL ? size < READ_BYTES
                                         : secure_received_all(client->tls, (size_t)size);
        if (whole && !hung_up) {
            return true; /* that was all; what comes next, also an end, is an event of its own */
        }
    }
}

static void on_event(struct load *load, struct client *client, uint32_t events)
{
    if (client->socket == NO_SOCKET) {
        return;
    }
    bool hung_up = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    bool good = (events & EPOLLERR) == 0 && read_more(load, client, hung_up);
    if (good && client->busy && !client->again && client->socket != NO_SOCKET) {
        good = write_more(client);
    }
    if (good) {
        return;
    }
    if (client->busy && !client->again) {
        finish(load, client, true);
    } else {
        close_socket(client);
    }
}

/* How many requests are due by now. */
static uint64_t due_by(const struct load *load, int64_t now_us)
{
    if (load->options->rate == 0) {
        return now_us < load->end_us ? load->begun + load->idle_count : load->begun;
    }
    return pace_due(&load->pace, now_us < load->end_us ? now_us : load->end_us);
}

/* Sends what is due. Returns when to look again. */
static int64_t send_due(struct load *load, int64_t now_us)
{
    for (uint32_t left = load->again_count; left > 0; left--) {
        struct client *client = &load->clients[load->again[--load->again_count]];
        client->again = false;
        if (now_us >= load->end_us) { /* it is over: nobody tries any more */
            client->busy = false;
            load->busy--;
            load->tally->unanswered++;
            idle_put(load, client);
            continue;
        }
        load->tally->retried++;
        send_request(load, client);
    }
    load->tally->due = due_by(load, now_us);
    uint32_t at_once = DUE_AT_ONCE;
    while (load->begun < load->tally->due && load->idle_count > 0 && at_once-- > 0) {
        struct client *client = idle_take(load);
        bool paced = load->options->rate > 0;
        begin(load, client, paced ? pace_due_us(&load->pace, load->begun) : now_us);
    }
    bool more = load->begun < load->tally->due && load->idle_count > 0;
    if (more || load->again_count > 0) {
        return now_us;
    }
    int64_t next_us = now_us + LOOK_US;
    if (load->options->rate > 0 && load->idle_count > 0 && now_us < load->end_us) {
        int64_t due_us = pace_due_us(&load->pace, load->begun);
        next_us = due_us < next_us ? due_us : next_us;
    }
    return next_us;
}

static void turn(struct load *load)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t now_us = mesh_clock_mono_us();
    if (stop_asked != 0 && load->end_us > now_us) {
        load->end_us = now_us;
    }
    int64_t wait_us = send_due(load, now_us) - mesh_clock_mono_us();
    struct timespec wait = {0};
    if (wait_us > 0) {
        wait.tv_nsec = (long)wait_us * 1000;
    }
    int count = epoll_pwait2(load->epoll, events, EVENTS_AT_ONCE, &wait, NULL);
    for (int i = 0; i < count; i++) {
        on_event(load, events[i].data.ptr, events[i].events);
    }
}

static bool prepare(struct load *load, struct mesh_error *err)
{
    const struct load_options *options = load->options;
    load->address.sin_family = AF_INET;
    load->address.sin_port = htons(options->port);
    if (inet_pton(AF_INET, options->host, &load->address.sin_addr) != 1) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s is no numeric IPv4 address",
                         options->host);
    }
    if (options->ca != NULL) {
        load->secure = secure_new(options->ca, err);
        if (load->secure == NULL) {
            return false;
        }
    }
    process_raise_files();
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll < 0) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "epoll: %s", strerror(errno));
    }
    load->clients = mesh_new_array(struct client, options->connections);
    load->idle = mesh_new_array(uint32_t, options->connections);
    load->again = mesh_new_array(uint32_t, options->connections);
    load->received = mesh_alloc(READ_BYTES);
    for (uint32_t i = options->connections; i-- > 0;) {
        load->clients[i].socket = NO_SOCKET;
        idle_put(load, &load->clients[i]);
    }
    return true;
}

static void load_done(struct load *load)
{
    for (uint32_t i = 0; load->clients != NULL && i < load->options->connections; i++) {
        close_socket(&load->clients[i]);
        mesh_buffer_done(&load->clients[i].request);
    }
    free(load->clients);
    free(load->idle);
    free(load->again);
    free(load->received);
    secure_free(load->secure);
    if (load->epoll >= 0) {
        close(load->epoll);
    }
}

bool load_run(const struct load_options *options, struct tally *tally, double *out_seconds,
              struct mesh_error *err)
{
    struct load load = {.options = options, .tally = tally, .epoll = -1};
    if (!prepare(&load, err)) {
        load_done(&load);
        return false;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    load.start_us = mesh_clock_mono_us();
    load.pace = (struct pace){.start_us = load.start_us, .per_s = options->rate};
    load.end_us = load.start_us + (int64_t)(options->seconds * 1e6);
    while (mesh_clock_mono_us() < load.end_us) {
        turn(&load);
    }
    *out_seconds = (double)(load.end_us - load.start_us) / 1e6;
    int64_t until_us = load.end_us + (int64_t)(options->drain_seconds * 1e6);
    while ((load.busy > 0 || load.begun < tally->due) && mesh_clock_mono_us() < until_us) {
        turn(&load);
    }
    tally->unanswered += load.busy;
    load_done(&load);
    return true;
}
