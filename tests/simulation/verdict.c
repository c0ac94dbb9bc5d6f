/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>

static bool tracing;
static char broken[512];

void verdict_start(bool trace_wanted)
{
    tracing = trace_wanted;
    broken[0] = '\0';
}

bool trace_is_on(void)
{
    return tracing;
}

void trace(const char *format, ...)
{
    if (tracing) {
        va_list args;
        va_start(args, format);
        (void)vprintf(format, args);
        va_end(args);
        (void)putchar('\n');
    }
}

void verdict_broken(const char *format, ...)
{
    if (broken[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(broken, sizeof(broken), format, args);
    va_end(args);
    trace("BROKEN: %s", broken);
}

const char *verdict_text(void)
{
    return broken[0] == '\0' ? NULL : broken;
}
