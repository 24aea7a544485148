// SPDX-License-Identifier: GPL-2.0-or-later
/* The page cache, file faults, truncation and invalidation. */
#include <errno.h>

#include "mm/filemap.h"
#include "tests/mm_file_machine.h"

#define SEEDS 300
#define ROUNDS 5

/* --- Faults ----------------------------------------------------------------------------------- */

static void read_all(struct file_test *t)
{
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		struct page *p = cached_page(t, i);

		EXPECT(p->index == i);
		for (u32 w = 0; w < FRAME_WORDS; w++)
			EXPECT(READ_ONCE(frame_words(p)[w]) == VALUE(i, w));
		unlock_page(p);
		put_page(p);
	}
}

static void each_read_once(struct file_test *t)
{
	u64 pages = t->inode->max_pages;

	EXPECT(t->inode->mapping.nr_cached == pages);
	/* write_file() has read each page once, before it wrote it. */
	EXPECT(vmstat_sum(t->m, VMSTAT_pgmajfault) == 2 * pages);
	EXPECT(vmstat_sum(t->m, VMSTAT_pgpgin) == 2 * pages);
	EXPECT(vmstat_sum(t->m, VMSTAT_pgwriteback) == pages);
}

Test(page_cache, concurrent_faults_read_a_page_once)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 6,
		.knob = NO_KNOB,
		.prepare = write_file,
		.finish = each_read_once,
		.workers = {read_all, read_all, read_all},
	};

	run_clean(&s, SEEDS, ROUNDS);
}

static void faults_at_limits(struct file_test *t)
{
	struct vm_area_struct vma = {.vm_file = t->file};
	struct page *p, *taken[TEST_PAGES];
	u32 nr = 0;
	u64 free;

	EXPECT(filemap_fault(&vma, 2, &p) == VM_FAULT_SIGBUS);
	EXPECT(filemap_fault(&vma, ~0ULL, &p) == VM_FAULT_SIGBUS);
	EXPECT(!find_get_page(&t->inode->mapping, 2));
	EXPECT(!find_get_page(&t->inode->mapping, 0));
	/* No memory: nothing stays behind. */
	while ((taken[nr] = alloc_page(PAGE_USER)))
		nr++;
	EXPECT(filemap_fault(&vma, 0, &p) == VM_FAULT_OOM);
	EXPECT(!t->inode->mapping.nr_cached);
	release_pages(taken, nr);
	/* No room in the group: likewise. */
	free = nr_free_pages(t->m);
	memcg_set_limit(t->mm->memcg, 0);
	EXPECT(filemap_fault(&vma, 0, &p) == VM_FAULT_OOM);
	EXPECT(nr_free_pages(t->m) == free);
	memcg_set_limit(t->mm->memcg, ~0ULL);
	EXPECT(filemap_fault(&vma, 0, &p) == VM_FAULT_MAJOR);
	EXPECT(p->refcount == 3); /* the cache's, the pagevec's, ours */
	EXPECT(page_in_cache(p));
	unlock_page(p);
	put_page(p);
	EXPECT(filemap_fault(&vma, 0, &p) == 0);
	unlock_page(p);
	put_page(p);
}

Test(page_cache, faults_fail_without_leaving_anything)
{
	const struct scenario s = {
		.nr_vcpus = 1, .file_pages = 2, .knob = NO_KNOB, .prepare = faults_at_limits};

	run_clean(&s, 20, 1);
}

static void open_files(struct file_test *t)
{
	struct file *f = file_open(t->inode);
	struct inode *other;

	EXPECT(f && f->inode == t->inode);
	get_file(f);
	fput(f);
	EXPECT(f->count == 1);
	fput(f);
	other = inode_find(t->m, "file");
	EXPECT(other == t->inode);
	EXPECT(!inode_find(t->m, "fil"));
}

Test(page_cache, files_are_counted_and_found)
{
	const struct scenario s = {
		.nr_vcpus = 1, .file_pages = 0, .knob = NO_KNOB, .prepare = open_files};

	run_clean(&s, 1, 1);
}

