/* SPDX-License-Identifier: Apache-2.0 */
#include "reply_fixture.h"

#include "cmocka_all.h"
#include "mesh/bytes.h"

#include <string.h>

redisReply *reply_fixture_read(const char *resp)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, resp, strlen(resp)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    redisReaderFree(reader);
    if (reply == NULL) {
        fail_msg("not a whole reply: %s", resp);
    }
    return reply;
}

redisReply *reply_fixture_texts(const char *const *texts)
{
    struct mesh_buffer resp = {0};
    size_t count = 0;

    while (texts[count] != NULL) {
        count++;
    }
    mesh_buffer_add_format(&resp, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        mesh_buffer_add_format(&resp, "$%zu\r\n%s\r\n", strlen(texts[i]), texts[i]);
    }
    redisReply *reply = reply_fixture_read(resp.data);
    mesh_buffer_done(&resp);
    return reply;
}
