/* SPDX-License-Identifier: Apache-2.0 */
#include "health_frame.h"

#include "tweetmesh/v1/counts.pb-c.h"

#include <stdint.h>

void health_frame_write(const char *instance, bool serving, struct mesh_buffer *out)
{
    Tweetmesh__V1__ProgramHealth own = TWEETMESH__V1__PROGRAM_HEALTH__INIT;
    Tweetmesh__V1__ProgramHealth server = TWEETMESH__V1__PROGRAM_HEALTH__INIT;
    Tweetmesh__V1__ProgramHealth *programs[] = {&own, &server};
    Tweetmesh__V1__CountFrame frame = TWEETMESH__V1__COUNT_FRAME__INIT;

    own.program = (char *)(uintptr_t)"api";
    server.program = (char *)(uintptr_t)"grpc-server";
    own.instance = server.instance = (char *)(uintptr_t)instance; /* one pod */
    own.ready = server.ready = serving;
    frame.programs = programs;
    frame.n_programs = MESH_COUNT_OF(programs);

    const size_t size = tweetmesh__v1__count_frame__get_packed_size(&frame);
    char *room = mesh_buffer_room(out, size);
    tweetmesh__v1__count_frame__pack(&frame, (uint8_t *)room);
    room[size] = '\0';
    out->size += size;
}
