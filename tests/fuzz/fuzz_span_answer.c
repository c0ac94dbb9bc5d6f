/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a collector's answer: it never threw away more than it was sent. */
#include "../../common/src/span_record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t rejected = span_answer_read(mesh_bytes_of(data, size), 512);
    must(rejected <= 512);
    must(span_answer_read(mesh_bytes_of(data, size), 0) == 0);
    return 0;
}
