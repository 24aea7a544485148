// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MADV_DONTNEED: what it takes away and what it refuses, and that it gets on with faults and other
 * zaps beside it.
 */
#include "mm_address_space.h"

static void expect_zero(u64 first, u64 nr)
{
	u64 value;

	for (u64 i = first; i < first + nr; i++) {
		EXPECT_EQ(user_read(PAGE(i), &value), 0);
		EXPECT_EQ(value, 0);
	}
}

static int dontneed(u64 first, u64 nr)
{
	return sys_madvise_dontneed(PAGE(first), nr * PAGE_SIZE);
}

static s64 anon_rss(struct mm_struct *mm)
{
	sync_mm_rss(mm);
	return get_mm_counter(mm, MM_ANONPAGES);
}

static void zap_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	map_fixed(0, 600, RW);
	fill(0, 600);
	EXPECT_EQ(anon_rss(mm), 600);
	EXPECT_EQ(dontneed(10, 5), 0);
	EXPECT_EQ(anon_rss(mm), 595);
	expect_filled(0, 10);
	expect_zero(10, 5);
	expect_filled(15, 585);
	/* Bytes are rounded up to pages. */
	EXPECT_EQ(sys_madvise_dontneed(PAGE(20), 1), 0);
	expect_zero(20, 1);
	expect_filled(21, 1);
	/* Across page tables, some of it zapped already. */
	EXPECT_EQ(dontneed(0, 600), 0);
	EXPECT_EQ(anon_rss(mm), 0);
	expect_zero(0, 600);
	/* The VMA and its tables stay. */
	EXPECT_MAP(mm, "0-600 rw");
	EXPECT_EQ(mm->nr_ptes, 2);
	space_audit(this_vcpu()->machine);
}

Test(madvise, pages_go_and_come_back_as_zero)
{
	run_alone(zap_body);
}

static void refused_body(void *arg)
{
	struct space *s = arg;
	s64 device;

	EXPECT_EQ(sys_madvise_dontneed(BASE + 1, PAGE_SIZE), -EINVAL);
	EXPECT_EQ(sys_madvise_dontneed(BASE, 0), 0);
	EXPECT_EQ(sys_madvise_dontneed(BASE, ~0ULL), -EINVAL);
	EXPECT_EQ(sys_madvise_dontneed(BASE, -BASE), -EINVAL);
	EXPECT_EQ(dontneed(0, 1), -ENOMEM);

	/* Holes: the rest is done. */
	map_fixed(2, 2, RW);
	map_fixed(5, 2, RW);
	fill(2, 2);
	fill(5, 2);
	EXPECT_EQ(dontneed(0, 10), -ENOMEM);
	expect_zero(2, 2);
	expect_zero(5, 2);
	fill(2, 2);
	fill(5, 2);
	EXPECT_EQ(dontneed(3, 3), -ENOMEM);
	expect_filled(2, 1);
	expect_zero(3, 1);
	expect_zero(5, 1);
	expect_filled(6, 1);
	fill(2, 2);
	EXPECT_EQ(dontneed(2, 2), 0);
	EXPECT_EQ(dontneed(2, 3), -ENOMEM);

	/* A locked area ends it, with what comes before done. */
	fill(2, 2);
	fill(5, 2);
	EXPECT_EQ(sys_mlock(PAGE(5), PAGE_SIZE), 0);
	EXPECT_EQ(dontneed(0, 10), -EINVAL);
	expect_zero(2, 2);
	expect_filled(5, 2);
	EXPECT_EQ(sys_munlock(PAGE(5), PAGE_SIZE), 0);
	EXPECT_EQ(dontneed(5, 2), 0);
	expect_zero(5, 2);

	device = sys_mmap_device(1);
	EXPECT_EQ(sys_madvise_dontneed((u64)device, PAGE_SIZE), -EINVAL);
	space_audit(s->m);
}

Test(madvise, refuses_what_it_must_not_take)
{
	run_alone(refused_body);
}

