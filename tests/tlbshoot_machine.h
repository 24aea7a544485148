// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine of vCPUs, TLBs and hand-made page tables, for tests of tlbshoot/ that stand where mm/
 * will: they map and zap pages themselves and switch address spaces as a kernel does.
 *
 * Code that runs on a vCPU checks with EXPECT(): a failure stops the machine as a violation, which
 * run_machine()'s caller then sees.
 */
#ifndef TESTS_TLBSHOOT_MACHINE_H
#define TESTS_TLBSHOOT_MACHINE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/executor.h"
#include "engine/strategy.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "tlbshoot/knobs.h"
#include "tlbshoot/mmu_context.h"
#include "tlbshoot/tlb.h"
#include "tlbshoot/tlb_oracle.h"
#include "tlbshoot/tlbflush.h"

#define NR_MMS 2
#define TEST_FRAMES 2048
#define TEST_ARENA_BYTES (256ULL << 20)
#define TEST_STALL_SECONDS 60
/* Far more decision points than any schedule here needs. */
#define TEST_MAX_STEPS 1000000

/* Where the tests' pages lie: in one page table. */
#define BASE 0x400000ULL
#define PAGE(i) (BASE + (u64)(i)*PAGE_SIZE)
#define USER_RO (PTE_PRESENT | PTE_USER | PTE_ACCESSED)
#define USER_RW (USER_RO | PTE_RW)

INVARIANT(inv_expected, "test-expectation", "what the test expects holds");
#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			VIOLATION(&inv_expected, "line %d: expected %s", __LINE__, #cond);         \
	} while (0)

struct mm_struct {
	struct mm_context context;
};

struct test_machine {
	struct machine *m;
	struct mm_struct *init_mm;
	struct mm_struct *mm[NR_MMS];
	u64 next_pfn; /* frames below are in use; set-up only */
	void *data;   /* the test's own */
};

static const u64 on_cpu[][CPU_WORDS] = {{1}, {2}, {4}, {8}, {16}, {32}, {64}, {128}};

/* --- Address spaces --------------------------------------------------------------------------- */

static inline u64 new_table(struct test_machine *t)
{
	u64 pfn = t->next_pfn++;

	cr_assert_eq(frame_take_table(&t->m->tlb->mem, pfn), 0);
	return pfn;
}

/* The entry for @va at @level, with tables made on the way if @t is given. */
static inline pteval_t *test_entry(struct test_machine *t, const struct mm_struct *mm, u64 va,
				   u32 to, bool make)
{
	const struct phys_memory *mem = &t->m->tlb->mem;
	u64 pfn = mm->context.root;

	for (u32 level = 3;; level--) {
		pteval_t *e = frame_table(frame_of(mem, pfn)) + table_index(va, level);

		if (level == to)
			return e;
		if (make && !oracle_read(*e))
			init_once(*e, pfn_pte(new_table(t), PTE_TABLE));
		pfn = pte_pfn(oracle_read(*e));
	}
}

static inline pteval_t *test_pte(struct test_machine *t, const struct mm_struct *mm, u64 va)
{
	return test_entry(t, mm, va, 0, false);
}

/* Set-up: maps @va to a new frame with zero in it; returns the frame. */
static inline u64 map_page(struct test_machine *t, struct mm_struct *mm, u64 va, pteval_t bits)
{
	u64 pfn = t->next_pfn++;

	frame_take_data(&t->m->tlb->mem, pfn);
	frame_clear(frame_of(&t->m->tlb->mem, pfn));
	init_once(*test_entry(t, mm, va, 0, true), pfn_pte(pfn, bits));
	return pfn;
}

/* The same for 2 MiB. */
static inline u64 map_huge(struct test_machine *t, struct mm_struct *mm, u64 va, pteval_t bits)
{
	u64 pfn = round_up_to(t->next_pfn, PTRS_PER_TABLE);

	t->next_pfn = pfn + PTRS_PER_TABLE;
	for (u64 i = 0; i < PTRS_PER_TABLE; i++)
		frame_take_data(&t->m->tlb->mem, pfn + i);
	init_once(*test_entry(t, mm, va, 1, true), pfn_pte(pfn, bits | PTE_PSE));
	return pfn;
}

static inline struct mm_struct *new_mm(struct test_machine *t, u32 id)
{
	struct mm_struct *mm = arena_alloc(&t->m->arena, sizeof(*mm), CACHE_LINE);

	cr_assert_not_null(mm);
	mm_context_init(&mm->context, id, new_table(t));
	return mm;
}

/* --- What the kernel does around switches ----------------------------------------------------- */

static inline struct mm_struct *test_context_switch_mm(struct task_struct *prev,
						       struct task_struct *next)
{
	struct mm_struct *old = prev->active_mm;

