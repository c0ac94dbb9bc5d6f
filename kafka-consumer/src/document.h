/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document: the archive's form of an event.
 *
 * Threads: any. Nothing blocks.
 */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "batch.h"

#include <bson/bson.h>

/* Writes the document of an entry whose record was read into *out (initialised; what it held is
 * gone). NULL, or a constant that says why there can be none. */
const char *document_write(bson_t *out, const struct entry *entry);

#endif
