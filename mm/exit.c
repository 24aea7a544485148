// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a task (v3.14 kernel/exit.c), waiting for it, and its parents and children:
 * task->parent, children and sibling, under tasklist_lock. A parent holds a reference on each of
 * its children until it has waited for it or exits; then they are another thread's of its group, or
 * nobody's and go without being waited for: init's, as it were, which ignores SIGCHLD. Any thread
 * may wait for the children of all threads of its group. Children are groups: of their threads
 * nobody knows but the leader.
 */
#include <errno.h>

#include "mm/coredump.h"
#include "mm/lazy_mm.h"
#include "mm/mm.h"
#include "mm/mm_owner.h"
#include "mm/rss.h"
#include "mm/rusage.h"
#include "mm/syscalls.h"
#include "mm/thread_group.h"
#include "smp/lockdep.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

EVENT_DESC(ev_exit, 366, 0, "exit", "pid %llu, code %llu");
EVENT_DESC(ev_exit_mm, 367, EVENT_SYNC, "exit_mm", "pid %llu, mm%llu");
EVENT_DESC(ev_reaped, 375, 0, "wait", "pid %llu reaped, code %llu");

/* (B4) */
void exit_mm(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	bool misses_dump, locked = !planted(KNOB_EXIT_MM_UNLOCKED);

	mm_release(task, mm);
	if (!mm)
		return;
	event_record(&ev_exit_mm, task->pid, mm->context.id);
	mm_check_alive(mm, __func__);
	sync_mm_rss(mm);
	misses_dump = planted(KNOB_EXIT_MISSES_CORE_DUMP) && !oracle_read(mm->core_state);
	/* A core dump sets core_state with mmap_sem held for writing: if it has counted us we see
	 * it. */
	down_read(&mm->mmap_sem);
	if (unlikely(mm->core_state) && !misses_dump)
		exit_core_dump(task, mm);
	mmgrab_lazy_tlb(mm);
	BUG_ON(mm != task->active_mm, "pid %u uses mm%u and runs on another", task->pid,
	       mm->context.id);
	/* get_task_mm() either has raised mm_users before, or finds nothing. */
	if (likely(locked))
		spin_lock(&task->alloc_lock);
	else
		preempt_disable();
	WRITE_ONCE(task->mm, NULL);
	up_read(&mm->mmap_sem);
	enter_lazy_tlb(&mm->context);
	if (likely(locked))
		spin_unlock(&task->alloc_lock);
	else
		preempt_enable();
	mm_update_next_owner(mm);
	check_owner_left(mm);
	mmput(mm);
}

/* The children go to another thread of the group; without one they become nobody's, and those that
 * can be reaped are. tasklist_lock held. */
static void forget_children(struct task_struct *task)
{
	struct task_struct *child, *next, *heir = other_thread(task);

	cds_list_for_each_entry_safe(child, next, &task->children, sibling) {
		cds_list_del(&child->sibling);
		child->parent = heir;
		if (heir) {
			/* Whoever waits for the group's children has looked at this one. */
			count_vm_event(VMSTAT_reparent_thread);
			cds_list_add_tail(&child->sibling, &heir->children);
			continue;
		}
		if (can_be_reaped(child))
			release_task(child);
		put_task_struct(child);
	}
}

static void exit_notify(struct task_struct *task)
{
	spinlock_t *tasklist = &task->machine->smp->tasklist_lock;
	struct signal_struct *signal = task->signal;

	spin_lock(tasklist);
	forget_children(task);
	atomic_set(&task->exit_state, 1);
	/* A parent can't go away: it would first take its name out of task->parent. */
	exit_thread_notify(task);
	/* An exec waits for its leader to be a zombie. */
	if (READ_ONCE(signal->notify_count) < 0)
		(void)wake_up_process(signal->group_exit_task);
	spin_unlock(tasklist);
}

void sys_exit(u32 code)
{
	struct task_struct *t = current;
	struct completion *exited;
	bool group_dead;

	t->in_syscall = "exit";
	lockdep_check_none_held(__func__);
	event_record(&ev_exit, t->pid, code);
	BUG_ON(t->flags & PF_EXITING, "pid %u exits twice", t->pid);
	WRITE_ONCE(t->flags, t->flags | PF_EXITING);
	t->exit_code = code;
	group_dead = atomic_dec_and_test(&t->signal->live);
	if (t->mm) {
		sync_mm_rss(t->mm);
		if (group_dead)
			setmax_mm_hiwater_rss(&t->signal->maxrss, t->mm);
	}
	exit_mm(t);
	exited = t->exited;
	exit_notify(t);
	if (exited)
		complete(exited);
	do_task_dead();
}

/* The same for the children of @parent, one of the group's threads. tasklist_lock held. */
static struct task_struct *take_exited_child_of(struct task_struct *parent, u32 pid, bool *any)
{
	struct task_struct *child;

	cds_list_for_each_entry(child, &parent->children, sibling) {
		if (pid && child->pid != pid)
			continue;
		*any = true;
		if (can_be_reaped(child)) {
			account_child_maxrss(parent->signal, child->signal);
			cds_list_del(&child->sibling);
			child->parent = NULL;
			release_task(child);
			return child;
		}
	}
	return NULL;
}

/* A child of @t's group that can be waited for, off its list; NULL if there is none. @pid: which
 * one, 0 for any. *any: there is such a child, though it may not have exited. */
static struct task_struct *take_exited_child(struct task_struct *t, u32 pid, bool *any)
{
	spinlock_t *tasklist = &t->machine->smp->tasklist_lock;
	struct task_struct *thread, *found = NULL;

	spin_lock(tasklist);
	*any = false;
	cds_list_for_each_entry(thread, &t->signal->thread_head, thread_node) {
		found = take_exited_child_of(thread, pid, any);
		if (!found)
			continue;
		if (thread != t)
			count_vm_event(VMSTAT_wait_other_thread);
		break;
	}
	spin_unlock(tasklist);
	return found;
}

s64 sys_waitpid(u32 pid, u32 *code)
{
	struct task_struct *t = current, *child;
	u32 exit_code;
	bool any;

	t->in_syscall = "wait";
	might_sleep();
	for (;;) {
		/* Before the look at the children: one that exits after it wakes us. */
		set_current_state(TASK_INTERRUPTIBLE);
		child = take_exited_child(t, pid, &any);
		if (child || !any || fatal_signal_pending(t))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	t->in_syscall = NULL;
	if (!child)
		return any ? -EINTR : -ECHILD;
	pid = child->pid;
	exit_code = group_exit_code(child);
	if (code)
		*code = exit_code;
	event_record(&ev_reaped, pid, exit_code);
	put_task_struct(child);
	return pid;
}

s64 sys_wait(u32 *code)
{
	return sys_waitpid(0, code);
}

s64 sys_set_tid_address(u64 va)
{
	current->clear_child_tid = va;
	return current->pid;
}
