// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/rusage.h"

#include "mm/rss.h"
#include "smp/sched.h"

u64 sys_getrusage_maxrss(enum rusage_who who)
{
	struct task_struct *t = current;
	spinlock_t *tasklist = &t->machine->smp->tasklist_lock;
	u64 maxrss;

	if (who == RUSAGE_OF_CHILDREN) {
		spin_lock(tasklist);
		maxrss = t->signal->cmaxrss;
		spin_unlock(tasklist);
		return maxrss;
	}
	maxrss = t->signal->maxrss;
	if (t->mm) {
		sync_mm_rss(t->mm);
		setmax_mm_hiwater_rss(&maxrss, t->mm);
	}
	return maxrss;
}

void account_child_maxrss(struct signal_struct *parent, const struct signal_struct *child)
{
	parent->cmaxrss = max(parent->cmaxrss, max(child->maxrss, child->cmaxrss));
}
