/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: gives memory back to the kernel that a program holds without using it.
 */
#ifndef MESH_MEMORY_H
#define MESH_MEMORY_H

/* Free pages of the heap, and the pages of programs and libraries that are as they are in their
 * files, code above all: what is used of them again comes back from the page cache, some 64 kB
 * a fault, and what only starting needed (most of libcrypto, a hundred libraries' tables) does not.
 * For when a program has nothing to do: takes about a millisecond. Threads: any. */
void mesh_memory_give_back(void);

#endif
