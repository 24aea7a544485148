// SPDX-License-Identifier: GPL-2.0-or-later
/* The audit of files sees each mistake, also from outside when the machine has ended. */
#include "tests/mm_file_machine.h"

/* Each spoils one thing in a sound machine. */
static struct page *sound_page(struct file_test *t)
{
	struct page *p;

	write_file(t);
	p = cached_page(t, 0);
	unlock_page(p);
	put_page(p);
	files_audit(t->m);
	return p;
}

static void spoil_word(struct file_test *t)
{
	frame_words(sound_page(t))[3]++;
}

static void spoil_uptodate(struct file_test *t)
{
	page_flag_clear(sound_page(t), PG_uptodate);
}

static void spoil_locked(struct file_test *t)
{
	page_flag_set(sound_page(t), PG_locked);
}

static void spoil_refcount(struct file_test *t)
{
	atomic_set(&sound_page(t)->refcount, 0);
}

static void spoil_index(struct file_test *t)
{
	sound_page(t)->index = 1;
}

static void spoil_size(struct file_test *t)
{
	(void)sound_page(t);
	t->inode->size_pages = 0;
}

static void spoil_nr_cached(struct file_test *t)
{
	(void)sound_page(t);
	t->inode->mapping.nr_cached++;
}

static void spoil_nr_mappings(struct file_test *t)
{
	map_shared(t);
	files_audit(t->m);
	t->inode->mapping.nr_mappings++;
}

static pteval_t *mapped_pte(struct file_test *t)
{
	spinlock_t *ptl;
	pteval_t *pte;
	u64 value;

	map_shared(t);
	EXPECT(!user_read(t->shared, &value));
	files_audit(t->m);
	pte = pte_find_lock(t->mm, t->shared, &ptl);
	EXPECT(pte);
	spin_unlock(ptl);
	return pte;
}

static void spoil_writable(struct file_test *t)
{
	*mapped_pte(t) |= PTE_RW;
}

static void spoil_beyond_end(struct file_test *t)
{
	pteval_t *pte = mapped_pte(t);

	pte[1] = *pte;
	t->inode->size_pages = 1;
}

Test(files_audit, sees_each_mistake)
{
	static const struct {
		void (*body)(struct file_test *t);
		const char *slug;
	} wrong[] = {
		{spoil_word, "lost-write"},
		{spoil_uptodate, "page-cache-state"},
		{spoil_locked, "page-cache-state"},
		{spoil_refcount, "page-cache-state"},
		{spoil_index, "page-cache-state"},
		{spoil_size, "page-cache-state"},
		{spoil_nr_cached, "page-cache-count"},
		{spoil_nr_mappings, "i-mmap"},
		{spoil_writable, "clean-page-writable"},
		{spoil_beyond_end, "mapped-beyond-end"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		const struct scenario s = {
			.nr_vcpus = 1, .file_pages = 2, .knob = NO_KNOB, .prepare = wrong[i].body};

		run_violation(&s, wrong[i].slug);
	}
}

static void leave_in_cache(struct file_test *t)
{
	struct page *p = cached_page(t, 0);

	unlock_page(p);
	put_page(p);
	frame_words(p)[0] = 1;
}

static void leave_for_outside(void *arg)
{
	struct file_test *t = arg;

	t->file = file_open(t->inode);
	leave_in_cache(t);
	fput(t->file);
}

/* Without a current vCPU, when the machine has ended. */
Test(files_audit, works_from_outside)
{
	const struct scenario s = {.nr_vcpus = 1, .file_pages = 1, .knob = NO_KNOB};
	struct machine_config config;
	struct machine *m = test_machine(&s);
	struct file_test t;

	test_populate(&t, m, &s);
	cr_assert_eq(machine_run(m, EXECUTOR_THREADS, NULL), MACHINE_FINISHED);
	files_audit(m);
	cr_assert_null(test_violation(m));
	smp_teardown(m);
	test_config(&config, &s, 0);
	cr_assert_eq(machine_reset(m, &config), 0);
	test_populate_with(&t, m, &s, leave_for_outside);
	cr_assert_eq(machine_run(m, EXECUTOR_THREADS, NULL), MACHINE_FINISHED);
	files_audit(m);
	cr_assert_str_eq(test_violation(m), "lost-write");
	smp_teardown(m);
	machine_destroy(m);
}
