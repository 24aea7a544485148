// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Thread groups (seed_path A3): exec out of one, from its leader and from another thread; group
 * exits, SIGKILL from outside; who is waited for, and when. And all of them against each other.
 */
#include "mm_life_seeds.h"

#include "smp/signal.h"

/* Seeds explored a test: a second or two. */
#define SEEDS 150
/* For the planted bugs: many times what the rarest of them needed. */
#define BUG_SEEDS 2000
#define PAGES 160

/* For the planted bugs: fewer CPUs than tasks, so that who is preempted in a window of a few steps
 * stays there. */
static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = PAGES, .seed = 1};
static const struct life_config three_cpus = {.nr_vcpus = 3, .nr_pages = PAGES, .seed = 1};

/* ---- members ---- */

/* Uses the group's memory until it is killed. */
static void work_until_killed(void *arg)
{
	struct life *l = arg;

	while (!return_to_user()) {
		EXPECT(user_write(current->mm->start_data, current->pid) == 0);
		yield();
	}
	(void)l;
	sys_exit(0);
}

/* Uses it a little. */
static void work_briefly(void *arg)
{
	struct life *l = arg;

	if (!return_to_user())
		EXPECT(user_write(current->mm->start_data, current->pid) == 0);
	(void)l;
	sys_exit(1);
}

static void new_threads(struct life *l, u32 nr, void (*entry)(void *))
{
	while (nr--)
		EXPECT(sys_clone(CLONE_A_THREAD, "thread", entry, l, NULL) > 0);
}

/* After an exec that succeeded: the program is alone, and answers to the name of the group. */
static void check_alone(void)
{
	struct task_struct *t = current;

	EXPECT(t->signal->nr_threads == 1 && t->signal->live == 1);
	EXPECT(t->pid == t->tgid && t->group_leader == t);
	EXPECT(t->sighand->count == 1);
	EXPECT(atomic_read(&t->mm->mm_users) == 1 && t->mm->owner == t);
	EXPECT(!t->signal->group_exit_task && !t->signal->notify_count);
}

#define EXEC_CODE 7

static void exec_alone(void *arg)
{
	struct life *l = arg;
	u64 v = 1;

	EXPECT(sys_execve(&l->image) == 0);
	check_alone();
	EXPECT(user_read(current->mm->start_data, &v) == 0 && v == 0);
	sys_exit_group(EXEC_CODE);
}

/* A member of a race: it may succeed or find that somebody was first. */
static void exec_if_possible(void *arg)
{
	struct life *l = arg;
	int err = sys_execve(&l->image);

	EXPECT(!err || err == -EAGAIN || err == -EINTR);
	if (!err)
		check_alone();
	else
		EXPECT(return_to_user());
	sys_exit_group(err ? 3 : EXEC_CODE);
}

/* ---- a process, its leader, and who waits for it ---- */

/* The caller execs, so that it has memory to share, and forks @leader; what the group ends with. */
static u32 wait_for_group(struct life *l, void (*leader)(void *))
{
	u32 code = ~0u;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "leader", leader, l, NULL);
	EXPECT(pid > 0);
	EXPECT(sys_waitpid((u32)pid, &code) == pid);
	EXPECT(sys_wait(NULL) == -ECHILD);
	return code;
}

static void leader_execs(void *arg)
{
	new_threads(arg, 2, work_until_killed);
	exec_alone(arg);
}

static void group_whose_leader_execs(void *arg)
{
	EXPECT(wait_for_group(arg, leader_execs) == EXEC_CODE);
	sys_exit(0);
}

Test(mm_thread_group, exec_kills_the_other_threads)
{
	life_both(&two_cpus, 1, group_whose_leader_execs);
	life_explore(&three_cpus, 1, group_whose_leader_execs, SEEDS);
}

static void thread_execs(void *arg)
{
	new_threads(arg, 1, work_until_killed);
	new_threads(arg, 1, exec_alone);
	work_until_killed(arg);
}

static void group_whose_thread_execs(void *arg)
{
	EXPECT(wait_for_group(arg, thread_execs) == EXEC_CODE);
	sys_exit(0);
}