Test(page_cache, inodes_share_the_disk)
{
	const struct scenario s = {.nr_vcpus = 1, .file_pages = 3, .knob = NO_KNOB};
	struct machine *m = test_machine(&s);
	struct file_test t;
	struct inode *inode;
	u64 next = 3;

	test_populate(&t, m, &s);
	cr_assert_eq(t.inode->disk_block, 0);
	cr_assert_eq(t.inode->ino, 1);
	/* Past several enlargements of the disk. */
	for (u32 i = 0; i < 40; i++) {
		inode = inode_create(m, "another", 7 + i);
		cr_assert_not_null(inode);
		cr_assert_eq(inode->ino, i + 2);
		cr_assert_eq(inode->disk_block, next);
		cr_assert_eq(disk_peek(m, next)->version, 0);
		next += 7 + i;
	}
	cr_assert_eq(inode_find(m, "another")->ino, 2);
	smp_teardown(m);
	machine_destroy(m);
}

/* --- Truncation ------------------------------------------------------------------------------- */

static void read_some(struct file_test *t)
{
	struct vm_area_struct vma = {.vm_file = t->file};

	for (u64 n = 0; n < 3 * t->inode->max_pages; n++) {
		u64 index = n % t->inode->max_pages;
		struct page *p;
		u32 ret = filemap_fault(&vma, index, &p);

		if (ret & VM_FAULT_SIGBUS)
			continue;
		EXPECT(!(ret & VM_FAULT_OOM));
		/* Written once, and since then either the same or gone. */
		for (u32 w = 0; w < FRAME_WORDS; w++) {
			u64 value = READ_ONCE(frame_words(p)[w]);

			EXPECT(value == VALUE(index, w) || value == 0);
		}
		unlock_page(p);
		put_page(p);
	}
}

static void shrink_and_grow(struct file_test *t)
{
	EXPECT(vmtruncate(t->inode, t->inode->max_pages + 1) == -EINVAL);
	EXPECT(!vmtruncate(t->inode, 3));
	EXPECT(!vmtruncate(t->inode, 1));
	EXPECT(!vmtruncate(t->inode, 4));
}

static void zeros_beyond_first(struct file_test *t)
{
	EXPECT(t->inode->size_pages == 4);
	for (u64 i = 0; i < 4; i++) {
		struct page *p = cached_page(t, i);

		for (u32 w = 0; w < FRAME_WORDS; w++)
			EXPECT(frame_words(p)[w] == (i ? 0 : VALUE(0, w)));
		unlock_page(p);
		put_page(p);
	}
}

Test(truncate, races_with_faults)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 6,
		.knob = NO_KNOB,
		.prepare = write_file,
		.finish = zeros_beyond_first,
		.workers = {read_some, shrink_and_grow, read_some},
	};

	run_clean(&s, 3 * SEEDS, 10 * ROUNDS);
}

static void map_both(struct file_test *t)
{
	write_file(t);
	map_shared(t);
	map_private(t);
}

/* Stores to private and shared pages; beyond the end there is -EIO. */
static void touch_mappings(struct file_test *t)
{
	u64 pages = t->inode->max_pages;

	for (u64 n = 0; n < 2 * pages; n++) {
		u64 i = n % pages, value;
		int err = user_read(word_at(t->private, i, 1), &value);

		EXPECT(!err || err == -EIO);
		if (!err)
			EXPECT(value == VALUE(i, 1) || value == 0 || value == 5);
		err = user_write(word_at(n & 1 ? t->private : t->shared, i, n & 1), 5);
		EXPECT(!err || err == -EIO);
	}
}

static void shrink_mapped(struct file_test *t)
{
	EXPECT(!sys_ftruncate(t->inode, 4));
	EXPECT(!sys_ftruncate(t->inode, 1));
}

