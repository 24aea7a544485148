// SPDX-License-Identifier: GPL-2.0-or-later
/* The page lock and waiting for writeback: they exclude, wake whom they should, and misuse is seen.
 */
#include "mm/file_private.h"
#include "mm/filemap.h"
#include "mm/pagelock.h"
#include "tests/mm_file_machine.h"

#define SEEDS 300
#define ROUNDS 5
#define LOCK_TURNS 20

static void hold_page(struct file_test *t)
{
	t->held = cached_page(t, 0);
	unlock_page(t->held);
}

static void put_held(struct file_test *t)
{
	put_page(t->held);
}

static void count_under_lock(struct file_test *t)
{
	for (u32 i = 0; i < LOCK_TURNS; i++) {
		u64 seen;

		if (i % 4 || !trylock_page(t->held))
			lock_page(t->held);
		seen = t->count;
		cond_resched();
		t->count = seen + 1;
		unlock_page(t->held);
	}
}

static void counted_all(struct file_test *t)
{
	EXPECT(t->count == 4 * LOCK_TURNS);
	EXPECT(!page_flag(t->held, PG_locked));
	put_held(t);
}

Test(page_lock, excludes)
{
	const struct scenario s = {
		.nr_vcpus = 3,
		.file_pages = 1,
		.knob = NO_KNOB,
		.prepare = hold_page,
		.finish = counted_all,
		.workers = {count_under_lock, count_under_lock, count_under_lock, count_under_lock},
	};

	run_clean(&s, SEEDS, ROUNDS);
}

/* Two pages of one wait queue: a wake-up for one must not be spent on who waits for the other. */
static u64 other_of_queue(struct file_test *t)
{
	u32 mask = t->m->mm->files->page_wait.mask;
	struct page *first = t->inode->mapping.pages[0];

	for (u64 i = 1; i < t->inode->max_pages; i++) {
		struct page *p = t->inode->mapping.pages[i];

		if (((page_to_pfn(first) ^ page_to_pfn(p)) & mask) == 0)
			return i;
	}
	EXPECT(!"two pages with one queue");
	return 0;
}

static void read_pages(struct file_test *t)
{
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		struct page *p = cached_page(t, i);

		unlock_page(p);
		put_page(p);
	}
	t->count = other_of_queue(t);
}

static void lock_often(struct file_test *t, u64 index)
{
	struct page *p = find_get_page(&t->inode->mapping, index);

	EXPECT(p);
	for (u32 i = 0; i < 3; i++) {
		lock_page(p);
		yield();
		unlock_page(p);
	}
	put_page(p);
}

static void lock_first(struct file_test *t)
{
	lock_often(t, 0);
}

static void lock_other(struct file_test *t)
{
	lock_often(t, t->count);
}

Test(page_lock, wakes_who_waits_for_this_page)
{
	const struct scenario s = {
		.nr_vcpus = 2,
		.file_pages = 16,
		.knob = NO_KNOB,
		.prepare = read_pages,
		.workers = {lock_first, lock_other, lock_first, lock_other},
	};

	run_clean(&s, SEEDS, ROUNDS);
}

static void wait_for_writeback(struct file_test *t)
{
	lock_page(t->held);
	set_page_writeback(t->held);
	unlock_page(t->held);
	cond_resched();
	WRITE_ONCE(t->count, 1);
	end_page_writeback(t->held);
	wait_on_page_writeback(t->held);
}

static void waits_for_writeback(struct file_test *t)
{
	/* Until it has begun. */
	while (!page_flag(t->held, PG_writeback) && !READ_ONCE(t->count))
		yield();
	wait_on_page_writeback(t->held);
	EXPECT(READ_ONCE(t->count) == 1);
}

Test(page_lock, writeback_is_waited_for)
{
	const struct scenario s = {
		.nr_vcpus = 2,
		.file_pages = 1,
		.knob = NO_KNOB,
		.prepare = hold_page,
		.finish = put_held,
		.workers = {wait_for_writeback, waits_for_writeback, waits_for_writeback},
	};

	run_clean(&s, SEEDS, ROUNDS);
}

static void lock_two(struct file_test *t)
{
	struct page *first = cached_page(t, 0);

	(void)first;
	(void)cached_page(t, 1);
}

static void trylock_two(struct file_test *t)
{
	struct page *second = cached_page(t, 1);

	unlock_page(second);
	(void)cached_page(t, 0);
	(void)trylock_page(second);
}

static void unlock_unlocked(struct file_test *t)
{
	struct page *p = cached_page(t, 0);

	page_flag_clear(p, PG_locked);
	unlock_page(p);
}

static void unlock_foreign(struct file_test *t)
{
	struct page *p = cached_page(t, 0);

	unlock_page(p);
	unlock_page(p);
}

static void sleep_atomic(struct file_test *t)
{
	struct page *p = cached_page(t, 0);

	unlock_page(p);
	preempt_disable();
	lock_page(p);
}

static void writeback_twice(struct file_test *t)
{
	struct page *p = cached_page(t, 0);

	set_page_writeback(p);
	set_page_writeback(p);
}

static void writeback_not_begun(struct file_test *t)
{
	struct page *p = cached_page(t, 0);

	unlock_page(p);
	end_page_writeback(p);
}

static void leave_mapped(struct file_test *t)
{
	struct page *p;
	u64 value;

	map_shared(t);
	EXPECT(!user_read(t->shared, &value));
	p = cached_page(t, 0);
	delete_from_page_cache(p);
}

static void put_file_twice(struct file_test *t)
{
	struct file *f = file_open(t->inode);

	EXPECT(f);
	get_file(f);
	f->count = 0;
	fput(f);
}

Test(page_lock, misuse_is_reported)
{
	static const struct {
		void (*body)(struct file_test *t);
		const char *slug;
	} wrong[] = {
		{lock_two, "lock-recursive"},
		{trylock_two, "lock-recursive"},
		{unlock_unlocked, "page-lock-state"},
		{unlock_foreign, "lock-not-held"},
		{sleep_atomic, "sleeping-in-atomic"},
		{writeback_twice, "page-lock-state"},
		{writeback_not_begun, "page-lock-state"},
		{leave_mapped, "page-cache-mapped"},
		{put_file_twice, "file-refcount"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		const struct scenario s = {
			.nr_vcpus = 1, .file_pages = 2, .knob = NO_KNOB, .prepare = wrong[i].body};

		run_violation(&s, wrong[i].slug);
	}
}
