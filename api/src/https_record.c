/* SPDX-License-Identifier: Apache-2.0 */
#include "https_record.h"

#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A head and as much of its body as a record holds (RFC 8446, 5.1). */
#define RECORD_BYTES 16384

struct https_record {
    bool gathers;            /* what is sent next is a head, and a body follows */
    bool sealed;             /* GnuTLS has it, the head in it, and has to be asked again */
    struct mesh_buffer head; /* that waits */
};

struct https_record *https_record_new(gnutls_session_t session)
{
    struct https_record *record = mesh_new(struct https_record);

    /* A pointer for stores of sessions, of which there are none; NULL in any session but ours. */
    gnutls_db_set_ptr(session, record);
    return record;
}

void https_record_gather(struct https_record *record)
{
    record->gathers = true;
}

void https_record_free(struct https_record *record)
{
    if (record == NULL) {
        return;
    }
    mesh_buffer_done(&record->head);
    free(record);
}

static ssize_t hold(struct https_record *record, struct mesh_bytes head)
{
    record->gathers = false;
    mesh_buffer_add(&record->head, head);
    return (ssize_t)head.size;
}

/* Sends the head with what fits beside it; returns what GnuTLS took of both. */
static ssize_t seal(struct https_record *record, gnutls_session_t session, struct mesh_bytes body)
{
    struct mesh_buffer *head = &record->head;
    size_t head_size = head->size;
    size_t room = head_size < RECORD_BYTES ? RECORD_BYTES - head_size : 0;

    if (record->sealed) {
        /* Not the bytes once more: had the client's wish for a new key been read in between, GnuTLS
         * would send them twice. */
        return gnutls_record_send2(session, NULL, 0, 0, 0);
    }
    mesh_buffer_add(head, mesh_bytes_of(body.data, body.size < room ? body.size : room));
    ssize_t sent = gnutls_record_send2(session, head->data, head->size, 0, 0);
    head->size = head_size;
    return sent;
}

/* Returns how much of the body was sent, or GnuTLS's error. */
static ssize_t send_with_head(struct https_record *record, gnutls_session_t session,
                              struct mesh_bytes body)
{
    struct mesh_buffer *head = &record->head;

    for (;;) {
        ssize_t sent = seal(record, session, body);
        record->sealed = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
        if (sent < 0) {
            return sent;
        }
        if ((size_t)sent >= head->size) {
            size_t more = (size_t)sent - head->size;
            mesh_buffer_done(head);
            return more > 0 ? (ssize_t)more
                            : gnutls_record_send2(session, body.data, body.size, 0, 0);
        }
        /* The client wants records that are smaller than a head. */
        head->size -= (size_t)sent;
        memmove(head->data, head->data + sent, head->size);
    }
}

/* libmicrohttpd's calls come here. */
ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t size)
{
    struct https_record *record = gnutls_db_get_ptr(session);

    if (record != NULL && record->gathers) {
        return hold(record, mesh_bytes_of(data, size));
    }
    if (record != NULL && record->head.size > 0) {
        return send_with_head(record, session, mesh_bytes_of(data, size));
    }
    return gnutls_record_send2(session, data, size, 0, 0);
}