	if (!next->mm) {
		next->active_mm = old;
		enter_lazy_tlb(&old->context);
	} else {
		next->active_mm = next->mm;
		switch_mm(&old->context, &next->mm->context);
	}
	if (!prev->mm)
		prev->active_mm = NULL;
	return NULL;
}

/* The running task gives up its mm; the CPU keeps it, lazily. */
static inline void test_exit_mm(void)
{
	struct mm_struct *mm = current->mm;

	preempt_disable();
	enter_lazy_tlb(&mm->context);
	current->mm = NULL;
	preempt_enable();
}

/* --- What tasks do ---------------------------------------------------------------------------- */

static inline u32 rd(u64 va)
{
	u64 value = 0;

	return cpu_access(va, TLB_READ, &value);
}

static inline u32 wr(u64 va, u64 value)
{
	return cpu_access(va, TLB_WRITE, &value);
}

/* Zaps @nr pages from @first on, and gives their frames back. */
static inline void zap(struct test_machine *t, struct mm_struct *mm, u32 first, u32 nr)
{
	u64 pfns[64], n = 0;

	tlb_change_begin(&mm->context);
	for (u32 i = first; i < first + nr; i++) {
		pteval_t old = xchg(test_pte(t, mm, PAGE(i)), 0);

		if (old & PTE_PRESENT)
			pfns[n++] = pte_pfn(old);
	}
	flush_tlb_mm_range(&mm->context, PAGE(first), PAGE(first + nr));
	while (n)
		frame_release(t->m, pfns[--n]);
	tlb_change_end(&mm->context);
}

/* --- Machines --------------------------------------------------------------------------------- */

/* Two vCPUs, the tiny TLB, the default policy; tests change what they need. */
struct test_config {
	struct machine_config machine;
	const struct tlb_geometry *geometry;
	const struct tlb_policy *policy;
};

static inline struct test_config test_config(u32 nr_vcpus)
{
	return (struct test_config){
		.machine = {.nr_vcpus = nr_vcpus,
			    .arena_bytes = TEST_ARENA_BYTES,
			    .max_steps = TEST_MAX_STEPS,
			    .stall_seconds = TEST_STALL_SECONDS},
		.geometry = tlb_geometry_find("tiny"),
	};
}

/* A TLB in which no page evicts another. */
static inline struct test_config big_config(u32 nr_vcpus)
{
	struct test_config c = test_config(nr_vcpus);

	c.geometry = tlb_geometry_find("haswell");
	return c;
}

static inline void test_populate(struct test_machine *t, const struct test_config *c)
{
	struct machine *m = t->m;
	const struct sched_ops ops = {.context_switch_mm = test_context_switch_mm};

	cr_assert_eq(smp_setup(m, &ops), 0);
	cr_assert_eq(tlb_setup(m, TEST_FRAMES, c->geometry, c->policy), 0);
	/* Frame 0 stays out of use: an entry of zeroes must name nothing. */
	t->next_pfn = 1;
	t->init_mm = new_mm(t, 0);
	m->tlb->kernel_context = &t->init_mm->context;
	m->tlb->kernel_root = t->init_mm->context.root;
	for (u32 i = 0; i < m->nr_vcpus; i++)
		m->smp->rqs[i].idle->active_mm = t->init_mm;
	for (u32 i = 0; i < NR_MMS; i++)
		t->mm[i] = new_mm(t, i + 1);
}

static inline void test_create(struct test_machine *t, const struct test_config *c)
{
	struct machine_ops ops = {0};

	smp_machine_ops(&ops);
	memset(t, 0, sizeof(*t));
	t->m = machine_create(&c->machine, &ops);
	cr_assert_not_null(t->m);
	test_populate(t, c);
}

static inline void test_reset(struct test_machine *t, const struct test_config *c)
{
	smp_teardown(t->m);
	cr_assert_eq(machine_reset(t->m, &c->machine), 0);
	test_populate(t, c);
}

static inline void test_destroy(struct test_machine *t)
{
	smp_teardown(t->m);
	machine_destroy(t->m);
}

/* A task of @mm (NULL: a kernel thread) that runs on @cpu only. */
static inline struct task_struct *test_task(struct test_machine *t, u32 cpu, struct mm_struct *mm,
					    void (*entry)(void *))
{
	struct task_struct *task =
		task_create(t->m, mm ? "user" : "kthread", mm ? 0 : PF_KTHREAD, cpu, entry, t);

	cr_assert_not_null(task);
	task->mm = mm;
	task->cpus_allowed = on_cpu[cpu];
	wake_up_new_task(task);
	return task;
}

