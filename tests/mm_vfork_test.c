// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vfork parent that SIGKILL wakes before its child has left the mm: it goes, and the child, which
 * leaves the mm by exit or exec at the same time or much later, does without it.
 */
#include "mm_life_seeds.h"

#include "smp/signal.h"

#define SEEDS 150
/* Many times what the bug needed. */
#define BUG_SEEDS 5000

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = 160, .seed = 1};

/* l->count: the child is there; it may leave. */
#define CHILD_THERE 1
#define CHILD_MAY_GO 2

static void waits_to_go(void *arg)
{
	struct life *l = arg;

	WRITE_ONCE(l->count, CHILD_THERE);
	while (READ_ONCE(l->count) != CHILD_MAY_GO)
		yield();
	/* Nobody to be let go any more. */
	EXPECT(!READ_ONCE(current->vfork_done));
	EXPECT(user_write(current->mm->end_data, 1) == 0);
	EXPECT(sys_execve(&l->image) == 0);
	sys_exit(0);
}

static void vfork_parent(void *arg)
{
	EXPECT(sys_clone(CLONE_VM | CLONE_VFORK, "child", waits_to_go, arg, NULL) > 0);
	EXPECT(fatal_signal_pending(current));
	EXPECT(sys_wait(NULL) == -EINTR);
	sys_exit(0);
}

static void kills_the_parent(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "parent", vfork_parent, l, NULL);
	EXPECT(pid > 0);
	while (READ_ONCE(l->count) != CHILD_THERE)
		yield();
	EXPECT(sys_kill((u32)pid) == 0);
	/* The child is still where it was. */
	EXPECT(sys_wait(&code) == pid && code == SIGKILL_NUMBER);
	WRITE_ONCE(l->count, CHILD_MAY_GO);
	sys_exit(0);
}

Test(mm_vfork, a_killed_parent_goes_before_its_child)
{
	life_clean(&two_cpus, kills_the_parent, SEEDS);
}

static void leaves_at_once(void *arg)
{
	atomic_inc(&((struct life *)arg)->count);
	sys_exit(0);
}

static void vforks_a_short_life(void *arg)
{
	(void)sys_clone(CLONE_VM | CLONE_VFORK, "child", leaves_at_once, arg, NULL);
	sys_exit(0);
}

static void group_of_vfork_parents(void *arg)
{
	(void)sys_clone(CLONE_A_THREAD, "thread", vforks_a_short_life, arg, NULL);
	vforks_a_short_life(arg);
}

static void kills_it_meanwhile(void *arg)
{
	struct life *l = arg;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "parents", group_of_vfork_parents, l, NULL);
	EXPECT(pid > 0);
	while (!READ_ONCE(l->count))
		yield();
	(void)sys_kill((u32)pid);
	EXPECT(sys_wait(NULL) == pid);
	sys_exit(0);
}

Test(mm_vfork, a_child_that_leaves_races_with_the_kill)
{
	life_clean(&two_cpus, kills_it_meanwhile, SEEDS);
}

Test(mm_vfork, taking_back_without_task_lock_is_found)
{
	life_found(&two_cpus, KNOB_VFORK_DONE_UNLOCKED, kills_it_meanwhile, BUG_SEEDS,
		   "vfork-parent-gone");
}
