// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine with one file, for tests of the page cache and writeback. A conductor, the first kernel
 * thread, prepares an address space that maps the file, lets workers loose on it, and when they
 * have all ended audits the files, tears the address space down and empties the page cache.
 *
 * Code that runs on a vCPU checks with EXPECT(): a failure stops the machine as a violation.
 */
#ifndef TESTS_MM_FILE_MACHINE_H
#define TESTS_MM_FILE_MACHINE_H

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/executor.h"
#include "engine/strategy.h"
#include "mm/disk.h"
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/syscalls.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

#define TEST_ARENA_BYTES (256ULL << 20)
#define TEST_STALL_SECONDS 60
/* Far more decision points than any schedule here needs. */
#define TEST_MAX_STEPS 3000000
#define TEST_PAGES 96
#define MAX_WORKERS 4
#define MAX_FILE_PAGES 16
#define NO_KNOB ~0u

/* Of the schedules that must be clean, sanitizers, which make all of this 10 to 30 times slower,
 * run one in so many. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZER_SHARE 20
#else
#define SANITIZER_SHARE 1
#endif

/* A value for word @w of page @i that no other word has. */
#define VALUE(i, w) (0x1000000ULL + (i)*0x1000 + (w))

#define EXPECT(cond) BUG_ON(!(cond), "line %d: expected %s", __LINE__, #cond)

struct file_test;

struct scenario {
	u32 nr_vcpus;
	u64 file_pages;	  /* up to MAX_FILE_PAGES */
	bool unaccounted; /* address_space.account_dirty is false */
	u32 knob;
	/* By the conductor, which has the test's mm in use, before and after the workers. */
	void (*prepare)(struct file_test *t);
	void (*finish)(struct file_test *t);
	/* With the test's mm in use, each a task of its own. */
	void (*workers[MAX_WORKERS])(struct file_test *t);
};

struct test_worker {
	struct file_test *t;
	u32 nr;
};

struct file_test {
	struct machine *m;
	const struct scenario *scenario;
	struct inode *inode;
	struct file *file;
	struct mm_struct *mm;
	u64 shared, private; /* where the file is mapped, if map_shared(), map_private() did so */
	struct completion worker_done;
	struct test_worker workers[MAX_WORKERS];
	u64 count;	   /* the tests' own */
	struct page *held; /* the same */
	/* What was last written to each word of the file; a word has one writer. */
	u64 written[MAX_FILE_PAGES][FRAME_WORDS];
};

static inline u64 *frame_words(struct page *p)
{
	return page_frame(p)->data;
}

static inline u64 word_at(u64 base, u64 page, u32 word)
{
	return base + page * PAGE_SIZE + word * sizeof(u64);
}

static inline u64 map_file(struct file_test *t, u32 vm_flags)
{
	s64 addr = sys_mmap(0, t->inode->max_pages * PAGE_SIZE, vm_flags, t->file, 0);

	EXPECT(addr > 0);
	return (u64)addr;
}

static inline void map_shared(struct file_test *t)
{
	t->shared = map_file(t, VM_READ | VM_WRITE | VM_SHARED);
}

static inline void map_private(struct file_test *t)
{
	t->private = map_file(t, VM_READ | VM_WRITE);
}

/* A page of the file as the page cache has it, locked; read if need be. */
static inline struct page *cached_page(struct file_test *t, u64 index)
{
	struct vm_area_struct vma = {.vm_file = t->file};
	struct page *p = NULL;
	u32 ret = filemap_fault(&vma, index, &p);

	EXPECT(!(ret & ~VM_FAULT_MAJOR));
	return p;
}

/* A write(2) of one word, without a mapping. */
static inline void write_word(struct file_test *t, u64 index, u32 word, u64 value)
{
	struct page *p = cached_page(t, index);

	WRITE_ONCE(frame_words(p)[word], value);
	set_page_dirty(p);
	unlock_page(p);
	put_page(p);
}

static inline bool in_cache(struct file_test *t, u64 index)
{
	struct page *p = find_get_page(&t->inode->mapping, index);

	if (p)
		put_page(p);
	return p;
}

