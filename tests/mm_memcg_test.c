// SPDX-License-Identifier: GPL-2.0-or-later
/* Charges of memory cgroups: stocks, batches, limits, and the audit that adds them up. */
#include "smp/spinlock.h"
#include "tests/mm_page_machine.h"

#define PAGES 512

static struct page *charged_page(struct mem_cgroup *g)
{
	struct page *p = alloc_page(PAGE_USER);

	check(p && !mem_cgroup_charge(g, p) && p->memcg == g);
	return p;
}

Test(memcg, groups_are_numbered)
{
	struct machine *m = page_machine_create(1, PAGES, 1, 0);

	cr_expect_not_null(memcg_get(m, 0));
	cr_expect_not_null(memcg_get(m, NR_MEM_CGROUPS - 1));
	cr_expect_neq(memcg_get(m, 0), memcg_get(m, 1));
	cr_expect_null(memcg_get(m, NR_MEM_CGROUPS));
	page_machine_destroy(m);
}

static void task_stock(void *arg)
{
	struct machine *m = arg;
	struct mem_cgroup *a = memcg_get(m, 1), *b = memcg_get(m, 2);
	struct page *p[CHARGE_BATCH + 1], *q;

	/* The first charge takes a batch ahead; the stock lasts for the rest of it. */
	for (u32 i = 0; i < CHARGE_BATCH; i++) {
		p[i] = charged_page(a);
		check(memcg_usage(a) == CHARGE_BATCH);
	}
	p[CHARGE_BATCH] = charged_page(a);
	check(memcg_usage(a) == 2 * CHARGE_BATCH && memcg_max_usage(a) == 2 * CHARGE_BATCH);
	memcg_audit(m);
	/* Another group: what is left in stock goes back first. */
	q = charged_page(b);
	check(memcg_usage(a) == CHARGE_BATCH + 1 && memcg_usage(b) == CHARGE_BATCH);
	memcg_audit(m);
	/* One by one: to the counter for group a, into the stock for group b. */
	put_page(p[0]);
	check(memcg_usage(a) == CHARGE_BATCH);
	put_page(q);
	check(memcg_usage(b) == CHARGE_BATCH);
	memcg_audit(m);
	for (u32 i = 1; i <= CHARGE_BATCH; i++)
		put_page(p[i]);
	check(!memcg_usage(a) && nr_free_pages(m) == PAGES);
	audit_pages(m);
}

Test(memcg, a_stock_charges_ahead)
{
	both_executors(2, PAGES, 1, task_stock);
}

static void task_stock_overflows(void *arg)
{
	struct machine *m = arg;
	struct mem_cgroup *g = memcg_get(m, 1);
	struct page *p[2 * CHARGE_BATCH];

	for (u32 i = 0; i < 2 * CHARGE_BATCH; i++)
		p[i] = charged_page(g);
	for (u32 i = 0; i < 2 * CHARGE_BATCH; i++)
		put_page(p[i]);
	check(memcg_usage(g) == CHARGE_BATCH);
	memcg_audit(m);
}

Test(memcg, a_stock_holds_one_batch)
{
	both_executors(1, PAGES, 1, task_stock_overflows);
}

static void task_nobody(void *arg)
{
	struct page *p = alloc_page(PAGE_USER);

	check(!mem_cgroup_charge(NULL, p) && !p->memcg);
	mem_cgroup_uncharge(p);
	put_page(p);
	memcg_audit(arg);
}

Test(memcg, without_a_group_nothing_is_charged)
{
	both_executors(1, PAGES, 1, task_nobody);
}

static void task_batch(void *arg)
{
	struct machine *m = arg;
	struct mem_cgroup *a = memcg_get(m, 1), *b = memcg_get(m, 2);
	struct page *p[CHARGE_BATCH], *q[CHARGE_BATCH];

	for (u32 i = 0; i < CHARGE_BATCH; i++)
		p[i] = charged_page(a);
	for (u32 i = 0; i < CHARGE_BATCH; i++)
		q[i] = charged_page(b);
	mem_cgroup_uncharge_start();
	for (u32 i = 0; i < 8; i++)
		mem_cgroup_uncharge(p[i]);
	check(memcg_usage(a) == CHARGE_BATCH && !p[7]->memcg);
	mem_cgroup_uncharge(p[7]);
	mem_cgroup_uncharge_start();
	mem_cgroup_uncharge(p[8]);
	mem_cgroup_uncharge_end();
	/* The inner end gives nothing back yet. */
	check(memcg_usage(a) == CHARGE_BATCH);
	/* Another group: the first one's part goes at once. */
	mem_cgroup_uncharge(q[0]);
	check(memcg_usage(a) == CHARGE_BATCH - 9 && memcg_usage(b) == CHARGE_BATCH);
	mem_cgroup_uncharge_end();
	check(memcg_usage(b) == CHARGE_BATCH - 1);
	memcg_audit(m);
	mem_cgroup_uncharge_start();
	release_pages(p, CHARGE_BATCH);
	release_pages(q, CHARGE_BATCH);
	mem_cgroup_uncharge_end();
	check(!memcg_usage(a) && !memcg_usage(b) && nr_free_pages(m) == PAGES);
	audit_pages(m);
}

