// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locked memory: what mmap, munmap and exit need of it besides the system calls (v3.14 mm/mlock.c).
 */
#ifndef MM_MLOCK_H
#define MM_MLOCK_H

#include "mm/mm_types.h"

/* The VMA is locked no longer (clears VM_LOCKED): the pages present in [start, end) lose
 * PG_mlocked. mmap_sem for writing, or the last user. locked_vm is the caller's. Sleeps. */
void munlock_vma_pages_range(struct vm_area_struct *vma, u64 start, u64 end);

/* The same for the whole VMA: munmap and exit_mmap (seed_path C2). */
void munlock_vma_pages_all(struct vm_area_struct *vma);

/* Faults in what the locked VMAs of [start, start + len) do not have yet, and mlocks the pages.
 * current->mm; takes mmap_sem for reading. 0, -ENOMEM: a hole, or -EAGAIN: out of memory, or a page
 * could not be had. */
int mm_populate(u64 start, u64 len);

#endif
