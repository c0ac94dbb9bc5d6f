/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/memory.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that may be written hold relocations, also where they are protected afterwards: those
 * would be lost. All others are what their file is. */
static int give_back(struct dl_phdr_info *object, size_t size, void *arg)
{
    const uintptr_t page = *(const uintptr_t *)arg;

    (void)size;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        /* The kernel's own object (vdso) is no file: it refuses. */
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void mesh_memory_give_back(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)malloc_trim(0);
    (void)dl_iterate_phdr(give_back, &page);
}
