/* SPDX-License-Identifier: Apache-2.0 */
#include "problem.h"

#include <assert.h>

struct entry {
    int status;
    const char *type;
    const char *title;
    /* Everything that does not vary, ready to be copied. */
    const char *head;
    const char *detail;
};

static const struct entry entries[] = {
#define X(name, status, type, title, detail)                                                       \
    {(status), (type), (title),                                                                    \
     "{\"type\":\"" PROBLEM_TYPE_PREFIX type "\",\"title\":\"" title "\",\"status\":" #status,     \
     (detail)},
    PROBLEMS(X)
#undef X
};

int problem_status(enum problem_kind kind)
{
    assert(kind < PROBLEM_COUNT);
    return entries[kind].status;
}

const char *problem_title(enum problem_kind kind)
{
    return entries[kind].title;
}

const char *problem_type(enum problem_kind kind)
{
    return entries[kind].type;
}

enum problem_kind problem_of_code(enum mesh_code code)
{
    assert(code != MESH_OK);
    if (code == MESH_INVALID_ARGUMENT) {
        return PROBLEM_DOES_NOT_FIT;
    }
    if (code == MESH_RESOURCE_EXHAUSTED) {
        return PROBLEM_OVERLOADED;
    }
    return mesh_code_retryable(code) ? PROBLEM_UNAVAILABLE : PROBLEM_OUTCOME_UNKNOWN;
}

void problem_open(struct mesh_buffer *out, enum problem_kind kind, const char *detail)
{
    mesh_buffer_add_text(out, entries[kind].head);
    mesh_buffer_add_text(out, ",\"detail\":");
    mesh_buffer_add_json(out, mesh_bytes_of_text(detail != NULL ? detail : entries[kind].detail));
}

void problem_write(struct mesh_buffer *out, enum problem_kind kind, const char *detail)
{
    problem_open(out, kind, detail);
    mesh_buffer_add_text(out, "}");
}
