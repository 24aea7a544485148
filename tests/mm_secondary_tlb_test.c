// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device that translates an address space by itself: what it sees, when its translations go, and
 * races with everything that takes pages away.
 */
#include "mm_life_seeds.h"

#include "mm/notifier.h"
#include "mm/secondary_tlb.h"

/* Seeds explored a test: a second or two. */
#define SEEDS 300
#define SMALL_PAGES 128
#define MARK 0x6d61726bULL
#define OTHER 0x6f746872ULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static void device_writes(struct secondary_tlb *st, u64 va, u64 value)
{
	EXPECT(secondary_tlb_access(st, va, true, &value, NULL, NULL) == 0);
}

static int device_reads(struct secondary_tlb *st, u64 va, u64 *value)
{
	return secondary_tlb_access(st, va, false, value, NULL, NULL);
}

static bool has_entry(const struct secondary_tlb *st, u64 va)
{
	for (u32 i = 0; i < SECONDARY_TLB_ENTRIES; i++) {
		if (st->entries[i].valid && st->entries[i].va == va)
			return true;
	}
	return false;
}

/* --- What it sees ----------------------------------------------------------------------------- */

static void shares_with_a_device(void *arg)
{
	struct life *l = arg;
	struct secondary_tlb *st;
	u64 va, v;

	EXPECT(sys_execve(&l->image) == 0);
	va = current->mm->end_data;
	st = secondary_tlb_create(current->mm);
	EXPECT(st);
	/* The zero page, which a write replaces. */
	EXPECT(device_reads(st, va, &v) == 0 && v == 0 && has_entry(st, va));
	EXPECT(user_write(va, MARK) == 0 && !has_entry(st, va));
	EXPECT(device_reads(st, va, &v) == 0 && v == MARK);
	device_writes(st, va, OTHER);
	EXPECT(user_read(va, &v) == 0 && v == OTHER);
	/* No reference: the page has the table's and that of the pagevec. */
	EXPECT(has_entry(st, va));

	EXPECT(sys_madvise_dontneed(va, PAGE_SIZE) == 0 && !has_entry(st, va));
	EXPECT(device_reads(st, va, &v) == 0 && v == 0);
	device_writes(st, va, MARK);
	EXPECT(sys_mprotect(va, PAGE_SIZE, VM_READ) == 0 && !has_entry(st, va));
	EXPECT(secondary_tlb_access(st, va, true, &v, NULL, NULL) == -EFAULT);
	EXPECT(device_reads(st, va, &v) == 0 && v == MARK);
	EXPECT(sys_mprotect(va, PAGE_SIZE, 0) == 0 && !has_entry(st, va));
	EXPECT(device_reads(st, va, &v) == -EFAULT);
	EXPECT(sys_munmap(va, PAGE_SIZE) == 0);
	EXPECT(device_reads(st, va, &v) == -EFAULT);
	EXPECT(vmstat_sum(l->m, VMSTAT_device_fault) > 5);
	secondary_tlb_destroy(st);
	sys_exit(0);
}

Test(mm_secondary_tlb, a_device_sees_what_the_program_sees)
{
	life_both(&small, 1, shares_with_a_device);
}

static void exits(void *arg)
{
	(void)arg;
	sys_exit(0);
}

static void forks_beside_a_device(void *arg)
{
	struct life *l = arg;
	struct secondary_tlb *st;
	u64 va, v;

	EXPECT(sys_execve(&l->image) == 0);
	va = current->mm->end_data;
	st = secondary_tlb_create(current->mm);
	EXPECT(st);
	device_writes(st, va, MARK);
	EXPECT(sys_clone(0, "child", exits, l, NULL) > 0);
	/* What was writable is shared with the child. */
	EXPECT(!has_entry(st, va));
	EXPECT(device_reads(st, va, &v) == 0 && v == MARK && has_entry(st, va));
	/* The parent's copy is another page, if the child has the old one still. */
	EXPECT(user_write(va, OTHER) == 0);
	EXPECT(device_reads(st, va, &v) == 0 && v == OTHER);
	EXPECT(sys_wait(NULL) > 0);
	secondary_tlb_destroy(st);
	sys_exit(0);
}

Test(mm_secondary_tlb, a_device_follows_copy_on_write)
{
	life_both(&small, 1, forks_beside_a_device);
	life_explore(&small, 1, forks_beside_a_device, SEEDS);
}

static void writes_a_file_by_device(void *arg)
{
	struct life *l = arg;
	struct file *file;
	struct secondary_tlb *st;
	struct page *page;
	s64 va;

	EXPECT(sys_execve(&l->image) == 0);
	file = file_open(l->prog);
	va = sys_mmap(0, PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, file, LIFE_FILE_PAGES - 1);
	EXPECT(va > 0);
	fput(file);
	st = secondary_tlb_create(current->mm);
	EXPECT(st);
	for (u64 round = 1; round < 4; round++) {
		device_writes(st, (u64)va, MARK + round);
		page = find_get_page(&l->prog->mapping, LIFE_FILE_PAGES - 1);
		EXPECT(page && page_flag(page, PG_dirty));
		/* Between the two the device has nothing that it could write through. */
		EXPECT(writeback_range(l->prog, LIFE_FILE_PAGES - 1, 1) == 1);
		EXPECT(!has_entry(st, (u64)va) && !page_flag(page, PG_dirty));
		put_page(page);
	}
	EXPECT(vmstat_sum(l->m, VMSTAT_notifier_page) == 3);
	secondary_tlb_destroy(st);
	sys_exit(0);
}

