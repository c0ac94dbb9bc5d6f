/* SPDX-License-Identifier: Apache-2.0 */
#include "span_export.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "span_record.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BACKOFF_MS_MIN 200
#define BACKOFF_MS_MAX 5000
#define POLL_MS_MAX 1000

struct span_export {
    const struct mesh_spans_config *config;
    CURL *easy;
    CURLM *multi; /* so that a transfer can be hurried from another thread */
    struct curl_slist *headers;
    struct mesh_buffer body; /* of the answer, as far as it is kept */
    _Atomic int64_t until_us;
};

/* What became of one attempt. */
enum attempt { SENT, AGAIN, REFUSED };

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    struct span_export *export = arg;
    (void)one; /* is 1 */
    if (export->body.size + size > SPAN_ANSWER_BYTES_MAX) {
        return 0; /* nobody says so much: give the transfer up */
    }
    mesh_buffer_add(&export->body, mesh_bytes_of(data, size));
    return size;
}

static void headers_fill(struct span_export *export)
{
    struct span_pairs pairs;

    export->headers = curl_slist_append(NULL, "Content-Type: application/x-protobuf");
    export->headers = curl_slist_append(export->headers, "Expect:"); /* no waiting for a 100 */
    (void)span_pairs_read(export->config->headers, &pairs);          /* checked */
    for (size_t i = 0; i < pairs.count; i++) {
        /* curl sends a header without a value only when it ends in a semicolon. */
        const bool empty = pairs.at[i].value[0] == '\0';
        char *line = mesh_format(empty ? "%s;" : "%s: %s", pairs.at[i].name, pairs.at[i].value);
        export->headers = curl_slist_append(export->headers, line);
        free(line);
    }
    span_pairs_done(&pairs);
}

