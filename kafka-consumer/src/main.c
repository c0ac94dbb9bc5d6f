/* SPDX-License-Identifier: Apache-2.0 */
/* kafka-consumer: archives the events of all streams in MongoDB and settles their counts in Redis.
 */
#include "config.h"
#include "consumer.h"
#include "mesh/log.h"
#include "mesh/ops.h"
#include "mesh/shutdown.h"
#include "mesh/spans.h"
#include "mesh/stream.h"
#include "mesh/tls.h"

#include <stdlib.h>

/* Says how everybody logs in, and watches the files that it comes from. */
static struct mesh_tls_watch *logins_start(const struct config *config, struct mesh_error *err)
{
    const struct mesh_tls_watched watched[] = {
        mesh_kafka_login_watched(&config->kafka_login),
        {.use = "mongodb", .files = &config->mongo_login.files},
        {.use = "redis", .files = &config->redis_login.files},
    };

    mesh_kafka_login_use(&config->kafka_login);
    mesh_mongo_login_use(&config->mongo_login);
    mesh_redis_login_use(&config->redis_login);
    return mesh_tls_watch_new(watched, MESH_COUNT_OF(watched), err);
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct mesh_error err = {0};
    struct mesh_ops *ops = NULL;
    struct mesh_streams *streams = NULL;
    struct consumer *consumer = NULL;
    struct mesh_tls_watch *watch = NULL;
    int exit_code = EXIT_FAILURE;

    enum mesh_config_outcome outcome = mesh_config_load(&config_spec, argc, argv, &config);
    if (outcome != MESH_CONFIG_RUN) {
        mesh_config_done(&config_spec, &config);
        return outcome == MESH_CONFIG_EXIT ? EXIT_SUCCESS : 2;
    }
    mesh_log_start("kafka-consumer", config.log_level);
    mesh_shutdown_catch_signals(); /* before any thread exists */

    streams = mesh_streams_load(config.streams_dir, &err);
    if (streams == NULL) {
        goto out;
    }
    if (!mesh_spans_start(&config.spans, config_spec.program, &err)) {
        goto out;
    }
    ops = mesh_ops_new(
        &(struct mesh_ops_options){
            .program = "kafka-consumer",
            .host = config.ops_host,
            .port = (uint16_t)config.ops_port,
            .spec = &config_spec,
            .config = &config,
        },
        &err);
    if (ops == NULL) {
        goto out;
    }
    watch = logins_start(&config, &err);
    if (watch == NULL) {
        goto out;
    }
    consumer = consumer_new(&config, streams, &err);
    if (consumer == NULL) {
        goto out;
    }
    mesh_ops_add_probe(ops, mesh_tls_watch_ready, watch);
    mesh_ops_add_probe(ops, consumer_is_ready, consumer);
    mesh_ops_add_status(ops, consumer_status, consumer);

    mesh_log(MESH_LOG_INFO, "started", MESH_LOG_INT("ops_port", mesh_ops_port(ops)));
    mesh_ops_set_ready(ops, true);
    exit_code = mesh_shutdown_wait();
    mesh_ops_set_ready(ops, false);
    mesh_shutdown_delay(config.drain_delay_ms);

out:
    if (err.code != MESH_OK) {
        mesh_log_error("start_failed", &err);
    }
    mesh_ops_forget(ops); /* its thread looks at the consumer */
    mesh_tls_watch_free(watch);
    consumer_free(consumer);
    mesh_spans_stop(MESH_SPANS_FLUSH_MS);
    mesh_ops_free(ops);
    mesh_streams_free(streams);
    mesh_config_done(&config_spec, &config);
    mesh_log(MESH_LOG_INFO, "ended", MESH_LOG_INT("exit_code", exit_code));
    return exit_code;
}
