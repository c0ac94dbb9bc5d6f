/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an event becomes the document that the contract shows; MongoDB away leaves the batch as it
 * is, and one bad document does not hold up the others; a duplicate is told from a redelivery.
 * Method: real records from a mock Kafka, and mongo_sink for MongoDB, told what to answer.
 */
#include "archive.h"
#include "cmocka_all.h"
#include "mock_kafka.h"
#include "mongo_sink.h"

#include <stdlib.h>
#include <string.h>

#define ID_1 "0197a2b4-0000-7000-8000-000000000001"
#define ID_2 "0197a2b4-0000-7000-8000-000000000002"
#define ID_3 "0197a2b4-0000-7000-8000-000000000003"

static struct {
    struct mock_kafka *kafka;
    struct mongo_sink *sink;
    struct topic topic;
    struct partition *partition;
    struct archive *archive;
    struct batch batch;
} test;

static struct archive *archive_at(const char *uri)
{
    struct mesh_error err = {0};
    struct archive *archive = archive_new(
        &(struct archive_options){
            .uri = uri,
            .database = "test",
            .timeout_ms = 2000,
            .topics = &test.topic,
            .topic_count = 1,
        },
        &err);

    assert_non_null(archive);
    return archive;
}

static int make(void **state)
{
    (void)state;
    test.kafka = mock_kafka_new();
    test.sink = mongo_sink_new(0);
    assert_non_null(test.sink);
    topic_init(&test.topic, mock_kafka_stream(test.kafka), 0, 1);
    test.partition = partition_add(&test.topic, 0, 0);
    test.archive = archive_at(mongo_sink_uri(test.sink));
    batch_init(&test.batch, 16);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    batch_done(&test.batch);
    archive_free(test.archive);
    topic_done(&test.topic);
    mongo_sink_free(test.sink);
    mock_kafka_free(test.kafka);
    mesh_metrics_done();
    return 0;
}

/* Produces the value and takes the record into the batch. */
static struct entry *add_value(int64_t offset, const char *value)
{
    const char *topic = test.topic.stream->topic;

    mock_kafka_produce(test.kafka, topic, 0, value);
    batch_add_take(&test.batch, test.partition, mock_kafka_fetch(test.kafka, topic, 0, offset));
    return &test.batch.entries[test.batch.count - 1];
}

static struct entry *add(int64_t offset, const char *id)
{
    char *value = mock_kafka_value(id, "Guatemala");
    struct entry *entry = add_value(offset, value);

    free(value);
    return entry;
}

static void test_what_is_no_event_is_poison_at_once(void **state)
{
    (void)state;
    const struct entry *tombstone = add_value(0, NULL);
    const struct entry *text = add_value(1, "no JSON");
    struct mesh_error err = {0};

    assert_int_equal(tombstone->state, ENTRY_POISON);
    assert_int_equal(text->state, ENTRY_POISON);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(mongo_sink_inserted(test.sink), 0);
    assert_true(batch_has(&test.batch, ENTRY_POISON));
}

static void test_no_server_leaves_the_batch_as_it_is(void **state)
{
    (void)state;
    struct mesh_error err = {0};

    archive_free(test.archive);
    test.archive = archive_at("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100");
    const struct entry *entry = add(0, ID_1);
    assert_false(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    assert_int_equal(entry->state, ENTRY_INSERT);
    assert_false(archive_ping(test.archive, &err));
}

static void test_a_primary_that_steps_down_is_waited_for(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *entry = add(0, ID_1);

    mongo_sink_set_insert_reply(test.sink,
                                "{\"ok\":0,\"n\":0,\"code\":10107,\"errmsg\":\"not primary\"}", 1);
    assert_false(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_INSERT);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_ARCHIVED);
}

static void test_without_a_majority_nothing_is_archived(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *entry = add(0, ID_1);

    mongo_sink_set_insert_reply(
        test.sink, "{\"writeConcernError\":{\"code\":64,\"errmsg\":\"timeout\"}}", SIZE_MAX);
    assert_false(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_INSERT);
}

static void test_one_bad_document_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *first = add(0, ID_1);
    const struct entry *second = add(1, ID_2);

    mongo_sink_set_insert_reply(
        test.sink, "{\"n\":1,\"writeErrors\":[{\"index\":1,\"code\":121,\"errmsg\":\"no\"}]}", 1);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(first->state, ENTRY_ARCHIVED);
    assert_int_equal(second->state, ENTRY_POISON);
    assert_int_equal(second->server_code, 121);
}

static void test_a_command_refused_whole_is_halved_until_the_bad_document_is_found(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *first = add(0, ID_1);
    const struct entry *second = add(1, ID_2);
    const struct entry *third = add(2, ID_3);

    /* All three; the first alone. What is left is taken. */
    mongo_sink_set_insert_reply(
        test.sink, "{\"ok\":0,\"n\":0,\"code\":15,\"errmsg\":\"nested too deeply\"}", 2);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(first->state, ENTRY_POISON);
    assert_int_equal(first->server_code, 15);
    assert_int_equal(second->state, ENTRY_ARCHIVED);
    assert_int_equal(third->state, ENTRY_ARCHIVED);
}

static void test_a_duplicate_is_told_from_a_redelivery(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const char *duplicate =
        "{\"n\":0,\"writeErrors\":[{\"index\":0,\"code\":11000,\"errmsg\":\"d\"}]}";
    const struct entry *entry = add(0, ID_1);

    mongo_sink_set_insert_reply(test.sink, duplicate, 1);
    mongo_sink_set_found(test.sink,
                         "{\"_id\":\"" ID_1 "\",\"kafka\":{\"partition\":0,\"offset\":0}}");
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_REDELIVERED);
    batch_clear(&test.batch);

    entry = add(1, ID_1);
    mongo_sink_set_insert_reply(test.sink, duplicate, 1);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_REPEATED);
}

