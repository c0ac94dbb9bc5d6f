/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each event counts once, in the group and on the side of the cut where its document says.
 * Method: two partitions with the log [100, 200) and [0, 50) and the cut at 150 and 20; records and
 * documents entered by hand.
 */
#include "cmocka_all.h"
#include "tally.h"

#include <stdio.h>

enum { GUATEMALA = 0, PERU = 1 };

static struct log_bounds bounds[] = {{.first = 100, .end = 200}, {.first = 0, .end = 50}};
static int64_t marks[] = {150, 20};
static const struct cut cut = {.log = {.partitions = bounds, .count = 2}, .marks = marks};

static struct tally *tally;

static int make(void **state)
{
    (void)state;
    tally = tally_new(&cut, 1 << 20);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    tally_free(tally);
    return 0;
}

static struct mesh_id id_of(unsigned number)
{
    struct mesh_id id;

    (void)snprintf(id.text, sizeof id.text, "0197a2b4-0000-7000-8000-%012x", number);
    return id;
}

static void below(unsigned number, uint8_t group)
{
    struct mesh_error err = {0};
    struct mesh_id id = id_of(number);

    assert_true(tally_record(tally, &id, group, &err));
}

static void above(unsigned number)
{
    struct mesh_error err = {0};
    struct mesh_id id = id_of(number);

    assert_true(tally_record_above(tally, &id, &err));
}

static struct document document_of(unsigned number, int32_t partition, int64_t offset,
                                   uint8_t group)
{
    return (struct document){
        .event = id_of(number),
        .archived = {.partition = partition, .offset = offset, .group = group}};
}

static void assert_counts(uint64_t guatemala, uint64_t peru)
{
    const struct tally_counts *counts = tally_counts(tally);

    assert_int_equal(counts->groups[GUATEMALA], guatemala);
    assert_int_equal(counts->groups[PERU], peru);
    assert_int_equal(counts->total, guatemala + peru);
}

/* The next doubt must be this one. */
static void decide(unsigned number, const struct document *document)
{
    struct mesh_id id;
    struct mesh_id expected = id_of(number);

    assert_true(tally_doubt(tally, &id));
    assert_string_equal(id.text, expected.text);
    tally_decide(tally, document);
}

static void test_records_of_one_event_count_once(void **state)
{
    (void)state;
    struct mesh_id id;

    below(1, PERU);
    below(2, PERU);
    below(1, PERU);
    above(3); /* seen above only: the consumer's */
    assert_false(tally_doubt(tally, &id));
    assert_counts(0, 2);
}

static void test_the_document_decides_on_which_side_of_the_cut_an_event_counts(void **state)
{
    (void)state;
    struct document first = document_of(1, 0, 149, PERU);
    struct document later = document_of(2, 0, 150, PERU);

    below(1, PERU);
    below(2, PERU);
    below(3, PERU);
    above(1);
    above(2);
    above(3);
    above(3);
    assert_counts(0, 0);
    decide(1, &first);
    decide(2, &later);
    decide(3, NULL); /* the archive has lost it */
    assert_counts(0, 2);
}

static void test_the_document_decides_in_which_group_an_event_counts(void **state)
{
    (void)state;
    struct mesh_id id;
    struct document peru = document_of(1, 1, 19, PERU);
    struct document later = document_of(2, 1, 20, PERU);

    below(1, GUATEMALA);
    below(1, PERU);
    below(1, PERU); /* another doubt about the same event */
    below(2, GUATEMALA);
    below(2, PERU);
    below(3, GUATEMALA);
    above(2);
    above(1);
    decide(1, &peru);
    decide(2, &later);
    assert_false(tally_doubt(tally, &id));
    assert_counts(1, 1);
}

static void test_documents_from_before_the_log_count_once_with_what_the_log_repeats(void **state)
{
    (void)state;
    struct mesh_id id;
    struct document gone = document_of(1, 0, 99, PERU);
    struct document repeated = document_of(2, 0, 5, PERU);
    struct document doubted = document_of(3, 0, 6, PERU);
    struct document kept = document_of(4, 0, 100, PERU);
    struct document of_partition_1 = document_of(5, 1, 5, PERU);
    struct document foreign = document_of(6, 7, 5, PERU);
    struct document nowhere = document_of(7, -1, -1, PERU);

    below(2, GUATEMALA);
    below(3, GUATEMALA);
    below(3, PERU);
    below(4, PERU);
    tally_document_before_log(tally, &gone);
    tally_document_before_log(tally, &repeated);
    tally_document_before_log(tally, &doubted);
    tally_document_before_log(tally, &kept);
    tally_document_before_log(tally, &of_partition_1);
    tally_document_before_log(tally, &foreign);
    tally_document_before_log(tally, &nowhere);
    above(2);
    above(3);
    assert_false(tally_doubt(tally, &id));
    assert_counts(0, 4);
    assert_int_equal(tally_counts(tally)->archived_before, 3);
}

static void test_from_the_archive_alone_what_is_below_the_cut_counts(void **state)
{
    (void)state;
    const struct document documents[] = {
        document_of(1, 0, 0, PERU),   document_of(2, 0, 149, GUATEMALA),
        document_of(3, 0, 150, PERU), document_of(4, 1, 19, PERU),
        document_of(5, 1, 20, PERU),  document_of(6, 2, 0, PERU),
        document_of(7, -1, -1, PERU),
    };

    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        tally_document(tally, &documents[i]);
    }
    assert_counts(1, 2);
    assert_int_equal(tally_counts(tally)->archived_before, 1);
}

static void test_too_many_ids_are_an_error(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct tally *small = tally_new(&cut, 1);
    bool ok = true;

    for (unsigned i = 0; ok && i < 10000; i++) {
        struct mesh_id id = id_of(i);
        ok = tally_record(small, &id, PERU, &err);
    }
    assert_false(ok);
    assert_int_equal(err.code, MESH_RESOURCE_EXHAUSTED);
    tally_free(small);
}

static void test_sums_of_the_cut(void **state)
{
    (void)state;
    assert_int_equal(cut_settled(&cut), 170);
    assert_true(cut_log_is_trimmed(&cut));
    assert_true(cut_holds(&cut, 1, 19));
    assert_false(cut_holds(&cut, 1, 20));
    assert_false(cut_holds(&cut, 2, 0));
    assert_true(cut_is_before_log(&cut, 0, 99));
    assert_false(cut_is_before_log(&cut, 0, -1));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_records_of_one_event_count_once),
        CASE(test_the_document_decides_on_which_side_of_the_cut_an_event_counts),
        CASE(test_the_document_decides_in_which_group_an_event_counts),
        CASE(test_documents_from_before_the_log_count_once_with_what_the_log_repeats),
        CASE(test_from_the_archive_alone_what_is_below_the_cut_counts),
        CASE(test_too_many_ids_are_an_error),
        CASE(test_sums_of_the_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