Test(mm_thread_group, a_thread_that_execs_takes_the_leaders_place)
{
	life_both(&two_cpus, 1, group_whose_thread_execs);
	life_explore(&three_cpus, 1, group_whose_thread_execs, SEEDS);
}

static void leader_leaves(void *arg)
{
	new_threads(arg, 1, exec_alone);
	sys_exit(2);
}

static void group_whose_leader_leaves(void *arg)
{
	EXPECT(wait_for_group(arg, leader_leaves) == EXEC_CODE);
	sys_exit(0);
}

Test(mm_thread_group, the_leaders_place_is_free_when_it_has_exited)
{
	life_both(&two_cpus, 1, group_whose_leader_leaves);
	life_explore(&three_cpus, 1, group_whose_leader_leaves, SEEDS);
}

/* Nobody waits for this leader; the last thread sees it off. */
static void leader_without_parent(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	new_threads(l, 2, work_briefly);
	sys_exit(0);
}

Test(mm_thread_group, the_last_thread_releases_a_leader_that_nobody_waits_for)
{
	life_both(&two_cpus, 1, leader_without_parent);
	life_explore(&three_cpus, 1, leader_without_parent, SEEDS);
}

static void heir(void *arg)
{
	struct task_struct *leader = current->group_leader;

	(void)arg;
	EXPECT(current->tgid == leader->pid && current->pid != leader->pid);
	while (!atomic_read(&leader->exit_state))
		yield();
	EXPECT(READ_ONCE(current->mm->owner) == current);
	EXPECT(atomic_read(&current->signal->live) == 1);
	EXPECT(READ_ONCE(current->signal->nr_threads) == 2);
	sys_exit(0);
}

static void leader_with_an_heir(void *arg)
{
	new_threads(arg, 1, heir);
	sys_exit(4);
}

static void inheritance(void *arg)
{
	EXPECT(wait_for_group(arg, leader_with_an_heir) == 4);
	sys_exit(0);
}

Test(mm_thread_group, the_leaders_mm_passes_to_another_thread)
{
	life_both(&two_cpus, 1, inheritance);
	life_explore(&three_cpus, 1, inheritance, SEEDS);
}

static void slow_thread(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 8; i++)
		yield();
	WRITE_ONCE(l->count, 1);
	sys_exit(0);
}

static void leader_exits_first(void *arg)
{
	new_threads(arg, 1, slow_thread);
	sys_exit(2);
}

static void waits_for_all(void *arg)
{
	struct life *l = arg;

	WRITE_ONCE(l->count, 0);
	EXPECT(wait_for_group(l, leader_exits_first) == 2);
	EXPECT(READ_ONCE(l->count) == 1);
	sys_exit(0);
}

Test(mm_thread_group, a_group_is_waited_for_as_a_whole)
{
	life_both(&two_cpus, 1, waits_for_all);
	life_explore(&three_cpus, 1, waits_for_all, SEEDS);
}

static void thread_exits_group(void *arg)
{
	(void)arg;
	sys_exit_group(5);
}

static void group_that_is_ended(void *arg)
{
	new_threads(arg, 1, work_until_killed);
	new_threads(arg, 1, thread_exits_group);
	work_until_killed(arg);
}

static void exit_group_main(void *arg)
{
	EXPECT(wait_for_group(arg, group_that_is_ended) == 5);
	sys_exit(0);
}

Test(mm_thread_group, a_group_exit_ends_them_all)
{
	life_both(&two_cpus, 1, exit_group_main);
	life_explore(&three_cpus, 1, exit_group_main, SEEDS);
}

static void group_of_workers(void *arg)
{
	for (u32 i = 0; i < 2; i++) {
		s64 pid = sys_clone(CLONE_A_THREAD, "thread", work_until_killed, arg, NULL);

		EXPECT(pid > 0 || (pid == -EINTR && fatal_signal_pending(current)));
	}
	work_until_killed(arg);
}

