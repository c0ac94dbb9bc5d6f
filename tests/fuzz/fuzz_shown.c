/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what Redis holds for people: a partition's lag, or a program's health: refused, or
 * within every limit and safe to be put into JSON.
 */
#include "fuzz.h"
#include "health.h"
#include "lag.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mesh_bytes whole = mesh_bytes_of(data, size);
    const uint8_t *line_end = size == 0 ? NULL : memchr(data, '\n', size);
    struct health_entry entry;
    struct lag lag;

    if (lag_read_partition(whole, &lag)) {
        must(lag.partitions == 1 && lag.at_ms >= 0);
        must(lag.level == (lag.in_kafka == lag.archived && lag.archived == lag.settled));
    }
    if (line_end == NULL) {
        return 0;
    }
    const size_t field_size = (size_t)(line_end - data);
    if (health_read_entry(mesh_bytes_of(data, field_size),
                          mesh_bytes_of(line_end + 1, size - field_size - 1), &entry)) {
        must(mesh_health_is_name(mesh_bytes_of_text(entry.program)));
        must(mesh_health_is_name(mesh_bytes_of_text(entry.instance)));
        must(strlen(entry.state) > 0 && strlen(entry.state) <= HEALTH_STATE_BYTES_MAX);
        must(strpbrk(entry.state, "\"\\\n\x7f") == NULL);
        must(entry.at_ms >= 0);
    }
    return 0;
}
