/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as OTEL_EXPORTER_OTLP_HEADERS or OTEL_RESOURCE_ATTRIBUTES: refused, or pairs that can
 * neither begin a line of their own in a head nor be anything but UTF-8.
 */
#include "../../common/src/span_record.h"
#include "fuzz.h"
#include "mesh/alloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span_pairs pairs;
    char *text = mesh_strndup((const char *)data, size);

    const char *problem = span_pairs_read(text, &pairs);
    must(problem == NULL || pairs.count == 0);
    for (size_t i = 0; i < pairs.count; i++) {
        must(pairs.at[i].name[0] != '\0' && strpbrk(pairs.at[i].name, " :\r\n") == NULL);
        must(strpbrk(pairs.at[i].value, "\r\n") == NULL);
        must(mesh_bytes_is_utf8(mesh_bytes_of_text(pairs.at[i].value)));
    }
    span_pairs_done(&pairs);
    free(text);
    return 0;
}
