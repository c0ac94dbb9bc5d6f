/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include "id_set.h"
#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

/* A stream whose clients retry so much is not worth the memory. */
enum { DOUBT_COUNT_MAX = 1000000 };

struct doubt {
    struct mesh_id id;
    uint8_t group; /* of the first record */
    bool open;     /* still to be asked; false: it was settled by a document before the log */
};

struct tally {
    const struct cut *cut;
    struct id_set *ids; /* counted below the cut, each with the group of its first record */
    struct tally_counts counts;
    struct doubt *doubts;
    size_t doubt_count;
    size_t doubt_capacity;
    size_t decided;   /* doubts before this one were asked */
    size_t regrouped; /* the first so many were doubted for their groups, and are still in .ids */
    bool taking;      /* no more records below the cut */
};

struct tally *tally_new(const struct cut *cut, size_t bytes_max)
{
    struct tally *tally = mesh_new(struct tally);

    tally->cut = cut;
    tally->ids = id_set_new(bytes_max);
    return tally;
}

static void count(struct tally *tally, uint8_t group)
{
    tally->counts.groups[group]++;
    tally->counts.total++;
}

static void uncount(struct tally *tally, uint8_t group)
{
    tally->counts.groups[group]--;
    tally->counts.total--;
}

static bool doubt_add(struct tally *tally, const struct mesh_id *id, struct mesh_error *err)
{
    if (tally->doubt_count == DOUBT_COUNT_MAX) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                         "more than %d events have records that differ: try --from mongodb",
                         DOUBT_COUNT_MAX);
    }
    if (tally->doubt_count == tally->doubt_capacity) {
        tally->doubt_capacity = tally->doubt_capacity * 2 + 64;
        tally->doubts = mesh_realloc(tally->doubts, tally->doubt_capacity * sizeof(struct doubt));
    }
    tally->doubts[tally->doubt_count++] = (struct doubt){.id = *id};
    return true;
}

bool tally_record(struct tally *tally, const struct mesh_id *id, uint8_t group,
                  struct mesh_error *err)
{
    uint8_t first = 0;

    assert(!tally->taking);
    switch (id_set_add(tally->ids, id, group, &first)) {
    case ID_SET_NEW:
        count(tally, group);
        return true;
    case ID_SET_KNOWN:
        return true;
    case ID_SET_OTHER_GROUP:
        tally->regrouped++;
        return doubt_add(tally, id, err);
    case ID_SET_FULL:
        break;
    }
    return mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                     "the ids need more than MEMORY_MB_MAX: raise it, or try --from mongodb");
}

void tally_document_before_log(struct tally *tally, const struct document *document)
{
    const struct position *archived = &document->archived;
    uint8_t first = 0;

    tally->taking = true;
    if (!cut_is_before_log(tally->cut, archived->partition, archived->offset)) {
        return;
    }
    /* Records of it that are still in the log only repeat it. */
    if (document->event.text[0] != '\0' &&
        id_set_take(tally->ids, &document->event, &first) == ID_SET_TAKEN) {
        uncount(tally, first);
    }
    count(tally, archived->group);
    tally->counts.archived_before++;
}

void tally_document(struct tally *tally, const struct document *document)
{
    const struct position *archived = &document->archived;

    if (!cut_holds(tally->cut, archived->partition, archived->offset)) {
        return;
    }
    count(tally, archived->group);
    if (cut_is_before_log(tally->cut, archived->partition, archived->offset)) {
        tally->counts.archived_before++;
    }
}

/* Takes what was doubted for its groups out of the set, so that each event is asked once. */
static void regrouped_take(struct tally *tally)
{
    tally->taking = true;
    for (size_t i = 0; i < tally->regrouped; i++) {
        struct doubt *doubt = &tally->doubts[i];
        doubt->open = id_set_take(tally->ids, &doubt->id, &doubt->group) == ID_SET_TAKEN;
        if (doubt->open) {
            uncount(tally, doubt->group);
        }
    }
    tally->regrouped = 0;
}

bool tally_record_above(struct tally *tally, const struct mesh_id *id, struct mesh_error *err)
{
    uint8_t first = 0;

    regrouped_take(tally);
    if (id_set_take(tally->ids, id, &first) != ID_SET_TAKEN) {
        return true;
    }
    uncount(tally, first);
    if (!doubt_add(tally, id, err)) {
        return false;
    }
    tally->doubts[tally->doubt_count - 1].group = first;
    tally->doubts[tally->doubt_count - 1].open = true;
    return true;
}

bool tally_doubt(struct tally *tally, struct mesh_id *out)
{
    regrouped_take(tally);
    while (tally->decided < tally->doubt_count && !tally->doubts[tally->decided].open) {
        tally->decided++;
    }
    if (tally->decided == tally->doubt_count) {
        return false;
    }
    *out = tally->doubts[tally->decided].id;
    return true;
}

void tally_decide(struct tally *tally, const struct document *document)
{
    assert(tally->decided < tally->doubt_count);

    const struct doubt *doubt = &tally->doubts[tally->decided++];
    if (document == NULL) {
        count(tally, doubt->group);
    } else if (cut_holds(tally->cut, document->archived.partition, document->archived.offset)) {
        count(tally, document->archived.group);
    }
}

const struct tally_counts *tally_counts(const struct tally *tally)
{
    return &tally->counts;
}

void tally_free(struct tally *tally)
{
    if (tally == NULL) {
        return;
    }
    id_set_free(tally->ids);
    free(tally->doubts);
    free(tally);
}