static void killer(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_kill(12345) == -ESRCH);
	pid = sys_clone(0, "leader", group_of_workers, l, NULL);
	EXPECT(pid > 0);
	yield();
	EXPECT(sys_kill((u32)pid) == 0);
	EXPECT(sys_waitpid((u32)pid, &code) == pid);
	EXPECT(code == SIGKILL_NUMBER);
	EXPECT(sys_kill((u32)pid) == -ESRCH);
	sys_exit(0);
}

Test(mm_thread_group, sigkill_ends_them_all)
{
	life_both(&two_cpus, 1, killer);
	life_explore(&three_cpus, 1, killer, SEEDS);
}

static void exits(void *arg)
{
	struct life *l = arg;

	WRITE_ONCE(l->count, 1);
	sys_exit(3);
}

static void kills_a_zombie(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	int err;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "child", exits, l, NULL);
	EXPECT(pid > 0);
	while (!READ_ONCE(l->count))
		yield();
	/* Just before it begins to exit, or on its way, or gone. */
	err = sys_kill((u32)pid);
	EXPECT(!err || err == -ESRCH);
	EXPECT(sys_wait(&code) == pid && (code == 3 || code == SIGKILL_NUMBER));
	pid = sys_clone(0, "child", exits, l, NULL);
	EXPECT(pid > 0);
	/* It is a zombie when nobody else is left but us and the auditor. */
	while (atomic_read(&l->m->smp->nr_tasks) > 2)
		yield();
	EXPECT(sys_kill((u32)pid) == -ESRCH);
	EXPECT(sys_wait(&code) == pid && code == 3);
	sys_exit(0);
}

Test(mm_thread_group, sigkill_does_not_change_how_a_zombie_has_ended)
{
	life_both(&two_cpus, 1, kills_a_zombie);
	life_explore(&three_cpus, 1, kills_a_zombie, SEEDS);
}

/* The wait of a killed task ends though its child does not. */
static void never_ends(void *arg)
{
	struct life *l = arg;

	while (!READ_ONCE(l->count))
		yield();
	sys_exit(0);
}

static void waits_in_vain(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_clone(0, "child", never_ends, l, NULL) > 0);
	EXPECT(sys_wait(NULL) == -EINTR);
	WRITE_ONCE(l->count, 1);
	sys_exit(0);
}

static void kills_a_waiter(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "waiter", waits_in_vain, l, NULL);
	for (u32 i = 0; i < 4; i++)
		yield();
	EXPECT(pid > 0 && sys_kill((u32)pid) == 0);
	EXPECT(sys_wait(&code) == pid && code == SIGKILL_NUMBER);
	sys_exit(0);
}

Test(mm_thread_group, sigkill_ends_a_wait)
{
	life_both(&two_cpus, 1, kills_a_waiter);
}

static void bad_flags(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_clone(CLONE_A_THREAD, "thread", work_briefly, l, NULL) == -EINVAL);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_clone(CLONE_THREAD | CLONE_VM, "thread", work_briefly, l, NULL) == -EINVAL);
	EXPECT(sys_clone(CLONE_SIGHAND, "child", work_briefly, l, NULL) == -EINVAL);
	sys_exit(0);
}

Test(mm_thread_group, threads_share_handlers_and_memory)
{
	life_both(&two_cpus, 1, bad_flags);
}

/* ---- all against each other ---- */

static void race_leader(void *arg)
{
	s64 pid = sys_clone(CLONE_A_THREAD, "thread", exec_if_possible, arg, NULL);

	EXPECT(pid > 0 || pid == -EINTR);
	pid = sys_clone(CLONE_A_THREAD, "thread", exec_if_possible, arg, NULL);
	EXPECT(pid > 0 || pid == -EINTR);
	exec_if_possible(arg);
}

static void execs_race(void *arg)
{
	EXPECT(wait_for_group(arg, race_leader) == EXEC_CODE);
	sys_exit(0);
}

Test(mm_thread_group, one_of_several_execs_wins)
{
	life_both(&two_cpus, 1, execs_race);
	life_explore(&three_cpus, 1, execs_race, SEEDS);
}

