/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutants: errors planted on purpose, to see that the simulation notices them.
 *
 * Those of C code are planted where one module calls another (--wrap), in the *_side.c files.
 * Threads: one.
 */
#ifndef SIMULATION_MUTANTS_H
#define SIMULATION_MUTANTS_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* X(name, what is wrong then) */
/* clang-format off */
#define MUTANTS(X)                                                                             \
    X(settle_past_gap,       "settle goes on where Redis has lost what lies before")           \
    X(apply_twice,           "apply counts what the bitmap says is counted")                   \
    X(settle_twice,          "settle counts what a hint has counted")                          \
    X(duplicate_kept,        "settle does not take back what was counted at two offsets")      \
    X(two_writes,            "apply writes the bitmap and the counts one after the other")     \
    X(believe_all,           "grpc-server believes every offset that it is told")              \
    X(believe_valid,         "grpc-server believes every offset that is not negative")         \
    X(commit_before_settle,  "what is archived is committed before it is settled")             \
    X(repeated_is_new,       "the consumer counts an event that the archive has already")      \
    X(settle_before_archive, "what was read is settled before MongoDB has all of it")          \
    X(sent_is_not_stored,    "api says \"not stored\" of what it has sent")                    \
    X(resent_is_not_stored,  "api takes a refusal of what it has sent again for the truth")
/* clang-format on */

enum mutant {
    MUTANT_NONE,
#define X(name, text) MUTANT_##name,
    MUTANTS(X)
#undef X
};

extern enum mutant mutant;

/* False: there is no mutant of this name. */
bool mutants_plant(const char *name);
/* Prints the names. */
void mutants_list(void);
/* The library as Redis gets it; the caller frees it. */
char *mutants_library(struct mesh_bytes text);
/* The offset that is committed where the consumer wanted `offset`. member: kafka-consumer's. */
int64_t mutants_commit(void *member, int32_t partition, int64_t offset);

#endif
