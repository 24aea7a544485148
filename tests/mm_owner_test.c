// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The owner of an mm (seed_path A8, B4): handed over by exit and by exec, while the next one is
 * about to leave, too, and others read who it is.
 */
#include "mm_life_seeds.h"

#include "mm/mm_owner.h"
#include "smp/rcu.h"

/* Seeds explored a test: a second or two. */
#define SEEDS 300
#define PAGES 192
/* Tasks that share an mm, besides the first. */
#define HEIRS 3

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = PAGES, .seed = 1};

static void exits(void *arg)
{
	(void)arg;
	EXPECT(mem_cgroup_from_mm(current->mm) == current->mm->memcg);
	sys_exit(0);
}

static void execs(void *arg)
{
	struct life *l = arg;
	struct mm_struct *old = current->mm;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm != old && current->mm->owner == current);
	sys_exit(0);
}

static void looks(void *arg)
{
	(void)arg;
	for (u32 pid = 1; pid <= HEIRS + 2; pid++)
		(void)sys_peek_mm(pid);
	sys_exit(0);
}

/* One after the other, or all at once, they leave the mm. */
static void leave_together(void *arg)
{
	struct life *l = arg;

	if (current->pid > 1)
		looks(arg);
	EXPECT(sys_execve(&l->image) == 0);
	for (u32 i = 0; i < HEIRS; i++)
		EXPECT(sys_clone(CLONE_VM, "heir", i % 2 ? execs : exits, l, NULL) > 0);
	if (l->m->config.seed % 2)
		execs(arg);
	sys_exit(0);
}

Test(mm_owner, all_users_leave_at_once)
{
	struct life_config c = two_cpus;
	u64 followed = 0, retried = 0;
	struct life l = {0};

	for (c.seed = 1; c.seed <= SEEDS; c.seed++) {
		expect_clean(&l, life_round(&l, &c, 2, leave_together,
					    c.seed % 50 ? EXECUTOR_EXPLORE : EXECUTOR_THREADS));
		followed += vmstat_sum(l.m, VMSTAT_mm_owner_next);
		retried += vmstat_sum(l.m, VMSTAT_mm_owner_retry);
	}
	cr_expect_gt(followed, 0);
	cr_expect_gt(retried, 0);
	life_destroy(&l);
}

Test(mm_owner, an_heir_that_is_not_looked_at_again_is_found)
{
	life_found(&two_cpus, KNOB_OWNER_NOT_RECHECKED, leave_together, SEEDS, "mm-owner");
}

/* ---- what each check says ---- */

static void zombie_owns(void *arg)
{
	struct life *l = arg;
	struct task_struct *child;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_clone(0, "child", exits, l, &child) > 0);
	while (!atomic_read(&child->exit_state))
		yield();
	WRITE_ONCE(current->mm->owner, child);
	(void)mem_cgroup_from_mm(current->mm);
	sys_exit(0);
}

static void nobody_owns(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	WRITE_ONCE(current->mm->owner, NULL);
	oracle_enter();
	mm_owner_audit(current->mm, 1);
	oracle_exit();
	sys_exit(0);
}

static void stranger_owns(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	WRITE_ONCE(current->mm->owner, l->auditor);
	oracle_enter();
	mm_owner_audit(current->mm, 1);
	oracle_exit();
	sys_exit(0);
}

static void leaver_owns(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	check_owner_left(current->mm);
	sys_exit(0);
}

static void stranger_becomes_owner(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	check_new_owner(current->mm, l->auditor);
	sys_exit(0);
}

Test(mm_owner, owners_that_are_none_are_noticed)
{
	life_found(&two_cpus, 0, zombie_owns, SEEDS, "mm-owner");
	life_found(&two_cpus, 0, nobody_owns, SEEDS, "mm-owner");
	life_found(&two_cpus, 0, stranger_owns, SEEDS, "mm-owner");
	life_found(&two_cpus, 0, leaver_owns, SEEDS, "mm-owner");
	life_found(&two_cpus, 0, stranger_becomes_owner, SEEDS, "mm-owner");
}

/* Without an owner the root pays. */
static void reads_without_an_owner(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm = mm_alloc();

	EXPECT(mm && mem_cgroup_from_mm(mm) == mm->memcg);
	WRITE_ONCE(mm->owner, NULL);
	EXPECT(mem_cgroup_from_mm(mm) == memcg_get(l->m, 0));
	mmput(mm);
	sys_exit(0);
}

Test(mm_owner, nobodys_mm_is_the_roots)
{
	struct life l = {0};

	life_create(&l, &two_cpus);
	life_task(&l, 0, reads_without_an_owner);
	expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
	life_destroy(&l);
}
