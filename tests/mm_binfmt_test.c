// SPDX-License-Identifier: GPL-2.0-or-later
/* The module that loads programs: who holds it, and unloading (seed_path B1). */
#include "mm_life_seeds.h"

#define SEEDS 300
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static void loads_and_fails(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_delete_module() == -ENOENT);
	/* Before the point of no return: nobody has the format. */
	l->image.fail_at = EXEC_FAIL_BEFORE;
	EXPECT(sys_execve(&l->image) == -ENOEXEC);
	EXPECT(vmstat_sum(l->m, VMSTAT_module_loaded) == 1);
	EXPECT(sys_delete_module() == 0);
	EXPECT(sys_delete_module() == -ENOENT);
	l->image.fail_at = EXEC_FAIL_NOT;
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_module_loaded) == 2);
	EXPECT(sys_delete_module() == -EBUSY);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_module_loaded) == 2);
	EXPECT(sys_delete_module() == -EBUSY);
	sys_exit(0);
}

Test(mm_binfmt, a_module_stays_while_it_is_used)
{
	life_both(&small, 1, loads_and_fails);
}

static void forks(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm;

	EXPECT(sys_execve(&l->image) == 0);
	mm = dup_mm(current);
	EXPECT(mm && mm->binfmt == current->mm->binfmt);
	mmput(mm);
	EXPECT(sys_delete_module() == -EBUSY);
	sys_exit(0);
}

Test(mm_binfmt, a_fork_holds_it_too)
{
	life_both(&small, 1, forks);
}

static void runs_programs(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 3; i++)
		EXPECT(sys_execve(&l->image) == 0);
	sys_exit(0);
}

static void unloads(void *arg)
{
	struct life *l = arg;

	/* The first program may not have been loaded yet. */
	while (!vmstat_sum(l->m, VMSTAT_module_loaded))
		yield();
	for (u32 i = 0; i < 8; i++) {
		(void)sys_delete_module();
		yield();
	}
	sys_exit(0);
}

static void program_and_unloader(void *arg)
{
	if (current->pid == 1)
		runs_programs(arg);
	else
		unloads(arg);
}

Test(mm_binfmt, unloading_races_with_exec_and_exit)
{
	life_explore(&small, 2, program_and_unloader, SEEDS);
	life_threads(&small, 2, program_and_unloader, THREADED_RUNS);
}

Test(mm_binfmt, a_reference_that_is_missing_or_left_is_found)
{
	cr_expect_neq(life_finds(&small, KNOB_BINFMT_NOT_HELD, 2, program_and_unloader, SEEDS,
				 "module-in-use"),
		      0);
	cr_expect_neq(life_finds(&small, KNOB_BINFMT_NOT_PUT, 2, program_and_unloader, SEEDS,
				 "module-leak"),
		      0);
}
