/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the server takes no address from another, leaves none behind, and its health and reflection
 * answer as gRPC's tools expect.
 * Method: servers in this process on free ports and unix sockets; a client of the C core.
 */
#include "address.h"
#include "client.h"
#include "cmocka_all.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "health.h"
#include "mesh/alloc.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/shutdown.h"
#include "reflection.h"
#include "server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { METHOD_COUNT = HEALTH_METHOD_COUNT + REFLECTION_METHOD_COUNT };

static const char check_path[] = "/grpc.health.v1.Health/Check";
static const char watch_path[] = "/grpc.health.v1.Health/Watch";
static const char info_path[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

struct fixture {
    struct health *health;
    atomic_bool serving;
    atomic_bool told; /* ends tell_run() */
    struct reflection *reflection;
    struct method methods[METHOD_COUNT];
    struct server *server;
    struct client client;
};

static struct server *server_at(struct fixture *fixture, const char *listen, struct mesh_error *err)
{
    return server_new(&(struct server_options){.listen = listen,
                                               .methods = fixture->methods,
                                               .method_count = METHOD_COUNT,
                                               .threads = 1,
                                               .calls_max = 10,
                                               .call_requests_max = 4,
                                               .message_bytes_max = 65536,
                                               .memory_kb_max = 65536,
                                               .connection_grace_ms = 1000,
                                               .ping_ms_min = 1000},
                      err);
}

static bool is_serving(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static int set_up(void **state)
{
    struct fixture *fixture = mesh_new(struct fixture);
    struct mesh_error err = {0};

    fixture->health = health_new(is_serving, &fixture->serving);
    fixture->reflection = reflection_new(&err);
    assert_non_null(fixture->reflection);
    health_methods(fixture->health, fixture->methods);
    reflection_methods(fixture->reflection, fixture->methods + HEALTH_METHOD_COUNT);
    fixture->server = server_at(fixture, "127.0.0.1:0", &err);
    assert_non_null(fixture->server);
    client_open(&fixture->client, server_port(fixture->server, 0));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    client_close(&fixture->client);
    server_free(fixture->server);
    health_free(fixture->health);
    reflection_free(fixture->reflection);
    mesh_metrics_done();
    free(fixture);
    return 0;
}

static void test_a_port_in_use_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct mesh_error err = {0};
    char address[32];

    (void)snprintf(address, sizeof address, "127.0.0.1:%u", server_port(fixture->server, 0));
    assert_null(server_at(fixture, address, &err));
    assert_int_equal(err.code, MESH_ALREADY_EXISTS);
}

static void test_malformed_addresses_are_errors(void **state)
{
    static const char *const bad[] = {
        "127.0.0.1", ":50051", "host:", "host:65536", "host:1x", "unix:relative"};
    struct mesh_error err = {0};

    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        assert_false(address_check(bad[i], &err));
    }
    assert_true(address_check("0.0.0.0:50051", &err));
    assert_true(address_check("[::]:50051", &err));
    assert_true(address_check("unix:/run/x.sock", &err));
}

static void test_a_socket_somebody_listens_on_is_left_alone_and_a_stale_one_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct mesh_error err = {0};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/tweetmesh-test-XXXXXX";
    char address[128];

    assert_non_null(mkdtemp(folder));
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s/s", folder);
    (void)snprintf(address, sizeof address, "unix:%s", name.sun_path);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_null(server_at(fixture, address, &err));
    assert_int_equal(err.code, MESH_ALREADY_EXISTS);
    close(other); /* as after a kill: the file stays */

    struct server *server = server_at(fixture, address, &err);
    assert_non_null(server);
    assert_false(address_free_to_use(address, &err)); /* it listens */
    server_free(server);
    assert_int_not_equal(access(name.sun_path, F_OK), 0);
    assert_int_equal(rmdir(folder), 0);
}

