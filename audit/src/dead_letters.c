/* SPDX-License-Identifier: Apache-2.0 */
#include "dead_letters.h"

#include <stdlib.h>
#include <string.h>

static bool header_number(const rd_kafka_headers_t *headers, const char *name, int64_t *out)
{
    const void *value = NULL;
    size_t size = 0;
    char text[24];

    if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        size == 0 || size >= sizeof text) {
        return false;
    }
    (void)memcpy(text, value, size);
    text[size] = '\0';
    char *end = NULL;
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}

static bool letter_visit(void *arg, const rd_kafka_message_t *message, struct mesh_error *err)
{
    struct dead_letters *letters = arg;
    rd_kafka_headers_t *headers = NULL;
    int64_t partition = 0;
    int64_t offset = 0;

    (void)err;
    /* What somebody else put there says nothing about our records. */
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        !header_number(headers, "partition", &partition) ||
        !header_number(headers, "offset", &offset)) {
        return true;
    }
    positions_add(&letters->places,
                  (struct position){.partition = (int32_t)partition, .offset = offset});
    return true;
}

bool dead_letters_read(struct log_reader *reader, const struct mesh_stream *stream,
                       struct dead_letters *out, struct mesh_error *err)
{
    struct log_extent extent = {0};

    *out = (struct dead_letters){0};
    if (!log_reader_extent(reader, stream->dlq_topic, &extent, err)) {
        return false;
    }
    bool ok = log_reader_read(reader, stream->dlq_topic, &extent, letter_visit, out, err);
    positions_sort(&out->places);
    log_extent_done(&extent);
    return ok;
}

bool dead_letters_have(const struct dead_letters *letters, int32_t partition, int64_t offset)
{
    return positions_find(&letters->places, partition, offset) != NULL;
}

void dead_letters_done(struct dead_letters *letters)
{
    positions_done(&letters->places);
}
