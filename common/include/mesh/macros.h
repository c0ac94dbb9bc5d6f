/* SPDX-License-Identifier: Apache-2.0 */
/*
 * macros: compiler attributes that gcc and clang share, under names that say what they are for.
 */
#ifndef MESH_MACROS_H
#define MESH_MACROS_H

#define MESH_MUST_CHECK __attribute__((warn_unused_result))
#define MESH_PRINTF(format_index, args_index)                                                      \
    __attribute__((format(printf, format_index, args_index)))

/* A local variable that the release build does not fill with zeros first. Only for what is large,
 * on the way of every event, and never read before it is written: say how that is sure. */
#define MESH_UNINITIALIZED __attribute__((uninitialized))

#define MESH_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
