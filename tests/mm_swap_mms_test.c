// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of address spaces that use swap, and swapoff's walk over it (seed_path B1, B3). */
#include "mm_life_machine.h"

#define SEEDS 300
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static void child(void *arg)
{
	(void)arg;
	EXPECT(current->mm->on_swap_list);
	EXPECT(sys_swapoff() == 2);
	sys_exit(0);
}

static void lists_itself(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_swapoff() == 0);
	sys_swap_use();
	sys_swap_use();
	EXPECT(sys_swapoff() == 1 && current->mm->mm_users == 1);
	EXPECT(sys_clone(0, "child", child, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(sys_swapoff() == 1);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(!current->mm->on_swap_list && sys_swapoff() == 0);
	sys_exit(0);
}

Test(mm_swap_mms, swapoff_visits_who_is_listed)
{
	struct life l = {0};

	life_create(&l, &small);
	life_task(&l, 0, lists_itself);
	expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
	life_again(&l, &small);
	life_task(&l, 0, lists_itself);
	expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	life_destroy(&l);
}

static void comes_and_goes(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 2; i++) {
		EXPECT(sys_execve(&l->image) == 0);
		sys_swap_use();
	}
	EXPECT(sys_execve(&l->image) == 0);
	atomic_set(&l->count, 1);
	sys_exit(0);
}

static void walks(void *arg)
{
	struct life *l = arg;

	while (!READ_ONCE(l->count)) {
		(void)sys_swapoff();
		(void)return_to_user();
		yield();
	}
	sys_exit(0);
}

static void start_race(struct life *l)
{
	life_task(l, 0, comes_and_goes);
	life_task(l, 1, walks);
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

Test(mm_swap_mms, swapoff_races_with_exec_and_exit)
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

Test(mm_swap_mms, a_walk_that_takes_dead_mms_is_found)
{
	cr_expect_neq(explore_seeds(KNOB_MMGET_ZERO, "mm-users-resurrected"), 0);
}

Test(mm_swap_mms, an_mm_that_stays_listed_is_found)
{
	cr_expect_neq(explore_seeds(KNOB_MMLIST_NOT_LEFT, "mm-not-torn-down"), 0);
}