static void exits_race_execs_leader(void *arg)
{
	s64 pid = sys_clone(CLONE_A_THREAD, "thread", exec_if_possible, arg, NULL);

	EXPECT(pid > 0 || pid == -EINTR);
	pid = sys_clone(CLONE_A_THREAD, "thread", thread_exits_group, arg, NULL);
	EXPECT(pid > 0 || pid == -EINTR);
	sys_exit(0);
}

static void exit_races_exec(void *arg)
{
	u32 code = wait_for_group(arg, exits_race_execs_leader);

	EXPECT(code == 5 || code == EXEC_CODE);
	sys_exit(0);
}

Test(mm_thread_group, a_group_exit_and_an_exec_do_not_mix)
{
	life_both(&two_cpus, 1, exit_races_exec);
	life_explore(&three_cpus, 1, exit_races_exec, SEEDS);
}

static void kill_races_exec(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;
	int err;

	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "leader", race_leader, l, NULL);
	EXPECT(pid > 0);
	yield();
	err = sys_kill((u32)pid);
	/* On threads all of them may have come to their end already. */
	EXPECT(!err || err == -ESRCH);
	EXPECT(sys_wait(&code) == pid);
	EXPECT(code == EXEC_CODE || (!err && code == SIGKILL_NUMBER));
	sys_exit(0);
}

Test(mm_thread_group, sigkill_wins_over_an_exec)
{
	life_both(&two_cpus, 1, kill_races_exec);
	life_explore(&three_cpus, 1, kill_races_exec, SEEDS);
}

/* ---- planted ---- */

Test(mm_thread_group, de_thread_that_forgets_one_is_found)
{
	life_found(&two_cpus, KNOB_DE_THREAD_FORGETS_ONE, group_whose_leader_execs, BUG_SEEDS,
		   "exec-not-alone");
}

Test(mm_thread_group, a_lost_wake_up_of_de_thread_is_found)
{
	life_found(&two_cpus, KNOB_DE_THREAD_STATE_LATE, group_whose_thread_execs, BUG_SEEDS,
		   "deadlock");
}

Test(mm_thread_group, taking_a_live_leaders_pid_is_found)
{
	life_found(&two_cpus, KNOB_LEADER_NOT_DEAD, group_whose_thread_execs, BUG_SEEDS,
		   "released-task-runs");
}

Test(mm_thread_group, exec_that_ignores_a_group_exit_is_found)
{
	life_found(&two_cpus, KNOB_EXEC_IGNORES_GROUP_EXIT, exit_races_exec, BUG_SEEDS,
		   "exec-in-dying-group");
}

Test(mm_thread_group, a_leader_that_is_reaped_early_is_found)
{
	life_found(&two_cpus, KNOB_LEADER_REAPED_EARLY, waits_for_all, BUG_SEEDS,
		   "leader-reaped-early");
}

static void clones_on_and_on(void *arg)
{
	while (sys_clone(CLONE_A_THREAD, "thread", work_briefly, arg, NULL) > 0 &&
	       !return_to_user())
		;
	sys_exit(0);
}

static void cloner_leader(void *arg)
{
	new_threads(arg, 1, clones_on_and_on);
	exec_alone(arg);
}

static void group_with_a_cloner(void *arg)
{
	(void)wait_for_group(arg, cloner_leader);
	sys_exit(0);
}

Test(mm_thread_group, a_thread_that_escapes_its_groups_end_is_found)
{
	life_explore(&two_cpus, 1, group_with_a_cloner, SEEDS);
	life_found(&two_cpus, KNOB_CLONE_ESCAPES_KILL, group_with_a_cloner, BUG_SEEDS,
		   "exec-not-alone");
}

static void spawned(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	check_alone();
	sys_exit(0);
}

static void spawns(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_clone(CLONE_VM | CLONE_VFORK | CLONE_SIGHAND, "child", spawned, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(current->sighand->count == 1);
	sys_exit(0);
}

Test(mm_thread_group, the_program_has_handlers_of_its_own)
{
	life_both(&two_cpus, 1, spawns);
	life_found(&two_cpus, KNOB_SIGHAND_SHARED, spawns, BUG_SEEDS, "sighand-shared-after-exec");
}