/* Nothing of what was there can be seen after the file has grown again, private copies included. */
static void regrown_is_zero(struct file_test *t)
{
	u64 value;

	EXPECT(t->inode->mapping.nr_cached <= 1);
	for (u64 i = 1; i < t->inode->max_pages; i++) {
		EXPECT(user_read(word_at(t->shared, i, 0), &value) == -EIO);
		EXPECT(user_read(word_at(t->private, i, 0), &value) == -EIO);
	}
	files_audit(t->m);
	EXPECT(!sys_ftruncate(t->inode, t->inode->max_pages));
	for (u64 i = 1; i < t->inode->max_pages; i++) {
		for (u32 w = 0; w < FRAME_WORDS; w++) {
			EXPECT(!user_read(word_at(t->shared, i, w), &value) && value == 0);
			EXPECT(!user_read(word_at(t->private, i, w), &value) && value == 0);
		}
	}
	EXPECT(!user_read(word_at(t->shared, 0, 2), &value) && value == VALUE(0, 2));
}

Test(truncate, unmaps_shared_pages_and_private_copies)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 6,
		.knob = NO_KNOB,
		.prepare = map_both,
		.finish = regrown_is_zero,
		.workers = {touch_mappings, touch_mappings, shrink_mapped},
	};

	run_clean(&s, 3 * SEEDS, 10 * ROUNDS);
}

static void map_private_written(struct file_test *t)
{
	write_file(t);
	map_private(t);
}

static void copy_page(struct file_test *t)
{
	int err = user_write(t->private, 5);

	EXPECT(!err || err == -EIO);
}

static void shrink_to_nothing(struct file_test *t)
{
	EXPECT(!vmtruncate(t->inode, 0));
}

/* A copy of the page must not be mapped when truncation has already looked for copies; the audit
 * would find it. */
Test(truncate, leaves_no_private_copy)
{
	const struct scenario s = {
		.nr_vcpus = 2,
		.file_pages = 1,
		.knob = NO_KNOB,
		.prepare = map_private_written,
		.workers = {copy_page, shrink_to_nothing},
	};

	run_clean(&s, 20 * SEEDS, ROUNDS);
}

static void dirty_and_write(struct file_test *t)
{
	for (u64 i = 0; i < t->inode->max_pages; i++)
		(void)user_write(word_at(t->shared, i, 0), 7);
	writeback_range(t->inode, 0, ~0ULL);
}

static void shrink_and_regrow(struct file_test *t)
{
	EXPECT(!vmtruncate(t->inode, 0));
	EXPECT(!vmtruncate(t->inode, t->inode->max_pages));
}

/* What is written back while the file becomes shorter must not come to the disk afterwards. */
static void no_block_from_before(struct file_test *t)
{
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		const u64 *words = disk_peek(t->m, t->inode->disk_block + i)->words;
		struct page *p = cached_page(t, i);

		EXPECT(words[1] == 0 && frame_words(p)[1] == 0);
		EXPECT(words[0] == 0 || words[0] == 7);
		unlock_page(p);
		put_page(p);
	}
}

Test(truncate, races_with_writeback)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 4,
		.knob = NO_KNOB,
		.prepare = map_both,
		.finish = no_block_from_before,
		.workers = {dirty_and_write, shrink_and_regrow, dirty_and_write},
	};

	run_clean(&s, 3 * SEEDS, 10 * ROUNDS);
}

Test(truncate, lock_order_inversion_is_found)
{
	const struct scenario s = {
		.nr_vcpus = 1,
		.file_pages = 6,
		.knob = KNOB_LOCK_INVERSION,
		.prepare = map_both,
		.workers = {shrink_mapped},
	};

	run_violation(&s, "lock-order");
}

/* --- Invalidation ----------------------------------------------------------------------------- */