/* Gives each word of the file its VALUE(), on the disk; nothing of it stays in the page cache. */
static inline void write_file(struct file_test *t)
{
	for (u64 i = 0; i < t->inode->max_pages; i++) {
		for (u32 w = 0; w < FRAME_WORDS; w++)
			write_word(t, i, w, VALUE(i, w));
	}
	EXPECT(writeback_range(t->inode, 0, ~0ULL) == t->inode->max_pages);
	/* All references but the cache's go. */
	lru_add_drain();
	EXPECT(invalidate_mapping_pages(t->inode, 0, ~0ULL) == t->inode->max_pages);
	EXPECT(!t->inode->mapping.nr_cached);
}

static inline void test_worker_main(void *arg)
{
	struct test_worker *w = arg;
	struct file_test *t = w->t;

	use_mm(t->mm);
	t->scenario->workers[w->nr](t);
	unuse_mm(t->mm);
	complete(&t->worker_done);
}

static inline void test_start_workers(struct file_test *t)
{
	u32 nr = 0;

	init_completion(&t->worker_done);
	for (u32 i = 0; i < MAX_WORKERS && t->scenario->workers[i]; i++, nr++) {
		struct task_struct *task;

		t->workers[i] = (struct test_worker){t, i};
		task = task_create(t->m, "worker", PF_KTHREAD, i % t->m->nr_vcpus, test_worker_main,
				   &t->workers[i]);
		EXPECT(task);
		wake_up_new_task(task);
	}
	while (nr--)
		wait_for_completion(&t->worker_done);
}

static inline void test_conductor(void *arg)
{
	struct file_test *t = arg;

	t->mm = mm_alloc();
	EXPECT(t->mm);
	t->file = file_open(t->inode);
	EXPECT(t->file);
	use_mm(t->mm);
	if (t->scenario->prepare)
		t->scenario->prepare(t);
	unuse_mm(t->mm);
	test_start_workers(t);
	use_mm(t->mm);
	files_audit(t->m);
	if (t->scenario->finish)
		t->scenario->finish(t);
	files_audit(t->m);
	unuse_mm(t->mm);
	mmput(t->mm);
	fput(t->file);
	files_audit(t->m);
	files_drop_all(t->m);
	EXPECT(!t->inode->mapping.nr_cached);
	EXPECT(!t->inode->mapping.nr_mappings);
	page_alloc_audit(t->m);
	lru_audit(t->m);
	memcg_audit(t->m);
}

/*
 * Every second schedule is a uniform random walk; in the others a vCPU goes on with a probability
 * of 15/16 or 63/64, so that one often gets through a whole system call between two steps of
 * another. Strategies run below the emulated CPUs, where ThreadSanitizer is not to look
 * (engine/explore.h).
 */
#define BELOW_TSAN __attribute__((no_sanitize_thread))

struct test_strategy {
	struct strategy base;
	struct strategy *random;
	u32 switch_one_in;
};

BELOW_TSAN static inline void test_strategy_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct test_strategy *t = (struct test_strategy *)s;

	t->switch_one_in = seed % 2 == 0 ? 1 : seed % 4 == 1 ? 16 : 64;
	t->random->ops->begin(t->random, seed, nr_vcpus);
}

BELOW_TSAN static inline u32 test_strategy_pick(struct strategy *s, const struct decision *d)
{
	struct test_strategy *t = (struct test_strategy *)s;
	const struct strategy_ops *random = t->random->ops;

	if (d->runnable & (1ULL << d->last) &&
	    random->choose(t->random, CHOICE_DATA, d->last, t->switch_one_in))
		return d->last;
	return random->pick(t->random, d);
}

BELOW_TSAN static inline u32 test_strategy_choose(struct strategy *s, enum choice kind, u32 cpu,
						  u32 n)
{
	struct test_strategy *t = (struct test_strategy *)s;

	return t->random->ops->choose(t->random, kind, cpu, n);
}

static const struct strategy_ops test_strategy_ops = {
	.name = "test",
	.begin = test_strategy_begin,
	.pick = test_strategy_pick,
	.choose = test_strategy_choose,
};

static inline void test_config(struct machine_config *c, const struct scenario *s, u64 seed)
{
	*c = (struct machine_config){.nr_vcpus = s->nr_vcpus,
				     .arena_bytes = TEST_ARENA_BYTES,
				     .seed = seed,
				     .max_steps = TEST_MAX_STEPS,
				     .stall_seconds = TEST_STALL_SECONDS};
	if (s->knob != NO_KNOB)
		knob_set(c->knobs, s->knob);
}

