// SPDX-License-Identifier: GPL-2.0-or-later
/* The page allocator: what it hands out and takes back, at which sizes, and when it refuses. */
#include "smp/spinlock.h"
#include "tests/mm_page_machine.h"

#include <stdio.h>
#include <unistd.h>

/* --- What is handed out ----------------------------------------------------------------------- */

static void task_user_page(void *arg)
{
	struct machine *m = arg;
	struct page *p = alloc_page(PAGE_USER), *again;
	const struct frame *f = page_frame(p);
	u32 generation = frame_generation(f);

	check(p->refcount == 1 && p->mapcount == -1 && !p->flags && !p->mapping && !p->memcg);
	check(f->state == FRAME_DATA);
	check(nr_free_pages(m) == m->mm->nr_pages - 1);
	check(vmstat_sum(m, VMSTAT_pgalloc) == 1);
	put_page(p);
	check(f->state == FRAME_FREE && frame_generation(f) == generation + 1);
	check(nr_free_pages(m) == m->mm->nr_pages && vmstat_sum(m, VMSTAT_pgfree) == 1);
	/* Last freed, first reused. */
	again = alloc_page(PAGE_USER);
	check(again == p && !p->flags && p->refcount == 1);
	put_page(again);
	page_alloc_audit(m);
}

Test(page_alloc, a_user_page)
{
	both_executors(2, 64, 1, task_user_page);
}

static void task_table_page(void *arg)
{
	struct machine *m = arg;
	struct page *p = alloc_page(PAGE_TABLE);
	const pteval_t *table = frame_table(page_frame(p));

	check(p->flags == 1u << PG_table && p->refcount == 1);
	check(page_frame(p)->state == FRAME_TABLE && table);
	for (u32 i = 0; i < PTRS_PER_TABLE; i++)
		check(!table[i]);
	spin_lock_init(&p->ptl, LOCK_CLASS_ptl);
	spin_lock(&p->ptl);
	spin_unlock(&p->ptl);
	put_page(p);
	check(!frame_table(page_frame(p)) && !(p->flags & 1u << PG_table));
	page_alloc_audit(m);
}

Test(page_alloc, a_table_page)
{
	both_executors(1, 64, 1, task_table_page);
}

static void task_content(void *arg)
{
	struct page *a = alloc_page(PAGE_USER), *b = alloc_page(PAGE_USER);

	(void)arg;
	for (u32 i = 0; i < FRAME_WORDS; i++)
		page_frame(a)->data[i] = 99;
	clear_user_page(a);
	for (u32 i = 0; i < FRAME_WORDS; i++) {
		check(!page_frame(a)->data[i]);
		page_frame(a)->data[i] = i + 7;
	}
	copy_user_page(b, a);
	for (u32 i = 0; i < FRAME_WORDS; i++)
		check(page_frame(b)->data[i] == i + 7);
	put_page(a);
	put_page(b);
}

Test(page_alloc, content)
{
	both_executors(1, 64, 1, task_content);
}

/* 100 pages: fresh memory comes as blocks of 64, 32 and 4. */
#define ODD_PAGES 100

static void task_every_page_once(void *arg)
{
	struct machine *m = arg;
	struct page *pages[ODD_PAGES], *blocks[3];
	u32 order[ODD_PAGES];

	for (u32 round = 0; round < 8; round++) {
		for (u32 i = 0; i < ODD_PAGES; i++) {
			pages[i] = alloc_page(i % 3 ? PAGE_USER : PAGE_TABLE);
			check(pages[i] && pages[i]->index != 1000 + round);
			pages[i]->index = 1000 + round;
			order[i] = i;
		}
		check(!nr_free_pages(m) && !alloc_page(PAGE_USER) && !alloc_pages(1));
		check(vmstat_sum(m, VMSTAT_allocstall_oom) == 2 * (round + 1));
		page_alloc_audit(m);
		for (u32 i = ODD_PAGES; round && i > 1; i--) {
			u32 j = random_below(&current->rng, i), t = order[j];

			order[j] = order[i - 1];
			order[i - 1] = t;
		}
		for (u32 i = 0; i < ODD_PAGES; i++)
			put_page(pages[order[round == 1 ? ODD_PAGES - 1 - i : i]]);
		page_alloc_audit(m);
		check(nr_free_pages(m) == ODD_PAGES);
	}
	/* All merged again, but for what the per-CPU list holds. */
	drain_local_pages();
	page_alloc_audit(m);
	blocks[0] = alloc_pages(6);
	blocks[1] = alloc_pages(5);
	blocks[2] = alloc_pages(2);
	check(blocks[0] && blocks[1] && blocks[2] && !nr_free_pages(m));
	page_alloc_audit(m);
	for (u32 i = 0; i < 3; i++)
		put_page(blocks[i]);
	page_alloc_audit(m);
}

