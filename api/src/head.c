/* SPDX-License-Identifier: Apache-2.0 */
#include "head.h"

#include "mesh/macros.h"

#include <stddef.h>
#include <strings.h>

enum header {
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    IDEMPOTENCY_KEY,
    TRACEPARENT,
    HEADER_COUNT
};

#define NAME(text) {(text), sizeof(text) - 1}

static const struct {
    const char *text;
    size_t size; /* no two have the same */
} names[] = {
    [CONTENT_TYPE] = NAME(MHD_HTTP_HEADER_CONTENT_TYPE),
    [CONTENT_ENCODING] = NAME(MHD_HTTP_HEADER_CONTENT_ENCODING),
    [CONTENT_LENGTH] = NAME(MHD_HTTP_HEADER_CONTENT_LENGTH),
    [TRANSFER_ENCODING] = NAME(MHD_HTTP_HEADER_TRANSFER_ENCODING),
    [IDEMPOTENCY_KEY] = NAME("Idempotency-Key"),
    [TRACEPARENT] = NAME("traceparent"),
};

struct seen {
    const char *first[HEADER_COUNT];
    unsigned count[HEADER_COUNT];
};

static enum MHD_Result look(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size,
                            const char *value, size_t value_size)
{
    (void)kind;
    (void)value_size;
    struct seen *seen = arg;
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        if (names[i].size == name_size && strcasecmp(names[i].text, name) == 0) {
            if (seen->count[i]++ == 0) {
                seen->first[i] = value;
            }
            break;
        }
    }
    return MHD_YES;
}

struct head head_read(struct MHD_Connection *mhd)
{
    struct seen seen = {0};
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, look, &seen);
    return (struct head){
        .content_type = seen.first[CONTENT_TYPE],
        .content_encoding = seen.first[CONTENT_ENCODING],
        .content_length = seen.first[CONTENT_LENGTH],
        .transfer_encoding = seen.first[TRANSFER_ENCODING],
        .idempotency_key = seen.first[IDEMPOTENCY_KEY],
        .traceparent = seen.first[TRACEPARENT],
        .ambiguous = seen.count[CONTENT_LENGTH] + seen.count[TRANSFER_ENCODING] > 1 ||
                     seen.count[IDEMPOTENCY_KEY] > 1,
    };
}
