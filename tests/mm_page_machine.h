// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine with pages and nothing above them: what the tests of the page allocator, the LRU lists
 * and memory cgroups run their tasks on.
 */
#ifndef TESTS_MM_PAGE_MACHINE_H
#define TESTS_MM_PAGE_MACHINE_H

#include <criterion/criterion.h>
#include <string.h>

#include "engine/strategy.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlb.h"

/* In a task: a violation of the kernel's own, with the condition as its message. */
#define check(cond) BUG_ON(!(cond), "line %d: %s", __LINE__, #cond)

static inline void page_machine_setup(struct machine *m, u64 nr_pages)
{
	static const struct sched_ops no_mm = {0};

	cr_assert_eq(smp_setup(m, &no_mm), 0);
	cr_assert_eq(tlb_setup(m, nr_pages, tlb_geometry_find("tiny"), NULL), 0);
	m->mm = arena_alloc(&m->arena, sizeof(*m->mm), CACHE_LINE);
	cr_assert_not_null(m->mm);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		m->vcpus[i].mm = arena_alloc(&m->arena, sizeof(struct mm_percpu), CACHE_LINE);
		cr_assert_not_null(m->vcpus[i].mm);
	}
	cr_assert_eq(page_alloc_setup(m, nr_pages), 0);
	cr_assert_eq(lru_setup(m), 0);
	cr_assert_eq(memcg_setup(m), 0);
}

/* @knob is planted; 0 for none. */
static inline struct machine_config page_machine_config(u32 nr_vcpus, u64 seed, u32 knob)
{
	struct machine_config config = {
		.nr_vcpus = nr_vcpus,
		.seed = seed,
		.max_steps = 10 * 1000 * 1000,
		.stall_seconds = 60,
	};

	if (knob)
		knob_set(config.knobs, knob);
	return config;
}

static inline struct machine *page_machine_create(u32 nr_vcpus, u64 nr_pages, u64 seed, u32 knob)
{
	struct machine_config config = page_machine_config(nr_vcpus, seed, knob);
	struct machine_ops ops = {0};
	struct machine *m;

	smp_machine_ops(&ops);
	m = machine_create(&config, &ops);
	cr_assert_not_null(m);
	page_machine_setup(m, nr_pages);
	return m;
}

/* Another round on the same memory. */
static inline void page_machine_again(struct machine *m, u64 nr_pages, u64 seed, u32 knob)
{
	struct machine_config config = page_machine_config(m->nr_vcpus, seed, knob);

	smp_teardown(m);
	cr_assert_eq(machine_reset(m, &config), 0);
	page_machine_setup(m, nr_pages);
}

static inline void page_machine_destroy(struct machine *m)
{
	smp_teardown(m);
	machine_destroy(m);
}

/* Tasks 0 to @nr - 1 run entry(&args[i * size]), each starting on a vCPU of its own. */
static inline enum machine_end page_machine_run_each(struct machine *m, enum executor executor,
						     u32 nr, void (*entry)(void *), void *args,
						     size_t size)
{
	struct strategy *s = executor == EXECUTOR_EXPLORE ? strategy_random_create() : NULL;
	enum machine_end end;

	for (u32 i = 0; i < nr; i++) {
		struct task_struct *t = task_create(m, "test", PF_KTHREAD, i % m->nr_vcpus, entry,
						    (char *)args + i * size);

		cr_assert_not_null(t);
		wake_up_new_task(t);
	}
	end = machine_run(m, executor, s);
	strategy_destroy(s);
	return end;
}

static inline enum machine_end page_machine_run(struct machine *m, enum executor executor, u32 nr,
						void (*entry)(void *), void *arg)
{
	return page_machine_run_each(m, executor, nr, entry, arg, 0);
}

/* The slug of the violation that ended the run; "none". */
static inline const char *page_machine_slug(const struct machine *m)
{
	return m->violations.ready ? m->violations.first.invariant->slug : "none";
}

#define expect_finished(m, end)                                                                    \
	do {                                                                                       \
		cr_expect_eq((end), MACHINE_FINISHED, "ended with %d", (end));                     \
		cr_expect_str_eq(page_machine_slug(m), "none", "%s: %s", page_machine_slug(m),     \
				 (m)->violations.first.message);                                   \
	} while (0)

#define expect_violation(m, end, slug)                                                             \
	do {                                                                                       \
		cr_expect_eq((end), MACHINE_VIOLATION, "ended with %d", (end));                    \
		cr_expect_str_eq(page_machine_slug(m), (slug), "%s: %s", page_machine_slug(m),     \
				 (m)->violations.first.message);                                   \
	} while (0)

/* @nr_tasks of them on a fresh machine finish, under each executor. */
static inline void both_executors(u32 nr_vcpus, u64 nr_pages, u32 nr_tasks, void (*entry)(void *))
{
	for (int e = 0; e < 2; e++) {
		struct machine *m = page_machine_create(nr_vcpus, nr_pages, 1, 0);
		enum machine_end end = page_machine_run(m, e ? EXECUTOR_EXPLORE : EXECUTOR_THREADS,
							nr_tasks, entry, m);

		expect_finished(m, end);
		page_machine_destroy(m);
	}
}

/* One task under the explorer that is to end in the violation @slug, on a fresh machine. */
static inline void expect_task_violates(void (*entry)(void *), const char *slug)
{
	struct machine *m = page_machine_create(2, 64, 1, 0);
	enum machine_end end = page_machine_run(m, EXECUTOR_EXPLORE, 1, entry, m);

	expect_violation(m, end, slug);
	page_machine_destroy(m);
}

static inline void audit_pages(struct machine *m)
{
	page_alloc_audit(m);
	lru_audit(m);
	memcg_audit(m);
}

/* A page as a fault makes it: charged, anonymous, waiting to be put on the LRU. */
static inline struct page *new_anon_page(struct mem_cgroup *g)
{
	struct page *p = alloc_page(PAGE_USER);

	if (!p)
		return NULL;
	if (mem_cgroup_charge(g, p)) {
		put_page(p);
		return NULL;
	}
	p->mapping = (void *)(8UL | PAGE_MAPPING_ANON);
	lru_cache_add_new(p);
	return p;
}

#endif
