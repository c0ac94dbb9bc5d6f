/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *there_or_abort(void *memory)
{
    if (memory == NULL) {
        /* No log: formatting a line might need memory. */
        (void)fputs("{\"level\":\"error\",\"event\":\"out of memory\"}\n", stderr);
        abort();
    }
    return memory;
}

void *mesh_alloc_zeroed(size_t count, size_t size)
{
    return there_or_abort(calloc(count > 0 ? count : 1, size));
}

void *mesh_alloc(size_t size)
{
    return there_or_abort(malloc(size > 0 ? size : 1));
}

void *mesh_realloc(void *memory, size_t size)
{
    return there_or_abort(realloc(memory, size > 0 ? size : 1));
}

char *mesh_strdup(const char *text)
{
    return mesh_strndup(text, strlen(text));
}

char *mesh_strndup(const char *text, size_t size)
{
    char *copy = mesh_alloc(size + 1);
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    return copy;
}

char *mesh_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    return there_or_abort(size < 0 ? NULL : text);
}
