// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asynchronous input and output (v3.14 fs/aio.c): requests that go on while the program runs, and
 * that the end of its address space has to wait for.
 *
 * io_submit() pins a page of the caller's (a reference, as get_user_pages takes it) and starts a
 * kernel thread for the request. The thread adopts the address space (use_mm), reads from it, reads
 * the page as a device would, by its frame, gives the page back and completes. It holds neither
 * mm_users nor mm_count: what keeps the mm is the context, which counts its requests, and
 * exit_aio(), which mmput() calls before it takes anything apart and which waits for all of them
 * (v3.17 6098b45b32e6; v3.14 forgot to wait).
 *
 * A context is made by the first request of an mm and goes in exit_aio(). mm->ioctx is set once, by
 * cmpxchg; a context's requests are counted atomically, and the one that reaches zero wakes the
 * waiter under the queue's lock, last thing: after it the context may be gone.
 *
 * Oracle. A request remembers the generation of its frame: the page must not have been freed when
 * the device reads it. mm->oracle_torn_down must not be set while a request runs.
 */
#ifndef MM_AIO_H
#define MM_AIO_H

#include "mm/mm_types.h"

struct machine;

/* The caches. 0 or -ENOMEM. */
int aio_setup(struct machine *m);

/* The last user is gone: waits for all requests. Sleeps. */
void exit_aio(struct mm_struct *mm);

/* Quiet machine, all tasks gone: no contexts or requests are left. Reports a violation. */
void aio_audit_leaks(struct machine *m);

#endif
