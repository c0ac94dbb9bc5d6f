/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "arguments.h"
#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"

#define AT(field) offsetof(struct config, field)

/* clang-format off */
/* Alphabetical. docs/configuration.md and helm/ are checked against this table. */
static const struct mesh_option options[] = {
    /* variable          type         field                 default  min  max */
    {"KAFKA_BROKERS",    MESH_TEXT,   AT(kafka_brokers),    "127.0.0.1:9092", 3, 4096,
     "host:port, comma-separated."},
    MESH_KAFKA_LOGIN_OPTIONS(AT(kafka_login)),
    {"KAFKA_MS_MAX",     MESH_UINT,   AT(kafka_ms_max),     "10000",  100, 600000,
     "How long Kafka may be silent while its log is read."},
    {"MEMORY_MB_MAX",    MESH_UINT,   AT(memory_mb_max),    "1024",   1,   1048576,
     "Megabytes for the ids of one stream (34 bytes each, for a moment 51)."},
    MESH_MONGO_LOGIN_OPTIONS(AT(mongo_login)),
    {"MONGODB_DATABASE", MESH_TEXT,   AT(mongodb_database), "tweetmesh", 1, 63,
     "Database of the archive."},
    {"MONGODB_MS_MAX",   MESH_UINT,   AT(mongodb_ms_max),   "300000", 100, 3600000,
     "How long MongoDB may take for one answer, unless the URI says so."},
    {"MONGODB_URI",      MESH_SECRET, AT(mongodb_uri),      "mongodb://127.0.0.1:27017", 10, 4096,
     "Where MongoDB is."},
    MESH_REDIS_LOGIN_OPTIONS(AT(redis_login)),
    {"REDIS_MS_MAX",     MESH_UINT,   AT(redis_ms_max),     "5000",   10,  600000,
     "How long Redis may take to be reached and to answer."},
    {"REDIS_URL",        MESH_SECRET, AT(redis_url),        "redis://127.0.0.1:6379/0", 8, 4096,
     "Where Redis is."},
    {"STREAMS_DIR",      MESH_TEXT,   AT(streams_dir),      "./streams", 1, 4096,
     "Folder with one JSON file per stream."},
};
/* clang-format on */

static void check(const void *settings, struct mesh_buffer *problems)
{
    const struct config *config = settings;

    mesh_kafka_login_check(&config->kafka_login, problems);
    mesh_mongo_login_check(&config->mongo_login, config->mongodb_uri, problems);
    mesh_redis_login_check(&config->redis_login, config->redis_url, problems);
}

const struct mesh_config_spec config_spec = {
    .program = "audit",
    .summary = "Proves that Kafka, Redis and MongoDB hold the same events, or says where not.",
    .options = options,
    .option_count = MESH_COUNT_OF(options),
    .accepts_arguments = true,
    .usage = ARGUMENTS_USAGE,
    .check = check,
};
