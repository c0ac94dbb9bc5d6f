/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: the list of addresses to listen on.
 *
 * Threads: any; address_free_to_use() tries to connect.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "mesh/error.h"
#include "mesh/macros.h"

#include <stdbool.h>
#include <stddef.h>

/* Copies the next address of a comma-separated list, without spaces around it, and moves *list
 * behind it. False: no more. The caller frees *out_address. */
bool address_next(const char **list, char **out_address);

/* Whether gRPC will understand it: host:port or unix:/path. */
MESH_MUST_CHECK
bool address_check(const char *address, struct mesh_error *err);

/* A unix socket that somebody listens on is an error, since gRPC would take it away from him; one
 * that nobody listens on is what a killed server left, and gRPC replaces it. */
MESH_MUST_CHECK
bool address_free_to_use(const char *address, struct mesh_error *err);

#endif
