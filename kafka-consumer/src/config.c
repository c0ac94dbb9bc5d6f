/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"
#include "recent.h"

#define AT(field) offsetof(struct config, field)

/* clang-format off */
/* Alphabetical. docs/configuration.md and helm/ are checked against this table. */
static const struct mesh_option options[] = {
    /* variable          type         field                 default  min  max */
    {"ARCHIVE_TTL_DAYS", MESH_UINT,   AT(archive_ttl_days),  "0",     0,   36500,
     "After how many days MongoDB drops an event; 0: never."},
    {"BATCH_KB_MAX",     MESH_UINT,   AT(batch_kb_max),      "4096",  1,   1048576,
     "Kilobytes of events in one insert."},
    {"BATCH_LEN_MAX",    MESH_UINT,   AT(batch_len_max),     "1000",  1,   10000,
     "Events in one insert."},
    {"COMMIT_MS",        MESH_UINT,   AT(commit_ms),         "200",   0,   60000,
     "Offsets are committed to Kafka at most this often; 0: after each batch."},
    {"DRAIN_DELAY_MS",   MESH_UINT,   AT(drain_delay_ms),    "0",     0,   600000,
     "How long to go on after SIGTERM while already not ready."},
    {"DRAIN_MS_MAX",     MESH_UINT,   AT(drain_ms_max),      "10000", 100, 600000,
     "How long the batch in hand may take to be finished after SIGTERM."},
    {"FETCH_KB_MAX",     MESH_UINT,   AT(fetch_kb_max),      "16384", 64,  2097151,
     "Kilobytes that librdkafka fetches ahead."},
    {"KAFKA_BROKERS",    MESH_TEXT,   AT(kafka_brokers),     "127.0.0.1:9092", 3, 4096,
     "host:port, comma-separated."},
    MESH_KAFKA_LOGIN_OPTIONS(AT(kafka_login)),
    {"KAFKA_GROUP_ID",   MESH_TEXT,   AT(kafka_group_id),    "tweetmesh-archive", 1, 255,
     "Consumer group; its committed offsets say where to go on."},
    {"KAFKA_INSTANCE_ID", MESH_TEXT,  AT(kafka_instance_id), "",      0,   249,
     "Name of this instance, its own and the same after a restart (the pod's): the group then knows it again at once."},
    {"LOG_LEVEL",        MESH_LEVEL,  AT(log_level),         "info",  0,   0,
     "error, warn, info or debug."},
    MESH_MONGO_LOGIN_OPTIONS(AT(mongo_login)),
    {"MONGODB_DATABASE", MESH_TEXT,   AT(mongodb_database),  "tweetmesh", 1, 63,
     "Database of the archive."},
    {"MONGODB_MS_MAX",   MESH_UINT,   AT(mongodb_ms_max),    "5000",  100, 600000,
     "How long MongoDB may take to be found and to answer, unless the URI says so."},
    {"MONGODB_URI",      MESH_SECRET, AT(mongodb_uri),       "mongodb://127.0.0.1:27017", 10, 4096,
     "Where MongoDB is."},
    {"OPS_HOST",         MESH_TEXT,   AT(ops_host),          "0.0.0.0", 2, 64,
     "Address of the operations port."},
    {"OPS_PORT",         MESH_UINT,   AT(ops_port),          "8084",  0,   65535,
     "Health, readiness, metrics and status; 0: any free port."},
    MESH_SPANS_OPTIONS(AT(spans)),
    {"RECENT_EVENTS_MAX", MESH_UINT,  AT(recent_events_max), "0",     0,   RECENT_MAX,
     "Last events of each stream that Redis holds for the live page, readable by all who see it; 0: none."},
    MESH_REDIS_LOGIN_OPTIONS(AT(redis_login)),
    {"REDIS_MS_MAX",     MESH_UINT,   AT(redis_ms_max),      "2000",  10,  600000,
     "How long Redis may take to be reached and to answer."},
    {"REDIS_URL",        MESH_SECRET, AT(redis_url),         "redis://127.0.0.1:6379/0", 8, 4096,
     "Where Redis is."},
    {"REMEMBERED_LEN_MAX", MESH_UINT, AT(remembered_len_max), "1000000", 0, 1000000000,
     "Settled events that are remembered (2 bytes each), to fill Redis again after a loss."},
    {"SESSION_MS",       MESH_UINT,   AT(session_ms),        "6000",  1000, 300000,
     "After how long of silence Kafka gives our partitions to another member."},
    {"SHOW_MS",          MESH_UINT,   AT(show_ms),           "200",   10,  60000,
     "The derived hashes in Redis are written at most this often."},
    {"SNAPSHOT_MS",      MESH_UINT,   AT(snapshot_ms),       "60000", 0,   86400000,
     "How often the counters are copied to MongoDB, for when Redis loses them; 0: never."},
    {"STREAMS_DIR",      MESH_TEXT,   AT(streams_dir),       "./streams", 1, 4096,
     "Folder with one JSON file per stream."},
    {"UNSETTLED_LEN_MAX", MESH_UINT,  AT(unsettled_len_max), "4000000", 10000, 1000000000,
     "Archived events that may wait for Redis (2 bytes each); beyond it reading pauses."},
};
/* clang-format on */

static void check(const void *settings, struct mesh_buffer *problems)
{
    const struct config *config = settings;

    mesh_kafka_login_check(&config->kafka_login, problems);
    mesh_mongo_login_check(&config->mongo_login, config->mongodb_uri, problems);
    mesh_redis_login_check(&config->redis_login, config->redis_url, problems);
    mesh_spans_check(&config->spans, problems);
    if (config->batch_kb_max > config->fetch_kb_max) {
        mesh_buffer_add_text(problems,
                             "BATCH_KB_MAX is above FETCH_KB_MAX: no batch can get so big\n");
    }
}

const struct mesh_config_spec config_spec = {
    .program = "kafka-consumer",
    .summary = "Archives the events of all streams in MongoDB and settles their counts in Redis.",
    .options = options,
    .option_count = MESH_COUNT_OF(options),
    .check = check,
};
