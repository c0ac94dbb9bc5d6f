/* SPDX-License-Identifier: Apache-2.0 */
/* api: the paths of the program api. */
#ifndef INSTRUCTIONS_API_H
#define INSTRUCTIONS_API_H

#include "path.h"

/* api_body.c */
extern const struct path path_check;        /* parse, schema, normalise */
extern const struct path path_accept;       /* a body of one event: parsed to ready to be sent */
extern const struct path path_accept_batch; /* a body of a whole batch */

/* api_publish.c */
extern const struct path path_request_encode; /* 100 jobs of one event to one PublishRequest */
extern const struct path path_reply_decode;   /* its PublishReply to 100 finished jobs */

/* api_stored.c */
extern const struct path path_answer;      /* a stored event to the body of a 202 */
extern const struct path path_hint_encode; /* 100 stored events to CountFrames */

#endif
