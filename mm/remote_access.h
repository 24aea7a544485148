// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Access to another task's memory, as a debugger has it: PTRACE_PEEKDATA and POKEDATA,
 * /proc/PID/mem (v3.14 mm/memory.c access_process_vm).
 *
 * Structure. The task's mm is taken (get_task_mm: it may be on its way out, and our use the last
 * one), mmap_sem for reading, the page by get_user_page() with FOLL_FORCE. The word is copied
 * through the kernel's own mapping of the frame: no entry of any page table knows of a write, so
 * the page is marked dirty by hand, and the reference alone keeps it from being freed: others may
 * zap it meanwhile.
 *
 * Units: addresses in bytes, words of eight. Locking: takes mmap_sem and PG_locked; the caller
 * holds nothing. Sleeps. Errors: -ESRCH without such a task, -EINVAL if it has no mm; as of
 * mm/gup.h.
 */
#ifndef MM_REMOTE_ACCESS_H
#define MM_REMOTE_ACCESS_H

#include "mm/mm_types.h"

/*
 * Reads the word at @addr of @mm, of which the caller is a user, into *value, or writes it.
 * seen(arg, *value), if there is one, is called in the same step as the access (which the explorer
 * does not divide).
 */
int access_remote_vm(struct mm_struct *mm, u64 addr, bool write, u64 *value,
		     void (*seen)(void *arg, u64 value), void *arg);

/* The same for the mm of task @pid. */
int access_process_vm(u32 pid, u64 addr, bool write, u64 *value, void (*seen)(void *arg, u64 value),
		      void *arg);

#endif
