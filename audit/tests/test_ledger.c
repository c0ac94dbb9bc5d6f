/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what only one of log and archive has is found by its id, also where the counts agree; an
 * event whose records name several groups counts in that of the record which was archived.
 * Method: a small log and its archive, with one thing changed at a time.
 */
#include "cmocka_all.h"
#include "findings.h"
#include "ledger.h"

#include <stdio.h>

enum { EVENTS = 4, GUATEMALA = 0, PERU = 1 };

static struct {
    struct findings findings;
    struct ledger *ledger;
} test;

static int make(void **state)
{
    (void)state;
    test.findings = (struct findings){.stream = &findings_stream};
    test.ledger = ledger_new(&test.findings, 1 << 20);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    ledger_free(test.ledger);
    return 0;
}

static struct mesh_id id_of(unsigned number)
{
    struct mesh_id id;

    (void)snprintf(id.text, sizeof id.text, "0197a2b4-0000-7000-8000-%012x", number);
    return id;
}

static void record(unsigned number, int64_t offset, uint8_t group)
{
    struct mesh_error err = {0};
    struct mesh_id id = id_of(number);

    assert_true(
        ledger_record(test.ledger, &id, (struct position){.offset = offset, .group = group}, &err));
}

static void document(unsigned number, int64_t offset, uint8_t group)
{
    struct document document = {.event = id_of(number),
                                .archived = {.offset = offset, .group = group}};

    (void)snprintf(document.id, sizeof document.id, "%s", document.event.text);
    ledger_document(test.ledger, &document);
}

/* The log: events 0 to 3 at the offsets 0 to 3, all of Guatemala. */
static void log_write(void)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        record(i, i, GUATEMALA);
    }
}

static void test_an_archive_without_documents_misses_everything(void **state)
{
    (void)state;
    log_write();
    ledger_close(test.ledger);
    assert_int_equal(test.findings.kafka.total, EVENTS);
    assert_int_equal(test.findings.mongo.total, 0);
    assert_int_equal(test.findings.missing.count, EVENTS);
    assert_int_equal(test.findings.foreign.count, 0);
}

static void test_one_missing_and_one_foreign_in_a_group_are_both_named(void **state)
{
    (void)state;
    log_write();
    document(0, 0, GUATEMALA);
    document(1, 1, GUATEMALA);
    document(3, 3, GUATEMALA);
    document(77, 2, GUATEMALA);
    ledger_close(test.ledger);
    assert_int_equal(test.findings.mongo.groups[GUATEMALA], EVENTS);
    assert_true(compare_group(&test.findings, PERU));
    assert_int_equal(test.findings.missing.count, 1);
    assert_string_equal(test.findings.missing.ids[0], id_of(2).text);
    assert_int_equal(test.findings.foreign.count, 1);
    assert_string_equal(test.findings.foreign.ids[0], id_of(77).text);
}

static void test_what_has_no_id_of_ours_is_foreign(void **state)
{
    (void)state;
    struct document stranger = {.id = "5f0000000000000000000000"};

    record(0, 0, GUATEMALA);
    document(0, 0, GUATEMALA);
    ledger_document(test.ledger, &stranger);
    ledger_close(test.ledger);
    assert_int_equal(test.findings.mongo.total, 2);
    assert_int_equal(test.findings.missing.count, 0);
    assert_int_equal(test.findings.foreign.count, 1);
    assert_string_equal(test.findings.foreign.ids[0], "5f0000000000000000000000");
}

static void test_a_document_that_comes_twice_counts_once(void **state)
{
    (void)state;
    log_write();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < EVENTS; i++) {
            document(i, i, GUATEMALA);
        }
    }
    ledger_close(test.ledger);
    assert_int_equal(test.findings.mongo.total, EVENTS);
    assert_int_equal(test.findings.missing.count, 0);
    assert_int_equal(test.findings.foreign.count, 0);
}

static void test_an_event_counts_where_its_archived_record_belongs(void **state)
{
    (void)state;
    log_write();
    record(0, 10, GUATEMALA); /* repeats */
    record(1, 11, PERU);      /* archived from here */
    record(2, 12, PERU);      /* archived from the first */
    assert_int_equal(test.findings.repeated, 3);
    assert_int_equal(test.findings.kafka.groups[GUATEMALA], EVENTS);
    document(0, 10, GUATEMALA);
    document(1, 11, PERU);
    document(2, 2, GUATEMALA);
    document(3, 3, GUATEMALA);
    ledger_close(test.ledger);
    assert_int_equal(test.findings.kafka.total, EVENTS);
    assert_int_equal(test.findings.kafka.groups[GUATEMALA], EVENTS - 1);
    assert_int_equal(test.findings.kafka.groups[PERU], 1);
    assert_int_equal(test.findings.mongo.groups[PERU], 1);
    assert_int_equal(test.findings.missing.count, 0);
}

static void test_a_document_of_another_group_than_its_record_shows(void **state)
{
    (void)state;
    log_write();
    record(1, 11, PERU);
    document(0, 0, PERU); /* its record says Guatemala */
    document(1, 1, PERU); /* made of the record that says Guatemala */
    assert_int_equal(test.findings.kafka.groups[PERU], 0);
    assert_int_equal(test.findings.mongo.groups[PERU], 2);
}

static void test_documents_from_before_the_log_stand_for_their_records(void **state)
{
    (void)state;
    struct document old = {.event = id_of(77), .archived = {.group = PERU}};
    struct document again = {.event = id_of(0), .archived = {.group = PERU}};

    log_write();
    ledger_document_before_log(test.ledger, &old);
    ledger_document_before_log(test.ledger,
                               &again); /* the log still has a record that repeats it */
    ledger_document_before_log(test.ledger, &again);
    document(1, 1, GUATEMALA);
    document(2, 2, GUATEMALA);
    ledger_close(test.ledger);
    assert_int_equal(test.findings.before_log, 2);
    assert_int_equal(test.findings.kafka.total, EVENTS + 1);
    assert_int_equal(test.findings.kafka.groups[GUATEMALA], EVENTS - 1);
    assert_int_equal(test.findings.kafka.groups[PERU], 2);
    assert_int_equal(test.findings.repeated, 1);
    assert_int_equal(test.findings.mongo.total, 4);
    assert_int_equal(test.findings.missing.count, 1); /* event 3 */
    assert_int_equal(test.findings.foreign.count, 0);
}

static void test_limits_are_errors(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    unsigned count = 0;
    bool ok = true;

    for (; ok && count < (1 << 20); count++) {
        struct mesh_id id = id_of(count);
        ok = ledger_record(test.ledger, &id, (struct position){.offset = count}, &err);
    }
    assert_false(ok);
    assert_int_equal(err.code, MESH_RESOURCE_EXHAUSTED);
    err = (struct mesh_error){0};
    ok = true;
    struct mesh_id known = id_of(0);
    for (count = 0; ok && count < (1 << 20); count++) {
        ok = ledger_record(test.ledger, &known, (struct position){.offset = count, .group = PERU},
                           &err);
    }
    assert_false(ok);
    assert_int_equal(err.code, MESH_RESOURCE_EXHAUSTED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_an_archive_without_documents_misses_everything),
        CASE(test_one_missing_and_one_foreign_in_a_group_are_both_named),
        CASE(test_what_has_no_id_of_ours_is_foreign),
        CASE(test_a_document_that_comes_twice_counts_once),
        CASE(test_an_event_counts_where_its_archived_record_belongs),
        CASE(test_a_document_of_another_group_than_its_record_shows),
        CASE(test_documents_from_before_the_log_stand_for_their_records),
        CASE(test_limits_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
