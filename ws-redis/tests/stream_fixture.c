/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "tweetmesh/v1/counts.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char stream_file[] =
    "{\"stream\":\"test\",\"title\":\"A <test>\",\"path\":\"/test\",\"topic\":\"test\","
    "\"collection\":\"test\",\"count_by\":\"country\",\"schema\":{\"type\":\"object\","
    "\"required\":[\"country\"],\"additionalProperties\":false,\"properties\":{"
    "\"country\":{\"type\":\"string\",\"enum\":[\"Chile\",\"Peru\"]}}}}";

struct mesh_streams *stream_fixture_new(void)
{
    char folder[] = "/tmp/mesh-streams-XXXXXX";
    struct mesh_error err = {0};

    assert_non_null(mkdtemp(folder));
    char *path = mesh_format("%s/test.json", folder);
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(stream_file, file) < 0 || fclose(file) != 0) {
        fail_msg("cannot write %s", path);
    }
    struct mesh_streams *streams = mesh_streams_load(folder, &err);
    (void)unlink(path);
    (void)rmdir(folder);
    free(path);
    if (streams == NULL) {
        fail_msg("%s", err.text);
    }
    return streams;
}

void stream_fixture_frame(uint32_t partition, uint64_t first_offset, const char *groups,
                          struct mesh_buffer *out)
{
    static char *names[] = {"Chile", "Peru", "Atlantis"};
    Tweetmesh__V1__CountFrame frame = TWEETMESH__V1__COUNT_FRAME__INIT;
    const size_t count = strlen(groups);
    uint8_t *bytes = mesh_alloc(count + 1);

    for (size_t i = 0; i < count; i++) {
        bytes[i] = groups[i] == '-' ? MESH_GROUP_HOLE : (uint8_t)(groups[i] - '0');
    }
    frame.stream = "test";
    frame.partition = partition;
    frame.first_offset = first_offset;
    frame.groups = (ProtobufCBinaryData){count, bytes};
    frame.group_names = names;
    frame.n_group_names = MESH_COUNT_OF(names);
    frame.accepted_at = (uint64_t)mesh_clock_wall_ms();

    const size_t size = tweetmesh__v1__count_frame__get_packed_size(&frame);
    uint8_t *packed = mesh_alloc(size);
    (void)tweetmesh__v1__count_frame__pack(&frame, packed);
    mesh_buffer_reset(out);
    mesh_buffer_add(out, mesh_bytes_of(packed, size));
    free(packed);
    free(bytes);
}