static void file_body(void *arg)
{
	struct space *s = arg;
	struct file *file = file_open(s->inode);
	u64 value;

	/* Shared: the page cache has it. Private: the copy goes, the file shows again. */
	EXPECT_EQ(sys_mmap(PAGE(0), PAGE_SIZE, RW | VM_SHARED, file, 3), PAGE(0));
	EXPECT_EQ(sys_mmap(PAGE(1), PAGE_SIZE, RW, file, 3), PAGE(1));
	EXPECT_EQ(user_write(PAGE(0), 11), 0);
	EXPECT_EQ(user_write(PAGE(1), 22), 0);
	EXPECT_EQ(dontneed(0, 2), 0);
	sync_mm_rss(s->mm);
	EXPECT_EQ(get_mm_rss(s->mm), 0);
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(user_read(PAGE(i), &value), 0);
		EXPECT_EQ(value, 11);
	}
	/* The dirty bit has gone to the page: dropped after writeback and read again it is there.
	 */
	EXPECT_EQ(dontneed(0, 2), 0);
	EXPECT_EQ(writeback_range(s->inode, 0, FILE_PAGES), 1);
	lru_add_drain();
	EXPECT_EQ(invalidate_mapping_pages(s->inode, 0, FILE_PAGES), 1);
	EXPECT_EQ(user_read(PAGE(0), &value), 0);
	EXPECT_EQ(value, 11);
	fput(file);
	space_audit(s->m);
}

Test(madvise, file_pages_stay_in_the_cache)
{
	run_alone(file_body);
}

/* --- Beside others ---------------------------------------------------------------------------- */

#define SHARED_PAGES 6

/* All write and zap the same pages: a read sees zero or what some task wrote to that very page. */
static void shared_body(void *arg)
{
	struct space *s = arg;
	u32 rounds = exploring() ? 4 : 2000;

	if (space_task(s) == 0)
		map_fixed(0, SHARED_PAGES, RW);
	for (u32 i = 0; i < rounds; i++) {
		u64 page = random_below(&current->rng, SHARED_PAGES), value;
		u64 nr = 1 + random_below(&current->rng, SHARED_PAGES - page);
		int err = user_write(PAGE(page), 1000 + page);

		EXPECT(!err || err == -EFAULT);
		err = user_read(PAGE(page), &value);
		EXPECT(!err || err == -EFAULT);
		if (!err)
			EXPECT(!value || value == 1000 + page);
		err = dontneed(page, nr);
		EXPECT(!err || err == -ENOMEM);
		EXPECT(!return_to_user());
	}
}

Test(madvise, tasks_zap_what_others_fault_in)
{
	run_together(2, 2, 200, shared_body);
	run_together(3, 5, 100, shared_body);
}

/* Zaps with mmap_sem for reading beside unmaps and mprotects with it for writing. */
static void against_unmap_body(void *arg)
{
	struct space *s = arg;
	u32 rounds = exploring() ? 3 : 500, task = space_task(s);

	for (u32 i = 0; i < rounds; i++) {
		u64 page = random_below(&current->rng, SHARED_PAGES);
		u64 nr = 1 + random_below(&current->rng, SHARED_PAGES - page);
		int err;

		if (task == 0) {
			map_fixed(0, SHARED_PAGES, RW);
			EXPECT_EQ(sys_mprotect(PAGE(page), nr * PAGE_SIZE, VM_READ), 0);
			EXPECT_EQ(sys_munmap(PAGE(page), nr * PAGE_SIZE), 0);
		} else {
			err = user_write(PAGE(page), i);
			EXPECT(!err || err == -EFAULT);
			err = dontneed(page, nr);
			EXPECT(!err || err == -ENOMEM);
		}
		EXPECT(!return_to_user());
	}
}

Test(madvise, zaps_beside_unmaps)
{
	run_together(3, 3, 150, against_unmap_body);
}

/* Each task has pages of its own in one page table: nobody else's zap may touch them. */
static void own_pages_body(void *arg)
{
	struct space *s = arg;
	u32 rounds = exploring() ? 3 : 1000;
	u64 first = 4 * space_task(s);

	map_fixed(first, 4, RW);
	for (u32 i = 0; i < rounds; i++) {
		fill(first, 4);
		expect_filled(first, 4);
		EXPECT_EQ(dontneed(first, 4), 0);
		expect_zero(first, 4);
		EXPECT(!return_to_user());
	}
}

Test(madvise, zaps_stay_within_their_range)
{
	run_together(3, 3, 100, own_pages_body);
}
