// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may wait for whom in a thread group: each thread for the children of all, also of one that
 * has exited meanwhile; and when nobody is left the children are nobody's.
 */
#include "mm_life_seeds.h"

#include "smp/signal.h"

#define SEEDS 150
/* Many times what the bug needed. */
#define BUG_SEEDS 2000
#define CHILD_CODE 9

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = 192, .seed = 1};

static void child_main(void *arg)
{
	(void)arg;
	sys_exit(CHILD_CODE);
}

static void patient_child(void *arg)
{
	struct life *l = arg;

	while (!READ_ONCE(l->count))
		yield();
	sys_exit(CHILD_CODE);
}

/* Forks and exits: what it leaves is the leader's. */
static void forks_and_exits(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_clone(0, "child", patient_child, l, NULL) > 0);
	WRITE_ONCE(l->count, 1);
	sys_exit(0);
}

static void waits_for_anothers_child(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_wait(NULL) == -ECHILD);
	EXPECT(sys_clone(CLONE_A_THREAD, "thread", forks_and_exits, l, NULL) > 0);
	while (!READ_ONCE(l->count))
		yield();
	/* The thread may be there, on its way out, or gone; the child too. */
	pid = sys_wait(&code);
	EXPECT(pid > 0 && code == CHILD_CODE);
	EXPECT(sys_wait(NULL) == -ECHILD);
	EXPECT(sys_waitpid((u32)pid, NULL) == -ECHILD);
	sys_exit(0);
}

Test(mm_wait, a_thread_waits_for_the_children_of_others)
{
	life_clean(&two_cpus, waits_for_anothers_child, SEEDS);
}

/* l->count: children that have been waited for. */
static void forks_and_waits(void *arg)
{
	struct life *l = arg;
	s64 pid;

	EXPECT(sys_clone(0, "child", child_main, l, NULL) > 0);
	while ((pid = sys_wait(NULL)) > 0)
		atomic_inc(&l->count);
	EXPECT(pid == -ECHILD);
	sys_exit(0);
}

static void group_of_waiters(void *arg)
{
	EXPECT(sys_clone(CLONE_A_THREAD, "thread", forks_and_waits, arg, NULL) > 0);
	EXPECT(sys_clone(CLONE_A_THREAD, "thread", forks_and_waits, arg, NULL) > 0);
	forks_and_waits(arg);
}

static void waits_for_the_waiters(void *arg)
{
	struct life *l = arg;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "leader", group_of_waiters, l, NULL);
	EXPECT(pid > 0 && sys_wait(NULL) == pid);
	EXPECT(READ_ONCE(l->count) == 3);
	sys_exit(0);
}

Test(mm_wait, each_child_is_one_threads_and_the_others_hear_of_it)
{
	life_clean(&two_cpus, waits_for_the_waiters, SEEDS);
}

Test(mm_wait, waking_the_forker_only_is_found)
{
	life_found(&two_cpus, KNOB_WAIT_WAKES_FORKER, waits_for_the_waiters, BUG_SEEDS, "deadlock");
}

/* Forks, and is gone before its child: nobody is left to wait for that. */
static void leaves_an_orphan(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_clone(0, "child", patient_child, l, NULL) > 0);
	sys_exit_group(0);
}

static void group_with_an_orphan(void *arg)
{
	(void)sys_clone(CLONE_A_THREAD, "thread", leaves_an_orphan, arg, NULL);
	sys_exit(0);
}

static void waits_for_orphans_group(void *arg)
{
	struct life *l = arg;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "leader", group_with_an_orphan, l, NULL);
	EXPECT(pid > 0 && sys_wait(NULL) == pid);
	/* Its grandchild is no child of ours. */
	EXPECT(sys_wait(NULL) == -ECHILD);
	WRITE_ONCE(l->count, 1);
	sys_exit(0);
}

/* The audit finds it released. */
Test(mm_wait, an_orphan_goes_without_being_waited_for)
{
	life_clean(&two_cpus, waits_for_orphans_group, SEEDS);
}
