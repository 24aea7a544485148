// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sleeping on a bit of page->flags: PG_locked, a mutex of one bit (lock_page and friends,
 * mm/file.h), and PG_writeback, which is waited for until it clears.
 *
 * Waiters sleep in a hashed table of queues, by frame number, one table a machine (v3.14
 * page_waitqueue). A queue may hold waiters of several pages, so each names its page and bit.
 * PG_locked is handed to nobody: the first waiter is woken and tries again, in front of those
 * behind it; a task that comes by may be faster.
 *
 * Ordering:
 *   (A) waiter: queue's nr up (locked) ... set own state (xchg) ... test the bit	pairs with
 *   (B) waker: clear the bit (locked) ... read nr ... look at the waiter's state
 * Either the waiter sees the bit clear, or the waker sees the waiter.
 *
 * The bits are locked operations, full barriers: what was written under PG_locked is seen by the
 * next who takes it.
 *
 * PG_locked comes after mmap_sem and i_mutex and before i_mmap_mutex, anon_vma's rwsem and all
 * spinlocks; a task holds one at a time (lockdep class page_lock).
 */
#ifndef MM_PAGELOCK_H
#define MM_PAGELOCK_H

#include "engine/machine.h"
#include "mm/page.h"

struct page_wait_queue;

struct page_wait_table {
	struct page_wait_queue *queues;
	u32 mask; /* number of queues - 1 */
};

/* 0 or -ENOMEM. */
int page_wait_setup(struct machine *m, struct page_wait_table *t);

/* PG_locked held: the page's content is about to go to the disk. */
void set_page_writeback(struct page *p);

/* It is there; whoever waits goes on. */
void end_page_writeback(struct page *p);

/* Sleeps until the page is not under writeback. Only with PG_locked held does it stay so. */
void wait_on_page_writeback(struct page *p);

#endif
