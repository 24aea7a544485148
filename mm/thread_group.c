// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/thread_group.h"

#include <errno.h>

#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/syscalls.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_kill, 330, EVENT_SYNC, "SIGKILL", "to group %llu, from pid %llu");
EVENT_DESC(ev_group_exit, 331, EVENT_SYNC, "exit_group", "pid %llu ends group %llu");
EVENT_DESC(ev_de_thread, 332, EVENT_SYNC, "de_thread", "pid %llu waits for %llu threads");
EVENT_DESC(ev_takeover, 333, EVENT_SYNC, "de_thread: takes the leader's pid",
	   "pid %llu is %llu from now on");
EVENT_DESC(ev_release, 334, 0, "release_task", "pid %llu of group %llu");

INVARIANT(
	inv_exec_alone, "exec-not-alone",
	"past the point of no return of exec the caller is its group's only thread and its leader");
INVARIANT(inv_sighand, "sighand-shared-after-exec",
	  "after exec nobody else uses the program's table of signal handlers");
INVARIANT(inv_released_runs, "released-task-runs",
	  "who has been released has exited: until then its pid is its own");
INVARIANT(inv_dying_group, "exec-in-dying-group",
	  "an exec that finds its group being ended when it comes to empty it gives up");
INVARIANT(inv_leader_reaped, "leader-reaped-early",
	  "the leader is released when it is the last of its group, or by the exec that takes its "
	  "pid");

bool can_be_reaped(struct task_struct *task)
{
	return atomic_read(&task->exit_state) &&
	       (READ_ONCE(task->signal->nr_threads) == 1 || planted(KNOB_LEADER_REAPED_EARLY));
}

void wake_up_parent(struct task_struct *parent)
{
	struct task_struct *t;

	/* Who sleeps in sys_wait() has set its state before it looked at the children. */
	cds_list_for_each_entry(t, &parent->signal->thread_head, thread_node) {
		if (t != parent && planted(KNOB_WAIT_WAKES_FORKER))
			continue;
		if (READ_ONCE(t->state) == TASK_INTERRUPTIBLE)
			(void)wake_up_state(t, TASK_INTERRUPTIBLE);
	}
}

/* A thread that has not begun to exit, and is not @except; NULL: none. tasklist_lock held. */
static struct task_struct *live_thread(struct signal_struct *signal,
				       const struct task_struct *except)
{
	struct task_struct *t;

	cds_list_for_each_entry(t, &signal->thread_head, thread_node) {
		if (t != except && !(READ_ONCE(t->flags) & PF_EXITING))
			return t;
	}
	return NULL;
}

struct task_struct *other_thread(struct task_struct *task)
{
	return live_thread(task->signal, task);
}

u32 group_exit_code(const struct task_struct *leader)
{
	const struct signal_struct *signal = leader->signal;

	return READ_ONCE(signal->flags) & SIGNAL_GROUP_EXIT ? signal->group_exit_code
							    : leader->exit_code;
}

/* Out of the group; an exec that waits for the last one but itself goes on. */
static void exit_signal(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct sighand_struct *sighand = task->sighand;
	s32 waited_for;

	BUG_ON(!sighand, "pid %u is released for the second time", task->pid);
	spin_lock(&sighand->siglock);
	waited_for = READ_ONCE(signal->notify_count);
	if (waited_for > 0 && !thread_group_leader(task)) {
		WRITE_ONCE(signal->notify_count, waited_for - 1);
		if (waited_for == 1)
			(void)wake_up_process(signal->group_exit_task);
	}
	cds_list_del(&task->thread_node);
	WRITE_ONCE(signal->nr_threads, signal->nr_threads - 1);
	task->sighand = NULL;
	spin_unlock(&sighand->siglock);
	put_sighand(task->machine, sighand);
}

/* From here on the pid names nobody, though the task may have to be switched away from yet, and
 * readers may hold references. tasklist_lock held. */
static void unhash_process(struct task_struct *task)
{
	event_record(&ev_release, task->pid, task->tgid);
	if (unlikely(!atomic_read(&task->exit_state)))
		VIOLATION(&inv_released_runs, "pid %u is released by pid %u and has not exited",
			  task->pid, current->pid);
	exit_signal(task);
	task->reaped = true;
}

void release_task(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	if (unlikely(leader == task && READ_ONCE(task->signal->nr_threads) != 1))
		VIOLATION(&inv_leader_reaped, "pid %u is released, %u threads of its group are not",
			  task->pid, READ_ONCE(task->signal->nr_threads) - 1);
	unhash_process(task);
	if (leader == task)
		return;
	if (can_be_reaped(leader))
		exit_thread_notify(leader);
	put_task_struct(leader);
}