static inline void test_populate_with(struct file_test *t, struct machine *m,
				      const struct scenario *s, void (*conduct)(void *))
{
	const struct mm_options options = {.nr_pages = TEST_PAGES,
					   .geometry = tlb_geometry_find("tiny"),
					   .gather_batches = ~0u};
	struct task_struct *conductor;

	memset(t, 0, sizeof(*t));
	t->m = m;
	t->scenario = s;
	cr_assert_eq(mm_setup(m, &options), 0);
	t->inode = inode_create(m, "file", s->file_pages);
	cr_assert_not_null(t->inode);
	t->inode->mapping.account_dirty = !s->unaccounted;
	conductor = task_create(m, "conductor", PF_KTHREAD, 0, conduct, t);
	cr_assert_not_null(conductor);
	wake_up_new_task(conductor);
}

static inline void test_populate(struct file_test *t, struct machine *m, const struct scenario *s)
{
	test_populate_with(t, m, s, test_conductor);
}

static inline struct machine *test_machine(const struct scenario *s)
{
	struct machine_ops ops = {0};
	struct machine_config c;
	struct machine *m;

	smp_machine_ops(&ops);
	test_config(&c, s, 0);
	m = machine_create(&c, &ops);
	cr_assert_not_null(m);
	return m;
}

static inline const char *test_violation(const struct machine *m)
{
	return m->violations.ready ? m->violations.first.invariant->slug : NULL;
}

/* Ended by finding @slug (NULL: by finishing)? */
static inline void test_expect(const struct machine *m, enum machine_end end, const char *slug,
			       const char *how, u64 seed)
{
	const char *found = test_violation(m);

	if ((slug && found && !strcmp(slug, found)) || (!slug && !found && end == MACHINE_FINISHED))
		return;
	if (found)
		violation_print(stderr, m, 24);
	cr_assert_fail("%s, seed %llu: ended %d with %s, expected %s: %s", how,
		       (unsigned long long)seed, (int)end, found ? found : "no violation",
		       slug ? slug : "none", found ? m->violations.first.message : "");
}

static inline void run_threads(const struct scenario *s, u32 rounds, const char *slug)
{
	for (u32 i = 0; i < rounds; i++) {
		struct machine *m = test_machine(s);
		struct file_test t;
		enum machine_end end;

		test_populate(&t, m, s);
		end = machine_run(m, EXECUTOR_THREADS, NULL);
		test_expect(m, end, slug, "threads", i);
		smp_teardown(m);
		machine_destroy(m);
	}
}

/* Explores @seeds schedules. All of them must finish (@slugs empty), or one must end with one of
 * @slugs, and none with another violation. Returns the number of schedules until then. */
static inline u64 run_explore(const struct scenario *s, u64 seeds, const char *const *slugs)
{
	struct test_strategy strategy = {{.ops = &test_strategy_ops}, strategy_random_create(), 1};
	struct machine *m = test_machine(s);
	struct file_test t;
	u64 seed;

	for (seed = 0; seed < seeds; seed++) {
		struct machine_config c;
		const char *found, *expected = NULL;
		enum machine_end end;

		test_config(&c, s, seed);
		if (seed) {
			smp_teardown(m);
			cr_assert_eq(machine_reset(m, &c), 0);
		}
		test_populate(&t, m, s);
		end = machine_run(m, EXECUTOR_EXPLORE, &strategy.base);
		found = test_violation(m);
		for (u32 i = 0; found && slugs && slugs[i]; i++) {
			if (!strcmp(slugs[i], found))
				expected = found;
		}
		test_expect(m, end, expected, "explore", seed);
		if (expected)
			break;
	}
	cr_assert(!slugs || seed < seeds, "%llu schedules, and none ends with %s",
		  (unsigned long long)seeds, slugs ? slugs[0] : "");
	smp_teardown(m);
	machine_destroy(m);
	strategy_destroy(strategy.random);
	return seed;
}

/* Both executors find nothing. */
static inline void run_clean(const struct scenario *s, u64 seeds, u32 rounds)
{
	run_explore(s, (seeds + SANITIZER_SHARE - 1) / SANITIZER_SHARE, NULL);
	run_threads(s, rounds, NULL);
}

/* One run under each executor ends with @slug. */
static inline void run_violation(const struct scenario *s, const char *slug)
{
	const char *const slugs[] = {slug, NULL};

	run_explore(s, 1, slugs);
	run_threads(s, 1, slug);
}

#endif
