/* SPDX-License-Identifier: Apache-2.0 */
#include "one_shot.h"

#include <unistd.h>

size_t one_shot_choose(const struct mesh_streams *streams, const char *name,
                       const struct mesh_stream **out)
{
    size_t count = 0;

    for (size_t i = 0; i < mesh_streams_count(streams); i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        if (name == NULL || mesh_bytes_equal_text(mesh_bytes_of_text(stream->name), name)) {
            out[count++] = stream;
        }
    }
    return count;
}

FILE *one_shot_output(void)
{
    int fd = dup(STDOUT_FILENO);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        (void)fclose(file);
        return NULL;
    }
    return file;
}