void exit_thread_notify(struct task_struct *task)
{
	if (!thread_group_leader(task) || (can_be_reaped(task) && !task->parent))
		release_task(task);
	else if (can_be_reaped(task))
		wake_up_parent(task->parent);
}

/* SIGKILL for all threads of the group but @self (NULL: all); how many others there are, those that
 * have exited and are still to be released included. siglock held. */
static u32 zap_threads(struct signal_struct *signal, const struct task_struct *self)
{
	struct task_struct *t;
	u32 nr = 0;

	cds_list_for_each_entry(t, &signal->thread_head, thread_node) {
		if (t == self)
			continue;
		nr++;
		if (atomic_read(&t->exit_state))
			continue;
		WRITE_ONCE(t->killed, 1);
		(void)wake_up_state(t, TASK_INTERRUPTIBLE | TASK_KILLABLE);
	}
	return nr;
}

bool signal_group_exit(const struct signal_struct *signal)
{
	return (READ_ONCE(signal->flags) & SIGNAL_GROUP_EXIT) || signal->group_exit_task;
}

int sys_kill(u32 pid)
{
	struct task_struct *self = current, *t;
	spinlock_t *tasklist = &self->machine->smp->tasklist_lock;
	int err = -ESRCH;

	spin_lock(tasklist);
	cds_list_for_each_entry(t, &self->machine->smp->all_tasks, all_node) {
		struct signal_struct *signal = t->signal;

		/* Any thread will do: the leader may have gone. */
		if (t->tgid != pid || t->reaped || (READ_ONCE(t->flags) & PF_KTHREAD))
			continue;
		err = 0;
		event_record(&ev_kill, pid, self->pid);
		count_vm_event(VMSTAT_group_kill);
		spin_lock(&t->sighand->siglock);
		/* Over an exec that is under way: it has SIGKILL pending then, and gives up. A
		 * group whose threads all exit already ends as it does. */
		if (!(READ_ONCE(signal->flags) & SIGNAL_GROUP_EXIT) && live_thread(signal, NULL)) {
			signal->group_exit_code = SIGKILL_NUMBER;
			WRITE_ONCE(signal->flags, SIGNAL_GROUP_EXIT);
			(void)zap_threads(signal, NULL);
		}
		spin_unlock(&t->sighand->siglock);
		break;
	}
	spin_unlock(tasklist);
	return err;
}

void sys_exit_group(u32 code)
{
	struct task_struct *t = current;
	struct signal_struct *signal = t->signal;

	if (READ_ONCE(signal->nr_threads) > 1) {
		spin_lock(&t->sighand->siglock);
		/* Somebody was first: we are only one of those that go. */
		if (!signal_group_exit(signal)) {
			event_record(&ev_group_exit, t->pid, t->tgid);
			count_vm_event(VMSTAT_group_exit);
			signal->group_exit_code = code;
			WRITE_ONCE(signal->flags, SIGNAL_GROUP_EXIT);
			(void)zap_threads(signal, t);
		}
		spin_unlock(&t->sighand->siglock);
	}
	sys_exit(code);
}

/* ---- exec ---- */

/* Has SIGKILL come for the exec's task, from outside or from a group exit? */
static bool must_give_up(struct task_struct *task)
{
	return fatal_signal_pending(task) && !planted(KNOB_EXEC_IGNORES_GROUP_EXIT);
}

/* Nobody is waited for any more. exit_notify() looks with tasklist_lock only. */
static void exec_waits_no_more(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	spinlock_t *tasklist = &task->machine->smp->tasklist_lock;

	spin_lock(tasklist);
	spin_lock(&task->sighand->siglock);
	signal->group_exit_task = NULL;
	WRITE_ONCE(signal->notify_count, 0);
	spin_unlock(&task->sighand->siglock);
	spin_unlock(tasklist);
}

static int give_up(struct task_struct *task)
{
	exec_waits_no_more(task);
	count_vm_event(VMSTAT_exec_interrupted);
	return -EAGAIN;
}

