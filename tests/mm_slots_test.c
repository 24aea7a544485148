// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KSM's and khugepaged's registered address spaces, the advice that registers them, and the
 * scanners that walk them while the last user leaves (seed_path B1).
 */
#include "mm_life_seeds.h"

#include <errno.h>

#include "mm/mm_slots.h"

#define SEEDS 400
/* Until what is planted has been found. */
#define PLANTED_SEEDS 20000
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10
/* More than anybody has here. */
#define ALL_PAGES 1000

static const struct life_config small = {
	.nr_vcpus = 2,
	.nr_pages = SMALL_PAGES,
	.seed = 1,
	/* A scanner that stands still while an address space goes: few switches. */
	.odd_seeds = "pct:3",
};

/* All that is mapped; there are holes. */
static void advise(enum mm_scanner which)
{
	EXPECT(sys_madvise_scan(0, TASK_SIZE, which, true) == -ENOMEM);
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
		advise(MM_SCANNER_KSM);
		advise(MM_SCANNER_KHUGEPAGED);
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
	life_both(&small, 1, registers_once);
}

static void has_items(void *arg)
{
	struct life *l = arg;
	struct mm_struct *old;
	u64 pages, freed;

	EXPECT(sys_execve(&l->image) == 0);
	old = current->mm;
	EXPECT(user_write(old->end_data, 1) == 0);
	advise(MM_SCANNER_KSM);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	pages = vmstat_sum(l->m, VMSTAT_scanner_pages);
	EXPECT(pages > 0);
	/* KSM knows pages of it: its slot stays, and with it the structure, until KSM comes by. */
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_slot_exit_waits) == 1);
	mm_check_alive(old, __func__);
	EXPECT(old->mm_users == 0 && mm_slots_refs(old) == 1);
	freed = vmstat_sum(l->m, VMSTAT_mm_freed);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	expect_counters(l, 1, 1);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_freed) == freed + 1);
	/* Of a dead address space it has looked at nothing. */
	EXPECT(vmstat_sum(l->m, VMSTAT_scanner_pages) == pages);
	EXPECT(life_cache_in_use(l->m, "mm_slot") == 0);
	sys_exit(0);
}

Test(mm_slots, a_slot_with_items_waits_for_the_scanner)
{
	life_both(&small, 1, has_items);
}

static void leaves_items(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->end_data, 1) == 0);
	advise(MM_SCANNER_KSM);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	sys_exit(0);
}

Test(mm_slots, what_no_scanner_comes_for_is_no_leak)
{
	life_both(&small, 1, leaves_items);
}