Test(page_alloc, every_page_once_then_none_then_all_merged)
{
	both_executors(1, ODD_PAGES, 1, task_every_page_once);
}

static void task_blocks(void *arg)
{
	struct machine *m = arg;
	u64 free = nr_free_pages(m);

	for (u32 order = 0; order <= MAX_ORDER; order++) {
		struct page *p = alloc_pages(order), *q = alloc_pages(order);

		check(p && q && p != q);
		check(!(page_to_pfn(p) & ((1u << order) - 1)));
		check(p->order == order && p->refcount == 1);
		for (u32 i = 1; i < 1u << order; i++)
			check(!p[i].refcount && !p[i].flags && p[i].mapcount == -1);
		check(page_frame(p + (1u << order) - 1)->state == FRAME_DATA);
		check(nr_free_pages(m) == free - (2u << order));
		page_alloc_audit(m);
		free_pages_block(p, order);
		get_page(q);
		put_page(q);
		put_page(q);
		check(nr_free_pages(m) == free);
	}
	page_alloc_audit(m);
	BUG_ON(alloc_pages(MAX_ORDER) == NULL, "a block of the largest order");
}

Test(page_alloc, blocks_of_every_order)
{
	both_executors(2, 4096, 1, task_blocks);
}

/* --- Against a model, and against each other -------------------------------------------------- */

#define HELD 48

/* Allocates and frees at random; every page in hand carries the holder's mark. */
static void random_work(u64 mark, u32 rounds, u32 max_order)
{
	struct page *held[HELD] = {NULL};
	u32 orders[HELD];

	for (u32 r = 0; r < rounds; r++) {
		u32 i = random_below(&current->rng, HELD);

		if (held[i]) {
			for (u32 k = 0; k < 1u << orders[i]; k++)
				check(held[i][k].index == mark + i);
			put_page(held[i]);
			held[i] = NULL;
			continue;
		}
		orders[i] = random_below(&current->rng, max_order + 1);
		held[i] = orders[i] ? alloc_pages(orders[i]) : alloc_page(PAGE_USER);
		for (u32 k = 0; held[i] && k < 1u << orders[i]; k++)
			held[i][k].index = mark + i;
		cond_resched();
	}
	for (u32 i = 0; i < HELD; i++) {
		if (held[i])
			put_page(held[i]);
	}
}

struct crew {
	struct machine *m;
	u32 left;
	u32 rounds;
	u32 max_order;
	struct page *hand_over[8]; /* atomic */
};

static void crew_leave(struct crew *c)
{
	if (!atomic_dec_and_test(&c->left))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(c->hand_over); i++) {
		if (c->hand_over[i])
			put_page(c->hand_over[i]);
	}
	audit_pages(c->m);
	check(nr_free_pages(c->m) == c->m->mm->nr_pages);
}

static void task_random_work(void *arg)
{
	struct crew *c = arg;

	random_work((u64)current->pid * 1000, c->rounds, c->max_order);
	crew_leave(c);
}

static void run_crew(struct machine *m, enum executor executor, u32 nr, void (*entry)(void *),
		     u32 rounds, u32 max_order)
{
	struct crew c = {.m = m, .left = nr, .rounds = rounds, .max_order = max_order};
	enum machine_end end = page_machine_run(m, executor, nr, entry, &c);

	expect_finished(m, end);
}