static struct mesh_buffer health_request(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    struct mesh_buffer buffer = {0};
    uint8_t bytes[128];

    request.service = (char *)service;
    size_t size = grpc__health__v1__health_check_request__pack(&request, bytes);
    mesh_buffer_add(&buffer, mesh_bytes_of(bytes, size));
    return buffer;
}

static int health_status(const struct mesh_buffer *buffer)
{
    Grpc__Health__V1__HealthCheckResponse *response =
        grpc__health__v1__health_check_response__unpack(NULL, buffer->size,
                                                        (const uint8_t *)buffer->data);
    assert_non_null(response);
    int status = (int)response->status;
    grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    return status;
}

static int checked_health(struct fixture *fixture, const char *service, grpc_status_code wanted)
{
    struct client_call call;
    struct mesh_buffer request = health_request(service);
    struct mesh_buffer reply = {0};
    int status = -1;

    if (client_unary(&call, &fixture->client, check_path, mesh_buffer_bytes(&request), &reply)) {
        status = health_status(&reply);
    }
    assert_int_equal(call.status, wanted);
    mesh_buffer_done(&request);
    mesh_buffer_done(&reply);
    return status;
}

static void test_health_says_what_the_probe_says_now(void **state)
{
    struct fixture *fixture = *state;

    (void)checked_health(fixture, "none.Such", GRPC_STATUS_NOT_FOUND);
    assert_int_equal(checked_health(fixture, "", GRPC_STATUS_OK), 2);
    atomic_store(&fixture->serving, true);
    assert_int_equal(checked_health(fixture, "", GRPC_STATUS_OK), 1);
    assert_int_equal(checked_health(fixture, "tweetmesh.v1.Ingest", GRPC_STATUS_OK), 1);
}

/* As main() does with every tick: what cannot be sent yet is told the next time. */
static void *tell_run(void *arg)
{
    struct fixture *fixture = arg;

    while (!atomic_load(&fixture->told)) {
        health_tell(fixture->health);
        (void)usleep(1000);
    }
    return NULL;
}

static void test_a_watcher_is_told_each_change_until_the_server_ends(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    pthread_t ticks;
    struct mesh_buffer request = health_request("tweetmesh.v1.Ingest");
    struct mesh_buffer reply = {0};

    client_call_begin(&call, &fixture->client, watch_path);
    assert_true(client_send(&call, mesh_buffer_bytes(&request)));
    client_send_end(&call);
    assert_true(client_receive(&call, &reply));
    assert_int_equal(health_status(&reply), 2);
    atomic_store(&fixture->serving, true);
    assert_int_equal(pthread_create(&ticks, NULL, tell_run, fixture), 0);
    assert_true(client_receive(&call, &reply));
    assert_int_equal(health_status(&reply), 1);
    atomic_store(&fixture->told, true);
    assert_int_equal(pthread_join(ticks, NULL), 0);
    server_drain(fixture->server, CLIENT_WAIT_MS);
    assert_false(client_receive(&call, &reply));
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_UNAVAILABLE);
    mesh_buffer_done(&request);
    mesh_buffer_done(&reply);
}

static void test_a_watcher_that_goes_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer request = health_request("");
    struct mesh_buffer reply = {0};

    client_call_begin(&call, &fixture->client, watch_path);
    assert_true(client_send(&call, mesh_buffer_bytes(&request)));
    assert_true(client_receive(&call, &reply));
    client_cancel(&call);
    client_call_end(&call);
    server_drain(fixture->server, CLIENT_WAIT_MS);
    atomic_store(&fixture->serving, true);
    health_tell(fixture->health); /* nobody left: AddressSanitizer would tell */
    mesh_buffer_done(&request);
    mesh_buffer_done(&reply);
}

/* Sends one question on an open call; the caller frees the answer. */
static Grpc__Reflection__V1__ServerReflectionResponse *
ask(struct client_call *call, Grpc__Reflection__V1__ServerReflectionRequest *request)
{
    uint8_t bytes[256];
    struct mesh_buffer reply = {0};

    size_t size = grpc__reflection__v1__server_reflection_request__pack(request, bytes);
    assert_true(client_send(call, mesh_bytes_of(bytes, size)));
    assert_true(client_receive(call, &reply));
    Grpc__Reflection__V1__ServerReflectionResponse *response =
        grpc__reflection__v1__server_reflection_response__unpack(NULL, reply.size,
                                                                 (const uint8_t *)reply.data);
    assert_non_null(response);
    mesh_buffer_done(&reply);
    return response;
}

