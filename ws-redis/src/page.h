/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: answers plain HTTP on the WebSocket port: the live page and its files, else 404.
 *
 * Threads: the libwebsockets thread only. Answers carry security headers and never the
 * request's own text.
 */
#ifndef PAGE_H
#define PAGE_H

#include <libwebsockets.h>
#include <stdbool.h>

struct page;

/* Per connection, zeroed; the answer's body that is still to be written. */
struct page_session {
    unsigned char *body; /* borrowed; NULL: none */
    size_t size;
};

/* The caller owns the result. */
struct page *page_new(void);
/* Accepts NULL. */
void page_free(struct page *page);

/* For LWS_CALLBACK_HTTP and LWS_CALLBACK_HTTP_WRITEABLE; the result is the callback's. */
int page_answer(struct page *page, struct lws *wsi, struct page_session *session, const char *path);
int page_write(struct lws *wsi, struct page_session *session);

/* Answers an upgrade that is refused, without a body. True: written. */
bool page_refuse(struct lws *wsi, unsigned int status);

#endif
