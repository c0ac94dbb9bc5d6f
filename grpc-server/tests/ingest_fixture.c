/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/metrics.h"
#include "publisher_fixture.h"
#include "request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char ingest_publish_path[] = "/tweetmesh.v1.Ingest/Publish";
const char ingest_stream_path[] = "/tweetmesh.v1.Ingest/PublishStream";
const char ingest_good_event[] = "{\"text\":\"hello\",\"country\":\"GT\"}";

static void server_begin(struct ingest_fixture *fixture)
{
    struct mesh_error err = {0};

    ingest_methods(fixture->ingest, fixture->methods);
    fixture->server = server_new(&(struct server_options){.listen = "127.0.0.1:0",
                                                          .methods = fixture->methods,
                                                          .method_count = INGEST_METHOD_COUNT,
                                                          .threads = 2,
                                                          .calls_max = CALLS_MAX,
                                                          .call_requests_max = CALL_REQUESTS_MAX,
                                                          .message_bytes_max = REQUEST_BYTES_MAX,
                                                          .memory_kb_max = 65536,
                                                          .connection_grace_ms = 1000,
                                                          .ping_ms_min = 1000},
                                 &err);
    assert_non_null(fixture->server);
}

int ingest_fixture_set_up(void **state)
{
    struct ingest_fixture *fixture = mesh_new(struct ingest_fixture);
    struct mesh_error err = {0};

    mock_kafka_start(&fixture->mock, 1);
    fixture->streams = mesh_streams_load("streams", &err);
    assert_non_null(fixture->streams);
    fixture->publisher = publisher_new(&(struct publisher_options){.brokers = fixture->mock.brokers,
                                                                   .compression = "none",
                                                                   .streams = fixture->streams,
                                                                   .delivery_ms_max = 20000,
                                                                   .queue_len_max = 2000,
                                                                   .queue_kb_max = 4096},
                                       &err);
    assert_non_null(fixture->publisher);
    assert_true(wait_until(publisher_is_ready, fixture->publisher, INGEST_WAIT_MS));
    fixture->ingest = ingest_new(fixture->streams, fixture->publisher);
    server_begin(fixture);
    client_open(&fixture->client, server_port(fixture->server, 0));
    *state = fixture;
    return 0;
}

int ingest_fixture_tear_down(void **state)
{
    struct ingest_fixture *fixture = *state;

    client_close(&fixture->client);
    server_free(fixture->server);
    publisher_free(fixture->publisher, 0);
    ingest_free(fixture->ingest);
    mesh_streams_free(fixture->streams);
    mock_kafka_stop(&fixture->mock);
    mesh_metrics_done();
    free(fixture);
    return 0;
}

struct mesh_buffer ingest_request(uint64_t sequence, size_t count, const char *payload)
{
    Tweetmesh__V1__PublishRequest request = TWEETMESH__V1__PUBLISH_REQUEST__INIT;
    Tweetmesh__V1__Event event = TWEETMESH__V1__EVENT__INIT;
    struct mesh_buffer buffer = {0};

    event.stream = (char *)"tweets";
    event.payload.data = (uint8_t *)payload;
    event.payload.len = strlen(payload);
    request.sequence = sequence;
    request.n_events = count;
    request.events = mesh_new_array(Tweetmesh__V1__Event *, count + 1);
    for (size_t i = 0; i < count; i++) {
        request.events[i] = &event;
    }
    size_t size = tweetmesh__v1__publish_request__get_packed_size(&request);
    uint8_t *bytes = mesh_alloc(size + 1);
    (void)tweetmesh__v1__publish_request__pack(&request, bytes);
    mesh_buffer_add(&buffer, mesh_bytes_of(bytes, size));
    free(bytes);
    free(request.events);
    return buffer;
}

Tweetmesh__V1__PublishReply *ingest_reply(const struct mesh_buffer *buffer)
{
    Tweetmesh__V1__PublishReply *reply =
        tweetmesh__v1__publish_reply__unpack(NULL, buffer->size, (const uint8_t *)buffer->data);

    assert_non_null(reply);
    return reply;
}

void ingest_stream_send(struct client_call *call, uint64_t sequence, size_t count)
{
    struct mesh_buffer request = ingest_request(sequence, count, ingest_good_event);

    assert_true(client_send(call, mesh_buffer_bytes(&request)));
    mesh_buffer_done(&request);
}

grpc_status_code ingest_unary_status(struct ingest_fixture *fixture, struct mesh_bytes message,
                                     const char *text)
{
    struct client_call call;
    struct mesh_buffer reply = {0};

    bool answered = client_unary(&call, &fixture->client, ingest_publish_path, message, &reply);
    assert_int_equal(answered, call.status == GRPC_STATUS_OK);
    assert_string_equal(call.text, text);
    mesh_buffer_done(&reply);
    return call.status;
}

static void *drain_run(void *arg)
{
    server_drain(((struct ingest_fixture *)arg)->server, INGEST_WAIT_MS);
    return NULL;
}

/* Nobody listens any more: the server drains. */
struct under_way {
    struct producer *producer;
    size_t count;
};

static bool is_under_way(void *arg)
{
    const struct under_way *wanted = arg;

    return producer_len(wanted->producer) >= wanted->count;
}

void ingest_await_under_way(const struct ingest_fixture *fixture, size_t count)
{
    struct under_way wanted = {publisher_producer(fixture->publisher), count};

    assert_true(wait_until(is_under_way, &wanted, INGEST_WAIT_MS));
}

static bool is_draining(void *fixture)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(server_port(((struct ingest_fixture *)fixture)->server, 0)),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    bool refused = connect(fd, (const struct sockaddr *)&address, sizeof address) != 0;
    (void)close(fd);
    return refused;
}

pthread_t ingest_drain_begin(struct ingest_fixture *fixture)
{
    pthread_t drain;

    assert_int_equal(pthread_create(&drain, NULL, drain_run, fixture), 0);
    assert_true(wait_until(is_draining, fixture, INGEST_WAIT_MS));
    return drain;
}
