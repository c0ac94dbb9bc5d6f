/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/error.h"

#include "mesh/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    const char *name;
    int http_status;
    bool retryable;
};

static const struct code_row code_rows[MESH_CODE_COUNT] = {
#define X(code, number, http, safe) [number] = {#code, http, safe},
    MESH_CODES(X)
#undef X
};

static const struct code_row *row_of(enum mesh_code code)
{
    return (unsigned)code < MESH_CODE_COUNT ? &code_rows[code] : &code_rows[MESH_UNKNOWN];
}

const char *mesh_code_name(enum mesh_code code)
{
    return row_of(code)->name;
}

int mesh_code_http_status(enum mesh_code code)
{
    return row_of(code)->http_status;
}

bool mesh_code_retryable(enum mesh_code code)
{
    return row_of(code)->retryable;
}

bool mesh_fail(struct mesh_error *err, enum mesh_code code, const char *format, ...)
{
    err->code = code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return false;
}

bool mesh_error_prefix(struct mesh_error *err, const char *format, ...)
{
    struct mesh_buffer text = {0};
    va_list args;
    va_start(args, format);
    mesh_buffer_add_format_args(&text, format, args);
    va_end(args);
    mesh_buffer_add_text(&text, ": ");
    mesh_buffer_add(&text, mesh_bytes_of(err->text, strlen(err->text)));
    size_t size = text.size < sizeof(err->text) ? text.size : sizeof(err->text) - 1;
    memcpy(err->text, text.data, size);
    err->text[size] = '\0';
    mesh_buffer_done(&text);
    return false;
}
