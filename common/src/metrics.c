/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/metrics.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum metric_kind { COUNTER, GAUGE, HISTOGRAM_SECONDS, HISTOGRAM_COUNT };

#define BUCKET_COUNT_MAX 20

/* Upper bounds; microseconds, shown as seconds. */
static const int64_t second_bounds[] = {50,     100,     250,     500,     1000,     2500,
                                        5000,   10000,   25000,   50000,   100000,   250000,
                                        500000, 1000000, 2500000, 5000000, 10000000, 30000000};
static const int64_t count_bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};

struct mesh_metric {
    enum metric_kind kind;
    char *name;
    char *labels; /* "" when there are none */
    char *help;
    atomic_bool hidden;                             /* of a gauge: not known now */
    atomic_int_fast64_t value;                      /* of a histogram: the sum */
    atomic_uint_fast64_t buckets[BUCKET_COUNT_MAX]; /* not cumulative; the last is +Inf */
};

/* The table only grows; readers need the lock only to see how far. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER; /* guards all that is static here */
static struct mesh_metric *table[MESH_METRICS_MAX];
static size_t table_size;
static int64_t start_ms; /* when the first metric was made: the process has just started */

static struct mesh_metric *metric_get(enum metric_kind kind, const char *name, const char *labels,
                                      const char *help)
{
    labels = labels != NULL ? labels : "";
    (void)pthread_mutex_lock(&table_lock);
    struct mesh_metric *metric = NULL;
    for (size_t i = 0; i < table_size && metric == NULL; i++) {
        if (strcmp(table[i]->name, name) == 0 && strcmp(table[i]->labels, labels) == 0) {
            metric = table[i];
        }
    }
    if (metric == NULL) {
        if (table_size == MESH_METRICS_MAX) {
            abort();
        }
        if (start_ms == 0) {
            start_ms = mesh_clock_wall_ms();
        }
        metric = mesh_new(struct mesh_metric);
        metric->kind = kind;
        metric->name = mesh_strdup(name);
        metric->labels = mesh_strdup(labels);
        metric->help = mesh_strdup(help);
        table[table_size++] = metric;
    }
    (void)pthread_mutex_unlock(&table_lock);
    assert(metric->kind == kind);
    return metric;
}

struct mesh_metric *mesh_counter(const char *name, const char *labels, const char *help)
{
    return metric_get(COUNTER, name, labels, help);
}

struct mesh_metric *mesh_gauge(const char *name, const char *labels, const char *help)
{
    return metric_get(GAUGE, name, labels, help);
}

struct mesh_metric *mesh_histogram_seconds(const char *name, const char *labels, const char *help)
{
    return metric_get(HISTOGRAM_SECONDS, name, labels, help);
}

struct mesh_metric *mesh_histogram_count(const char *name, const char *labels, const char *help)
{
    return metric_get(HISTOGRAM_COUNT, name, labels, help);
}

void mesh_metric_add(struct mesh_metric *counter, uint64_t n)
{
    assert(counter->kind == COUNTER);
    atomic_fetch_add_explicit(&counter->value, (int64_t)n, memory_order_relaxed);
}

void mesh_metric_set(struct mesh_metric *gauge, int64_t value)
{
    assert(gauge->kind == GAUGE);
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
    atomic_store_explicit(&gauge->hidden, false, memory_order_relaxed);
}

void mesh_metric_hide(struct mesh_metric *gauge)
{
    assert(gauge->kind == GAUGE);
    atomic_store_explicit(&gauge->hidden, true, memory_order_relaxed);
}

void mesh_metric_move(struct mesh_metric *gauge, int64_t by)
{
    assert(gauge->kind == GAUGE);
    atomic_fetch_add_explicit(&gauge->value, by, memory_order_relaxed);
}

int64_t mesh_metric_value(const struct mesh_metric *counter_or_gauge)
{
    return atomic_load_explicit(&counter_or_gauge->value, memory_order_relaxed);
}

static void observe(struct mesh_metric *histogram, const int64_t *bounds, size_t count,
                    int64_t value, uint64_t times)
{
    size_t bucket = 0;
    while (bucket < count && value > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[bucket], times, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->value, value * (int64_t)times, memory_order_relaxed);
}

void mesh_metric_observe_us(struct mesh_metric *histogram_seconds, int64_t us)
{
    mesh_metric_observe_us_times(histogram_seconds, us, 1);
}

void mesh_metric_observe_us_times(struct mesh_metric *histogram_seconds, int64_t us, uint64_t times)
{
    assert(histogram_seconds->kind == HISTOGRAM_SECONDS);
    observe(histogram_seconds, second_bounds, MESH_COUNT_OF(second_bounds), us > 0 ? us : 0, times);
}

void mesh_metric_observe(struct mesh_metric *histogram_count, uint64_t n)
{
    assert(histogram_count->kind == HISTOGRAM_COUNT);
    observe(histogram_count, count_bounds, MESH_COUNT_OF(count_bounds), (int64_t)n, 1);
}

