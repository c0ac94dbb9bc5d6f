/* SPDX-License-Identifier: Apache-2.0 */
#include "one_shot.h"

#include "mesh/alloc.h"

#include <stdlib.h>
#include <unistd.h>

const struct mesh_stream **one_shot_choose(const struct mesh_streams *streams, const char *name,
                                           size_t *out_count, struct mesh_error *err)
{
    const struct mesh_stream **chosen =
        mesh_new_array(const struct mesh_stream *, mesh_streams_count(streams));
    size_t count = 0;

    for (size_t i = 0; i < mesh_streams_count(streams); i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        if (name == NULL || mesh_bytes_equal_text(mesh_bytes_of_text(stream->name), name)) {
            chosen[count++] = stream;
        }
    }
    if (count == 0) {
        free(chosen);
        mesh_fail(err, MESH_NOT_FOUND, "--stream: there is no such stream");
        return NULL;
    }
    *out_count = count;
    return chosen;
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
