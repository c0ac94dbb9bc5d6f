/* SPDX-License-Identifier: Apache-2.0 */
#include "framing.h"

#include <stddef.h>
#include <strings.h>

struct seen {
    unsigned lengths;
    unsigned codings;
    unsigned keys;
};

static enum MHD_Result count(void *arg, enum MHD_ValueKind kind, const char *name,
                             const char *value)
{
    (void)kind;
    (void)value;
    struct seen *seen = arg;
    seen->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    seen->codings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    seen->keys += strcasecmp(name, "Idempotency-Key") == 0;
    return MHD_YES;
}

bool framing_is_clear(struct MHD_Connection *mhd)
{
    struct seen seen = {0};
    (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, count, &seen);
    return seen.lengths + seen.codings <= 1 && seen.keys <= 1;
}