static bool symbol_is_found(struct client_call *call, const char *symbol)
{
    Grpc__Reflection__V1__ServerReflectionRequest request =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;

    request.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    request.file_containing_symbol = (char *)symbol;
    Grpc__Reflection__V1__ServerReflectionResponse *response = ask(call, &request);
    bool found =
        response->message_response_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    if (!found) {
        assert_int_equal(response->error_response->error_code, MESH_NOT_FOUND);
    }
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
    return found;
}

static void test_reflection_finds_what_is_served_and_nothing_else(void **state)
{
    static const char *const found[] = {
        "tweetmesh.v1.Ingest", "tweetmesh.v1.Ingest.Publish", "tweetmesh.v1.Event",
        "grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc.reflection.v1.ServerReflection"};
    static const char *const missing[] = {"",
                                          "tweetmesh",
                                          "tweetmesh.v1",
                                          "tweetmesh.v1.",
                                          "tweetmesh.v1.Eve",
                                          "tweetmesh.v1.Event.x",
                                          "tweetmesh.v1.Ingest.Nothing",
                                          "v1.Event"};
    struct fixture *fixture = *state;
    struct client_call call;

    client_call_begin(&call, &fixture->client, info_path);
    for (size_t i = 0; i < MESH_COUNT_OF(found); i++) {
        assert_true(symbol_is_found(&call, found[i]));
    }
    for (size_t i = 0; i < MESH_COUNT_OF(missing); i++) {
        assert_false(symbol_is_found(&call, missing[i]));
    }
    client_send_end(&call);
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_OK);
}

static void test_reflection_lists_four_services(void **state)
{
    Grpc__Reflection__V1__ServerReflectionRequest request =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    struct fixture *fixture = *state;
    struct client_call call;

    request.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
    request.list_services = (char *)"*";
    client_call_begin(&call, &fixture->client, info_path);
    Grpc__Reflection__V1__ServerReflectionResponse *response = ask(&call, &request);
    assert_int_equal(response->list_services_response->n_service, 4);
    assert_string_equal(response->list_services_response->service[0]->name, "tweetmesh.v1.Ingest");
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
    client_send_end(&call);
    client_call_end(&call);
}

/* The lowest descriptor that is free is the first one that may not be had any more. */
static void descriptors_end(struct rlimit *out_usual)
{
    int free_one = dup(STDOUT_FILENO);

    assert_true(free_one >= 0 && getrlimit(RLIMIT_NOFILE, out_usual) == 0);
    (void)close(free_one);
    const struct rlimit none = {.rlim_cur = (rlim_t)free_one, .rlim_max = out_usual->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void test_a_connection_that_cannot_be_accepted_ends_the_program(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit usual;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server_port(fixture->server, 0)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(socket_fd >= 0);
    descriptors_end(&usual);
    assert_int_equal(connect(socket_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(mesh_shutdown_wait(), EXIT_FAILURE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    (void)close(socket_fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_port_in_use_is_an_error),
        CASE(test_malformed_addresses_are_errors),
        CASE(test_a_socket_somebody_listens_on_is_left_alone_and_a_stale_one_replaced),
        CASE(test_a_connection_that_cannot_be_accepted_ends_the_program),
        CASE(test_health_says_what_the_probe_says_now),
        CASE(test_a_watcher_is_told_each_change_until_the_server_ends),
        CASE(test_a_watcher_that_goes_is_forgotten),
        CASE(test_reflection_finds_what_is_served_and_nothing_else),
        CASE(test_reflection_lists_four_services),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    mesh_shutdown_catch_signals(); /* before gRPC has threads */
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