Test(page_alloc, random_work_alone)
{
	struct machine *m = page_machine_create(1, 700, 3, 0);

	run_crew(m, EXECUTOR_EXPLORE, 1, task_random_work, 20000, 5);
	page_machine_destroy(m);
}

Test(page_alloc, random_work_on_four_vcpus_threads)
{
	struct machine *m = page_machine_create(4, 300, 3, 0);

	run_crew(m, EXECUTOR_THREADS, 6, task_random_work, 20000, 3);
	page_machine_destroy(m);
}

Test(page_alloc, random_work_on_three_vcpus_explored)
{
	struct machine *m = page_machine_create(3, 64, 0, 0);

	for (u64 seed = 0; seed < 60; seed++) {
		page_machine_again(m, 64, seed, 0);
		run_crew(m, EXECUTOR_EXPLORE, 4, task_random_work, 120, 2);
	}
	page_machine_destroy(m);
}

/* What one vCPU allocates another one frees. */
static void task_hand_over(void *arg)
{
	struct crew *c = arg;

	for (u32 r = 0; r < c->rounds; r++) {
		u32 i = random_below(&current->rng, ARRAY_SIZE(c->hand_over));
		struct page *p = alloc_page(r % 4 ? PAGE_USER : PAGE_TABLE);

		if (p)
			p->index = 77;
		p = xchg(&c->hand_over[i], p);
		if (p) {
			check(p->index == 77 && p->refcount == 1);
			p->index = 0;
			put_page(p);
		}
		cond_resched();
	}
	crew_leave(c);
}

Test(page_alloc, freed_by_another_vcpu_threads)
{
	struct machine *m = page_machine_create(3, 64, 3, 0);

	run_crew(m, EXECUTOR_THREADS, 5, task_hand_over, 20000, 0);
	page_machine_destroy(m);
}

Test(page_alloc, freed_by_another_vcpu_explored)
{
	struct machine *m = page_machine_create(3, 64, 0, 0);

	for (u64 seed = 0; seed < 60; seed++) {
		page_machine_again(m, 64, seed, 0);
		run_crew(m, EXECUTOR_EXPLORE, 4, task_hand_over, 100, 0);
	}
	page_machine_destroy(m);
}

Test(page_alloc, one_seed_one_history)
{
	u64 history[2];

	for (u32 i = 0; i < 2; i++) {
		struct machine *m = page_machine_create(3, 64, 11, 0);

		run_crew(m, EXECUTOR_EXPLORE, 4, task_hand_over, 200, 0);
		history[i] = m->explored.history;
		page_machine_destroy(m);
	}
	cr_expect_eq(history[0], history[1]);
}

/* --- Sizes ------------------------------------------------------------------------------------ */

#define SMALL_VCPUS 8

/* Each on a vCPU of its own. */
static void task_leave_pages_in_pcp(void *arg)
{
	struct crew *c = arg;
	struct page *p[10];
	u32 nr = 0;

	for (u32 i = 0; i < 10; i++)
		p[i] = alloc_page(PAGE_USER);
	for (u32 i = 0; i < 10; i++)
		put_page(p[i]);
	if (!atomic_dec_and_test(&c->left))
		return;
	while (alloc_page(PAGE_USER))
		nr++;
	BUG_ON(nr < c->m->mm->nr_pages - c->m->mm->nr_pages / 8,
	       "one in eight of %llu pages at most is hidden: got %u",
	       (unsigned long long)c->m->mm->nr_pages, nr);
}

Test(page_alloc, small_machines_hide_little)
{
	u64 own[SMALL_VCPUS];

	for (u32 vcpus = 2; vcpus <= SMALL_VCPUS; vcpus++) {
		struct machine *m = page_machine_create(vcpus, 64 + 10 * vcpus, 1, 0);
		struct strategy *s = strategy_random_create();
		struct crew c = {.m = m, .left = vcpus};
		enum machine_end end;

		for (u32 i = 0; i < vcpus; i++) {
			struct task_struct *t =
				task_create(m, "test", PF_KTHREAD, i, task_leave_pages_in_pcp, &c);

			cr_assert_not_null(t);
			own[i] = 1ULL << i;
			t->cpus_allowed = &own[i];
			wake_up_new_task(t);
		}
		end = machine_run(m, EXECUTOR_EXPLORE, s);
		strategy_destroy(s);
		expect_finished(m, end);
		page_machine_destroy(m);
	}
}

