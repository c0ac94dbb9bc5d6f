/* SPDX-License-Identifier: Apache-2.0 */
#include "mutants.h"

#include "mesh/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mutant mutant;

static const struct {
    const char *name;
    const char *text;
} names[] = {
#define X(name, text) {#name, text},
    MUTANTS(X)
#undef X
};

/* What is put in the place of what in counters.lua. */
static const struct {
    enum mutant mutant;
    const char *from;
    const char *to;
} edits[] = {
    {MUTANT_settle_past_gap, "if range.first > watermark then", "if false then"},
    {MUTANT_apply_twice, "and value % (mask + mask) < mask then\n      value = value + mask\n",
     "then\n      value = bit.bor(value, mask)\n"},
    {MUTANT_settle_twice, "elseif not applied then", "else"},
    {MUTANT_duplicate_kept, "      if applied then\n        added[group] = (added[group] or 0) - 1",
     "      if false then\n        added[group] = (added[group] or 0) - 1"},
    {MUTANT_two_writes, "    redis.call(command, key, unpack(items))",
     "    redis.call(command, key, items[1], items[2])\n"
     "    redis.call(command, key, unpack(items))"},
};

bool mutants_plant(const char *name)
{
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        if (strcmp(names[i].name, name) == 0) {
            mutant = (enum mutant)(i + 1);
            return true;
        }
    }
    return false;
}

void mutants_list(void)
{
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        (void)printf("%-22s %s\n", names[i].name, names[i].text);
    }
}

char *mutants_library(struct mesh_bytes text)
{
    char *copy = mesh_strndup((const char *)text.data, text.size);

    for (size_t i = 0; i < MESH_COUNT_OF(edits); i++) {
        if (edits[i].mutant != mutant) {
            continue;
        }
        char *at = strstr(copy, edits[i].from);
        if (at == NULL) {
            (void)fprintf(stderr, "counters.lua does not hold any more: %s\n", edits[i].from);
            abort();
        }
        *at = '\0';
        char *edited = mesh_format("%s%s%s", copy, edits[i].to, at + strlen(edits[i].from));
        free(copy);
        return edited;
    }
    return copy;
}
