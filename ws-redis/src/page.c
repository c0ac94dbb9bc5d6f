/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 1024

#define CSS "text/css; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define JS "text/javascript; charset=utf-8"

/* X(path, content type, symbol of mesh_embed()) */
#define FILES(X)                                                                                   \
    X("/", HTML, page_index_html)                                                                  \
    X("/chart.js", JS, page_chart_js)                                                              \
    X("/connection.js", JS, page_connection_js)                                                    \
    X("/icon.svg", "image/svg+xml", page_icon_svg)                                                 \
    X("/live.css", CSS, page_live_css)                                                             \
    X("/live.js", JS, page_live_js)                                                                \
    X("/map.js", JS, page_map_js)                                                                  \
    X("/programs.js", JS, page_programs_js)                                                        \
    X("/stream.js", JS, page_stream_js)                                                            \
    X("/text.js", JS, page_text_js)                                                                \
    X("/world.js", JS, page_world_js)

#define X(path, type, symbol)                                                                      \
    extern const unsigned char(symbol)[];                                                          \
    extern const size_t symbol##_size;
FILES(X)
#undef X

struct file {
    const char *path;
    const char *type;
    const unsigned char *data;
    const size_t *size;
};

static const struct file files[] = {
#define X(path, type, symbol) {path, type, symbol, &symbol##_size},
    FILES(X)
#undef X
};

static const struct {
    const char *name;
    const char *value;
} security_headers[] = {
    {"content-security-policy:",
     "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"x-content-type-options:", "nosniff"},
    {"referrer-policy:", "no-referrer"},
    {"cache-control:", "no-cache"},
};

struct page {
    /* lws_write() wants LWS_PRE bytes of room before what it sends. */
    unsigned char *bodies[MESH_COUNT_OF(files)];
};

struct page *page_new(void)
{
    struct page *page = mesh_new(struct page);
    for (size_t i = 0; i < MESH_COUNT_OF(files); i++) {
        page->bodies[i] = mesh_alloc(LWS_PRE + *files[i].size);
        memcpy(page->bodies[i] + LWS_PRE, files[i].data, *files[i].size);
    }
    return page;
}

void page_free(struct page *page)
{
    if (page != NULL) {
        for (size_t i = 0; i < MESH_COUNT_OF(files); i++) {
            free(page->bodies[i]);
        }
        free(page);
    }
}

static bool write_head(struct lws *wsi, unsigned int status, const char *type, size_t size)
{
    unsigned char buffer[LWS_PRE + HEAD_BYTES_MAX];
    unsigned char *start = buffer + LWS_PRE;
    unsigned char *at = start;
    unsigned char *end = buffer + sizeof(buffer) - 1;

    if (lws_add_http_common_headers(wsi, status, type, size, &at, end) != 0) {
        return false;
    }
    for (size_t i = 0; i < MESH_COUNT_OF(security_headers); i++) {
        const char *value = security_headers[i].value;
        if (lws_add_http_header_by_name(wsi, (const unsigned char *)security_headers[i].name,
                                        (const unsigned char *)value, (int)strlen(value), &at,
                                        end) != 0) {
            return false;
        }
    }
    if (status == HTTP_STATUS_METHOD_NOT_ALLOWED &&
        lws_add_http_header_by_name(wsi, (const unsigned char *)"allow:",
                                    (const unsigned char *)"GET, HEAD", 9, &at, end) != 0) {
        return false;
    }
    return lws_finalize_write_http_header(wsi, start, &at, end) == 0;
}

bool page_refuse(struct lws *wsi, unsigned int status)
{
    return write_head(wsi, status, "text/plain", 0);
}

/* 0: the connection stays for the next request. */
static int done(struct lws *wsi)
{
    return lws_http_transaction_completed(wsi) == 0 ? 0 : -1;
}

int page_answer(struct page *page, struct lws *wsi, struct page_session *session, const char *path)
{
    char *uri = NULL;
    int uri_size = 0;
    const int method = lws_http_get_uri_and_method(wsi, &uri, &uri_size);
    size_t index = 0;

    if (method != LWSHUMETH_GET && method != LWSHUMETH_HEAD) {
        (void)page_refuse(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED);
        return -1; /* whatever body comes is not read */
    }
    while (index < MESH_COUNT_OF(files) && strcmp(files[index].path, path) != 0) {
        index++;
    }
    if (index == MESH_COUNT_OF(files)) {
        return page_refuse(wsi, HTTP_STATUS_NOT_FOUND) ? done(wsi) : -1;
    }
    if (!write_head(wsi, HTTP_STATUS_OK, files[index].type, *files[index].size)) {
        return -1;
    }
    if (method == LWSHUMETH_HEAD) {
        return done(wsi);
    }
    session->body = page->bodies[index] + LWS_PRE;
    session->size = *files[index].size;
    lws_callback_on_writable(wsi);
    return 0;
}

int page_write(struct lws *wsi, struct page_session *session)
{
    if (session->body == NULL) {
        return 0;
    }
    const int written = lws_write(wsi, session->body, session->size, LWS_WRITE_HTTP_FINAL);
    session->body = NULL;
    return written < 0 ? -1 : done(wsi);
}