static u64 resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long size = 0, resident = 0;

	cr_assert_not_null(f);
	cr_assert_eq(fscanf(f, "%llu %llu", &size, &resident), 2);
	fclose(f);
	return resident * ((u64)sysconf(_SC_PAGESIZE) / 1024);
}

static void task_touch_a_few(void *arg)
{
	struct machine *m = arg;
	struct page *p = alloc_page(PAGE_USER);

	check(nr_free_pages(m) == m->mm->nr_pages - 1);
	put_page(p);
	page_alloc_audit(m);
}

#define MILLION (1u << 20)

Test(page_alloc, a_million_pages_cost_128_mib_and_only_when_touched)
{
	u64 before = resident_kib();
	struct machine *m = page_machine_create(4, MILLION, 1, 0);
	enum machine_end end = page_machine_run(m, EXECUTOR_EXPLORE, 1, task_touch_a_few, m);

	expect_finished(m, end);
	cr_expect_lt(m->arena.used, 132ULL << 20);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
	cr_expect_lt(resident_kib() - before, 8192);
#else
	(void)before;
#endif
	page_machine_destroy(m);
}

Test(page_alloc, impossible_sizes_are_refused)
{
	struct machine *m = page_machine_create(1, 64, 1, 0);

	cr_expect_neq(page_alloc_setup(m, 0), 0);
	cr_expect_neq(page_alloc_setup(m, 65), 0);
	page_machine_destroy(m);
}

Test(page_alloc, at_setup_on_vcpu_0)
{
	struct machine *m = page_machine_create(2, 64, 1, 0);
	struct page *zero, *table;
	enum machine_end end;

	vcpu_set_current(&m->vcpus[0]);
	zero = alloc_page(PAGE_USER);
	table = alloc_page(PAGE_TABLE);
	vcpu_set_current(NULL);
	cr_assert(zero && table);
	page_flag_set(zero, PG_reserved);
	end = page_machine_run(m, EXECUTOR_EXPLORE, 1, (void (*)(void *))audit_pages, m);
	expect_finished(m, end);
	cr_expect_eq(nr_free_pages(m), 62);
	page_machine_destroy(m);
}

/* --- Failure as a choice ---------------------------------------------------------------------- */

struct outcomes {
	struct machine *m;
	u32 given, refused;
};

static void task_count_outcomes(void *arg)
{
	struct outcomes *o = arg;

	for (u32 i = 0; i < 100; i++) {
		struct page *p = alloc_page_at(i & 2 ? PAGE_USER : PAGE_TABLE, ALLOC_SITE_page);

		if (p) {
			o->given++;
			put_page(p);
		} else {
			o->refused++;
		}
	}
	page_alloc_audit(o->m);
}

static struct outcomes outcomes_of(enum executor executor, u32 one_in)
{
	struct machine *m = page_machine_create(2, 64, 5, 0);
	struct outcomes o = {.m = m};
	enum machine_end end;

	fail_alloc_arm(m)->rules[ALLOC_SITE_page].one_in = one_in;
	end = page_machine_run(m, executor, 1, task_count_outcomes, &o);
	expect_finished(m, end);
	cr_expect_eq(vmstat_sum(m, VMSTAT_fail_page), o.refused);
	cr_expect_eq(vmstat_sum(m, VMSTAT_allocstall_oom), 0);
	page_machine_destroy(m);
	return o;
}

Test(page_alloc, failures_are_the_strategys_choice)
{
	struct outcomes o = outcomes_of(EXECUTOR_EXPLORE, 2);

	cr_expect_gt(o.given, 0);
	cr_expect_gt(o.refused, 0);
	cr_expect_eq(outcomes_of(EXECUTOR_EXPLORE, 0).refused, 0);
	cr_expect_eq(outcomes_of(EXECUTOR_THREADS, 1).given, 0);
	cr_expect_eq(outcomes_of(EXECUTOR_THREADS, 0).refused, 0);
}