Test(mm_secondary_tlb, a_device_makes_pages_of_a_file_dirty)
{
	life_both(&small, 1, writes_a_file_by_device);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void outlived_by_its_device(void *arg)
{
	struct life *l = arg;
	struct secondary_tlb *st;
	struct mm_struct *mm;
	u64 va, v;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	va = mm->end_data;
	st = secondary_tlb_create(mm);
	EXPECT(st);
	device_writes(st, va, MARK);
	EXPECT(sys_execve(&l->image) == 0);
	/* The structure is there, the address space is not. */
	mm_check_alive(mm, __func__);
	EXPECT(st->released && !has_entry(st, va) && !atomic_read(&mm->mm_users));
	EXPECT(device_reads(st, va, &v) == -ESRCH);
	EXPECT(vmstat_sum(l->m, VMSTAT_notifier_release) == 1);
	secondary_tlb_destroy(st);
	EXPECT(vmstat_sum(l->m, VMSTAT_notifier_release) == 1);
	sys_exit(0);
}

Test(mm_secondary_tlb, it_holds_the_structure_and_not_the_address_space)
{
	life_both(&small, 1, outlived_by_its_device);
}

/* --- Races ------------------------------------------------------------------------------------ */

/* Programs have odd pids, devices even ones: each works on the address space of the one before. */
static void program(struct life *l)
{
	for (u32 i = 0; i < (exploring() ? 2 : 40); i++) {
		u64 va;

		EXPECT(sys_execve(&l->image) == 0);
		va = current->mm->end_data;
		EXPECT(user_write(va, MARK) == 0);
		EXPECT(sys_madvise_dontneed(va, PAGE_SIZE) == 0);
		EXPECT(user_write(va, MARK) == 0);
		if (sys_clone(0, "child", exits, l, NULL) > 0) {
			EXPECT(user_write(va, MARK) == 0);
			EXPECT(sys_wait(NULL) > 0);
		}
	}
	sys_exit(0);
}

/* The address space of the program, once it has one. NULL: it is gone. */
static struct mm_struct *mm_before_us(void)
{
	struct mm_struct *mm = NULL;

	while (!mm) {
		struct task_struct *t = find_get_task(current->machine, current->pid - 1);
		bool gone = !t || READ_ONCE(t->flags) & PF_EXITING;

		if (t) {
			mm = get_task_mm(t);
			put_task_struct(t);
		}
		if (gone)
			break;
		if (!mm)
			yield();
	}
	return mm;
}

static void only_marks(void *arg, u64 value)
{
	(void)arg;
	EXPECT(value == 0 || value == MARK);
}

static void device_thread(void)
{
	for (u32 i = 0; i < (exploring() ? 3 : 200); i++) {
		struct mm_struct *mm = mm_before_us();
		struct secondary_tlb *st;
		u64 va = 0, value = MARK;

		if (!mm)
			break;
		down_read(&mm->mmap_sem);
		va = mm->end_data;
		up_read(&mm->mmap_sem);
		st = secondary_tlb_create(mm);
		mmput(mm);
		EXPECT(st);
		for (u32 n = 0; n < 4; n++)
			(void)secondary_tlb_access(st, va, n & 1, &value, only_marks, NULL);
		secondary_tlb_destroy(st);
	}
	sys_exit(0);
}

static void programs_and_devices(void *arg)
{
	if (current->pid % 2)
		program(arg);
	else
		device_thread();
}

Test(mm_secondary_tlb, devices_race_with_zap_fork_exec_and_exit)
{
	life_both(&small, 4, programs_and_devices);
	life_explore(&small, 2, programs_and_devices, SEEDS);
	life_explore(&small, 4, programs_and_devices, SEEDS / 3);
}

Test(mm_secondary_tlb, a_fault_that_does_not_look_for_invalidations_is_found)
{
	cr_assert_neq(life_finds(&small, KNOB_NOTIFIER_SEQ_IGNORED, 2, programs_and_devices, SEEDS,
				 "secondary-tlb-at-free secondary-tlb-exceeds-pagetable"),
		      0);
}

Test(mm_secondary_tlb, a_copy_that_is_not_told_is_found)
{
	cr_assert_neq(life_finds(&small, KNOB_COW_NOT_NOTIFIED, 2, programs_and_devices, SEEDS,
				 "secondary-tlb-at-free secondary-tlb-exceeds-pagetable"),
		      0);
}

/* A device of its own for each round, while others cut the program's file and write it back. */
static void comes_and_goes(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	for (u32 i = 0; i < (exploring() ? 4 : 50); i++) {
		struct secondary_tlb *st = secondary_tlb_create(current->mm);
		u64 v;

		EXPECT(st);
		(void)device_reads(st, current->mm->start_code, &v);
		(void)device_reads(st, current->mm->start_data, &v);
		secondary_tlb_destroy(st);
	}
	sys_exit(0);
}

static void cuts(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < (exploring() ? 6 : 50); i++) {
		EXPECT(sys_ftruncate(l->prog, 0) == 0);
		EXPECT(sys_ftruncate(l->prog, LIFE_FILE_PAGES) == 0);
	}
	sys_exit(0);
}

static void comes_and_cuts(void *arg)
{
	if (current->pid % 2)
		comes_and_goes(arg);
	else
		cuts(arg);
}

Test(mm_secondary_tlb, registering_waits_for_ranges_of_truncation)
{
	life_both(&small, 4, comes_and_cuts);
	life_explore(&small, 2, comes_and_cuts, SEEDS);
	cr_assert_neq(life_finds(&small, KNOB_NOTIFIER_IN_MID_RANGE, 2, comes_and_cuts, 10 * SEEDS,
				 "notifier-range-unpaired"),
		      0);
}