struct span_export *span_export_new(const struct mesh_spans_config *config, const char *url,
                                    struct mesh_error *err)
{
    struct span_export *export = mesh_new(struct span_export);

    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    export->config = config;
    atomic_init(&export->until_us, INT64_MAX);
    export->easy = curl_easy_init();
    export->multi = curl_multi_init();
    headers_fill(export);
    if (export->easy == NULL || export->multi == NULL || export->headers == NULL) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "libcurl does not start");
        span_export_free(export);
        return NULL;
    }
    curl_easy_setopt(export->easy, CURLOPT_URL, url);
    curl_easy_setopt(export->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(export->easy, CURLOPT_HTTPHEADER, export->headers);
    curl_easy_setopt(export->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(export->easy, CURLOPT_QUICK_EXIT, 1L); /* who is late need not wait for DNS */
    curl_easy_setopt(export->easy, CURLOPT_USERAGENT, "tweetmesh/" MESH_VERSION);
    curl_easy_setopt(export->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(export->easy, CURLOPT_WRITEDATA, export);
    curl_easy_setopt(export->easy, CURLOPT_POST, 1L);
    return export;
}

static int64_t sooner(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

/* Milliseconds until then, but for what others say meanwhile; 0: it is past. */
static int64_t left_ms(const struct span_export *export, int64_t until_us)
{
    const int64_t us = sooner(until_us, atomic_load(&export->until_us)) - mesh_clock_mono_us();
    return us <= 0 ? 0 : us / 1000 + 1;
}

/* Waits, or until somebody hurries us; transfers go on. */
static void wait_ms(struct span_export *export, int64_t ms)
{
    (void)curl_multi_poll(export->multi, NULL, 0, (int)(ms < POLL_MS_MAX ? ms : POLL_MS_MAX), NULL);
}

/* Runs the transfer to its end, or until then. */
static CURLcode transfer(struct span_export *export, int64_t until_us)
{
    CURLcode result = CURLE_OPERATION_TIMEDOUT;
    int running = 1;
    int64_t ms = 0;

    (void)curl_multi_add_handle(export->multi, export->easy);
    while (running > 0 && (ms = left_ms(export, until_us)) > 0) {
        if (curl_multi_perform(export->multi, &running) != CURLM_OK) {
            break;
        }
        if (running > 0) {
            wait_ms(export, ms);
        }
    }
    int waiting = 0;
    const CURLMsg *message = curl_multi_info_read(export->multi, &waiting);
    if (message != NULL && message->msg == CURLMSG_DONE) {
        result = message->data.result;
    }
    (void)curl_multi_remove_handle(export->multi, export->easy);
    return result;
}

static enum attempt try_once(struct span_export *export, int64_t until_us, int64_t *out_pause_ms,
                             struct mesh_error *err)
{
    const int64_t timeout_us = (int64_t)export->config->timeout_ms * 1000;
    curl_off_t retry_after_s = 0;
    long status = 0;

    mesh_buffer_reset(&export->body);
    *out_pause_ms = 0;
    const CURLcode result = transfer(export, sooner(until_us, mesh_clock_mono_us() + timeout_us));
    if (result != CURLE_OK) {
        mesh_fail(err, MESH_UNAVAILABLE, "the collector: %s", curl_easy_strerror(result));
        return result == CURLE_WRITE_ERROR ? REFUSED : AGAIN;
    }
    curl_easy_getinfo(export->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        return SENT;
    }
    mesh_fail(err, MESH_UNAVAILABLE, "the collector answers with status %ld", status);
    if (status != 429 && status != 502 && status != 503 && status != 504) {
        return REFUSED;
    }
    /* Seconds or a date; curl reads both. */
    if (curl_easy_getinfo(export->easy, CURLINFO_RETRY_AFTER, &retry_after_s) == CURLE_OK &&
        retry_after_s > 0) {
        *out_pause_ms = retry_after_s < SPAN_RETRY_AFTER_MS_MAX / 1000 ? retry_after_s * 1000
                                                                       : SPAN_RETRY_AFTER_MS_MAX;
    }
    return AGAIN;
}

bool span_export_send(struct span_export *export, struct mesh_bytes request, uint64_t count,
                      uint64_t *out_rejected, struct mesh_error *err)
{
    const int64_t until_us = mesh_clock_mono_us() + (int64_t)export->config->export_ms_max * 1000;
    int64_t backoff_ms = BACKOFF_MS_MIN;

    curl_easy_setopt(export->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request.size);
    curl_easy_setopt(export->easy, CURLOPT_POSTFIELDS, request.data);
    for (;;) {
        int64_t pause_ms = 0;
        switch (try_once(export, until_us, &pause_ms, err)) {
        case SENT:
            *out_rejected = span_answer_read(mesh_buffer_bytes(&export->body), count);
            return true;
        case REFUSED:
            return false;
        case AGAIN:
            break;
        }
        if (pause_ms == 0) {
            /* Three quarters to all of it, so that not all programs come back at once. */
            pause_ms = backoff_ms - mesh_clock_mono_us() % (backoff_ms / 4);
            backoff_ms = backoff_ms * 2 < BACKOFF_MS_MAX ? backoff_ms * 2 : BACKOFF_MS_MAX;
        }
        const int64_t again_us = mesh_clock_mono_us() + pause_ms * 1000;
        if (again_us >= until_us || again_us >= atomic_load(&export->until_us)) {
            return false; /* there is no time for another attempt */
        }
        while (mesh_clock_mono_us() < again_us && left_ms(export, again_us) > 0) {
            wait_ms(export, left_ms(export, again_us));
        }
    }
}

void span_export_hurry(struct span_export *export, int64_t until_us)
{
    atomic_store(&export->until_us, until_us);
    (void)curl_multi_wakeup(export->multi);
}

void span_export_free(struct span_export *export)
{
    if (export == NULL) {
        return;
    }
    curl_easy_cleanup(export->easy);
    (void)curl_multi_cleanup(export->multi);
    curl_slist_free_all(export->headers);
    mesh_buffer_done(&export->body);
    free(export);
    curl_global_cleanup();
}
