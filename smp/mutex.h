// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sleeping mutual exclusion. First come, first served among those that wait; the fast path is one
 * cmpxchg. Only the task that took it may release it. Not from interrupts.
 */
#ifndef SMP_MUTEX_H
#define SMP_MUTEX_H

#include <urcu/list.h>

#include "smp/sched.h"

struct mutex {
	struct task_struct *owner; /* atomic; NULL: free */
	u32 nr_waiters;		   /* atomic; under lock for writers */
	u16 class;		   /* enum lock_class */
	spinlock_t lock;
	struct cds_list_head waiters; /* under lock */
};

void mutex_init(struct mutex *m, enum lock_class class);
void mutex_lock(struct mutex *m);
/* The same, but SIGKILL ends the wait: 0, or -EINTR without the mutex. */
int mutex_lock_killable(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/*
 * Many mutexes of one class at once, by a task that holds @outer, without which nobody takes a
 * second one of that class: in any order then (v3.14 mutex_lock_nest_lock). lockdep, which knows
 * classes, is not told of them.
 */
void mutex_lock_nest_lock(struct mutex *m, enum lock_class outer);
void mutex_unlock_nest_lock(struct mutex *m);

static inline bool mutex_is_locked(struct mutex *m)
{
	return READ_ONCE(m->owner) != NULL;
}

#endif
