// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm->owner: the task whose memory cgroup pays for the mm (v3.13 kernel/exit.c
 * mm_update_next_owner, mm/memcontrol.c; seed_path A8, B4). One of the tasks that use the mm, or
 * none when only readers are left.
 *
 * The owner changes in mm_update_next_owner() (mm_life.c), when it leaves the mm: it finds another
 * task that uses it, and looks again under that one's task_lock, under which a task changes its mm.
 * So the new owner is a user when it becomes owner, and before it is one no longer it hands over in
 * its turn. Read under RCU: who has just handed over may exit, and its structure stays for a grace
 * period.
 */
#ifndef MM_MM_OWNER_H
#define MM_MM_OWNER_H

#include "mm/mm_types.h"

/*
 * Who pays for a page that is charged to @mm: its owner's group, or the root if it has no owner
 * (v3.13 try_get_mem_cgroup_from_mm). Groups belong to mms here, so that the owner's is the mm's. A
 * reference on the mm, or on a task that uses it, is held.
 */
struct mem_cgroup *mem_cgroup_from_mm(struct mm_struct *mm);

/* @c has become the owner of @mm; its task_lock is held. */
void check_new_owner(const struct mm_struct *mm, const struct task_struct *c);

/* The running task has left @mm. */
void check_owner_left(const struct mm_struct *mm);

/* Quiet machine: the owner of @mm, which @users tasks use, is one of them. */
void mm_owner_audit(const struct mm_struct *mm, u32 users);

#endif
