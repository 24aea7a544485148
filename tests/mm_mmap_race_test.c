// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmap, munmap, mprotect, mlock and growing stacks against each other, accesses and file
 * operations; a planted bug of mprotect.
 */
#include "mm_address_space.h"

/* --- Against each other ----------------------------------------------------------------------- */

/* Two tasks unmap and map the same pages, two use them: an access works or faults, and nothing
 * else. */
static void map_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 3 : 400;
	u64 value;

	for (u32 i = 0; i < rounds; i++) {
		u64 page = random_below(&current->rng, 6);
		int err;

		if (task < 2) {
			map_fixed(page, 1 + random_below(&current->rng, 3), RW);
			unmap(random_below(&current->rng, 6), 1 + random_below(&current->rng, 3));
		} else {
			err = user_write(PAGE(page), i);
			EXPECT(!err || err == -EFAULT);
			err = user_read(PAGE(page), &value);
			EXPECT(!err || err == -EFAULT);
		}
		EXPECT(!return_to_user());
	}
}

Test(mmap, unmapping_races_with_accesses)
{
	run_together(3, 4, 150, map_race_body);
}

/* Permissions and locks change under accesses; the contents must not. */
static void protect_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 3 : 400;
	u64 value, last = 0;

	if (task == 0)
		map_fixed(0, 8, RW);
	for (u32 i = 1; i <= rounds; i++) {
		u64 first = random_below(&current->rng, 6), nr = 1 + random_below(&current->rng, 2);
		int err;

		if (task == 0) {
			EXPECT_EQ(sys_mprotect(PAGE(first), nr * PAGE_SIZE, VM_READ), 0);
			EXPECT_EQ(sys_mprotect(PAGE(first), nr * PAGE_SIZE, RW), 0);
		} else if (task == 1) {
			(void)sys_mlock(PAGE(first), nr * PAGE_SIZE);
			(void)sys_munlock(PAGE(first), nr * PAGE_SIZE);
		} else {
			/* Each writer has its word of page 0, and remembers what it wrote. */
			err = user_read(PAGE(0) + task * 8 % 32, &value);
			EXPECT(!err || err == -EFAULT);
			if (!err)
				EXPECT_EQ(value, last);
			err = user_write(PAGE(0) + task * 8 % 32, i);
			EXPECT(!err || err == -EFAULT);
			if (!err)
				last = i;
		}
		EXPECT(!return_to_user());
	}
}

Test(mmap, mprotect_and_mlock_race_with_accesses)
{
	run_together(3, 4, 150, protect_race_body);
}

/* Two tasks grow one stack, one unmaps from it. */
static void stack_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 4 : 100;

	if (task == 0)
		map_fixed(2000, 1, RW | VM_GROWSDOWN);
	for (u32 i = 1; i <= rounds; i++) {
		u64 page = 2000 - 2 * i - task;
		int err = user_write(PAGE(page), page);

		EXPECT(!err || err == -EFAULT);
		if (task == 2)
			unmap(page + 1, 1);
		EXPECT(!return_to_user());
	}
}

Test(mmap, a_stack_grows_on_several_cpus)
{
	run_together(2, 3, 150, stack_race_body);
}

/* File mappings are split, merged and locked while the file is written back and truncated. */
static void file_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 2 : 100;
	struct file *file = file_open(s->inode);
	u64 base = 100 * task, value;

	EXPECT(file);
	for (u32 i = 0; i < rounds; i++) {
		int err;

		if (task == 0) {
			writeback_range(s->inode, 0, FILE_PAGES);
			EXPECT_EQ(vmtruncate(s->inode, 2), 0);
			EXPECT_EQ(vmtruncate(s->inode, FILE_PAGES), 0);
			continue;
		}
		EXPECT_EQ(sys_mmap(PAGE(base), 6 * PAGE_SIZE, RW | VM_SHARED, file, 0), PAGE(base));
		for (u32 p = 0; p < 6; p++) {
			err = user_write(PAGE(base + p), p);
			EXPECT(!err || err == -EIO);
		}
		EXPECT_EQ(sys_mprotect(PAGE(base + 2), 2 * PAGE_SIZE, VM_READ), 0);
		err = user_read(PAGE(base + 3), &value);
		EXPECT(!err || err == -EIO);
		err = sys_mlock(PAGE(base), 2 * PAGE_SIZE);
		EXPECT(!err || err == -ENOMEM);
		EXPECT_EQ(sys_mprotect(PAGE(base + 1), 4 * PAGE_SIZE, RW), 0);
		unmap(base + 5, 1);
		unmap(base, 5);
		EXPECT(!return_to_user());
	}
	fput(file);
}

