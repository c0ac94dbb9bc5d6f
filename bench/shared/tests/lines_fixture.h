/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines_fixture: a file that is there for as long as it is read.
 */
#ifndef LINES_FIXTURE_H
#define LINES_FIXTURE_H

#include "cmocka_all.h"
#include "lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lines of a text; NULL with *err filled in. */
static inline struct lines *lines_of(const char *text, struct mesh_error *err)
{
    char path[] = "/tmp/bench-lines-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(close(file), 0);
    struct lines *lines = lines_new(path, err);
    assert_int_equal(unlink(path), 0);
    return lines;
}

#endif
