/* SPDX-License-Identifier: Apache-2.0 */
#include "recent.h"

#include "mesh/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void recent_add(struct recent *recent, struct mesh_bytes value)
{
    if (recent->max == 0 || value.size > RECENT_BYTES_MAX ||
        memchr(value.data, '\0', value.size) != NULL) {
        return;
    }
    if (recent->count == recent->max) {
        free(recent->texts[recent->first]);
        recent->first = (recent->first + 1) % recent->max;
        recent->count--;
    }
    recent->texts[(recent->first + recent->count++) % recent->max] =
        mesh_strndup((const char *)value.data, value.size);
}

static void forget(struct recent *recent)
{
    for (; recent->count > 0; recent->count--) {
        free(recent->texts[recent->first]);
        recent->first = (recent->first + 1) % recent->max;
    }
}

size_t recent_append(struct recent *recent, const char *stream, redisContext *redis)
{
    const char *argv[2 + RECENT_MAX] = {"LPUSH"};
    char key[160];
    int argc = 2;

    if (recent->count == 0) {
        return 0;
    }
    (void)snprintf(key, sizeof key, "{%s}:recent", stream);
    argv[1] = key;
    for (size_t i = 0; i < recent->count; i++) {
        argv[argc++] = recent->texts[(recent->first + i) % recent->max];
    }
    /* They fail only when memory is gone, and then no answer comes. */
    const size_t pushed = redisAppendCommandArgv(redis, argc, argv, NULL) == REDIS_OK ? 1 : 0;
    const size_t trimmed =
        redisAppendCommand(redis, "LTRIM %s 0 %d", key, (int)recent->max - 1) == REDIS_OK ? 1 : 0;
    forget(recent);
    return pushed + trimmed;
}

void recent_done(struct recent *recent)
{
    forget(recent);
    recent->max = 0;
}