Test(mmap, file_areas_change_under_writeback_and_truncation)
{
	run_together(2, 3, 40, file_race_body);
}

static void shared_pages_child(void *arg)
{
	u32 rounds = exploring() ? 2 : 100;

	(void)arg;
	for (u32 i = 0; i < rounds; i++) {
		EXPECT_EQ(sys_mprotect(PAGE(2), 3 * PAGE_SIZE, RW), 0);
		EXPECT_EQ(sys_mlock(PAGE(1), 2 * PAGE_SIZE), 0);
		EXPECT_EQ(sys_mprotect(PAGE(2), 3 * PAGE_SIZE, VM_READ), 0);
		EXPECT_EQ(sys_munlock(PAGE(0), 6 * PAGE_SIZE), 0);
		unmap(5, 1);
		map_fixed(5, 1, RW);
		fill(5, 1);
		EXPECT_EQ(sys_mprotect(PAGE(5), PAGE_SIZE, VM_READ), 0);
	}
	expect_filled(0, 6);
	sys_exit(0);
}

/* A child's areas are split, merged and unmapped while its parent munlocks pages that both have,
 * for which it looks at the child's areas. */
static void shared_pages_body(void *arg)
{
	struct space *s = arg;
	u32 rounds = exploring() ? 2 : 200;

	map_fixed(0, 6, RW);
	fill(0, 6);
	EXPECT_EQ(sys_mprotect(PAGE(0), 6 * PAGE_SIZE, VM_READ), 0);
	EXPECT(sys_clone(0, "child", shared_pages_child, s, NULL) > 0);
	for (u32 i = 0; i < rounds; i++) {
		EXPECT_EQ(sys_mlock(PAGE(0), 6 * PAGE_SIZE), 0);
		EXPECT_EQ(sys_munlock(PAGE(0), 6 * PAGE_SIZE), 0);
	}
	EXPECT(sys_wait(NULL) > 0);
	expect_filled(0, 6);
}

Test(mmap, reverse_mapping_looks_at_areas_that_change)
{
	run_together(2, 1, 100, shared_pages_body);
}

/* --- Planted ---------------------------------------------------------------------------------- */

/* One task writes, the other takes the permission away. */
static void no_flush_body(void *arg)
{
	struct space *s = arg;

	if (space_task(s) == 0) {
		map_fixed(0, 1, RW);
		fill(0, 1);
		WRITE_ONCE(s->shared[0], 1);
		EXPECT_EQ(sys_mprotect(PAGE(0), PAGE_SIZE, VM_READ), 0);
	} else {
		for (u32 i = 0; i < 12; i++)
			(void)user_write(PAGE(0), i);
	}
}

Test(mmap, mprotect_without_flush_is_found)
{
	struct space_test test = {
		.nr_vcpus = 2, .nr_tasks = 2, .body = no_flush_body, .executor = EXECUTOR_EXPLORE};
	u32 found = 0;

	for (test.seed = 1; test.seed <= 200; test.seed++) {
		struct violation seen;

		test.knob_on = false;
		cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
		test.knob = KNOB_MPROTECT_NO_FLUSH;
		test.knob_on = true;
		if (run_space(&test, &seen) == MACHINE_VIOLATION) {
			cr_assert_str_eq(seen.invariant->slug, "tlb-exceeds-pagetable", "%s",
					 seen.message);
			found++;
		}
	}
	cr_assert_gt(found, 0);
}
