// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of a task of the job's that somebody else uses, a device or a debugger, and what is known
 * of its contents. Of an address space that tasks share it is their common regions, with all that
 * their shadows know; of a process of its own, whose regions nobody else can see, the first page of
 * its bss, which the program leaves alone: what devices and debuggers write there says where it
 * belongs.
 *
 * Structure. A target holds the mm, and the region as its user (region_enter). Pages count over the
 * common regions one after the other, and behind the last one from the first again.
 *
 * Belongs to the task that uses it; no locks. Errors: there is no such memory (any more).
 */
#ifndef STRESS_TARGET_H
#define STRESS_TARGET_H

#include "stress/region.h"

struct mm_struct;
struct user_task;

struct target {
	struct mm_struct *mm; /* a use of it */
	struct region *r;
	u32 page;	   /* the first one */
	struct region bss; /* of a process */
};

/* Task number @task's memory, from page @first on. False: there is none. */
bool target_enter(struct user_task *u, u32 task, u32 first, struct target *t);
/* Gives the region back, and the mm if it has not been given back already (NULL). Sleeps. */
void target_leave(struct target *t);

#endif
