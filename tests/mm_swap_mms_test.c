// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of address spaces that use swap, and swapoff's walk over it (seed_path B1, B3). */
#include "mm_life_seeds.h"

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
	life_both(&small, 1, lists_itself);
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

static void users_and_swapoff(void *arg)
{
	if (current->pid == 1)
		comes_and_goes(arg);
	else
		walks(arg);
}

Test(mm_swap_mms, swapoff_races_with_exec_and_exit)
{
	life_explore(&small, 2, users_and_swapoff, SEEDS);
	life_threads(&small, 2, users_and_swapoff, THREADED_RUNS);
}

Test(mm_swap_mms, a_walk_that_takes_dead_mms_is_found)
{
	cr_expect_neq(life_finds(&small, KNOB_MMGET_ZERO, 2, users_and_swapoff, SEEDS,
				 "mm-users-resurrected"),
		      0);
}

Test(mm_swap_mms, an_mm_that_stays_listed_is_found)
{
	cr_expect_neq(life_finds(&small, KNOB_MMLIST_NOT_LEFT, 2, users_and_swapoff, SEEDS,
				 "mm-not-torn-down"),
		      0);
}
