/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: records come in order and in batches without waiting to fill them; paused, nothing comes
 * and nothing is lost; a rewind reads again; only what is settled is committed; a partition that is
 * given away is finished and committed first.
 * Method: a group on librdkafka's mock cluster.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mock_kafka.h"
#include "reader.h"

#include <stdlib.h>
#include <time.h>

enum { JOIN_US_MAX = 20 * 1000 * 1000 };

static struct {
    struct mock_kafka *kafka;
    struct topic topic;
    struct reader *reader;
    const char *instance_id; /* of static membership; NULL: none */
    size_t finished;         /* partitions that were to be finished */
} test;

/* As if Redis took everything at once. */
static void finish(void *arg, struct partition *partition)
{
    (void)arg;
    test.finished++;
    partition_settle(partition, partition->row_count);
}

static struct reader *reader_open_of(struct topic *topic)
{
    struct mesh_error err = {0};
    struct reader *reader = reader_new(
        &(struct reader_options){
            .member = {.brokers = mock_kafka_brokers(test.kafka),
                       .group_id = "test",
                       .instance_id = test.instance_id,
                       .session_ms = 1500,
                       .fetch_kb_max = 1024,
                       .topics = topic,
                       .topic_count = 1,
                       .finish = finish},
            .batch_len_max = 10,
            .batch_kb_max = 64,
        },
        &err);

    assert_non_null(reader);
    return reader;
}

static struct reader *reader_open(void)
{
    return reader_open_of(&test.topic);
}

static int make(void **state)
{
    (void)state;
    test.kafka = mock_kafka_new();
    test.finished = 0;
    topic_init(&test.topic, mock_kafka_stream(test.kafka), 0, 1);
    test.reader = reader_open();
    return 0;
}

/* librdkafka gives up for good only what has an instance id. */
static int make_static(void **state)
{
    test.instance_id = "one";
    return make(state);
}

static int drop(void **state)
{
    (void)state;
    reader_free(test.reader);
    topic_done(&test.topic);
    mock_kafka_free(test.kafka);
    test.instance_id = NULL;
    mesh_metrics_done();
    return 0;
}

static void produce_to(int32_t partition, int count)
{
    for (int i = 0; i < count; i++) {
        char *value = mock_kafka_value("0197a2b4-0000-7000-8000-000000000001", "Peru");
        mock_kafka_produce(test.kafka, test.topic.stream->topic, partition, value);
        free(value);
    }
}

static void produce(int count)
{
    produce_to(0, count);
}

/* Rows for the batch in hand, which is given back. Returns how many. */
static size_t take_batch(void)
{
    struct batch *batch = reader_batch(test.reader);
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (entry->partition != NULL) {
            assert_true(partition_append(entry->partition, entry->message->offset,
                                         entry->record.group, false));
            count++;
        }
    }
    batch_clear(batch);
    return count;
}

/* Collects until so many records came, at most 20 s. */
static void collect(size_t wanted)
{
    int64_t until = mesh_clock_mono_us() + INT64_C(20000000);
    size_t count = 0;

    while (count < wanted && mesh_clock_mono_us() < until) {
        reader_collect(test.reader, 50);
        assert_true(reader_batch(test.reader)->count <= 10);
        count += take_batch();
    }
    assert_int_equal(count, wanted);
}

static int64_t committed(void)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, test.topic.stream->topic, 0);
    assert_int_equal(rd_kafka_committed(member_kafka(reader_member(test.reader)), list, 5000), 0);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}

static void test_paused_nothing_comes_and_nothing_is_lost(void **state)
{
    (void)state;
    produce(3);
    collect(3);
    member_set_paused(reader_member(test.reader), true);
    produce(3);
    for (int i = 0; i < 20; i++) {
        reader_serve(test.reader, 10);
        assert_int_equal(reader_batch(test.reader)->count, 0);
    }
    member_set_paused(reader_member(test.reader), false);
    reader_seek(test.reader);
    collect(3);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 6);
}

static size_t partitions_of(struct topic *topic)
{
    size_t count = 0;
    for (int32_t i = 0; i < MOCK_KAFKA_PARTITIONS; i++) {
        count += topic_partition(topic, i) != NULL ? 1 : 0;
    }
    return count;
}

/* Both turn until the first has so many partitions, at most 20 s; other may be NULL. */
static void turn_until(struct reader *other, size_t partitions)
{
    int64_t until = mesh_clock_mono_us() + INT64_C(20000000);

    while (partitions_of(&test.topic) != partitions && mesh_clock_mono_us() < until) {
        if (member_is_paused(reader_member(test.reader))) {
            reader_serve(test.reader, 10);
        } else {
            reader_collect(test.reader, 10);
        }
        if (other != NULL) {
            reader_collect(other, 10);
            batch_clear(reader_batch(other));
        }
    }
    assert_int_equal(partitions_of(&test.topic), partitions);
}

