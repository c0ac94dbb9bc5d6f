/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/health.h"

#include "mesh/alloc.h"

#include <stddef.h>
#include <unistd.h>

#define HOST_BYTES_MAX 48 /* leaves room for the port */

bool mesh_health_is_name(struct mesh_bytes text)
{
    if (text.size == 0 || text.size > MESH_HEALTH_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];
        if (byte <= ' ' || byte > '~' || byte == '/' || byte == '"' || byte == '\\') {
            return false;
        }
    }
    return true;
}

char *mesh_health_instance(uint16_t ops_port)
{
    char host[HOST_BYTES_MAX + 1] = "";

    (void)gethostname(host, HOST_BYTES_MAX); /* cut where it is longer; the last byte stays NUL */
    if (!mesh_health_is_name(mesh_bytes_of_text(host))) {
        return mesh_format("host:%u", ops_port);
    }
    return mesh_format("%s:%u", host, ops_port);
}

void mesh_health_write(struct mesh_buffer *out, const char *state, bool ready, int64_t at_ms,
                       const char *more)
{
    mesh_buffer_add_format(out, "{\"at_ms\":%lld,\"state\":\"%s\",\"ready\":%s%s}",
                           (long long)at_ms, state, ready ? "true" : "false", more);
}
