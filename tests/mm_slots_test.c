// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KSM's and khugepaged's registered address spaces, and the scanners that walk them while the last
 * user leaves (seed_path B1).
 */
#include "mm_life_machine.h"

#include "mm/mm_slots.h"

#define SEEDS 300
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10
/* More than anybody has here. */
#define ALL_PAGES 1000

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

static void expect_counters(const struct life *l, u64 entered, u64 collected)
{
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_slot_enter) == entered);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_slot_collected) == collected);
}

static void registers_once(void *arg)
{
	struct life *l = arg;
	u32 count;

	EXPECT(sys_execve(&l->image) == 0);
	count = current->mm->mm_count;
	for (u32 i = 0; i < 2; i++) {
		EXPECT(sys_madvise_scan(MM_SCANNER_KSM) == 0);
		EXPECT(sys_madvise_scan(MM_SCANNER_KHUGEPAGED) == 0);
	}
	EXPECT(current->mm->mm_count == count + 2);
	EXPECT(mm_slots_refs(current->mm) == 2);
	expect_counters(l, 2, 0);
	/* Nobody has looked at it yet: exec takes it off both lists by itself. */
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(mm_slots_refs(current->mm) == 0);
	EXPECT(life_cache_in_use(l->m, "mm_slot") == 0);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	expect_counters(l, 2, 0);
	sys_exit(0);
}

Test(mm_slots, an_mm_is_registered_once_and_goes_with_its_last_user)
{
	run_both(registers_once);
}

static void has_items(void *arg)
{
	struct life *l = arg;
	struct mm_struct *old;
	u64 pages;

	EXPECT(sys_execve(&l->image) == 0);
	old = current->mm;
	EXPECT(user_write(old->end_data, 1) == 0);
	EXPECT(sys_madvise_scan(MM_SCANNER_KSM) == 0);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	pages = vmstat_sum(l->m, VMSTAT_scanner_pages);
	EXPECT(pages > 0);
	/* KSM knows pages of it: its slot stays, and with it the structure, until KSM comes by. */
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_slot_exit_waits) == 1);
	mm_check_alive(old, __func__);
	EXPECT(old->mm_users == 0 && mm_slots_refs(old) == 1);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	expect_counters(l, 1, 1);
	/* Of a dead address space it has looked at nothing. */
	EXPECT(vmstat_sum(l->m, VMSTAT_scanner_pages) == pages);
	EXPECT(old->magic != MM_MAGIC);
	EXPECT(life_cache_in_use(l->m, "mm_slot") == 0);
	sys_exit(0);
}

Test(mm_slots, a_slot_with_items_waits_for_the_scanner)
{
	run_both(has_items);
}

static void leaves_items(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->end_data, 1) == 0);
	EXPECT(sys_madvise_scan(MM_SCANNER_KSM) == 0);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	sys_exit(0);
}

Test(mm_slots, what_no_scanner_comes_for_is_no_leak)
{
	run_both(leaves_items);
}

static void turns(void *arg)
{
	struct life *l = arg;
	u64 pages;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_madvise_scan(MM_SCANNER_KHUGEPAGED) == 0);
	/* Stack and bss: a page a turn, and it goes on where it was. */
	sys_scan_mms(MM_SCANNER_KHUGEPAGED, ALL_PAGES);
	pages = vmstat_sum(l->m, VMSTAT_scanner_pages);
	EXPECT(pages == 3);
	for (u64 i = 1; i <= 2 * pages; i++) {
		sys_scan_mms(MM_SCANNER_KHUGEPAGED, 1);
		EXPECT(vmstat_sum(l->m, VMSTAT_scanner_pages) == pages + i);
	}
	sys_exit(0);
}

Test(mm_slots, a_turn_goes_on_where_the_last_one_ended)
{
	run_both(turns);
}

static void child(void *arg)
{
	(void)arg;
	EXPECT(mm_slots_refs(current->mm) == 2);
	sys_exit(0);
}

static void forks(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_madvise_scan(MM_SCANNER_KSM) == 0);
	EXPECT(sys_madvise_scan(MM_SCANNER_KHUGEPAGED) == 0);
	EXPECT(sys_clone(0, "child", child, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	expect_counters(l, 4, 0);
	sys_exit(0);
}

Test(mm_slots, a_fork_registers_the_copy)
{
	run_both(forks);
}

/* ---- races ---- */

static void comes_and_goes(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 2; i++) {
		EXPECT(sys_execve(&l->image) == 0);
		EXPECT(user_write(current->mm->end_data, 1) == 0);
		EXPECT(sys_madvise_scan(i ? MM_SCANNER_KSM : MM_SCANNER_KHUGEPAGED) == 0);
	}
	EXPECT(sys_execve(&l->image) == 0);
	atomic_set(&l->count, 1);
	sys_exit(0);
}

static void scans(void *arg)
{
	struct life *l = arg;
	bool over;

	/* Once more when the address spaces have gone: KSM may have kept one. */
	do {
		over = READ_ONCE(l->count);
		sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
		sys_scan_mms(MM_SCANNER_KHUGEPAGED, ALL_PAGES);
		(void)return_to_user();
		yield();
	} while (!over);
	sys_exit(0);
}

static void start_race(struct life *l)
{
	life_task(l, 0, comes_and_goes);
	life_task(l, 1, scans);
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

Test(mm_slots, scanners_race_with_exec_and_exit)
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

Test(mm_slots, an_exit_that_does_not_shut_them_out_is_found)
{
	cr_expect_neq(explore_seeds(KNOB_KSM_EXIT_LATE, "scanner-in-dead-mm"), 0);
	cr_expect_neq(explore_seeds(KNOB_SCANNER_EXIT_NO_WAIT, "scanner-in-dead-mm"), 0);
	cr_expect_neq(explore_seeds(KNOB_SCANNER_NO_EXIT_TEST, "scanner-in-dead-mm"), 0);
}

static void scans_what_it_has_left(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->end_data, 1) == 0);
	EXPECT(sys_madvise_scan(MM_SCANNER_KSM) == 0);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	EXPECT(sys_execve(&l->image) == 0);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	sys_exit(0);
}

Test(mm_slots, a_slot_without_a_reference_is_found)
{
	struct life_config config = small;
	struct life l = {0};

	config.knob = KNOB_SLOT_NOT_PINNED;
	life_create(&l, &config);
	life_task(&l, 0, scans_what_it_has_left);
	cr_assert_eq(life_run(&l, EXECUTOR_EXPLORE), MACHINE_VIOLATION);
	cr_assert_str_eq(life_slug(&l), "mm-use-after-free");
	life_destroy(&l);
}