static void test_what_went_while_paused_is_read_when_it_comes_back(void **state)
{
    (void)state;
    struct topic others;
    produce(1);
    collect(1);
    turn_until(NULL, MOCK_KAFKA_PARTITIONS);
    /* Else it comes again if it is this partition that goes. */
    partition_settle(topic_partition(&test.topic, 0), 1);
    member_set_paused(reader_member(test.reader), true);
    topic_init(&others, mock_kafka_stream(test.kafka), 0, 1);
    struct reader *other = reader_open_of(&others);
    turn_until(other, 1);
    member_set_paused(reader_member(test.reader), false);
    reader_free(other);
    topic_done(&others);
    turn_until(NULL, MOCK_KAFKA_PARTITIONS);
    produce_to(0, 2);
    produce_to(1, 2);
    reader_seek(test.reader);
    collect(4);
}

static void test_only_what_is_settled_is_committed(void **state)
{
    (void)state;
    produce(5);
    collect(5);
    member_commit(reader_member(test.reader), true);
    assert_int_equal(committed(), 0);
    partition_settle(topic_partition(&test.topic, 0), 3);
    member_commit(reader_member(test.reader), true);
    assert_int_equal(committed(), 3);
    topic_set_changed(&test.topic);
    partition_settle(topic_partition(&test.topic, 0), 2);
    member_commit(reader_member(test.reader), true);
    assert_int_equal(committed(), 3);
}

static void test_leaving_finishes_and_commits_and_the_next_goes_on_there(void **state)
{
    (void)state;
    produce(4);
    collect(4);
    reader_free(test.reader);
    assert_int_equal(test.finished, MOCK_KAFKA_PARTITIONS);
    assert_null(topic_partition(&test.topic, 0));
    produce(2);
    test.reader = reader_open();
    collect(2);
    assert_int_equal(topic_partition(&test.topic, 0)->settled, 4);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 6);
}

static void test_a_rewind_reads_again_in_repair(void **state)
{
    (void)state;
    produce(6);
    collect(6);
    partition_settle(topic_partition(&test.topic, 0), 6);
    reader_rewind(test.reader, topic_partition(&test.topic, 0), 2);
    reader_seek(test.reader);
    assert_int_equal(topic_partition(&test.topic, 0)->seek_to, -1);
    collect(4);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 6);
    assert_int_equal(topic_partition(&test.topic, 0)->repair_until, 6);
}

/* Else their rows would follow the watermark with a hole between, and holes count nothing. */
static void test_a_rewind_forgets_what_is_in_hand(void **state)
{
    (void)state;
    produce(6);
    collect(6);
    partition_settle(topic_partition(&test.topic, 0), 6);
    produce(1);
    while (reader_batch(test.reader)->count == 0) {
        reader_collect(test.reader, 50);
    }
    reader_rewind(test.reader, topic_partition(&test.topic, 0), 2);
    reader_seek(test.reader);
    assert_int_equal(take_batch(), 0);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 2);
    collect(5);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 7);
}

static void test_entries_leave_the_batch_with_their_partition(void **state)
{
    (void)state;
    produce(2);
    while (reader_batch(test.reader)->count == 0) {
        reader_collect(test.reader, 50);
    }
    struct partition *partition = topic_partition(&test.topic, 0);
    batch_forget(reader_batch(test.reader), partition);
    assert_int_equal(take_batch(), 0);
}

static void test_a_group_that_exists_is_joined(void **state)
{
    (void)state;
    assert_false(member_is_joined(reader_member(test.reader)));
    produce(1);
    collect(1);
    assert_true(member_is_joined(reader_member(test.reader)));
    member_see_ends(reader_member(test.reader));
    assert_int_equal(topic_partition(&test.topic, 0)->end, 1);
}

static void test_the_end_is_known_while_reading_is_paused(void **state)
{
    (void)state;
    int64_t until_us = mesh_clock_mono_us() + JOIN_US_MAX;

    produce(1);
    collect(1);
    member_set_paused(reader_member(test.reader), true);
    produce(4);
    while (topic_partition(&test.topic, 0)->end < 5 && mesh_clock_mono_us() < until_us) {
        reader_serve(test.reader, 10);
        member_see_ends(reader_member(test.reader));
    }
    assert_int_equal(topic_partition(&test.topic, 0)->end, 5);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 1);
}

/* Ends the reader, which commits six records, and opens another, to which the coordinator gives no
 * answer so many times. Four more records wait for it. */
