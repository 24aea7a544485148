// SPDX-License-Identifier: GPL-2.0-or-later
/* Dirty pages on their way to the disk: writeback against stores, faults and zaps; msync; and the
 * planted bugs that lose a write. */
#include <errno.h>

#include "tests/mm_file_machine.h"

#define SEEDS 300
#define ROUNDS 20
/* Schedules in which a planted bug has to show. */
#define BUG_SEEDS 3000

static const struct disk_block *block(struct file_test *t, u64 index)
{
	return disk_peek(t->m, t->inode->disk_block + index);
}

/* --- One writer ------------------------------------------------------------------------------- */

static void write_again_and_again(struct file_test *t)
{
	u64 free, value;

	map_shared(t);
	EXPECT(!user_write(word_at(t->shared, 0, 0), 1));
	EXPECT(!user_write(word_at(t->shared, 1, 1), 2));
	/* Not where it makes the page writable, and with that as good as dirty. */
	if (t->inode->mapping.account_dirty)
		EXPECT(!user_read(word_at(t->shared, 2, 1), &value) && !value);
	EXPECT(block(t, 0)->version == 0 && block(t, 0)->words[0] == 0);
	EXPECT(writeback_range(t->inode, 0, 1) == 1);
	EXPECT(block(t, 0)->version == 1 && block(t, 0)->words[0] == 1);
	EXPECT(block(t, 1)->version == 0);
	/* Clean now: written once, and read-only until somebody writes. */
	EXPECT(writeback_range(t->inode, 0, 1) == 0);
	EXPECT(!user_read(word_at(t->shared, 0, 0), &value) && value == 1);
	EXPECT(writeback_range(t->inode, 0, 1) == 0);
	free = vmstat_sum(t->m, VMSTAT_pgfault);
	EXPECT(!user_write(word_at(t->shared, 0, 3), 3));
	EXPECT(!user_write(word_at(t->shared, 0, 2), 4));
	EXPECT(vmstat_sum(t->m, VMSTAT_pgfault) == free + 1);
	EXPECT(writeback_range(t->inode, 0, ~0ULL) == 2);
	EXPECT(block(t, 0)->version == 2 && block(t, 0)->words[3] == 3 &&
	       block(t, 0)->words[2] == 4);
	EXPECT(block(t, 1)->version == 1 && block(t, 1)->words[1] == 2);
	EXPECT(block(t, 2)->version == 0);
	EXPECT(writeback_range(t->inode, 1, 0) == 0);
	EXPECT(writeback_range(t->inode, ~0ULL, 5) == 0);
	/* Unmapped while dirty: the page knows. */
	EXPECT(!user_write(word_at(t->shared, 1, 0), 5));
	EXPECT(!sys_munmap(t->shared, t->inode->max_pages * PAGE_SIZE));
	EXPECT(writeback_range(t->inode, 0, ~0ULL) == 1);
	EXPECT(block(t, 1)->version == 2 && block(t, 1)->words[0] == 5);
}

Test(writeback, writes_what_is_dirty_once)
{
	struct scenario s = {
		.nr_vcpus = 1, .file_pages = 3, .knob = NO_KNOB, .prepare = write_again_and_again};

	run_clean(&s, 20, 1);
	s.unaccounted = true;
	run_clean(&s, 20, 1);
}

/* Where dirty pages are not accounted, only the entry knows, until somebody asks it. */
static void dirty_in_the_entry(struct file_test *t)
{
	struct page *p;

	map_shared(t);
	EXPECT(!user_write(t->shared, 1));
	p = find_get_page(&t->inode->mapping, 0);
	EXPECT(p && !page_flag(p, PG_dirty));
	put_page(p);
	files_audit(t->m);
	EXPECT(writeback_range(t->inode, 0, 1) == 1);
	EXPECT(block(t, 0)->words[0] == 1);
	EXPECT(!user_write(t->shared, 2));
	EXPECT(!page_flag(p, PG_dirty));
	EXPECT(!sys_madvise_dontneed(t->shared, PAGE_SIZE));
	EXPECT(page_flag(p, PG_dirty));
}

Test(writeback, dirty_in_the_entry_only)
{
	const struct scenario s = {.nr_vcpus = 1,
				   .file_pages = 1,
				   .unaccounted = true,
				   .knob = NO_KNOB,
				   .prepare = dirty_in_the_entry};

	run_clean(&s, 20, 1);
}

