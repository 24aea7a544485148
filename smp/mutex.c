// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/mutex.h"

#include <errno.h>

#include "smp/signal.h"

struct mutex_waiter {
	struct task_struct *task;
	u32 granted; /* atomic; set by the one who hands the mutex over */
	struct cds_list_head node;
};

void mutex_init(struct mutex *m, enum lock_class class)
{
	init_once(m->owner, NULL);
	init_once(m->nr_waiters, 0);
	m->class = (u16) class;
	spin_lock_init(&m->lock, LOCK_CLASS_mutex_wait);
	CDS_INIT_LIST_HEAD(&m->waiters);
}

/* SIGKILL has ended the wait, unless the mutex has just been handed over. 0 or -EINTR. */
static int mutex_wait_no_more(struct mutex *m, struct mutex_waiter *w)
{
	bool granted;

	spin_lock(&m->lock);
	granted = READ_ONCE(w->granted);
	if (!granted) {
		cds_list_del(&w->node);
		atomic_dec(&m->nr_waiters);
	}
	spin_unlock(&m->lock);
	return granted ? 0 : -EINTR;
}

/* @state: in which it waits. 0; -EINTR when a killable wait has been ended by SIGKILL. */
static int mutex_lock_slow(struct mutex *m, enum task_state state)
{
	struct mutex_waiter w = {.task = current};
	int err = 0;

	spin_lock(&m->lock);
	/* Announced before the last try: pairs with mutex_unlock, which frees the mutex and then
	 * looks for waiters. */
	atomic_inc(&m->nr_waiters);
	if (!cmpxchg(&m->owner, NULL, w.task)) {
		atomic_dec(&m->nr_waiters);
		spin_unlock(&m->lock);
		return 0;
	}
	cds_list_add_tail(&w.node, &m->waiters);
	spin_unlock(&m->lock);
	for (;;) {
		set_current_state(state);
		if (smp_load_acquire(&w.granted))
			break;
		if (state == TASK_KILLABLE && fatal_signal_pending(w.task)) {
			__set_current_state(TASK_RUNNING);
			err = mutex_wait_no_more(m, &w);
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	lockdep_acquire((enum lock_class)m->class);
	if (unlikely(cmpxchg(&m->owner, NULL, current)))
		(void)mutex_lock_slow(m, TASK_UNINTERRUPTIBLE);
}

int mutex_lock_killable(struct mutex *m)
{
	int err;

	might_sleep();
	lockdep_acquire((enum lock_class)m->class);
	if (likely(!cmpxchg(&m->owner, NULL, current)))
		return 0;
	err = mutex_lock_slow(m, TASK_KILLABLE);
	if (err)
		lockdep_release((enum lock_class)m->class);
	return err;
}

bool mutex_trylock(struct mutex *m)
{
	if (cmpxchg(&m->owner, NULL, current))
		return false;
	lockdep_acquire_try((enum lock_class)m->class);
	return true;
}

/* Hands the mutex to the longest waiter if it is free. */
static void mutex_wake(struct mutex *m)
{
	struct mutex_waiter *w;
	struct task_struct *task;

	spin_lock(&m->lock);
	if (cds_list_empty(&m->waiters)) {
		spin_unlock(&m->lock);
		return;
	}
	w = cds_list_first_entry(&m->waiters, struct mutex_waiter, node);
	task = w->task;
	if (cmpxchg(&m->owner, NULL, task)) {
		/* Somebody was faster; it will look for waiters when it unlocks. */
		spin_unlock(&m->lock);
		return;
	}
	cds_list_del(&w->node);
	atomic_dec(&m->nr_waiters);
	get_task_struct(task);
	/* After this the waiter may return: w is gone. */
	smp_store_release(&w->granted, 1);
	spin_unlock(&m->lock);
	wake_up_process(task);
	put_task_struct(task);
}

void mutex_lock_nest_lock(struct mutex *m, enum lock_class outer)
{
	might_sleep();
	lockdep_assert_held(outer);
	if (unlikely(cmpxchg(&m->owner, NULL, current)))
		(void)mutex_lock_slow(m, TASK_UNINTERRUPTIBLE);
}

void mutex_unlock_nest_lock(struct mutex *m)
{
	struct task_struct *owner = xchg(&m->owner, NULL);
	BUG_ON(owner != current, "mutex %s released by pid %u, owned by pid %u",
	       lock_class_names[m->class], current->pid, owner ? owner->pid : 0);
	if (unlikely(READ_ONCE(m->nr_waiters)))
		mutex_wake(m);
}

void mutex_unlock(struct mutex *m)
{
	lockdep_release((enum lock_class)m->class);
	mutex_unlock_nest_lock(m);
}
