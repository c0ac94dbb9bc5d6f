/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_file.h"

#include "mesh/country.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

/* Far more than the deepest schema needs. */
#define DEPTH_MAX 32
#define TITLE_BYTES_MAX 200
#define PATH_BYTES_MAX 128
#define TOPIC_BYTES_MAX 245 /* Kafka allows 249; ".dlq" comes behind */
#define COLLECTION_BYTES_MAX 120
#define GROUP_BYTES_MAX 128

#define UNKNOWN "Unknown"

typedef bool text_rule_fn(struct mesh_bytes text);

struct member {
    const char *name;
    text_rule_fn *is_good; /* NULL: not a text of this table */
    const char *rule;
};

static bool one_of(uint8_t byte, const char *others)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr(others, byte) != NULL);
}

static bool all_of(struct mesh_bytes text, const char *others)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!one_of(text.data[i], others)) {
            return false;
        }
    }
    return true;
}

static bool has_control(struct mesh_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

static bool contains(struct mesh_bytes text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static bool begins(struct mesh_bytes text, const char *part)
{
    return text.size >= strlen(part) && memcmp(text.data, part, strlen(part)) == 0;
}

static bool name_is_good(struct mesh_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];
        const bool letter = byte >= 'a' && byte <= 'z';
        if (!letter && (i == 0 || (byte != '-' && (byte < '0' || byte > '9')))) {
            return false;
        }
    }
    return text.size >= 1 && text.size <= 63;
}

static bool title_is_good(struct mesh_bytes text)
{
    return text.size >= 1 && text.size <= TITLE_BYTES_MAX && !has_control(text);
}

/* Also what proxies would rewrite (//, /./, /../) and what the programs answer themselves. */
static bool path_is_good(struct mesh_bytes text)
{
    static const char *const taken[] = {"/openapi.json", "/healthz", "/readyz", "/metrics",
                                        "/status"};
    for (size_t i = 0; i < MESH_COUNT_OF(taken); i++) {
        if (mesh_bytes_equal_text(text, taken[i])) {
            return false;
        }
    }
    return text.size >= 2 && text.size <= PATH_BYTES_MAX && text.data[0] == '/' &&
           text.data[text.size - 1] != '/' && all_of(text, "_/.-") && !contains(text, "//") &&
           !contains(text, "/.");
}

static bool topic_is_good(struct mesh_bytes text)
{
    return text.size >= 1 && text.size <= TOPIC_BYTES_MAX && all_of(text, "._-") &&
           !mesh_bytes_equal_text(text, ".") && !mesh_bytes_equal_text(text, "..");
}

static bool collection_is_good(struct mesh_bytes text)
{
    return text.size >= 1 && text.size <= COLLECTION_BYTES_MAX && text.data[0] != '.' &&
           !contains(text, "$") && !has_control(text) && !begins(text, "system.");
}

enum { NAME, TITLE, PATH, TOPIC, COLLECTION, SCHEMA, COUNT_BY, MEMBER_COUNT };

static const struct member members[MEMBER_COUNT] = {
    [NAME] = {"stream", name_is_good,
              "must be 1 to 63 lower-case letters, digits or -, and begin with a letter"},
    [TITLE] = {"title", title_is_good, "must be one line of 1 to 200 bytes"},
    [PATH] = {"path", path_is_good,
              "must be / and letters, digits or _/.-, at most 128 bytes, not end in /, have no "
              "segment that is empty or begins with a dot, and be none of /openapi.json, /healthz, "
              "/readyz, /metrics, /status"},
    [TOPIC] = {"topic", topic_is_good,
               "must be 1 to 245 letters, digits or ._-, as Kafka wants it"},
    [COLLECTION] = {"collection", collection_is_good,
                    "must be 1 to 120 bytes without $ and control characters, and not begin with "
                    "a dot or \"system.\", as MongoDB wants it"},
    [SCHEMA] = {"schema", NULL, NULL},
    [COUNT_BY] = {"count_by", NULL, NULL},
};

/* yyjson keeps the first of two members of one name; which one was meant, nobody knows. */
static bool key_is_double(yyjson_val *object, size_t index, yyjson_val *key)
{
    size_t i;
    size_t max;
    yyjson_val *other;
    yyjson_val *value;

    yyjson_obj_foreach(object, i, max, other, value)
    {
        if (i == index) {
            return false;
        }
        if (mesh_bytes_equal(mesh_schema_text(other), mesh_schema_text(key))) {
            return true;
        }
    }
    return false;
}

static bool text_check(yyjson_val *text, const struct mesh_pointer *at, struct mesh_error *err)
{
    return memchr(yyjson_get_str(text), '\0', yyjson_get_len(text)) == NULL ||
           mesh_schema_refuse(err, at, "must not contain U+0000");
}

static bool json_check(yyjson_val *value, const struct mesh_pointer *at, size_t depth,
                       struct mesh_error *err);

