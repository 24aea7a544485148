// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of address spaces that have entries in swap, and swapoff's walk over it (v3.14
 * mm->mmlist, try_to_unuse() in mm/swapfile.c). There is no swap: sys_swap_use() puts the caller's
 * mm on the list as its first swapped page would, a fork of such an mm puts the copy there, and the
 * walk looks at what it finds.
 *
 * The list holds neither mm_users nor mm_count. The last mmput() takes the mm off, after
 * exit_mmap(); until then the walker may meet an mm without users, and must not take it:
 * mmget_not_zero(). The one it has taken keeps its place on the list until the walker has the next;
 * its mmput() of the one before may be the last, so it comes when the lock has been dropped.
 *
 * Locking: mmlist_lock. mm->on_swap_list is written under it and read without it, by the mm's own
 * users and the last one.
 */
#ifndef MM_SWAP_MMS_H
#define MM_SWAP_MMS_H

#include "mm/mm_types.h"

/* fork: @mm, which nobody else uses, goes where @oldmm is. */
void swap_mms_fork(struct mm_struct *mm, const struct mm_struct *oldmm);

/* The last user is gone, the address space torn down: off the list. */
void swap_mms_leave(struct mm_struct *mm);

#endif