static void sync_ranges(struct file_test *t)
{
	u64 len = t->inode->max_pages * PAGE_SIZE;

	map_shared(t);
	map_private(t);
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		EXPECT(!user_write(word_at(t->shared, i, 0), 10 + i));
		EXPECT(!user_write(word_at(t->private, i, 1), 20 + i));
	}
	EXPECT(sys_msync(t->shared + 1, PAGE_SIZE) == -EINVAL);
	EXPECT(sys_msync(t->shared, ~0ULL - PAGE_SIZE) == -EINVAL);
	EXPECT(sys_msync(t->shared, 0) == 0);
	EXPECT(!sys_msync(t->private, len));
	EXPECT(block(t, 1)->version == 0);
	EXPECT(!sys_msync(t->shared + PAGE_SIZE, PAGE_SIZE + 1));
	EXPECT(block(t, 0)->version == 0 && block(t, 3)->version == 0);
	EXPECT(block(t, 1)->words[0] == 11 && block(t, 2)->words[0] == 12);
	EXPECT(block(t, 1)->words[1] == 0);
	/* Across a hole: the rest is written all the same. */
	EXPECT(!sys_munmap(t->shared + PAGE_SIZE, PAGE_SIZE));
	EXPECT(sys_msync(t->shared, len) == -ENOMEM);
	EXPECT(block(t, 0)->words[0] == 10 && block(t, 3)->words[0] == 13);
	EXPECT(!sys_munmap(t->shared, len));
	EXPECT(sys_msync(t->shared, len) == -ENOMEM);
}

Test(writeback, msync)
{
	const struct scenario s = {
		.nr_vcpus = 1, .file_pages = 4, .knob = NO_KNOB, .prepare = sync_ranges};

	run_clean(&s, 20, 1);
}

/* --- Stores against writeback ----------------------------------------------------------------- */

#define STORES 12

/* Stores rising values to one word of each page. */
static void store(struct file_test *t, u32 word)
{
	for (u64 n = 1; n <= STORES; n++) {
		u64 i = n % t->inode->max_pages, value;

		EXPECT(!user_write(word_at(t->shared, i, word), n));
		t->written[i][word] = n;
		EXPECT(!user_read(word_at(t->shared, i, word), &value) && value == n);
		return_to_user();
	}
}

static void store_0(struct file_test *t)
{
	store(t, 0);
}

static void store_1(struct file_test *t)
{
	store(t, 1);
}

static void write_back(struct file_test *t)
{
	for (u32 i = 0; i < 4; i++) {
		writeback_range(t->inode, 0, ~0ULL);
		invalidate_mapping_pages(t->inode, 0, ~0ULL);
		return_to_user();
	}
}

/* Zaps the mapping under everybody's feet. */
static void zap(struct file_test *t)
{
	for (u32 i = 0; i < 6; i++) {
		EXPECT(!sys_madvise_dontneed(t->shared, t->inode->max_pages * PAGE_SIZE));
		return_to_user();
	}
}

static void all_on_disk(struct file_test *t)
{
	writeback_range(t->inode, 0, ~0ULL);
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		for (u32 w = 0; w < FRAME_WORDS; w++)
			EXPECT(block(t, i)->words[w] == t->written[i][w]);
	}
}

static const struct scenario storm = {
	.nr_vcpus = 4,
	.file_pages = 2,
	.knob = NO_KNOB,
	.prepare = map_shared,
	.finish = all_on_disk,
	.workers = {store_0, write_back, zap, store_1},
};

Test(writeback, loses_no_store)
{
	struct scenario s = storm;

	run_clean(&s, 3 * SEEDS, ROUNDS);
	s.unaccounted = true;
	run_clean(&s, 3 * SEEDS, ROUNDS);
}

/* Two at a time on one page: the later one must not be overtaken by the older content. */
Test(writeback, two_writers)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 1,
		.knob = NO_KNOB,
		.prepare = map_shared,
		.finish = all_on_disk,
		.workers = {store_0, write_back, write_back},
	};

	run_clean(&s, 3 * SEEDS, ROUNDS);
}

/* Also what another task has begun to write is on the disk when the call returns. */
static void store_and_sync(struct file_test *t)
{
	struct frame f;

	for (u64 n = 1; n <= 4; n++) {
		write_word(t, 0, 0, n);
		t->written[0][0] = n;
		writeback_range(t->inode, 0, 1);
		disk_read(t->inode->disk_block, &f);
		EXPECT(f.data[0] == n);
	}
}

Test(writeback, is_done_when_it_returns)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 1,
		.knob = NO_KNOB,
		.finish = all_on_disk,
		.workers = {store_and_sync, write_back, write_back},
	};

	run_clean(&s, 3 * SEEDS, ROUNDS);
}

