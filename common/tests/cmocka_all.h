/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmocka_all: cmocka with the headers that it wants in front of it.
 */
#ifndef CMOCKA_ALL_H
#define CMOCKA_ALL_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
