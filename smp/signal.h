// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the threads of a group have in common (v3.14 include/linux/sched.h): struct signal_struct,
 * one a thread group, and struct sighand_struct, which a group has to itself after exec but may
 * share with other processes before (CLONE_SIGHAND without CLONE_THREAD). A task that is alone is a
 * group of one. Of signals there is SIGKILL only: task->killed says that it is pending.
 *
 * Who may touch what:
 *   tasklist_lock and siglock	thread_head, nr_threads, task->killed from another task (writers);
 *				either is enough for reading
 *   siglock			flags, group_exit_code, group_exit_task
 *   atomic			live, notify_count, nr_threads; read without a lock
 *   sigcnt			a task_struct holds one for as long as it exists
 *   sighand->count		a task holds one until it is released (reaped), or, if nobody
 *releases it, until its task_struct goes
 *
 * task->sighand is exchanged by exec, under tasklist_lock, when the group is down to one thread:
 *who takes the siglock of another group holds tasklist_lock. A task that has been released has
 *none.
 *
 * A group is emptied by exec (de_thread), which waits for the others: notify_count is how many it
 * still waits for, or -1 while it waits for the leader to become a zombie; group_exit_task is who
 * waits. Or by a group exit, which waits for nobody: SIGNAL_GROUP_EXIT. Or by a core dump, which
 * waits until the others are at their end: SIGNAL_GROUP_COREDUMP, group_exit_task is who dumps.
 * Whichever comes first under siglock wins; SIGKILL from outside wins over an exec and cuts a dump
 * short.
 */
#ifndef SMP_SIGNAL_H
#define SMP_SIGNAL_H

#include <urcu/list.h>

#include "engine/machine.h"
#include "smp/mutex.h"
#include "smp/spinlock.h"
#include "smp/task.h"

#define SIGKILL_NUMBER 9 /* x86 */
/* v3.14 include/linux/sched.h */
#define SIGNAL_GROUP_EXIT 0x00000004u
#define SIGNAL_GROUP_COREDUMP 0x00000008u

/* Handlers there are none, as SIGKILL can't be handled: the table is its lock and its count. */
struct sighand_struct {
	spinlock_t siglock;
	u32 count; /* tasks that use it; atomic */
};

struct signal_struct {
	u32 sigcnt;	     /* task_structs that refer to it; atomic */
	u32 live;	     /* threads that have not begun to exit; atomic */
	u32 nr_threads;	     /* on thread_head */
	u32 flags;	     /* SIGNAL_GROUP_EXIT or _COREDUMP; atomic */
	u32 group_exit_code; /* of SIGNAL_GROUP_EXIT */
	s32 notify_count;    /* of the exec that empties the group */
	u64 maxrss;	     /* high-water mark of the mms that the group has left, in pages */
	u64 cmaxrss; /* the highest of the children that have been waited for; tasklist_lock */
	struct cds_list_head thread_head; /* task->thread_node, the leader included */
	struct task_struct *group_exit_task;
	struct mutex cred_guard_mutex; /* an exec of the group (mm/cred.h) */
};

/* Set-up. 0 or -ENOMEM. */
int signal_setup(struct machine *m);

/* Gives @t a group and a handler table of its own. 0 or -ENOMEM; what was given goes with @t. */
int signal_create(struct machine *m, struct task_struct *t);

/*
 * @t, which nobody knows yet, joins the group of @of, the caller's. tasklist_lock and siglock held.
 */
void signal_join(struct task_struct *t, struct task_struct *of);

/* A table that its caller uses alone; NULL without memory. */
struct sighand_struct *sighand_create(struct machine *m);
void put_sighand(struct machine *m, struct sighand_struct *sighand);
void put_signal_struct(struct machine *m, struct signal_struct *signal);

static inline bool thread_group_leader(const struct task_struct *t)
{
	return t->group_leader == t;
}

/* SIGKILL is pending for @t itself: it takes it on its way to user mode, and out of killable and
 * interruptible sleeps. */
static inline bool fatal_signal_pending(struct task_struct *t)
{
	return READ_ONCE(t->killed);
}

#endif
