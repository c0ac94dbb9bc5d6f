/* SPDX-License-Identifier: Apache-2.0 */
/*
 * country_table: what country_table.py generates and country.c reads.
 */
#ifndef MESH_COUNTRY_TABLE_H
#define MESH_COUNTRY_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* What a code point above ASCII becomes: lower case without accents, or nothing. */
struct mesh_country_fold {
    uint32_t code_point;
    char folded[12]; /* UTF-8 */
};

/* A folded name. */
struct mesh_country_key {
    uint32_t offset; /* in mesh_country_key_text */
    uint16_t size;
    uint8_t country; /* in mesh_country_names */
};

extern const char *const mesh_country_names[]; /* sorted; the last is "Unknown" */
extern const size_t mesh_country_name_count;
extern const struct mesh_country_fold mesh_country_folds[]; /* sorted by code point */
extern const size_t mesh_country_fold_count;
extern const char mesh_country_key_text[];
extern const struct mesh_country_key mesh_country_keys[];
/* Hash table, at most half full: 0 is empty, else the number of a key, plus 1. */
extern const uint16_t mesh_country_slots[];
extern const uint32_t mesh_country_slot_mask;

#endif
