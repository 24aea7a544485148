// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/mm_owner.h"

#include "mm/memcg.h"
#include "mm/mm.h"
#include "smp/rcu.h"
#include "smp/sched.h"

INVARIANT(inv_owner, "mm-owner",
	  "the owner of an mm is a task that uses it, or is about to hand it over");

void check_new_owner(const struct mm_struct *mm, const struct task_struct *c)
{
	const struct mm_struct *uses = oracle_read(c->mm);

	if (unlikely(uses != mm))
		VIOLATION(&inv_owner, "pid %u becomes the owner of mm%u and uses mm%u", c->pid,
			  mm->context.id, uses ? uses->context.id : 0);
}

void check_owner_left(const struct mm_struct *mm)
{
	if (unlikely(oracle_read(mm->owner) == current))
		VIOLATION(&inv_owner, "pid %u leaves mm%u and stays its owner", current->pid,
			  mm->context.id);
}

/*
 * A zombie has left its mm, and handed it over before. Under threads it may have done both since we
 * looked who the owner is: then it is another by now. Looks at memory that may have been freed:
 * that is what it is for.
 */
__attribute__((no_sanitize("address"))) static void check_owner(const struct mm_struct *mm,
								const struct task_struct *owner)
{
	if (unlikely(oracle_read(owner->exit_state)) && oracle_read(mm->owner) == owner)
		VIOLATION(&inv_owner, "the owner of mm%u is pid %u, which has exited",
			  mm->context.id, owner->pid);
}

struct mem_cgroup *mem_cgroup_from_mm(struct mm_struct *mm)
{
	const struct task_struct *owner;
	struct mem_cgroup *memcg;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	if (owner)
		check_owner(mm, owner);
	memcg = owner && mm->memcg ? mm->memcg : memcg_get(this_vcpu()->machine, 0);
	rcu_read_unlock();
	return memcg;
}

void mm_owner_audit(const struct mm_struct *mm, u32 users)
{
	const struct task_struct *owner = oracle_read(mm->owner);

	if (users && !owner)
		VIOLATION(&inv_owner, "%u tasks use mm%u, and none of them owns it", users,
			  mm->context.id);
	if (users && oracle_read(owner->mm) != mm)
		VIOLATION(&inv_owner, "the owner of mm%u is pid %u, which does not use it",
			  mm->context.id, owner->pid);
}
