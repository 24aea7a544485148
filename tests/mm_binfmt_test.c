// SPDX-License-Identifier: GPL-2.0-or-later
/* The module that loads programs: who holds it, and unloading (seed_path B1). */
#include "mm_life_machine.h"

#define SEEDS 300
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static void run_both(void (*entry)(void *))
{
	struct life l = {0};

	life_create(&l, &small);
	life_task(&l, 0, entry);
	expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
	life_again(&l, &small);
	life_task(&l, 0, entry);
	expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	life_destroy(&l);
}

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
	run_both(loads_and_fails);
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
	run_both(forks);
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

static void start_race(struct life *l)
{
	life_task(l, 0, runs_programs);
	life_task(l, 1, unloads);
}

/* The seed that found @slug; 0: all were clean. */
static u64 explore_seeds(u32 knob, const char *slug)
{
	struct life_config config = small;
	struct life l = {0};
	u64 found = 0;

	config.knob = knob;
	for (u64 seed = 1; seed <= SEEDS && !found; seed++) {
		enum machine_end end;

		config.seed = seed;
		if (seed == 1)
			life_create(&l, &config);
		else
			life_again(&l, &config);
		start_race(&l);
		end = life_run(&l, EXECUTOR_EXPLORE);
		if (!slug) {
			expect_clean(&l, end);
		} else if (end == MACHINE_VIOLATION) {
			cr_assert_str_eq(life_slug(&l), slug, "seed %llu: %s",
					 (unsigned long long)seed, l.m->violations.first.message);
			found = seed;
		}
	}
	life_destroy(&l);
	return found;
}

Test(mm_binfmt, unloading_races_with_exec_and_exit)
{
	struct life l = {0};

	cr_assert_eq(explore_seeds(0, NULL), 0);
	life_create(&l, &small);
	for (u32 i = 0; i < THREADED_RUNS; i++) {
		if (i)
			life_again(&l, &small);
		start_race(&l);
		expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	}
	life_destroy(&l);
}

Test(mm_binfmt, a_reference_that_is_missing_or_left_is_found)
{
	cr_expect_neq(explore_seeds(KNOB_BINFMT_NOT_HELD, "module-in-use"), 0);
	cr_expect_neq(explore_seeds(KNOB_BINFMT_NOT_PUT, "module-leak"), 0);
}