/* Kills the others and waits until all but the leader have been released. 0 or -EAGAIN. */
static int wait_for_threads(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	spinlock_t *siglock = &task->sighand->siglock;
	u32 nr;

	spin_lock(siglock);
	if (signal_group_exit(signal) && !planted(KNOB_EXEC_IGNORES_GROUP_EXIT)) {
		spin_unlock(siglock);
		count_vm_event(VMSTAT_exec_interrupted);
		return -EAGAIN;
	}
	signal->group_exit_task = task;
	nr = zap_threads(signal, task) - !thread_group_leader(task);
	if (nr && planted(KNOB_DE_THREAD_FORGETS_ONE))
		nr--;
	WRITE_ONCE(signal->notify_count, (s32)nr);
	event_record(&ev_de_thread, task->pid, nr);
	while (READ_ONCE(signal->notify_count)) {
		/* Before siglock goes: who brings the count to zero has it then, and wakes us. */
		if (!planted(KNOB_DE_THREAD_STATE_LATE))
			set_current_state(TASK_KILLABLE);
		spin_unlock(siglock);
		if (planted(KNOB_DE_THREAD_STATE_LATE))
			set_current_state(TASK_KILLABLE);
		if (!must_give_up(task))
			schedule();
		__set_current_state(TASK_RUNNING);
		if (must_give_up(task))
			return give_up(task);
		spin_lock(siglock);
	}
	spin_unlock(siglock);
	return 0;
}

/* What is the leader's becomes @task's: the pid, the parent, whose reference goes over. The leader
 * is a zombie, of no interest to anybody. tasklist_lock held. */
static void take_over(struct task_struct *task, struct task_struct *leader)
{
	event_record(&ev_takeover, task->pid, leader->pid);
	count_vm_event(VMSTAT_exec_takeover);
	WRITE_ONCE(task->pid, leader->pid);
	task->group_leader = task;
	task->parent = leader->parent;
	if (leader->parent) {
		get_task_struct(task);
		cds_list_add(&task->sibling, &leader->sibling);
		cds_list_del(&leader->sibling);
		leader->parent = NULL;
		put_task_struct(leader);
	}
	unhash_process(leader);
	/* The thread's reference on its leader. */
	put_task_struct(leader);
}

/* Waits until the leader is a zombie. 0 or -EAGAIN. */
static int replace_leader(struct task_struct *task)
{
	spinlock_t *tasklist = &task->machine->smp->tasklist_lock;
	struct task_struct *leader = task->group_leader;

	for (;;) {
		spin_lock(tasklist);
		/* exit_notify() wakes us. */
		WRITE_ONCE(task->signal->notify_count, -1);
		if (atomic_read(&leader->exit_state) || planted(KNOB_LEADER_NOT_DEAD))
			break;
		set_current_state(TASK_KILLABLE);
		spin_unlock(tasklist);
		if (!must_give_up(task))
			schedule();
		__set_current_state(TASK_RUNNING);
		if (must_give_up(task))
			return give_up(task);
	}
	take_over(task, leader);
	spin_unlock(tasklist);
	return 0;
}

/* The new program's handlers are its own. 0 or -ENOMEM. */
static int unshare_sighand(struct task_struct *task)
{
	struct sighand_struct *old = task->sighand, *new;
	spinlock_t *tasklist = &task->machine->smp->tasklist_lock;

	if (atomic_read(&old->count) == 1 || planted(KNOB_SIGHAND_SHARED))
		return 0;
	new = sighand_create(task->machine);
	if (!new)
		return -ENOMEM;
	/* Who sends us SIGKILL holds tasklist_lock; nobody else knows us any more. */
	spin_lock(tasklist);
	spin_lock(&old->siglock);
	task->sighand = new;
	spin_unlock(&old->siglock);
	spin_unlock(tasklist);
	put_sighand(task->machine, old);
	return 0;
}

int de_thread(struct task_struct *task)
{
	int err = 0;

	if (READ_ONCE(task->signal->nr_threads) > 1) {
		bool dying = oracle_read(task->signal->flags) & SIGNAL_GROUP_EXIT;

		count_vm_event(VMSTAT_exec_de_thread);
		err = wait_for_threads(task);
		if (!err && !thread_group_leader(task))
			err = replace_leader(task);
		if (err)
			return err;
		if (unlikely(dying))
			VIOLATION(&inv_dying_group, "pid %u of group %u execs in spite of its end",
				  task->pid, task->tgid);
		exec_waits_no_more(task);
	}
	return unshare_sighand(task);
}

void check_group_is_one(const struct task_struct *task)
{
	u32 threads = oracle_read(task->signal->nr_threads);
	u32 users = oracle_read(task->sighand->count);

	if (unlikely(threads != 1 || !thread_group_leader(task) || task->tgid != task->pid))
		VIOLATION(&inv_exec_alone, "pid %u of group %u execs with %u threads, %s",
			  task->pid, task->tgid, threads,
			  thread_group_leader(task) ? "as the leader" : "not as the leader");
	if (unlikely(users != 1))
		VIOLATION(&inv_sighand, "the handlers of pid %u have %u users after exec",
			  task->pid, users);
}
