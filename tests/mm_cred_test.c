// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec's cred_guard_mutex: execs of a group one after the other, and the mm of a task given only to
 * those who have the rights of the program that runs in it.
 */
#include "mm_life_seeds.h"

#include "mm/cred.h"
#include "smp/signal.h"

#define SEEDS 150
/* Many times what the bug needed. */
#define BUG_SEEDS 2000
#define EXEC_CODE 7

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = 192, .seed = 1};
static const struct life_config three_cpus = {.nr_vcpus = 3, .nr_pages = 192, .seed = 1};

static struct exec_image setid_image(const struct life *l, bool setid)
{
	struct exec_image image = l->image;

	image.setid = setid;
	return image;
}

/* ---- rights ---- */

static void waits_for_the_end(void *arg)
{
	struct life *l = arg;

	EXPECT(current->euid == USER_UID);
	while (!READ_ONCE(l->count))
		yield();
	sys_exit(0);
}

static void rights(void *arg)
{
	struct life *l = arg;
	struct exec_image root = setid_image(l, true), usual = setid_image(l, false);
	u32 pid = current->pid;
	s64 child;

	WRITE_ONCE(l->count, 0);
	/* A kernel thread has all rights, a program a user's. */
	EXPECT(current->euid == ROOT_UID);
	EXPECT(sys_execve(&usual) == 0 && current->euid == USER_UID);
	child = sys_clone(0, "child", waits_for_the_end, l, NULL);
	EXPECT(child > 0);
	EXPECT(sys_access_mm(12345) == -ESRCH);
	EXPECT(sys_access_mm(pid) > 0);
	EXPECT(sys_access_mm((u32)child) > 0);
	EXPECT(sys_execve(&root) == 0 && current->euid == ROOT_UID);
	EXPECT(sys_access_mm((u32)child) > 0);
	EXPECT(sys_execve(&usual) == 0 && current->euid == USER_UID);
	WRITE_ONCE(l->count, 1);
	EXPECT(sys_wait(NULL) == child);
	sys_exit(0);
}

Test(mm_cred, a_program_has_the_rights_of_its_image)
{
	life_clean(&two_cpus, rights, 10);
}

/* l->count: the pid of who is looked at. */
static void looks(void *arg)
{
	struct life *l = arg;
	u32 pid = READ_ONCE(l->count);

	for (u32 i = 0; i < 6; i++) {
		int nr = sys_access_mm(pid);

		EXPECT(nr > 0 || nr == -EACCES || nr == -EINVAL || nr == -ESRCH);
	}
	sys_exit(0);
}

static void execs_while_looked_at(void *arg)
{
	struct life *l = arg;
	struct exec_image root = setid_image(l, true), usual = setid_image(l, false);

	EXPECT(sys_execve(&usual) == 0);
	WRITE_ONCE(l->count, current->pid);
	EXPECT(sys_clone(0, "debugger", looks, l, NULL) > 0);
	EXPECT(sys_execve(&root) == 0);
	/* One that fails when there is no way back has its mutex no more either. */
	usual.fail_at = EXEC_FAIL_BEFORE;
	EXPECT(sys_execve(&usual) == -ENOEXEC && current->euid == ROOT_UID);
	EXPECT(READ_ONCE(current->signal->cred_guard_mutex.owner) != current);
	root.fail_at = EXEC_FAIL_AFTER;
	EXPECT(sys_execve(&root) < 0 && return_to_user());
	EXPECT(READ_ONCE(current->signal->cred_guard_mutex.owner) != current);
	sys_exit(0);
}

Test(mm_cred, a_debugger_races_with_set_user_id_programs)
{
	life_clean(&two_cpus, execs_while_looked_at, SEEDS);
}

Test(mm_cred, exec_without_the_mutex_is_found)
{
	life_found(&two_cpus, KNOB_EXEC_WITHOUT_CRED_GUARD, execs_while_looked_at, BUG_SEEDS,
		   "mm-access-beyond-rights");
}

/* ---- one after the other ---- */

static void execs_or_is_killed(void *arg)
{
	struct life *l = arg;
	int err = sys_execve(&l->image);

	/* The first one has killed it, before it had the mutex or when it waits for it. */
	if (err) {
		EXPECT((err == -EINTR || err == -EAGAIN) && return_to_user());
		sys_exit(0);
	}
	EXPECT(READ_ONCE(current->signal->nr_threads) == 1);
	sys_exit_group(EXEC_CODE);
}

static void group_of_execs(void *arg)
{
	for (u32 i = 0; i < 2; i++)
		(void)sys_clone(CLONE_A_THREAD, "thread", execs_or_is_killed, arg, NULL);
	execs_or_is_killed(arg);
}

static void execs_wait_for_each_other(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "leader", group_of_execs, l, NULL);
	EXPECT(pid > 0 && sys_wait(&code) == pid && code == EXEC_CODE);
	sys_exit(0);
}

Test(mm_cred, the_first_exec_kills_those_that_wait)
{
	life_clean(&three_cpus, execs_wait_for_each_other, SEEDS);
}

static void fails_to_exec(void *arg)
{
	struct life *l = arg;
	struct exec_image image = l->image;
	int err;

	image.fail_at = EXEC_FAIL_BEFORE;
	err = sys_execve(&image);
	EXPECT(err == -ENOEXEC || err == -EINTR);
	EXPECT(err == -ENOEXEC || fatal_signal_pending(current));
	sys_exit(0);
}

static void group_with_one_that_fails(void *arg)
{
	EXPECT(sys_clone(CLONE_A_THREAD, "thread", fails_to_exec, arg, NULL) > 0);
	execs_or_is_killed(arg);
}

static void the_other_goes_on(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "leader", group_with_one_that_fails, l, NULL);
	EXPECT(pid > 0 && sys_wait(&code) == pid && code == EXEC_CODE);
	sys_exit(0);
}

Test(mm_cred, an_exec_goes_on_when_the_one_before_has_failed)
{
	life_clean(&two_cpus, the_other_goes_on, SEEDS);
}
