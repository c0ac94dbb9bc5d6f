/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

const struct path *const paths[] = {
    &path_check,  &path_accept,       &path_accept_batch, &path_request_encode,
    &path_answer, &path_reply_decode, &path_hint_encode,  NULL,
};
