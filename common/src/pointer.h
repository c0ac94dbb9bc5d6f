/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pointer: the way from a JSON document's root to a value, as RFC 6901 writes it.
 *
 * Built on the stack while a reader descends: each level points to the one above. Threads: plain
 * values. Views are borrowed.
 */
#ifndef MESH_POINTER_H
#define MESH_POINTER_H

#include "mesh/bytes.h"

#include <stddef.h>

struct mesh_pointer {
    const struct mesh_pointer *parent; /* NULL: this is the root, and has no step */
    struct mesh_bytes key;             /* of an object's member */
    size_t index;                      /* of an array's item, when key.data is NULL */
};

/* The way to a member or an item of the value that `parent` leads to. Inline: made for each value,
 * though only those of problems are written. */
static inline struct mesh_pointer mesh_pointer_key(const struct mesh_pointer *parent,
                                                   struct mesh_bytes key)
{
    return (struct mesh_pointer){.parent = parent, .key = key};
}

static inline struct mesh_pointer mesh_pointer_item(const struct mesh_pointer *parent, size_t index)
{
    return (struct mesh_pointer){.parent = parent, .index = index};
}

/* Writes "/a/0/b" and its NUL; what does not fit is cut after a whole code point. */
void mesh_pointer_write(const struct mesh_pointer *pointer, char *out, size_t out_size);

#endif