/* Another address space with the same file: its entries are found through i_mmap. */
static void store_elsewhere(struct file_test *t)
{
	struct mm_struct *first = t->mm, *mm = mm_alloc();
	s64 addr;

	EXPECT(mm);
	unuse_mm(first);
	use_mm(mm);
	addr = sys_mmap(0, t->inode->max_pages * PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, t->file,
			0);
	EXPECT(addr > 0);
	for (u64 n = 1; n <= STORES; n++) {
		u64 i = n % t->inode->max_pages;

		EXPECT(!user_write(word_at((u64)addr, i, 2), n));
		t->written[i][2] = n;
	}
	unuse_mm(mm);
	mmput(mm);
	use_mm(first);
}

Test(writeback, reaches_all_address_spaces)
{
	struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 2,
		.knob = NO_KNOB,
		.prepare = map_shared,
		.finish = all_on_disk,
		.workers = {store_0, write_back, store_elsewhere},
	};

	run_clean(&s, 3 * SEEDS, ROUNDS);
	s.unaccounted = true;
	run_clean(&s, 3 * SEEDS, ROUNDS);
}

/* --- Planted bugs ----------------------------------------------------------------------------- */

/* A store through a stale entry is caught either when it happens or when it is missed. "kernel-bug"
 * is the test's own check of the disk. */
static const char *const lost[] = {
	"clean-page-writable-in-tlb",
	"lost-write",
	"kernel-bug",
	"tlb-exceeds-pagetable",
	"stale-tlb-at-free",
	"stale-tlb-use",
	"clean-page-writable",
	NULL,
};

Test(writeback_bugs, mkclean_without_flush)
{
	struct scenario s = storm;

	s.knob = KNOB_MKCLEAN_NO_FLUSH;
	run_explore(&s, BUG_SEEDS, lost);
}

/*
 * Each page is written for a short while only: a store that was missed is not covered up by a later
 * one that makes the page dirty again. All but the first go through the TLB. The others keep to the
 * page that is being written, or was last.
 */
#define ALL_STORED ~0ULL

static void store_each(struct file_test *t)
{
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		u64 value;

		WRITE_ONCE(t->count, i);
		EXPECT(!user_read(word_at(t->shared, i, 0), &value) && !value);
		for (u32 w = 0; w < FRAME_WORDS; w++) {
			EXPECT(!user_write(word_at(t->shared, i, w), i + w + 1));
			t->written[i][w] = i + w + 1;
		}
	}
	WRITE_ONCE(t->count, ALL_STORED);
}

static void write_back_each(struct file_test *t)
{
	u64 i;

	while ((i = READ_ONCE(t->count)) != ALL_STORED) {
		writeback_range(t->inode, i, 1);
		yield();
	}
}

static void zap_each(struct file_test *t)
{
	u64 i;

	while ((i = READ_ONCE(t->count)) != ALL_STORED) {
		EXPECT(!sys_madvise_dontneed(t->shared + i * PAGE_SIZE, PAGE_SIZE));
		yield();
	}
}

static const struct scenario zap_race = {
	.nr_vcpus = 3,
	.file_pages = 8,
	.knob = NO_KNOB,
	.prepare = map_shared,
	.finish = all_on_disk,
	.workers = {store_each, write_back_each, zap_each},
};

Test(writeback_bugs, zap_dirty_before_flush)
{
	struct scenario s = zap_race;

	s.knob = KNOB_ZAP_DIRTY_BEFORE_FLUSH;
	run_explore(&s, BUG_SEEDS, lost);
}

Test(writeback_bugs, rmap_removed_before_flush)
{
	struct scenario s = zap_race;

	s.knob = KNOB_RMAP_BEFORE_FLUSH;
	run_explore(&s, BUG_SEEDS, lost);
}

Test(writeback_bugs, zap_drops_dirty)
{
	struct scenario s = zap_race;

	s.knob = KNOB_ZAP_DROPS_DIRTY;
	s.unaccounted = true;
	run_explore(&s, BUG_SEEDS, lost);
}

Test(writeback_bugs, pte_clear_not_atomic)
{
	struct scenario s = zap_race;

	s.knob = KNOB_PTE_CLEAR_NOT_ATOMIC;
	s.unaccounted = true;
	run_explore(&s, BUG_SEEDS, lost);
}

Test(writeback_bugs, none_planted)
{
	struct scenario s = zap_race;

	run_clean(&s, BUG_SEEDS, ROUNDS);
	s.unaccounted = true;
	run_clean(&s, BUG_SEEDS, ROUNDS);
}