static void test_a_duplicate_that_vanished_is_inserted(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *entry = add(0, ID_1);

    mongo_sink_set_insert_reply(
        test.sink, "{\"n\":0,\"writeErrors\":[{\"index\":0,\"code\":11000,\"errmsg\":\"d\"}]}", 1);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_ARCHIVED);
    assert_int_equal(mongo_sink_finds(test.sink), 1);
    assert_int_equal(mongo_sink_inserted(test.sink), 2);
}

static void test_in_repair_records_are_looked_up_before_they_are_inserted(void **state)
{
    (void)state;
    struct mesh_error err = {0};

    test.partition->repair_until = 1;
    mongo_sink_set_found(test.sink,
                         "{\"_id\":\"" ID_1 "\",\"kafka\":{\"partition\":0,\"offset\":0}}");
    const struct entry *known = add(0, ID_1);
    const struct entry *fresh = add(1, ID_2);
    assert_int_equal(known->state, ENTRY_LOOK_UP);
    assert_int_equal(fresh->state, ENTRY_INSERT);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(known->state, ENTRY_REDELIVERED);
    assert_int_equal(fresh->state, ENTRY_ARCHIVED);
    assert_int_equal(mongo_sink_inserted(test.sink), 1);
}

static void test_many_are_looked_up_by_one_find(void **state)
{
    (void)state;
    struct mesh_error err = {0};

    test.partition->repair_until = 3;
    mongo_sink_set_found(test.sink,
                         "{\"_id\":\"" ID_1 "\",\"kafka\":{\"partition\":0,\"offset\":2}}");
    const struct entry *repeated = add(0, ID_1);
    const struct entry *absent = add(1, ID_2);
    const struct entry *redelivered = add(2, ID_1);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(mongo_sink_finds(test.sink), 1);
    assert_int_equal(repeated->state, ENTRY_REPEATED);
    assert_int_equal(absent->state, ENTRY_ARCHIVED);
    assert_int_equal(redelivered->state, ENTRY_REDELIVERED);
    assert_int_equal(mongo_sink_inserted(test.sink), 1);
}

static void test_entries_of_a_partition_that_was_taken_away_are_left_alone(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *entry = add(0, ID_1);

    batch_forget(&test.batch, test.partition);
    assert_true(archive_batch(test.archive, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_INSERT);
    assert_int_equal(mongo_sink_inserted(test.sink), 0);
}

static void assert_document(const struct entry *entry, const char *expected)
{
    bson_t document;

    struct mesh_bytes bytes = batch_document(&test.batch, entry);
    assert_true(bson_init_static(&document, bytes.data, bytes.size));
    assert_true(bson_validate(&document, BSON_VALIDATE_UTF8, NULL));
    char *text = bson_as_relaxed_extended_json(&document, NULL);
    assert_string_equal(text, expected);
    bson_free(text);
}

static void test_the_document_is_what_the_contract_shows(void **state)
{
    (void)state;
    const struct entry *entry = add_value(
        0, "{\"id\":\"" ID_1 "\",\"received_at\":\"2026-11-20T23:21:07.123Z\",\"text\":\"hola\","
           "\"country\":\"Atlantis\",\"n\":[1,{\"id\":2.5}]}");

    assert_document(
        entry, "{ \"_id\" : \"" ID_1 "\", \"text\" : \"hola\", \"country\" : \"Atlantis\", "
               "\"n\" : [ 1, { \"id\" : 2.5 } ], "
               "\"received_at\" : { \"$date\" : \"2026-11-20T23:21:07.123Z\" }, "
               "\"traceparent\" : \"" MOCK_TRACEPARENT "\", "
               "\"kafka\" : { \"topic\" : \"messages\", \"partition\" : 0, \"offset\" : 0 } }");
}

static void test_a_record_without_a_trace_is_a_document_without_one(void **state)
{
    (void)state;
    const char *topic = test.topic.stream->topic;
    char *value = mock_kafka_value(ID_1, "Chad");

    mock_kafka_produce_bare(test.kafka, topic, 0, value);
    batch_add_take(&test.batch, test.partition, mock_kafka_fetch(test.kafka, topic, 0, 0));
    assert_document(
        &test.batch.entries[0],
        "{ \"_id\" : \"" ID_1 "\", \"text\" : \"hola\", \"country\" : \"Chad\", "
        "\"received_at\" : { \"$date\" : \"2026-11-20T23:21:07.123Z\" }, "
        "\"kafka\" : { \"topic\" : \"messages\", \"partition\" : 0, \"offset\" : 0 } }");
    free(value);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_is_no_event_is_poison_at_once),
        CASE(test_no_server_leaves_the_batch_as_it_is),
        CASE(test_a_primary_that_steps_down_is_waited_for),
        CASE(test_without_a_majority_nothing_is_archived),
        CASE(test_one_bad_document_does_not_hold_up_the_others),
        CASE(test_a_command_refused_whole_is_halved_until_the_bad_document_is_found),
        CASE(test_a_duplicate_is_told_from_a_redelivery),
        CASE(test_a_duplicate_that_vanished_is_inserted),
        CASE(test_in_repair_records_are_looked_up_before_they_are_inserted),
        CASE(test_many_are_looked_up_by_one_find),
        CASE(test_entries_of_a_partition_that_was_taken_away_are_left_alone),
        CASE(test_the_document_is_what_the_contract_shows),
        CASE(test_a_record_without_a_trace_is_a_document_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