Test(memcg, a_batch_is_given_back_together)
{
	both_executors(2, PAGES, 1, task_batch);
}

#define LIMIT 40

static void task_limit(void *arg)
{
	struct machine *m = arg;
	struct mem_cgroup *g = memcg_get(m, 1);
	struct page *p[LIMIT], *one_more = alloc_page(PAGE_USER);

	memcg_set_limit(g, LIMIT);
	for (u32 i = 0; i < LIMIT; i++)
		p[i] = charged_page(g);
	check(memcg_usage(g) == LIMIT);
	check(mem_cgroup_charge(g, one_more) && !one_more->memcg && memcg_failcnt(g) == 1);
	memcg_audit(m);
	put_page(p[0]);
	check(!mem_cgroup_charge(g, one_more) && memcg_usage(g) == LIMIT);
	check(memcg_max_usage(g) == LIMIT);
	put_page(one_more);
	/* A limit below what is charged holds for new charges only. */
	memcg_set_limit(g, 3);
	check(memcg_usage(g) >= LIMIT - 1);
	for (u32 i = 1; i < LIMIT; i++)
		put_page(p[i]);
	memcg_audit(m);
}

Test(memcg, limit)
{
	both_executors(1, PAGES, 1, task_limit);
}

Test(memcg, limit_set_before_anything_runs)
{
	struct machine *m = page_machine_create(1, PAGES, 1, 0);
	enum machine_end end;

	memcg_set_limit(memcg_get(m, 1), LIMIT);
	end = page_machine_run(m, EXECUTOR_EXPLORE, 1, task_limit, m);
	expect_finished(m, end);
	page_machine_destroy(m);
}

/* --- Races ------------------------------------------------------------------------------------ */

struct crew {
	struct machine *m;
	u32 left;
	u32 rounds;
	struct page *slots[6]; /* atomic */
};

/* Between start and end a task may move: the batch is its own, not the vCPU's. */
static void task_batch_while_preempted(void *arg)
{
	struct crew *c = arg;
	struct mem_cgroup *g = memcg_get(c->m, 1);

	for (u32 r = 0; r < c->rounds; r++) {
		struct page *p[10];

		for (u32 i = 0; i < 10; i++)
			p[i] = charged_page(g);
		mem_cgroup_uncharge_start();
		for (u32 i = 0; i < 10; i++) {
			mem_cgroup_uncharge(p[i]);
			yield();
		}
		mem_cgroup_uncharge_end();
		release_pages(p, 10);
	}
	if (atomic_dec_and_test(&c->left))
		audit_pages(c->m);
}

Test(memcg, a_batch_moves_with_its_task)
{
	struct machine *m = page_machine_create(2, PAGES, 1, 0);

	for (u64 seed = 0; seed < 30; seed++) {
		struct crew c = {.m = m, .left = 3, .rounds = 20};
		enum machine_end end;

		page_machine_again(m, PAGES, seed, 0);
		end = page_machine_run(m, EXECUTOR_EXPLORE, 3, task_batch_while_preempted, &c);
		expect_finished(m, end);
	}
	page_machine_destroy(m);
}

static void task_races(void *arg)
{
	struct crew *c = arg;

	for (u32 r = 0; r < c->rounds; r++) {
		bool batch = random_below(&current->rng, 2);

		if (batch)
			mem_cgroup_uncharge_start();
		for (u32 k = 0; k < 4; k++) {
			struct mem_cgroup *g = memcg_get(c->m, random_below(&current->rng, 3));
			u32 i = random_below(&current->rng, ARRAY_SIZE(c->slots));
			struct page *p = alloc_page(PAGE_USER);

			if (p && mem_cgroup_charge(g, p)) {
				put_page(p);
				p = NULL;
			}
			p = xchg(&c->slots[i], p);
			if (p)
				put_page(p);
			cond_resched();
		}
		if (batch)
			mem_cgroup_uncharge_end();
	}
	if (!atomic_dec_and_test(&c->left))
		return;
	audit_pages(c->m);
	release_pages(c->slots, ARRAY_SIZE(c->slots));
	audit_pages(c->m);
}