static bool object_check(yyjson_val *value, const struct mesh_pointer *at, size_t depth,
                         struct mesh_error *err)
{
    size_t index;
    size_t max;
    yyjson_val *key;
    yyjson_val *inner;

    yyjson_obj_foreach(value, index, max, key, inner)
    {
        const struct mesh_pointer here = mesh_pointer_key(at, mesh_schema_text(key));
        if (index >= MESH_SCHEMA_CHOICES_MAX) {
            return mesh_schema_refuse(err, at, "has too many members");
        }
        if (key_is_double(value, index, key)) {
            return mesh_schema_refuse(err, &here, "is there twice");
        }
        if (!text_check(key, &here, err) || !json_check(inner, &here, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

/* What holds for every value of a stream file. */
static bool json_check(yyjson_val *value, const struct mesh_pointer *at, size_t depth,
                       struct mesh_error *err)
{
    size_t index;
    size_t max;
    yyjson_val *inner;

    if (depth > DEPTH_MAX) {
        return mesh_schema_refuse(err, at, "is nested too deeply");
    }
    if (yyjson_is_str(value)) {
        return text_check(value, at, err);
    }
    if (yyjson_is_raw(value)) {
        return mesh_schema_refuse(err, at, "is a number that 64 bits cannot hold");
    }
    if (yyjson_is_obj(value)) {
        return object_check(value, at, depth, err);
    }
    yyjson_arr_foreach(value, index, max, inner)
    {
        const struct mesh_pointer here = mesh_pointer_item(at, index);
        if (!json_check(inner, &here, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

static bool members_check(yyjson_val *root, const struct mesh_pointer *at, struct mesh_error *err)
{
    size_t index;
    size_t max;
    yyjson_val *key;
    yyjson_val *value;

    if (!yyjson_is_obj(root)) {
        return mesh_schema_refuse(err, at, "must be a JSON object");
    }
    yyjson_obj_foreach(root, index, max, key, value)
    {
        const struct mesh_pointer here = mesh_pointer_key(at, mesh_schema_text(key));
        size_t known = 0;
        while (known < MEMBER_COUNT && !yyjson_equals_str(key, members[known].name)) {
            known++;
        }
        if (known == MEMBER_COUNT) {
            return mesh_schema_refuse(err, &here, "is not a known member");
        }
    }
    return true;
}

/* The text of a member, copied; NULL with *err filled in. */
static const char *member_text(yyjson_val *root, const struct member *member,
                               const struct mesh_pointer *at, struct mesh_arena *arena,
                               struct mesh_error *err)
{
    const struct mesh_pointer here = mesh_pointer_key(at, mesh_bytes_of_text(member->name));
    yyjson_val *value = yyjson_obj_get(root, member->name);

    if (value == NULL) {
        (void)mesh_schema_refuse(err, &here, "is required");
        return NULL;
    }
    if (!yyjson_is_str(value) || !member->is_good(mesh_schema_text(value))) {
        (void)mesh_schema_refuse(err, &here, "%s", member->rule);
        return NULL;
    }
    return (const char *)mesh_arena_copy(arena, mesh_schema_text(value)).data;
}

static bool texts_read(yyjson_val *root, const struct mesh_pointer *at, struct mesh_arena *arena,
                       struct mesh_stream *stream, struct mesh_error *err)
{
    const char **const texts[] = {
        [NAME] = &stream->name,   [TITLE] = &stream->title,           [PATH] = &stream->path,
        [TOPIC] = &stream->topic, [COLLECTION] = &stream->collection,
    };
    for (size_t i = 0; i < MESH_COUNT_OF(texts); i++) {
        *texts[i] = member_text(root, &members[i], at, arena, err);
        if (*texts[i] == NULL) {
            return false;
        }
    }
    const size_t size = strlen(stream->topic);
    char *dlq_topic = mesh_arena_alloc(arena, size + sizeof(".dlq"));
    memcpy(dlq_topic, stream->topic, size);
    memcpy(dlq_topic + size, ".dlq", sizeof(".dlq"));
    stream->dlq_topic = dlq_topic;
    return true;
}

static bool schema_member_read(yyjson_val *root, const struct mesh_pointer *at,
                               struct mesh_arena *arena, struct mesh_stream *stream,
                               struct mesh_error *err)
{
    const struct mesh_pointer here = mesh_pointer_key(at, mesh_bytes_of_text("schema"));
    yyjson_val *json = yyjson_obj_get(root, "schema");
    size_t size = 0;

    if (json == NULL) {
        return mesh_schema_refuse(err, &here, "is required");
    }
    stream->schema = mesh_schema_read(json, &here, arena, err);
    if (stream->schema == NULL) {
        return false;
    }
    if (stream->schema->type != MESH_SCHEMA_OBJECT) {
        return mesh_schema_refuse(err, &here, "must have \"type\": \"object\"");
    }
    char *text = yyjson_val_write(json, 0, &size);
    stream->schema_json = mesh_arena_copy(arena, mesh_bytes_of(text, size));
    free(text);
    return true;
}

static bool groups_of_choices(const struct mesh_schema *schema, const struct mesh_pointer *at,
                              struct mesh_arena *arena, struct mesh_stream *stream,
                              struct mesh_error *err)
{
    if (schema->choice_count >= MESH_GROUP_COUNT_MAX) {
        return mesh_schema_refuse(err, at, "has more than %d values to count by",
                                  MESH_GROUP_COUNT_MAX - 1);
    }
    const char **names = mesh_arena_alloc(arena, (schema->choice_count + 1) * sizeof(*names));
    for (size_t i = 0; i < schema->choice_count; i++) {
        const struct mesh_schema_choice *choice = &schema->choices[i];
        if (choice->type != MESH_SCHEMA_STRING || choice->text.size == 0 ||
            choice->text.size > GROUP_BYTES_MAX || has_control(choice->text) ||
            mesh_bytes_equal_text(choice->text, UNKNOWN)) {
            return mesh_schema_refuse(err, at,
                                      "the values to count by must be strings of 1 to %d bytes "
                                      "without control characters, and none \"" UNKNOWN "\"",
                                      GROUP_BYTES_MAX);
        }
        names[i] = (const char *)choice->text.data;
    }
    names[schema->choice_count] = UNKNOWN;
    stream->group_names = names;
    stream->group_count = schema->choice_count + 1;
    return true;
}

static void groups_of_countries(struct mesh_arena *arena, struct mesh_stream *stream)
{
    _Static_assert(MESH_GROUP_COUNT_MAX >= 251, "250 countries and Unknown");
    const size_t count = mesh_country_count();
    const char **names = mesh_arena_alloc(arena, count * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = mesh_country_name(i);
    }
    stream->group_names = names;
    stream->group_count = count;
}

/* The counters of a stream are in {<stream>}:state, :totals and :<count_by>, or :all. */
static bool count_by_is_taken(struct mesh_bytes name)
{
    return mesh_bytes_equal_text(name, "state") || mesh_bytes_equal_text(name, "totals") ||
           mesh_bytes_equal_text(name, "all");
}

static bool count_by_read(yyjson_val *root, const struct mesh_pointer *at, struct mesh_arena *arena,
                          struct mesh_stream *stream, struct mesh_error *err)
{
    static const char *const all[] = {"all"};
    const struct mesh_pointer here = mesh_pointer_key(at, mesh_bytes_of_text("count_by"));
    yyjson_val *name = yyjson_obj_get(root, "count_by");

    if (name == NULL) {
        stream->group_names = all;
        stream->group_count = 1;
        return true;
    }
    const struct mesh_schema_property *property =
        yyjson_is_str(name) ? mesh_schema_property(stream->schema, mesh_schema_text(name)) : NULL;
    if (property == NULL) {
        return mesh_schema_refuse(err, &here, "must name one of the schema's properties");
    }
    if (count_by_is_taken(property->name)) {
        return mesh_schema_refuse(err, &here,
                                  "must not be state, totals or all: these are Redis keys of every "
                                  "stream; rename the property and give it this name as an alias");
    }
    stream->count_by = (const char *)property->name.data;
    stream->count_schema = property->schema;
    if (property->schema->is_country) {
        groups_of_countries(arena, stream);
        return true;
    }
    if (property->schema->choice_count == 0) {
        return mesh_schema_refuse(err, &here,
                                  "its property must have an enum of strings or \"x-normalise\": "
                                  "\"country\", so that the groups are bounded");
    }
    return groups_of_choices(property->schema, &here, arena, stream, err);
}

struct mesh_stream *mesh_stream_parse(struct mesh_bytes json, struct mesh_arena *arena,
                                      struct mesh_error *err)
{
    const struct mesh_pointer root_at = {0};
    yyjson_read_err why = {0};
    /* yyjson only writes to its input when asked to parse in place. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size,
                                       YYJSON_READ_BIGNUM_AS_RAW, NULL, &why);
    if (doc == NULL) {
        (void)mesh_fail(err, MESH_INVALID_ARGUMENT, "is not JSON: %s at byte %zu",
                        why.msg != NULL ? why.msg : "empty", why.pos);
        return NULL;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct mesh_stream *stream = mesh_arena_alloc(arena, sizeof(*stream));
    memset(stream, 0, sizeof(*stream));
    const bool good = json_check(root, &root_at, 1, err) && members_check(root, &root_at, err) &&
                      texts_read(root, &root_at, arena, stream, err) &&
                      schema_member_read(root, &root_at, arena, stream, err) &&
                      count_by_read(root, &root_at, arena, stream, err);
    yyjson_doc_free(doc);
    return good ? stream : NULL;
}
