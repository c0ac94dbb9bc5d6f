/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include "mesh/clock.h"
#include "mesh/log.h"

#include <libwebsockets.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#define LOG_US INT64_C(10000000)
#define LOG_LINES_MAX 20 /* in LOG_US */

void process_log_line(int level, const char *line)
{
    static _Atomic int64_t since_us;
    static atomic_uint lines;
    const int64_t now_us = mesh_clock_mono_us();
    char text[256];

    if (now_us - atomic_load(&since_us) > LOG_US) {
        atomic_store(&since_us, now_us);
        atomic_store(&lines, 0);
    }
    if (atomic_fetch_add(&lines, 1) >= LOG_LINES_MAX) {
        return;
    }
    /* "[2026/11/20 23:21:07:1234] E: text\n" */
    const char *start = strstr(line, ": ");
    start = line[0] == '[' && start != NULL ? start + 2 : line;
    size_t size = strcspn(start, "\n");
    size = size < sizeof(text) ? size : sizeof(text) - 1;
    memcpy(text, start, size);
    text[size] = '\0';
    mesh_log((level & LLL_ERR) != 0 ? MESH_LOG_ERROR : MESH_LOG_WARN, "libwebsockets",
             MESH_LOG_TEXT("text", text));
}

bool process_allow_descriptors(unsigned int count, struct mesh_error *err)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count) {
        return true;
    }
    if (limit.rlim_max < count) {
        return mesh_fail(err, MESH_FAILED_PRECONDITION,
                         "FEEDERS_MAX and VIEWERS_MAX need %u descriptors, allowed are %llu", count,
                         (unsigned long long)limit.rlim_max);
    }
    limit.rlim_cur = count;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ||
           mesh_fail(err, MESH_INTERNAL, "cannot raise the limit of descriptors");
}
