/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include "mesh/alloc.h"

#include <stdlib.h>

void outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){.end = &outbox->first};
}

void outbox_add(struct outbox *outbox, grpc_slice message, bool answers)
{
    struct outgoing *outgoing = mesh_new(struct outgoing);

    outgoing->message = grpc_raw_byte_buffer_create(&message, 1);
    outgoing->answers = answers;
    *outbox->end = outgoing;
    outbox->end = &outgoing->next;
}

struct outgoing *outbox_take(struct outbox *outbox)
{
    struct outgoing *first = outbox->first;

    if (first != NULL) {
        outbox->first = first->next;
        if (outbox->first == NULL) {
            outbox->end = &outbox->first;
        }
    }
    return first;
}

void outbox_done(struct outbox *outbox)
{
    for (struct outgoing *first = outbox_take(outbox); first != NULL; first = outbox_take(outbox)) {
        outgoing_free(first);
    }
}

void outgoing_free(struct outgoing *outgoing)
{
    if (outgoing != NULL) {
        grpc_byte_buffer_destroy(outgoing->message);
        free(outgoing);
    }
}