static void invalidate_what_can_go(struct file_test *t)
{
	struct inode *inode = t->inode;
	struct page *held, *locked, *waiting;
	u64 value;

	write_file(t);
	map_shared(t);
	EXPECT(!user_read(word_at(t->shared, 0, 0), &value)); /* mapped */
	write_word(t, 1, 0, 9);				      /* dirty */
	held = cached_page(t, 2);			      /* referenced */
	unlock_page(held);
	locked = cached_page(t, 3);
	unlock_page(locked);
	put_page(locked);
	waiting = cached_page(t, 4); /* under writeback */
	unlock_page(waiting);
	put_page(waiting);
	/* As another task would. */
	page_flag_set(locked, PG_locked);
	page_flag_set(waiting, PG_writeback);
	EXPECT(!invalidate_mapping_pages(inode, 0, ~0ULL));
	EXPECT(inode->mapping.nr_cached == 5);
	page_flag_clear(locked, PG_locked);
	page_flag_clear(waiting, PG_writeback);
	EXPECT(invalidate_mapping_pages(inode, 0, 3) == 0);
	EXPECT(invalidate_mapping_pages(inode, 3, 1) == 1 && !in_cache(t, 3));
	EXPECT(invalidate_mapping_pages(inode, 0, ~0ULL) == 1 && !in_cache(t, 4));
	put_page(held);
	EXPECT(invalidate_mapping_pages(inode, 0, ~0ULL) == 1 && !in_cache(t, 2));
	EXPECT(writeback_range(inode, 1, 1) == 1);
	EXPECT(invalidate_mapping_pages(inode, 0, 2) == 1 && !in_cache(t, 1));
	EXPECT(!sys_madvise_dontneed(t->shared, PAGE_SIZE));
	EXPECT(invalidate_mapping_pages(inode, 0, 2) == 1);
	EXPECT(!inode->mapping.nr_cached);
}

Test(invalidate, spares_what_is_needed)
{
	const struct scenario s = {
		.nr_vcpus = 1, .file_pages = 6, .knob = NO_KNOB, .prepare = invalidate_what_can_go};

	run_clean(&s, 20, 1);
}

/* Between the look at PG_dirty and the freeze, an unmap may mark the page and drop its reference.
 */
static void dirty_is_seen_late(struct file_test *t)
{
	struct page *p;

	write_file(t);
	p = cached_page(t, 0);
	lru_add_drain();
	page_flag_set(p, PG_dirty);
	EXPECT(!remove_mapping(p));
	EXPECT(p->refcount == 2 && in_cache(t, 0));
	page_flag_clear(p, PG_dirty);
	get_page(p);
	EXPECT(!remove_mapping(p));
	put_page(p);
	EXPECT(remove_mapping(p));
	EXPECT(p->refcount == 1 && !page_in_cache(p) && !t->inode->mapping.nr_cached);
	EXPECT(!p->memcg);
	unlock_page(p);
	put_page(p);
}

Test(invalidate, a_dirty_page_is_not_removed)
{
	const struct scenario s = {
		.nr_vcpus = 1, .file_pages = 1, .knob = NO_KNOB, .prepare = dirty_is_seen_late};

	run_clean(&s, 1, 1);
}

#define INVALIDATIONS 8

static void invalidate_all(struct file_test *t)
{
	for (u32 i = 0; i < INVALIDATIONS; i++) {
		invalidate_mapping_pages(t->inode, 0, ~0ULL);
		cond_resched();
	}
}

/* Writes through mappings, drops the mappings, writes back, and finds what it wrote. */
static void use_mapping(struct file_test *t, u32 word)
{
	for (u64 n = 0; n < 6; n++) {
		u64 i = n % t->inode->max_pages, value, new = n * 8 + word + 1;
		u64 va = word_at(t->shared, i, word);

		EXPECT(!user_read(va, &value));
		EXPECT(value == (t->written[i][word] ? t->written[i][word] : VALUE(i, word)));
		EXPECT(!user_write(va, new));
		t->written[i][word] = new;
		EXPECT(!sys_madvise_dontneed(t->shared, t->inode->max_pages * PAGE_SIZE));
		if (n % 2)
			writeback_range(t->inode, i, 1);
	}
}

static void use_word_0(struct file_test *t)
{
	use_mapping(t, 0);
}

static void use_word_1(struct file_test *t)
{
	use_mapping(t, 1);
}

static void map_written(struct file_test *t)
{
	write_file(t);
	map_shared(t);
}

Test(invalidate, loses_nothing)
{
	struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 2,
		.knob = NO_KNOB,
		.prepare = map_written,
		.workers = {use_word_0, use_word_1, invalidate_all},
	};

	run_clean(&s, 2 * SEEDS, 10 * ROUNDS);
	s.unaccounted = true;
	run_clean(&s, 2 * SEEDS, 10 * ROUNDS);
}