/* No slot is empty at the end: release_pages() takes no holes. */
static void crew_init(struct crew *c, struct machine *m, u32 nr, u32 rounds)
{
	*c = (struct crew){.m = m, .left = nr, .rounds = rounds};
	memcg_set_limit(memcg_get(m, 2), 50);
	vcpu_set_current(&m->vcpus[0]);
	for (u32 i = 0; i < ARRAY_SIZE(c->slots); i++)
		c->slots[i] = alloc_page(PAGE_USER);
	vcpu_set_current(NULL);
}

Test(memcg, races_threads)
{
	struct machine *m = page_machine_create(4, PAGES, 1, 0);
	struct crew c;
	enum machine_end end;

	crew_init(&c, m, 6, 5000);
	end = page_machine_run(m, EXECUTOR_THREADS, 6, task_races, &c);
	expect_finished(m, end);
	page_machine_destroy(m);
}

Test(memcg, races_explored)
{
	struct machine *m = page_machine_create(3, PAGES, 0, 0);

	for (u64 seed = 0; seed < 60; seed++) {
		struct crew c;
		enum machine_end end;

		page_machine_again(m, PAGES, seed, 0);
		crew_init(&c, m, 4, 20);
		end = page_machine_run(m, EXECUTOR_EXPLORE, 4, task_races, &c);
		expect_finished(m, end);
	}
	page_machine_destroy(m);
}

/* --- The planted bug -------------------------------------------------------------------------- */

static void task_batch_and_audit(void *arg)
{
	struct machine *m = arg;
	struct page *p[10];

	for (u32 i = 0; i < 10; i++)
		p[i] = charged_page(memcg_get(m, 1));
	mem_cgroup_uncharge_start();
	release_pages(p, 10);
	mem_cgroup_uncharge_end();
	memcg_audit(m);
}

Test(memcg, a_lost_uncharge_is_found)
{
	for (int e = 0; e < 2; e++) {
		struct machine *m = page_machine_create(1, PAGES, 1, KNOB_UNCHARGE_LOST);
		enum machine_end end = page_machine_run(m, e ? EXECUTOR_EXPLORE : EXECUTOR_THREADS,
							1, task_batch_and_audit, m);

		expect_violation(m, end, "memcg-charges");
		page_machine_destroy(m);
	}
	both_executors(1, PAGES, 1, task_batch_and_audit);
}

/* --- Wrong use, and the audit ----------------------------------------------------------------- */

static void task_charged_twice(void *arg)
{
	struct page *p = charged_page(memcg_get(arg, 1));

	mem_cgroup_charge(memcg_get(arg, 2), p);
}

static void task_end_without_start(void *arg)
{
	(void)arg;
	mem_cgroup_uncharge_end();
}

static void task_never_ended(void *arg)
{
	struct page *p = charged_page(memcg_get(arg, 1));

	mem_cgroup_uncharge_start();
	mem_cgroup_uncharge(p);
	memcg_audit(arg);
}

static void task_freed_charged(void *arg)
{
	struct page *p = charged_page(memcg_get(arg, 1));

	p->refcount = 0;
	free_page(p);
}

static void task_charge_forged(void *arg)
{
	struct page *p = alloc_page(PAGE_USER);

	memcg_audit(arg);
	p->memcg = memcg_get(arg, 1);
	memcg_audit(arg);
}

static void task_charge_forgotten(void *arg)
{
	struct page *p = charged_page(memcg_get(arg, 1));

	memcg_audit(arg);
	p->memcg = NULL;
	memcg_audit(arg);
}

static void task_charge_moved(void *arg)
{
	struct page *p = charged_page(memcg_get(arg, 1));

	p->memcg = memcg_get(arg, 2);
	memcg_audit(arg);
}

/* More comes back than was charged. */
static void task_forged_and_uncharged(void *arg)
{
	struct page *p = alloc_page(PAGE_USER);

	p->memcg = memcg_get(arg, 1);
	put_page(p);
}

Test(memcg, audit_and_wrong_use)
{
	expect_task_violates(task_charged_twice, "memcg-charged-twice");
	expect_task_violates(task_end_without_start, "memcg-batch");
	expect_task_violates(task_never_ended, "memcg-batch");
	expect_task_violates(task_freed_charged, "bad-page-state");
	expect_task_violates(task_charge_forged, "memcg-charges");
	expect_task_violates(task_charge_forgotten, "memcg-charges");
	expect_task_violates(task_charge_moved, "memcg-charges");
	expect_task_violates(task_forged_and_uncharged, "memcg-charges");
}
