/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "arguments.h"
#include "mesh/macros.h"

#include <stdio.h>
#include <stdlib.h>

void output_add_quantiles(struct mesh_buffer *out, const char *name,
                          const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double part;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    mesh_buffer_add_format(out, "\"%s\": {", name);
    for (size_t i = 0; i < MESH_COUNT_OF(quantiles); i++) {
        mesh_buffer_add_format(out, "\"%s\": %.3f, ", quantiles[i].name,
                               (double)histogram_quantile_us(histogram, quantiles[i].part) /
                                   1000.0);
    }
    mesh_buffer_add_format(out, "\"max\": %.3f}", (double)histogram->max_us / 1000.0);
}

bool output_print(const struct mesh_buffer *text, struct mesh_error *err)
{
    return (fwrite(text->data, 1, text->size, stdout) == text->size && fflush(stdout) == 0) ||
           mesh_fail(err, MESH_UNAVAILABLE, "stdout cannot be written to");
}

int output_failure(const char *program, const struct mesh_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", program, err->text);
    return err->code == MESH_INVALID_ARGUMENT ? ARGUMENTS_WRONG : EXIT_FAILURE;
}
