/* SPDX-License-Identifier: Apache-2.0 */
/* mongo-sink PORT [JSON]: takes every insert and stores nothing; JSON is merged into each reply. */
#include "mongo_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: mongo-sink PORT [JSON]\n");
        return 2;
    }
    struct mongo_sink *sink = mongo_sink_new((uint16_t)strtoul(argv[1], NULL, 10));
    if (sink == NULL) {
        perror("mongo-sink");
        return 1;
    }
    mongo_sink_set_insert_reply(sink, argc == 3 ? argv[2] : NULL, SIZE_MAX);
    (void)printf("%s\n", mongo_sink_uri(sink));
    (void)fflush(stdout);
    for (;;) {
        (void)pause();
    }
}
