/* SPDX-License-Identifier: Apache-2.0 */
#include "publish_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mesh_streams *streams;

static void on_done(struct publish_job *job)
{
    atomic_fetch_add(&((struct order *)job)->done, 1);
}

static void on_release(struct publish_job *job)
{
    atomic_fetch_add(&((struct order *)job)->released, 1);
}

bool order_is_released(void *arg)
{
    return atomic_load(&((struct order *)arg)->released) == 1;
}

bool publish_is_ready(void *arg)
{
    return publish_ready(arg);
}

bool publish_is_not_ready(void *arg)
{
    return !publish_ready(arg);
}

bool ingest_has_come(void *arg)
{
    return ingest_server_events(arg) > 0;
}

bool ingest_has_two_streams(void *arg)
{
    return ingest_server_streams(arg) >= 2;
}

void order_init(struct order *order, const char *json)
{
    memset(order, 0, sizeof(*order));
    support_events(streams, json, &order->events);
    order->job =
        (struct publish_job){.events = &order->events, .done = on_done, .release = on_release};
}

void order_expect_done(struct order *order)
{
    support_wait(order_is_released, order);
    assert_int_equal(atomic_load(&order->done), 1);
}

struct publish *publish_client(uint16_t port, uint32_t down_ms_max, uint32_t reply_ms_max)
{
    char target[64];
    struct mesh_error err = {0};
    snprintf(target, sizeof(target), "127.0.0.1:%u", (unsigned)port);
    struct publish *publish = publish_new(&(struct publish_options){.target.address = target,
                                                                    .down_ms_max = down_ms_max,
                                                                    .reply_ms_max = reply_ms_max},
                                          &err);
    assert_non_null(publish);
    return publish;
}

bool publish_fixture_has_more_streams(void *arg)
{
    const struct publish_fixture *fixture = arg;
    return ingest_server_streams(fixture->server) > fixture->streams_before;
}

int publish_fixture_setup(void **state)
{
    struct publish_fixture *fixture = mesh_new(struct publish_fixture);
    fixture->server = ingest_server_new(0);
    fixture->publish = publish_client(ingest_server_port(fixture->server), 2000, 60000);
    support_wait(publish_is_ready, fixture->publish);
    *state = fixture;
    return 0;
}

int publish_fixture_teardown(void **state)
{
    struct publish_fixture *fixture = *state;
    publish_free(fixture->publish);
    ingest_server_free(fixture->server);
    free(fixture);
    return 0;
}

void order_submit(struct publish *publish, struct order *order)
{
    assert_int_equal(publish_submit(publish, &order->job), MESH_OK);
}

int publish_fixture_group_setup(void **state)
{
    (void)state;
    streams = support_streams();
    return 0;
}

int publish_fixture_group_teardown(void **state)
{
    (void)state;
    mesh_streams_free(streams);
    return 0;
}
