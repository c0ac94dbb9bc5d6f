/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/alloc.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_S 1
#define PATHS_MAX 4 /* of one use */

/* What tells one content of a file from the next. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct item {
    struct mesh_tls_watched watched;
    const char *paths[PATHS_MAX];
    size_t path_count;
    struct stamp taken[PATHS_MAX]; /* what is in use, or was refused */
    struct stamp seen[PATHS_MAX];  /* at the last look */
    struct mesh_metric *expiry;    /* NULL: no certificate */
    int64_t expiry_s;
    atomic_bool expired;
};

struct mesh_tls_watch {
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards .stop */
    pthread_cond_t wake;
    bool stop;
    size_t count;
    struct item items[]; /* the thread's once it runs, but for .expired */
};

/* All zero for a file that is not there. */
static void stamps_take(const struct item *item, struct stamp *out)
{
    for (size_t i = 0; i < item->path_count; i++) {
        struct stat about;
        memset(&out[i], 0, sizeof(out[i]));
        if (stat(item->paths[i], &about) == 0) {
            out[i].device = about.st_dev;
            out[i].inode = about.st_ino;
            out[i].size = about.st_size;
            out[i].changed = about.st_mtim;
        }
    }
}

static bool stamps_equal(const struct item *item, const struct stamp *a, const struct stamp *b)
{
    for (size_t i = 0; i < item->path_count; i++) {
        if (a[i].device != b[i].device || a[i].inode != b[i].inode || a[i].size != b[i].size ||
            a[i].changed.tv_sec != b[i].changed.tv_sec ||
            a[i].changed.tv_nsec != b[i].changed.tv_nsec) {
            return false;
        }
    }
    return true;
}

static void expiry_look(struct item *item)
{
    if (item->expiry == NULL) {
        return;
    }
    bool expired = time(NULL) >= item->expiry_s;
    if (expired && !atomic_load(&item->expired)) {
        mesh_log(MESH_LOG_ERROR, "certificate_expired", MESH_LOG_TEXT("use", item->watched.use),
                 MESH_LOG_TEXT("file", item->watched.files->cert),
                 MESH_LOG_INT("expired_at_s", item->expiry_s));
    }
    atomic_store(&item->expired, expired);
}

/* The files have changed, and kept still since. */
static void take(struct item *item)
{
    const struct mesh_tls_files *files = item->watched.files;
    struct mesh_error err = {0};
    int64_t expiry_s = item->expiry_s;
    int64_t ca_expiry_s = 0;
    bool good = item->expiry == NULL || mesh_tls_read(files->cert, files->key, &expiry_s, &err);

    good = good && (files == NULL || !mesh_tls_given(files->ca) ||
                    mesh_tls_read(files->ca, NULL, &ca_expiry_s, &err));
    good =
        good && (item->watched.changed == NULL || item->watched.changed(item->watched.arg, &err));
    if (!good) {
        mesh_log(MESH_LOG_ERROR, "certificate_refused", MESH_LOG_TEXT("use", item->watched.use),
                 MESH_LOG_TEXT("code", mesh_code_name(err.code)),
                 MESH_LOG_TEXT("message", err.text));
        return;
    }
    item->expiry_s = expiry_s;
    if (item->expiry != NULL) {
        mesh_metric_set(item->expiry, expiry_s);
    }
    mesh_log(MESH_LOG_INFO, "secrets_renewed", MESH_LOG_TEXT("use", item->watched.use),
             MESH_LOG_INT("expires_at_s", expiry_s));
}

static void look(struct item *item)
{
    struct stamp now[PATHS_MAX];
    stamps_take(item, now);
    bool still = stamps_equal(item, now, item->seen);
    memcpy(item->seen, now, sizeof(now));
    if (still && !stamps_equal(item, now, item->taken)) {
        memcpy(item->taken, now, sizeof(now));
        take(item);
    }
    expiry_look(item);
}

/* False: stop. */
static bool rest(struct mesh_tls_watch *watch)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_S;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->stop && pthread_cond_timedwait(&watch->wake, &watch->mutex, &until) == 0) {
    }
    bool stop = watch->stop;
    pthread_mutex_unlock(&watch->mutex);
    return !stop;
}

static void *run(void *arg)
{
    struct mesh_tls_watch *watch = arg;
    while (rest(watch)) {
        for (size_t i = 0; i < watch->count; i++) {
            look(&watch->items[i]);
        }
    }
    return NULL;
}

static void path_add(struct item *item, const char *path)
{
    if (mesh_tls_given(path)) {
        item->paths[item->path_count++] = path;
    }
}

/* False: its certificate cannot be used. */
static bool item_init(struct item *item, const struct mesh_tls_watched *watched,
                      struct mesh_error *err)
{
    const struct mesh_tls_files *files = watched->files;
    item->watched = *watched;
    path_add(item, watched->secret);
    if (files != NULL) {
        path_add(item, files->ca);
        path_add(item, files->cert);
        path_add(item, files->key);
    }
    stamps_take(item, item->taken);
    memcpy(item->seen, item->taken, sizeof(item->taken));
    if (files == NULL || !mesh_tls_given(files->cert)) {
        return true;
    }
    char *labels = mesh_format("use=\"%s\"", watched->use);
    item->expiry = mesh_gauge("tweetmesh_certificate_expiry_timestamp_seconds", labels,
                              "When our certificate expires, in seconds of Unix time.");
    free(labels);
    if (!mesh_tls_read(files->cert, files->key, &item->expiry_s, err)) {
        return mesh_error_prefix(err, "%s", watched->use);
    }
    mesh_metric_set(item->expiry, item->expiry_s);
    expiry_look(item);
    return true;
}

struct mesh_tls_watch *mesh_tls_watch_new(const struct mesh_tls_watched *watched, size_t count,
                                          struct mesh_error *err)
{
    struct mesh_tls_watch *watch =
        mesh_alloc_zeroed(1, sizeof(*watch) + count * sizeof(watch->items[0]));
    pthread_condattr_t monotonic;
    bool idle = true;

    pthread_mutex_init(&watch->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    watch->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!item_init(&watch->items[i], &watched[i], err)) {
            goto fail;
        }
        idle = idle && watch->items[i].path_count == 0;
    }
    if (idle) {
        return watch;
    }
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                  "cannot start the thread that watches certificates");
        goto fail;
    }
    watch->started = true;
    pthread_setname_np(watch->thread, "certificates");
    return watch;

fail:
    mesh_tls_watch_free(watch);
    return NULL;
}

bool mesh_tls_watch_ready(void *arg, struct mesh_buffer *reason)
{
    struct mesh_tls_watch *watch = arg;
    for (size_t i = 0; i < watch->count; i++) {
        if (atomic_load(&watch->items[i].expired)) {
            mesh_buffer_add_format(reason, "the certificate for %s has expired",
                                   watch->items[i].watched.use);
            return false;
        }
    }
    return true;
}

void mesh_tls_watch_free(struct mesh_tls_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    if (watch->started) {
        pthread_mutex_lock(&watch->mutex);
        watch->stop = true;
        pthread_cond_signal(&watch->wake);
        pthread_mutex_unlock(&watch->mutex);
        pthread_join(watch->thread, NULL);
    }
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}
