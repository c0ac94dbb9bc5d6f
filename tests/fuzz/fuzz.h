/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz: what every target needs.
 */
#ifndef MESH_FUZZ_H
#define MESH_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Like assert(), but in every kind of build. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: must be: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
