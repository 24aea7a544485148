// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/vfork.h"

#include "mm/knobs.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_vfork_done, 376, 0, "mm_release", "pid %llu lets its vfork parent go%.0llu");
EVENT_DESC(ev_vfork_killed, 435, EVENT_SYNC, "vfork: killed",
	   "pid %llu waits for pid %llu no more");

INVARIANT(inv_parent_gone, "vfork-parent-gone",
	  "who lets a vfork parent go finds it waiting until that is done");

/* task->oracle_vfork of a child. */
enum oracle_vfork {
	VFORK_WAITS,
	VFORK_COMPLETES,   /* the child is about to let its parent go */
	VFORK_PARENT_GONE, /* the parent has been killed: its stack may be anything by now */
};

/* No decision point: what @task is about to do and the note of it are one step. */
static u32 note(struct task_struct *task, enum oracle_vfork what)
{
	return __atomic_exchange_n(&task->oracle_vfork, (u32)what, __ATOMIC_RELAXED);
}

void vfork_begin(struct task_struct *child, struct completion *vfork)
{
	init_completion(vfork);
	child->vfork_done = vfork;
	get_task_struct(child);
}

int wait_for_vfork_done(struct task_struct *child, struct completion *vfork)
{
	bool locked = !planted(KNOB_VFORK_DONE_UNLOCKED);
	int err = wait_for_completion_killable(vfork);

	if (err) {
		if (locked)
			spin_lock(&child->alloc_lock);
		WRITE_ONCE(child->vfork_done, NULL);
		if (locked)
			spin_unlock(&child->alloc_lock);
		if (unlikely(note(child, VFORK_PARENT_GONE) == VFORK_COMPLETES))
			VIOLATION(&inv_parent_gone,
				  "pid %u, killed, leaves the stack that its child, pid %u, is at",
				  current->pid, child->pid);
		event_record(&ev_vfork_killed, current->pid, oracle_read(child->pid));
		count_vm_event(VMSTAT_vfork_killed);
	}
	put_task_struct(child);
	return err;
}

void complete_vfork_done(struct task_struct *task)
{
	struct completion *vfork;

	if (!READ_ONCE(task->vfork_done))
		return;
	spin_lock(&task->alloc_lock);
	vfork = READ_ONCE(task->vfork_done);
	if (vfork) {
		if (unlikely(note(task, VFORK_COMPLETES) == VFORK_PARENT_GONE))
			VIOLATION(&inv_parent_gone,
				  "pid %u completes what its killed parent had on its stack",
				  task->pid);
		WRITE_ONCE(task->vfork_done, NULL);
		event_record(&ev_vfork_done, task->pid, 0);
		complete(vfork);
		(void)note(task, VFORK_WAITS);
	}
	spin_unlock(&task->alloc_lock);
}
