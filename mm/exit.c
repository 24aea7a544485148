// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a task (v3.14 kernel/exit.c), waiting for it, and its parents and children:
 * task->parent, children and sibling, under tasklist_lock. A parent holds a reference on each of
 * its children until it has waited for it or exits; then the children are nobody's and go without
 * being waited for.
 */
#include <errno.h>

#include "mm/lazy_mm.h"
#include "mm/mm.h"
#include "mm/rss.h"
#include "mm/syscalls.h"
#include "smp/lockdep.h"
#include "smp/sched.h"
#include "smp/wait.h"

EVENT_DESC(ev_exit, 366, 0, "exit", "pid %llu, code %llu");
EVENT_DESC(ev_exit_mm, 367, EVENT_SYNC, "exit_mm", "pid %llu, mm%llu");
EVENT_DESC(ev_reaped, 375, 0, "wait", "pid %llu reaped, code %llu");

/* (B4) */
void exit_mm(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;

	mm_release(task, mm);
	if (!mm)
		return;
	event_record(&ev_exit_mm, task->pid, mm->context.id);
	mm_check_alive(mm, __func__);
	sync_mm_rss(mm);
	/* A core dump that has begun (core_state) would be taken part in here: it sets it with
	 * mmap_sem held for writing, so either it has counted us or we see it. Nothing dumps yet.
	 */
	down_read(&mm->mmap_sem);
	BUG_ON(mm->core_state, "mm%u: a core dump waits for pid %u", mm->context.id, task->pid);
	mmgrab_lazy_tlb(mm);
	BUG_ON(mm != task->active_mm, "pid %u uses mm%u and runs on another", task->pid,
	       mm->context.id);
	/* get_task_mm() either has raised mm_users before, or finds nothing. */
	spin_lock(&task->alloc_lock);
	WRITE_ONCE(task->mm, NULL);
	up_read(&mm->mmap_sem);
	enter_lazy_tlb(&mm->context);
	spin_unlock(&task->alloc_lock);
	mm_update_next_owner(mm);
	mmput(mm);
}

/* From here on the pid names nobody, though the task may have to be switched away from yet, and
 * readers may hold references. tasklist_lock held. */
static void unhash_process(struct task_struct *task)
{
	task->reaped = true;
}

/* The children become nobody's; those that have exited already are reaped. tasklist_lock held. */
static void forget_children(struct task_struct *task)
{
	struct task_struct *child, *next;

	cds_list_for_each_entry_safe(child, next, &task->children, sibling) {
		cds_list_del(&child->sibling);
		child->parent = NULL;
		if (atomic_read(&child->exit_state))
			unhash_process(child);
		put_task_struct(child);
	}
}

static void exit_notify(struct task_struct *task)
{
	spinlock_t *tasklist = &task->machine->smp->tasklist_lock;

	spin_lock(tasklist);
	forget_children(task);
	atomic_set(&task->exit_state, 1);
	if (!task->parent)
		unhash_process(task);
	/* A parent that sleeps in sys_wait() has set its state before it looked at us. It cannot go
	 * away: it would first take its name out of task->parent. */
	if (task->parent && READ_ONCE(task->parent->state) == TASK_INTERRUPTIBLE)
		(void)wake_up_process(task->parent);
	spin_unlock(tasklist);
}

void sys_exit(u32 code)
{
	struct task_struct *t = current;
	struct completion *exited;

	t->in_syscall = "exit";
	lockdep_check_none_held(__func__);
	event_record(&ev_exit, t->pid, code);
	BUG_ON(t->flags & PF_EXITING, "pid %u exits twice", t->pid);
	WRITE_ONCE(t->flags, t->flags | PF_EXITING);
	t->exit_code = code;
	if (t->mm) {
		sync_mm_rss(t->mm);
		setmax_mm_hiwater_rss(&t->maxrss, t->mm);
	}
	exit_mm(t);
	exited = t->exited;
	exit_notify(t);
	if (exited)
		complete(exited);
	do_task_dead();
}

/* A child that can be waited for, off the list; NULL if there is none. *any: there are children. */
static struct task_struct *take_exited_child(struct task_struct *t, bool *any)
{
	spinlock_t *tasklist = &t->machine->smp->tasklist_lock;
	struct task_struct *child, *found = NULL;

	spin_lock(tasklist);
	*any = !cds_list_empty(&t->children);
	cds_list_for_each_entry(child, &t->children, sibling) {
		if (atomic_read(&child->exit_state)) {
			found = child;
			cds_list_del(&child->sibling);
			child->parent = NULL;
			unhash_process(child);
			break;
		}
	}
	spin_unlock(tasklist);
	return found;
}

s64 sys_wait(u32 *code)
{
	struct task_struct *t = current, *child;
	bool any;
	s64 pid;

	t->in_syscall = "wait";
	might_sleep();
	for (;;) {
		/* Before the look at the children: one that exits after it wakes us. */
		set_current_state(TASK_INTERRUPTIBLE);
		child = take_exited_child(t, &any);
		if (child || !any)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	t->in_syscall = NULL;
	if (!child)
		return -ECHILD;
	pid = child->pid;
	if (code)
		*code = child->exit_code;
	event_record(&ev_reaped, (u64)pid, child->exit_code);
	put_task_struct(child);
	return pid;
}

s64 sys_set_tid_address(u64 va)
{
	current->clear_child_tid = va;
	return current->pid;
}
