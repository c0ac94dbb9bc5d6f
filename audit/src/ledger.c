/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include "id_set.h"
#include "mesh/alloc.h"

#include <stdlib.h>

/* Records that name another group than the first of their event; a stream whose clients do that
 * all the time is not worth the memory. */
enum { REGROUPED_COUNT_MAX = 100000 };

struct ledger {
    struct findings *findings;
    struct id_set *ids;         /* each with the group of its first record */
    struct positions regrouped; /* sorted when the first document comes */
    bool sorted;
};

struct ledger *ledger_new(struct findings *findings, size_t bytes_max)
{
    struct ledger *ledger = mesh_new(struct ledger);

    ledger->findings = findings;
    ledger->ids = id_set_new(bytes_max);
    return ledger;
}

bool ledger_record(struct ledger *ledger, const struct mesh_id *id, struct position at,
                   struct mesh_error *err)
{
    struct findings *findings = ledger->findings;
    uint8_t first = 0;

    switch (id_set_add(ledger->ids, id, at.group, &first)) {
    case ID_SET_NEW:
        findings->kafka.total++;
        findings->kafka.groups[at.group]++;
        return true;
    case ID_SET_KNOWN:
        findings->repeated++;
        return true;
    case ID_SET_OTHER_GROUP:
        findings->repeated++;
        break;
    case ID_SET_FULL:
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                         "stream %s: its ids need more than MEMORY_MB_MAX", findings->stream->name);
    }
    if (ledger->regrouped.count == REGROUPED_COUNT_MAX) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                         "stream %s: more than %d records name another group than the first of "
                         "their event",
                         findings->stream->name, REGROUPED_COUNT_MAX);
    }
    positions_add(&ledger->regrouped, at);
    return true;
}

/* Takes the document's event out of the log's; *out_first is the group of its first record. */
static enum id_set_taken event_take(struct ledger *ledger, const struct document *document,
                                    uint8_t *out_first)
{
    if (!ledger->sorted) {
        positions_sort(&ledger->regrouped);
        ledger->sorted = true;
    }
    return document->event.text[0] == '\0' ? ID_SET_ABSENT
                                           : id_set_take(ledger->ids, &document->event, out_first);
}

static void archived_add(struct findings *findings, const struct document *document)
{
    findings->mongo.total++;
    findings->mongo.groups[document->archived.group]++;
}

void ledger_document(struct ledger *ledger, const struct document *document)
{
    struct findings *findings = ledger->findings;
    const struct position *archived = &document->archived;
    uint8_t first = 0;
    enum id_set_taken taken = event_take(ledger, document, &first);

    if (taken == ID_SET_TAKEN_BEFORE) {
        return; /* a document that was changed meanwhile may come twice */
    }
    archived_add(findings, document);
    if (taken == ID_SET_ABSENT) {
        compare_stray(&findings->foreign, document->id);
        return;
    }
    const struct position *record =
        positions_find(&ledger->regrouped, archived->partition, archived->offset);
    if (record != NULL) {
        findings->kafka.groups[first]--;
        findings->kafka.groups[record->group]++;
    }
}

void ledger_document_before_log(struct ledger *ledger, const struct document *document)
{
    struct findings *findings = ledger->findings;
    uint8_t first = 0;
    enum id_set_taken taken = event_take(ledger, document, &first);

    if (taken == ID_SET_TAKEN_BEFORE) {
        return;
    }
    archived_add(findings, document);
    findings->before_log++;
    if (taken == ID_SET_TAKEN) {
        findings->kafka.groups[first]--;
        findings->kafka.total--;
        findings->repeated++;
    }
    findings->kafka.groups[document->archived.group]++;
    findings->kafka.total++;
}

void ledger_close(struct ledger *ledger)
{
    struct mesh_id id;
    size_t at = 0;

    while (id_set_next(ledger->ids, &at, &id)) {
        compare_stray(&ledger->findings->missing, id.text);
    }
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    id_set_free(ledger->ids);
    positions_done(&ledger->regrouped);
    free(ledger);
}
