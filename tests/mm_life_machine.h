// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole emulated machine whose tasks live: they begin as kernel threads, exec, fork, exit. What
 * the tests of mm's life, exec and fork run on.
 *
 * Code that runs on a vCPU checks with EXPECT(): a failure stops the machine as a violation, which
 * the test then sees.
 */
#ifndef TESTS_MM_LIFE_MACHINE_H
#define TESTS_MM_LIFE_MACHINE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/strategy.h"
#include "mm/audit.h"
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/rss.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/knobs.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"
#include "tlbshoot/tlb.h"
#include "tlbshoot/tlb_oracle.h"

#define EXPECT(cond) BUG_ON(!(cond), "line %d: expected %s", __LINE__, #cond)

#define LIFE_STALL_SECONDS 60
/* Far more decision points than any schedule here needs. */
#define LIFE_MAX_STEPS 2000000
#define LIFE_FILE_PAGES 8

struct life {
	struct machine *m;
	struct inode *prog; /* LIFE_FILE_PAGES: the program that tasks execute */
	struct exec_image image;
	u64 first_free;		 /* pages, before anything ran */
	u32 nr_first;		 /* tasks of life_task() */
	struct completion exits; /* of them */
	struct task_struct *auditor;
	u64 arena_reserved; /* not 0: what a test has taken away, for the audit */
	bool audited;
	void *data; /* the test's own */
	u32 count;  /* atomic; the test's own */
};

struct life_config {
	u32 nr_vcpus;
	u64 nr_pages;
	u64 seed;
	u32 knob;    /* planted; 0: none */
	bool bigger; /* the default TLB in place of the tiny one */
	/* Where many seeds are explored, the strategy of the odd ones; NULL: the random one. */
	const char *odd_seeds;
};

static inline struct machine_config life_machine_config(const struct life_config *c)
{
	struct machine_config config = {
		.nr_vcpus = c->nr_vcpus,
		.seed = c->seed,
		.max_steps = LIFE_MAX_STEPS,
		.stall_seconds = LIFE_STALL_SECONDS,
	};

	if (c->knob)
		knob_set(config.knobs, c->knob);
	return config;
}

static inline void life_setup(struct life *l, const struct life_config *c)
{
	const struct mm_options options = {
		.nr_pages = c->nr_pages,
		.geometry = c->bigger ? NULL : tlb_geometry_find("tiny"),
		.gather_batches = ~0u,
	};

	cr_assert_eq(mm_setup(l->m, &options), 0);
	l->prog = inode_create(l->m, "/bin/program", LIFE_FILE_PAGES);
	cr_assert_not_null(l->prog);
	l->first_free = nr_free_pages(l->m);
	l->image = (struct exec_image){
		.file = l->prog,
		.text_pages = 1,
		.data_pages = 1,
		.bss_pages = 1,
		.stack_pages = 2,
		.argument_pages = 1,
	};
	l->nr_first = 0;
	init_completion(&l->exits);
	l->auditor = NULL;
	l->arena_reserved = 0;
	l->audited = false;
	l->count = 0;
}

static inline void life_create(struct life *l, const struct life_config *c)
{
	struct machine_config config = life_machine_config(c);
	struct machine_ops ops = {0};

	smp_machine_ops(&ops);
	l->m = machine_create(&config, &ops);
	cr_assert_not_null(l->m);
	life_setup(l, c);
}

/* Another round on the same memory. */
static inline void life_again(struct life *l, const struct life_config *c)
{
	struct machine_config config = life_machine_config(c);

	smp_teardown(l->m);
	cr_assert_eq(machine_reset(l->m, &config), 0);
	life_setup(l, c);
}

static inline void life_destroy(struct life *l)
{
	smp_teardown(l->m);
	machine_destroy(l->m);
}

/* A first task, a kernel thread as init is; before the run. It must end with sys_exit(). */
static inline struct task_struct *life_task(struct life *l, u32 cpu, void (*entry)(void *))
{
	struct task_struct *t = task_create(l->m, "kthread", PF_KTHREAD | PF_NOFREEZE,
					    cpu % l->m->nr_vcpus, entry, l);

	cr_assert_not_null(t);
	t->exited = &l->exits;
	l->nr_first++;
	wake_up_new_task(t);
	return t;
}

static inline s64 life_cache_in_use(const struct machine *m, const char *name)
{
	const struct kmem_cache *c = m->caches;

	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	EXPECT(c);
	return kmem_cache_in_use(c);
}

/* When everybody else has gone the machine is quiet: of their address spaces nothing is left but
 * the structure and the page directory of those that idle CPUs still borrow. */
static inline void life_audit(void *arg)
{
	struct life *l = arg;
	struct machine *m = l->m;

	for (u32 i = 0; i < l->nr_first; i++)
		wait_for_completion(&l->exits);
	while (atomic_read(&m->smp->nr_tasks) > 1)
		synchronize_rcu();
	rcu_barrier();
	if (l->arena_reserved)
		m->arena.reserved = l->arena_reserved;
	oracle_enter();
	vma_audit_all(m);
	mm_audit(m);
	oracle_exit();
	files_drop_all(m);
	oracle_enter();
	mm_audit_leaks(m, l->first_free);
	EXPECT(life_cache_in_use(m, "task_struct") == 1);
	EXPECT(life_cache_in_use(m, "signal_struct") == 1);
	EXPECT(life_cache_in_use(m, "sighand_struct") == 1);
	EXPECT(life_cache_in_use(m, "file") == 0);
	EXPECT(life_cache_in_use(m, "vma_array-128") == 0);
	oracle_exit();
	l->audited = true;
}

/* The task that looks at what is left; life_run() makes it if the test has not. */
static inline void life_auditor(struct life *l)
{
	struct task_struct *t = task_create(l->m, "auditor", PF_KTHREAD, 0, life_audit, l);

	cr_assert_not_null(t);
	l->auditor = t;
	wake_up_new_task(t);
}

/* @strategy is for exploring; NULL: the random one. */
static inline enum machine_end life_run_with(struct life *l, enum executor executor,
					     struct strategy *strategy)
{
	struct strategy *random =
		executor == EXECUTOR_EXPLORE && !strategy ? strategy_random_create() : NULL;
	enum machine_end end;

	if (!l->auditor)
		life_auditor(l);
	end = machine_run(l->m, executor, random ? random : strategy);
	strategy_destroy(random);
	return end;
}

static inline enum machine_end life_run(struct life *l, enum executor executor)
{
	return life_run_with(l, executor, NULL);
}

/* The slug of the violation that ended the run, or that an audit found; "none". */
static inline const char *life_slug(const struct life *l)
{
	return l->m->violations.ready ? l->m->violations.first.invariant->slug : "none";
}

static inline void expect_clean(struct life *l, enum machine_end end)
{
	cr_assert_eq(end, MACHINE_FINISHED, "seed %llu ended with %d: %s: %s (%s)",
		     (unsigned long long)l->m->config.seed, end, life_slug(l),
		     l->m->violations.first.message, l->m->violations.first.where);
	cr_assert(l->audited);
}

#endif
