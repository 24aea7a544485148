// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * High-water marks of resident memory, as getrusage() shows them (v3.14 kernel/sys.c k_getrusage,
 * kernel/exit.c wait_task_zombie): signal->maxrss is raised to an mm's mark when the group leaves
 * the mm, by exec or by the exit of its last thread; signal->cmaxrss to a child's marks when it is
 * waited for. In pages.
 *
 * maxrss is written by the group's only or last thread. cmaxrss is under tasklist_lock.
 */
#ifndef MM_RUSAGE_H
#define MM_RUSAGE_H

#include "smp/signal.h"

enum rusage_who {
	RUSAGE_OF_SELF,
	RUSAGE_OF_CHILDREN,
};

/* The most that the caller's group, or a child that it has waited for, has ever had resident. */
u64 sys_getrusage_maxrss(enum rusage_who who);

/* @child has been waited for by the group of @parent. tasklist_lock held. */
void account_child_maxrss(struct signal_struct *parent, const struct signal_struct *child);

#endif