static void turns(void *arg)
{
	struct life *l = arg;
	u64 pages;

	EXPECT(sys_execve(&l->image) == 0);
	advise(MM_SCANNER_KHUGEPAGED);
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
	life_both(&small, 1, turns);
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
	advise(MM_SCANNER_KSM);
	advise(MM_SCANNER_KHUGEPAGED);
	EXPECT(sys_clone(0, "child", child, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	expect_counters(l, 4, 0);
	sys_exit(0);
}

Test(mm_slots, a_fork_registers_the_copy)
{
	life_both(&small, 1, forks);
}

static u64 pages_of_a_turn(struct life *l, enum mm_scanner which)
{
	u64 before = vmstat_sum(l->m, VMSTAT_scanner_pages);

	sys_scan_mms(which, ALL_PAGES);
	return vmstat_sum(l->m, VMSTAT_scanner_pages) - before;
}

static void takes_advice(void *arg)
{
	struct life *l = arg;
	const enum mm_scanner ksm = MM_SCANNER_KSM;
	struct mm_struct *mm;
	s64 addr;
	u32 nr_vmas;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	addr = sys_mmap(0, 8 * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);
	EXPECT(addr > 0);
	nr_vmas = mm->nr_vmas;
	EXPECT(pages_of_a_turn(l, ksm) == 0);
	/* A part of an area is cut out, and scanned; the rest is not. */
	EXPECT(sys_madvise_scan((u64)addr + PAGE_SIZE, 4 * PAGE_SIZE, ksm, true) == 0);
	EXPECT(mm->nr_vmas == nr_vmas + 2 && mm_slots_refs(mm) == 1);
	EXPECT(pages_of_a_turn(l, ksm) == 4);
	EXPECT(pages_of_a_turn(l, MM_SCANNER_KHUGEPAGED) == 0);
	EXPECT(sys_madvise_scan((u64)addr + 3 * PAGE_SIZE, PAGE_SIZE, ksm, false) == 0);
	EXPECT(mm->nr_vmas == nr_vmas + 4);
	EXPECT(pages_of_a_turn(l, ksm) == 3);
	/* Taken back it is one area again; the mm stays registered. */
	EXPECT(sys_madvise_scan((u64)addr, 8 * PAGE_SIZE, ksm, false) == 0);
	EXPECT(mm->nr_vmas == nr_vmas && mm_slots_refs(mm) == 1);
	EXPECT(pages_of_a_turn(l, ksm) == 0);
	EXPECT(sys_madvise_scan((u64)addr + 1, PAGE_SIZE, ksm, true) == -EINVAL);
	EXPECT(sys_madvise_scan((u64)addr, 9 * PAGE_SIZE, ksm, true) == -ENOMEM);
	EXPECT(pages_of_a_turn(l, ksm) == 8);
	/* A file's pages are nothing for khugepaged. */
	EXPECT(sys_madvise_scan(ELF_TEXT_START, PAGE_SIZE, MM_SCANNER_KHUGEPAGED, true) == 0);
	EXPECT(mm_slots_refs(mm) == 1);
	sys_exit(0);
}

Test(mm_slots, scanners_look_at_areas_with_their_advice)
{
	life_both(&small, 1, takes_advice);
}

/* ---- races ---- */

static void comes_and_goes(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 2; i++) {
		EXPECT(sys_execve(&l->image) == 0);
		EXPECT(user_write(current->mm->end_data, 1) == 0);
		advise(i ? MM_SCANNER_KSM : MM_SCANNER_KHUGEPAGED);
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

static void program_and_scanner(void *arg)
{
	if (current->pid == 1)
		comes_and_goes(arg);
	else
		scans(arg);
}

Test(mm_slots, scanners_race_with_exec_and_exit)
{
	life_explore(&small, 2, program_and_scanner, SEEDS);
	life_threads(&small, 2, program_and_scanner, THREADED_RUNS);
}

Test(mm_slots, an_exit_that_does_not_shut_them_out_is_found)
{
	cr_expect_neq(life_finds(&small, KNOB_KSM_EXIT_LATE, 2, program_and_scanner, PLANTED_SEEDS,
				 "scanner-in-dead-mm"),
		      0);
	cr_expect_neq(life_finds(&small, KNOB_SCANNER_EXIT_NO_WAIT, 2, program_and_scanner,
				 PLANTED_SEEDS, "scanner-in-dead-mm"),
		      0);
	cr_expect_neq(life_finds(&small, KNOB_SCANNER_NO_EXIT_TEST, 2, program_and_scanner,
				 PLANTED_SEEDS, "scanner-in-dead-mm"),
		      0);
}

static void registers_and_goes(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	for (u32 i = 0; i < 4; i++) {
		/* The bss, which nobody has touched. */
		EXPECT(sys_madvise_scan(current->mm->end_data, PAGE_SIZE, MM_SCANNER_KSM, true) ==
		       0);
		EXPECT(sys_execve(&l->image) == 0);
	}
	sys_exit(0);
}

static void scans_a_few_times(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 8; i++) {
		sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
		(void)return_to_user();
		yield();
	}
	sys_exit(0);
}

static void empty_program_and_scanner(void *arg)
{
	if (current->pid == 1)
		registers_and_goes(arg);
	else
		scans_a_few_times(arg);
}

/* KSM has no items of it: from the moment that the cursor leaves the mm nobody waits for ksmd. */
Test(mm_slots, mmap_sem_is_dropped_while_the_mm_is_kept)
{
	life_explore(&small, 2, empty_program_and_scanner, SEEDS);
	/* There ThreadSanitizer is first: nothing orders ksmd's last look and the freeing. */
#ifndef __SANITIZE_THREAD__
	cr_expect_neq(life_finds(&small, KNOB_KSM_UP_READ_LATE, 2, empty_program_and_scanner,
				 PLANTED_SEEDS, "mm-freed-in-use"),
		      0);
#endif
}

static void scans_what_it_has_left(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->end_data, 1) == 0);
	advise(MM_SCANNER_KSM);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	EXPECT(sys_execve(&l->image) == 0);
	sys_scan_mms(MM_SCANNER_KSM, ALL_PAGES);
	sys_exit(0);
}

Test(mm_slots, a_slot_without_a_reference_is_found)
{
	struct life_config config = small;

	config.knob = KNOB_SLOT_NOT_PINNED;
	life_violates(&config, scans_what_it_has_left, "mm-use-after-free");
}