static void reopen_without_coordinator(size_t times)
{
    enum { OFFSET_FETCH = 9 };
    rd_kafka_resp_err_t errors[200];

    assert_true(times <= MESH_COUNT_OF(errors));
    for (size_t i = 0; i < times; i++) {
        errors[i] = RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
    }
    produce(6);
    collect(6);
    reader_free(test.reader);
    topic_done(&test.topic);
    topic_init(&test.topic, mock_kafka_stream(test.kafka), 0, 1);
    produce(4);
    rd_kafka_mock_push_request_errors_array(mock_kafka_cluster(test.kafka), OFFSET_FETCH, times,
                                            errors);
    test.reader = reader_open();
}

/* librdkafka itself would never read these partitions. */
static void test_a_coordinator_that_moves_is_asked_again(void **state)
{
    (void)state;
    reopen_without_coordinator(3);
    collect(4);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 10);
    assert_false(member_is_dead(reader_member(test.reader)));
}

static void test_without_a_coordinator_it_joins_anew(void **state)
{
    (void)state;
    reopen_without_coordinator(150);
    while (!member_is_dead(reader_member(test.reader))) {
        reader_collect(test.reader, 50);
    }
    assert_true(reader_revive(test.reader, 1));
    collect(4);
    assert_int_equal(topic_partition(&test.topic, 0)->next, 10);
}

/* As when MongoDB is away: librdkafka itself would wait for ever. */
static void test_it_ends_with_records_in_hand(void **state)
{
    (void)state;
    produce(6);
    while (reader_batch(test.reader)->count == 0) {
        reader_collect(test.reader, 50);
    }
    reader_free(test.reader);
    test.reader = NULL;
}

static void test_a_dead_member_joins_anew(void **state)
{
    (void)state;
    produce(6);
    collect(6);
    partition_settle(topic_partition(&test.topic, 0), 4);
    member_commit(reader_member(test.reader), true);
    produce(1);
    while (reader_batch(test.reader)->count == 0) {
        reader_collect(test.reader, 50);
    }
    (void)rd_kafka_test_fatal_error(member_kafka(reader_member(test.reader)),
                                    RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "another has our name");
    assert_true(reader_revive(test.reader, 1));
    assert_int_equal(reader_batch(test.reader)->count, 0);
    assert_null(topic_partition(&test.topic, 0));
    assert_false(member_is_joined(reader_member(test.reader)));
    collect(3); /* two that were not committed, one that was in hand */
    assert_int_equal(topic_partition(&test.topic, 0)->next, 7);
    assert_int_equal(test.finished, 0);
}

static void test_a_member_that_dies_at_once_again_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        (void)rd_kafka_test_fatal_error(member_kafka(reader_member(test.reader)),
                                        RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "once more");
        assert_int_equal(reader_revive(test.reader, 1), i == 0);
    }
    assert_true(member_is_dead(reader_member(test.reader)));
}

/* Let go between an assignment and the answer to it, librdkafka itself would hang. */
static void test_a_member_that_dies_before_it_took_its_partitions_is_let_go(void **state)
{
    (void)state;
    rd_kafka_t *kafka = member_kafka(reader_member(test.reader));
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka);
    int64_t until_us = mesh_clock_mono_us() + JOIN_US_MAX;

    while (rd_kafka_queue_length(queue) == 0) { /* the assignment will be first */
        assert_true(mesh_clock_mono_us() < until_us);
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    rd_kafka_queue_destroy(queue);
    (void)rd_kafka_test_fatal_error(kafka, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "just now");
    assert_true(reader_revive(test.reader, 1));
    assert_false(member_is_dead(reader_member(test.reader)));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)
#define STATIC_CASE(name) cmocka_unit_test_setup_teardown(name, make_static, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_paused_nothing_comes_and_nothing_is_lost),
        CASE(test_what_went_while_paused_is_read_when_it_comes_back),
        CASE(test_only_what_is_settled_is_committed),
        CASE(test_leaving_finishes_and_commits_and_the_next_goes_on_there),
        CASE(test_a_rewind_reads_again_in_repair),
        CASE(test_a_rewind_forgets_what_is_in_hand),
        CASE(test_entries_leave_the_batch_with_their_partition),
        CASE(test_a_group_that_exists_is_joined),
        CASE(test_the_end_is_known_while_reading_is_paused),
        CASE(test_a_coordinator_that_moves_is_asked_again),
        CASE(test_without_a_coordinator_it_joins_anew),
        CASE(test_it_ends_with_records_in_hand),
        STATIC_CASE(test_a_dead_member_joins_anew),
        STATIC_CASE(test_a_member_that_dies_at_once_again_waits),
        STATIC_CASE(test_a_member_that_dies_before_it_took_its_partitions_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
