/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply_fixture: what Redis answers, without a Redis.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef REPLY_FIXTURE_H
#define REPLY_FIXTURE_H

#include <hiredis/hiredis.h>
#include <stddef.h>

/* The reply of these bytes of RESP; the caller frees it (freeReplyObject). */
redisReply *reply_fixture_read(const char *resp);
/* An array of bulk strings up to the first NULL, as of HGETALL; likewise. */
redisReply *reply_fixture_texts(const char *const *texts);

#endif
