// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting for a word of user memory to change (v3.14 kernel/futex.c), as far as threads need it
 * that join each other: FUTEX_WAIT and FUTEX_WAKE of private futexes, whose key is the mm and the
 * address. mm_release() clears the word that a thread has named (sys_set_tid_address) and wakes one
 * waiter.
 *
 * A waiter is queued before it reads the word, and who changes the word looks for waiters after it:
 * either the waiter reads what is new, or it is found. (The kernel reads the word under the
 * bucket's lock, with page faults turned off; here it is read without the lock, and may fault.)
 *
 * The buckets' lock, futex_hash, guards their lists and futex_q.woken (writers); taken in tasks
 * only.
 */
#ifndef MM_FUTEX_H
#define MM_FUTEX_H

#include "engine/machine.h"

/* Set-up. 0 or -ENOMEM. */
int futex_setup(struct machine *m);

/* Sleeps while the word at @va of the caller's mm is @val, until it is woken: 0. -EAGAIN if the
 * word is not @val, -EINTR for who is killed, or the error of reading the word. */
int sys_futex_wait(u64 va, u64 val);

/* Wakes those that have waited longest at @va of the caller's mm, @nr at the most; how many. */
u32 sys_futex_wake(u64 va, u32 nr);

#endif
