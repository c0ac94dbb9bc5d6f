/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a PublishRequest: it is refused as a whole, or every event gets a code of its own
 * and a reply that can be read back, with a problem for each refused event and a record for each
 * other.
 */
#include "../../grpc-server/src/request.h"
#include "fuzz.h"
#include "mesh/alloc.h"
#include "mesh/event.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <stdlib.h>

enum { NOW_MS = 1795000000 };

static const struct mesh_streams *streams(void)
{
    static struct mesh_streams *loaded;
    struct mesh_error err = {0};

    if (loaded == NULL) {
        loaded = mesh_streams_load("streams", &err);
        must(loaded != NULL);
    }
    return loaded;
}

static void event_must_be_decided(const struct publication *publication)
{
    if (publication->code == MESH_OK) {
        must(publication->value.size > 0);
        must(publication->received_at_ms <= (int64_t)NOW_MS * 1000 + REQUEST_AHEAD_MS_MAX);
        const struct mesh_bytes trace = mesh_bytes_of_text(publication->trace.traceparent);
        must(trace.size == 0 || mesh_trace_valid(trace));
    } else {
        must(publication->code == MESH_INVALID_ARGUMENT);
        must(publication->value.size == 0);
    }
}

static void reply_must_tell(struct request *request)
{
    const struct publication_batch *batch = request_batch(request);
    size_t size = request_reply_size(request);
    uint8_t *bytes = mesh_alloc(size + 1);

    request_reply_write(request, bytes);
    Tweetmesh__V1__PublishReply *reply = tweetmesh__v1__publish_reply__unpack(NULL, size, bytes);
    must(reply != NULL);
    must(reply->n_codes == batch->count && reply->n_partitions == batch->count &&
         reply->n_offsets == batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        bool told = false;
        for (size_t j = 0; j < reply->n_problems && !told; j++) {
            told = reply->problems[j]->index == i;
        }
        must(told == (reply->codes[i] == MESH_INVALID_ARGUMENT));
    }
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mesh_error err = {0};
    struct request *request = request_new(streams(), mesh_bytes_of(data, size), &err);

    if (request == NULL) {
        must(err.code == MESH_INVALID_ARGUMENT && err.text[0] != '\0');
        return 0;
    }
    request_check(request, (int64_t)NOW_MS * 1000);
    struct publication_batch *batch = request_batch(request);
    must(batch->count >= 1 && batch->count <= MESH_EVENT_COUNT_MAX);
    for (size_t i = 0; i < batch->count; i++) {
        event_must_be_decided(&batch->at[i]);
    }
    reply_must_tell(request);
    request_free(request);
    return 0;
}
