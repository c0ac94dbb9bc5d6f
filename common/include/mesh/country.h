/* SPDX-License-Identifier: Apache-2.0 */
/*
 * country: ISO 3166-1 codes (and XK, Kosovo) and names in many languages become one English short
 * name.
 *
 * The table is generated at build time from Debian's iso-codes: alpha-2, alpha-3 and numeric codes,
 * English names, official and common names, Spanish and the other translations. Case, accents,
 * punctuation and spaces do not matter. Threads: any; read-only. Nothing blocks or fails, and
 * nothing is allocated.
 */
#ifndef MESH_COUNTRY_H
#define MESH_COUNTRY_H

#include "mesh/bytes.h"

#include <stddef.h>

/* Longer texts name no country. */
#define MESH_COUNTRY_CODE_POINTS_MAX 64
#define MESH_COUNTRY_BYTES_MAX 256

/* Groups of a stream that counts by country: the countries and, last, "Unknown". */
size_t mesh_country_count(void);
/* English short name, in alphabetical order; index below mesh_country_count(). */
const char *mesh_country_name(size_t index);
/* Index of "Unknown". */
size_t mesh_country_unknown(void);
/* The index for a code or name as people write it; mesh_country_unknown() when it is none. */
size_t mesh_country_find(struct mesh_bytes utf8);

#endif