/* A strategy without surprises: the lowest vCPU runs until it waits, interrupts are taken at once,
 * and the hardware does nothing of its own accord. */
static inline u32 plain_pick(struct strategy *s, const struct decision *d)
{
	(void)s;
	return (u32)__builtin_ctzll(d->runnable);
}

static inline u32 plain_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	(void)s;
	(void)cpu;
	(void)n;
	return kind == CHOICE_INTERRUPT;
}

static inline void plain_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	(void)s;
	(void)seed;
	(void)nr_vcpus;
}

static const struct strategy_ops plain_ops = {
	.name = "plain",
	.begin = plain_begin,
	.pick = plain_pick,
	.choose = plain_choose,
};

/* The slug of the violation found, or NULL. */
static inline const char *found_violation(const struct test_machine *t)
{
	return t->m->violations.ready ? t->m->violations.first.invariant->slug : NULL;
}

/* Runs @entry as a task of mm[0] on a vCPU of its own, once under each executor; the machine must
 * finish, or end with @violation. @setup maps pages. */
static inline void run_alone(struct test_config c, void (*setup)(struct test_machine *t),
			     void (*entry)(void *), const char *violation)
{
	for (u32 executor = EXECUTOR_THREADS; executor <= EXECUTOR_EXPLORE; executor++) {
		struct strategy plain = {.ops = &plain_ops};
		struct test_machine t;

		test_create(&t, &c);
		setup(&t);
		test_task(&t, 0, t.mm[0], entry);
		machine_run(t.m, executor, &plain);
		if (!violation)
			cr_assert_null(found_violation(&t), "executor %u: %s: %s", executor,
				       found_violation(&t), t.m->violations.first.message);
		else
			cr_assert(found_violation(&t) && !strcmp(found_violation(&t), violation),
				  "executor %u: expected %s, found %s: %s", executor, violation,
				  found_violation(&t), t.m->violations.first.message);
		test_destroy(&t);
	}
}

static inline void map_sixteen(struct test_machine *t)
{
	for (u32 i = 0; i < 16; i++)
		map_page(t, t->mm[0], PAGE(i), USER_RW);
}

/* Forty pages in mm[0]; t->data is a cache line of zeroes. */
static inline void map_forty(struct test_machine *t)
{
	t->data = arena_alloc(&t->m->arena, CACHE_LINE, CACHE_LINE);
	for (u32 i = 0; i < 40; i++)
		map_page(t, t->mm[0], PAGE(i), USER_RW);
}

/* Runs @a on CPU0 and @b on CPU1, both of mm[0], under both executors. */
static inline void run_two(struct test_config c, void (*a)(void *), void (*b)(void *))
{
	for (u32 executor = EXECUTOR_THREADS; executor <= EXECUTOR_EXPLORE; executor++) {
		struct strategy plain = {.ops = &plain_ops};
		struct test_machine t;

		test_create(&t, &c);
		map_forty(&t);
		test_task(&t, 0, t.mm[0], a);
		test_task(&t, 1, t.mm[0], b);
		machine_run(t.m, executor, &plain);
		cr_assert_null(found_violation(&t), "executor %u: %s: %s", executor,
			       found_violation(&t), t.m->violations.first.message);
		tlb_oracle_audit(t.m);
		cr_assert_null(found_violation(&t), "audit: %s", t.m->violations.first.message);
		test_destroy(&t);
	}
}

/* Explores @nr_seeds random schedules of what @setup puts on the machine. Returns the first
 * violation's slug with its seed and message, or NULL. */
struct campaign {
	u64 seed;
	char message[VIOLATION_MESSAGE_SIZE];
	u64 steps;
};

static inline const char *explore_seeds(struct test_config c, void (*setup)(struct test_machine *t),
					u64 nr_seeds, struct campaign *result)
{
	struct strategy *random = strategy_random_create();
	const char *slug = NULL;
	struct test_machine t;

	memset(result, 0, sizeof(*result));
	test_create(&t, &c);
	for (u64 seed = 0; seed < nr_seeds && !slug; seed++) {
		enum machine_end end;

		c.machine.seed = seed;
		if (seed)
			test_reset(&t, &c);
		setup(&t);
		end = machine_run(t.m, EXECUTOR_EXPLORE, random);
		result->steps += t.m->explored.steps;
		result->seed = seed;
		slug = found_violation(&t);
		if (slug)
			snprintf(result->message, sizeof(result->message), "%s",
				 t.m->violations.first.message);
		else
			cr_assert_eq(end, MACHINE_FINISHED, "seed %llu ended with %d",
				     (unsigned long long)seed, (int)end);
	}
	test_destroy(&t);
	strategy_destroy(random);
	return slug;
}

#endif