/* `name_suffix{labels,extra} `, leaving out what is empty. */
static void write_series(struct mesh_buffer *out, const struct mesh_metric *metric,
                         const char *suffix, const char *extra)
{
    mesh_buffer_add_format(out, "%s%s", metric->name, suffix);
    bool both = metric->labels[0] != '\0' && extra[0] != '\0';
    if (metric->labels[0] != '\0' || extra[0] != '\0') {
        mesh_buffer_add_format(out, "{%s%s%s}", metric->labels, both ? "," : "", extra);
    }
    mesh_buffer_add_text(out, " ");
}

static void write_histogram(struct mesh_buffer *out, const struct mesh_metric *metric)
{
    bool seconds = metric->kind == HISTOGRAM_SECONDS;
    const int64_t *bounds = seconds ? second_bounds : count_bounds;
    size_t count = seconds ? MESH_COUNT_OF(second_bounds) : MESH_COUNT_OF(count_bounds);
    double scale = seconds ? 1e-6 : 1;
    uint64_t total = 0;
    for (size_t i = 0; i <= count; i++) {
        char bound[48] = "le=\"+Inf\"";
        if (i < count) {
            (void)snprintf(bound, sizeof(bound), "le=\"%.10g\"", (double)bounds[i] * scale);
        }
        total += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        write_series(out, metric, "_bucket", bound);
        mesh_buffer_add_format(out, "%" PRIu64 "\n", total);
    }
    write_series(out, metric, "_sum", "");
    mesh_buffer_add_format(out, "%.10g\n", (double)mesh_metric_value(metric) * scale);
    write_series(out, metric, "_count", "");
    mesh_buffer_add_format(out, "%" PRIu64 "\n", total);
}

static void write_metric(struct mesh_buffer *out, const struct mesh_metric *metric)
{
    if (atomic_load_explicit(&metric->hidden, memory_order_relaxed)) {
        return;
    }
    if (metric->kind == COUNTER || metric->kind == GAUGE) {
        write_series(out, metric, "", "");
        mesh_buffer_add_format(out, "%" PRId64 "\n", mesh_metric_value(metric));
    } else {
        write_histogram(out, metric);
    }
}

/* The format wants all series of a name together, below one HELP and TYPE. */
static void write_family(struct mesh_buffer *out, struct mesh_metric *const *metrics, size_t count,
                         size_t first)
{
    static const char *const type_names[] = {"counter", "gauge", "histogram", "histogram"};
    const struct mesh_metric *head = metrics[first];
    mesh_buffer_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", head->name, head->help, head->name,
                           type_names[head->kind]);
    for (size_t i = first; i < count; i++) {
        if (strcmp(metrics[i]->name, head->name) == 0) {
            write_metric(out, metrics[i]);
        }
    }
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        if (fscanf(statm, "%*s %ld", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(statm);
    }
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_descriptors(void)
{
    int64_t count = -3; /* ".", ".." and the folder itself */
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

/* The names that https://prometheus.io/docs/instrumenting/writing_clientlibs/ gives them. */
static void write_process(struct mesh_buffer *out, int64_t started_ms)
{
    struct rusage usage;
    struct rlimit files = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    mesh_buffer_add_format(out,
                           "# HELP process_cpu_seconds_total User and system CPU time.\n"
                           "# TYPE process_cpu_seconds_total counter\n"
                           "process_cpu_seconds_total %.6f\n"
                           "# HELP process_resident_memory_bytes Resident memory.\n"
                           "# TYPE process_resident_memory_bytes gauge\n"
                           "process_resident_memory_bytes %" PRId64 "\n"
                           "# HELP process_open_fds Open file descriptors.\n"
                           "# TYPE process_open_fds gauge\n"
                           "process_open_fds %" PRId64 "\n"
                           "# HELP process_max_fds Open file descriptors allowed.\n"
                           "# TYPE process_max_fds gauge\n"
                           "process_max_fds %" PRIu64 "\n"
                           "# HELP process_start_time_seconds When the process started.\n"
                           "# TYPE process_start_time_seconds gauge\n"
                           "process_start_time_seconds %.3f\n",
                           cpu, resident_bytes(), open_descriptors(), (uint64_t)files.rlim_cur,
                           1e-3 * (double)started_ms);
}

void mesh_metrics_write(struct mesh_buffer *out)
{
    struct mesh_metric **metrics = mesh_new_array(struct mesh_metric *, MESH_METRICS_MAX);
    (void)pthread_mutex_lock(&table_lock);
    size_t count = table_size;
    int64_t started_ms = start_ms;
    memcpy(metrics, table, count * sizeof(metrics[0]));
    (void)pthread_mutex_unlock(&table_lock);

    for (size_t i = 0; i < count; i++) {
        bool first_of_name = true;
        for (size_t j = 0; j < i && first_of_name; j++) {
            first_of_name = strcmp(metrics[j]->name, metrics[i]->name) != 0;
        }
        if (first_of_name) {
            write_family(out, metrics, count, i);
        }
    }
    free(metrics);
    write_process(out, started_ms);
}

void mesh_metrics_done(void)
{
    (void)pthread_mutex_lock(&table_lock);
    for (size_t i = 0; i < table_size; i++) {
        free(table[i]->name);
        free(table[i]->labels);
        free(table[i]->help);
        free(table[i]);
        table[i] = NULL;
    }
    table_size = 0;
    (void)pthread_mutex_unlock(&table_lock);
}
