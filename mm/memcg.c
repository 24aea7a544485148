// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/memcg.h"

#include <errno.h>

#include "engine/violation.h"
#include "mm/knobs.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "smp/sched.h"
#include "smp/spinlock.h"

EVENT_DESC(ev_charge, 310, 0, "memcg charge", "group %llu, %llu pages");
EVENT_DESC(ev_uncharge, 311, 0, "memcg uncharge", "group %llu, %llu pages");
EVENT_DESC(ev_limit, 312, 0, "memcg limit hit", "group %llu at %llu pages");

INVARIANT(inv_charge, "memcg-charges",
	  "a group's usage is its charged pages plus what vCPUs have in stock for it");
INVARIANT(inv_twice, "memcg-charged-twice", "a page is charged to one group, once");
INVARIANT(inv_batch, "memcg-batch", "every mem_cgroup_uncharge_start() has its end");

#define NO_LIMIT (~0ULL)

struct mem_cgroup {
	spinlock_t lock;
	u32 nr;
	/* Under lock; may be read without, for reports. */
	u64 usage, max_usage, limit, failcnt;
} __line_aligned;

/* A vCPU's own, with preemption off. */
struct memcg_percpu {
	struct mem_cgroup *cached;
	u32 stock; /* pages charged to it and not used yet */
} __line_aligned;

struct memcg_machine {
	struct mem_cgroup groups[NR_MEM_CGROUPS];
};

int memcg_setup(struct machine *m)
{
	struct memcg_machine *mc = arena_alloc(&m->arena, sizeof(*mc), CACHE_LINE);
	struct memcg_percpu *percpu =
		arena_alloc(&m->arena, m->nr_vcpus * sizeof(*percpu), CACHE_LINE);

	if (!mc || !percpu)
		return -ENOMEM;
	for (u32 i = 0; i < NR_MEM_CGROUPS; i++) {
		spin_lock_init(&mc->groups[i].lock, LOCK_CLASS_memcg_lock);
		mc->groups[i].nr = i;
		mc->groups[i].limit = NO_LIMIT;
	}
	for (u32 i = 0; i < m->nr_vcpus; i++)
		m->vcpus[i].mm->memcg = &percpu[i];
	m->mm->memcg = mc;
	return 0;
}

struct mem_cgroup *memcg_get(struct machine *m, u32 nr)
{
	return nr < NR_MEM_CGROUPS ? &m->mm->memcg->groups[nr] : NULL;
}

/* --- The shared counter ----------------------------------------------------------------------- */

static __cold_path void limit_hit(struct mem_cgroup *g)
{
	init_once(g->failcnt, g->failcnt + 1);
	event_record(&ev_limit, g->nr, g->usage);
}

/* Charges @want pages, or @least if the limit leaves no room for so many. Returns what was charged,
 * 0 if not even that. */
static u32 try_charge(struct mem_cgroup *g, u32 want, u32 least)
{
	u32 got = 0;

	spin_lock(&g->lock);
	if (g->usage + want <= g->limit)
		got = want;
	else if (g->usage + least <= g->limit)
		got = least;
	else
		limit_hit(g);
	init_once(g->usage, g->usage + got);
	if (g->usage > g->max_usage)
		init_once(g->max_usage, g->usage);
	if (got)
		event_record(&ev_charge, g->nr, got);
	spin_unlock(&g->lock);
	return got;
}

static void give_back(struct mem_cgroup *g, u32 nr)
{
	u64 usage;

	spin_lock(&g->lock);
	usage = g->usage;
	init_once(g->usage, usage - nr);
	event_record(&ev_uncharge, g->nr, nr);
	spin_unlock(&g->lock);
	if (unlikely(usage < nr))
		VIOLATION(&inv_charge, "group %u gives back %u pages and has %llu charged", g->nr,
			  nr, (unsigned long long)usage);
}

/* --- Charging --------------------------------------------------------------------------------- */

static void drain_stock(struct memcg_percpu *s)
{
	u32 nr = s->stock;

	if (!nr)
		return;
	s->stock = 0;
	give_back(s->cached, nr);
}

void memcg_drain_stock_cpu(u32 cpu)
{
	preempt_disable();
	drain_stock(this_vcpu()->machine->vcpus[cpu].mm->memcg);
	preempt_enable();
}

u32 memcg_stock_of(const struct machine *m, u32 cpu)
{
	return m->vcpus[cpu].mm->memcg->stock;
}

/* The stock is empty or another group's. Preemption is off. */
static __noinline int charge_slow(struct memcg_percpu *s, struct mem_cgroup *g)
{
	u32 got;

	drain_stock(s);
	got = try_charge(g, CHARGE_BATCH, 1);
	if (!got)
		return -ENOMEM;
	s->cached = g;
	s->stock = got - 1;
	return 0;
}

static __cold_path void charged_twice(const struct page *p, const struct mem_cgroup *g)
{
	VIOLATION(&inv_twice, "pfn %llu is charged to group %u, and already to group %u",
		  (unsigned long long)page_to_pfn(p), g->nr, p->memcg->nr);
}

int mem_cgroup_charge(struct mem_cgroup *g, struct page *p)
{
	struct vcpu *v = this_vcpu();
	struct memcg_percpu *s;
	int err = 0;

	if (unlikely(!g))
		return 0;
	if (should_fail_alloc(ALLOC_SITE_memcg))
		return -ENOMEM;
	if (unlikely(oracle_read(p->memcg)))
		charged_twice(p, g);
	v->preempt_count++;
	s = v->mm->memcg;
	if (likely(s->cached == g && s->stock))
		s->stock--;
	else
		err = charge_slow(s, g);
	preempt_enable();
	if (likely(!err))
		init_once(p->memcg, g);
	return err;
}

/* --- Uncharging ------------------------------------------------------------------------------- */

/* Outside of a batch: into this vCPU's stock while there is room, else to the counter. */
static void uncharge_now(struct mem_cgroup *g, u32 nr)
{
	struct memcg_percpu *s;

	preempt_disable();
	s = this_vcpu()->mm->memcg;
	if (s->cached == g && s->stock + nr <= CHARGE_BATCH)
		s->stock += nr;
	else
		give_back(g, nr);
	preempt_enable();
}

static void batch_flush(struct task_memcg_batch *b)
{
	u32 nr = b->nr_pages;

	b->nr_pages = 0;
	if (unlikely(planted(KNOB_UNCHARGE_LOST)) && nr)
		nr--;
	if (nr)
		give_back(b->memcg, nr);
}

static __always_inline_fn void uncharge(struct mem_cgroup *g, u32 nr)
{
	struct task_memcg_batch *b = &current->memcg_batch;

	if (!b->depth) {
		uncharge_now(g, nr);
		return;
	}
	if (unlikely(b->memcg != g)) {
		batch_flush(b);
		b->memcg = g;
	}
	b->nr_pages += nr;
}

void mem_cgroup_uncharge(struct page *p)
{
	struct mem_cgroup *g = oracle_read(p->memcg);

	if (!g)
		return;
	init_once(p->memcg, NULL);
	uncharge(g, 1);
}

void mem_cgroup_uncharge_pages(struct page **pages, u32 nr)
{
	struct mem_cgroup *g = NULL;
	u32 run = 0;

	for (u32 i = 0; i < nr; i++) {
		struct mem_cgroup *of = oracle_read(pages[i]->memcg);

		if (!of)
			continue;
		init_once(pages[i]->memcg, NULL);
		if (unlikely(of != g) && run) {
			uncharge(g, run);
			run = 0;
		}
		g = of;
		run++;
	}
	if (run)
		uncharge(g, run);
}

void mem_cgroup_uncharge_start(void)
{
	current->memcg_batch.depth++;
}

void mem_cgroup_uncharge_end(void)
{
	struct task_memcg_batch *b = &current->memcg_batch;

	if (unlikely(!b->depth))
		VIOLATION(&inv_batch, "pid %u: mem_cgroup_uncharge_end() without its start",
			  current->pid);
	if (!--b->depth)
		batch_flush(b);
}

/* --- Limits, numbers, audit ------------------------------------------------------------------- */

void memcg_set_limit(struct mem_cgroup *g, u64 pages)
{
	/* At set-up there is no vCPU to take the lock, and nobody to take it from. */
	if (!this_vcpu()) {
		init_once(g->limit, pages);
		return;
	}
	spin_lock(&g->lock);
	init_once(g->limit, pages);
	spin_unlock(&g->lock);
}

u64 memcg_usage(const struct mem_cgroup *g)
{
	return oracle_read(g->usage);
}

u64 memcg_max_usage(const struct mem_cgroup *g)
{
	return oracle_read(g->max_usage);
}

u64 memcg_failcnt(const struct mem_cgroup *g)
{
	return oracle_read(g->failcnt);
}

static void audit_tasks(struct machine *m)
{
	const struct task_struct *t;

	spin_lock(&m->smp->tasklist_lock);
	cds_list_for_each_entry(t, &m->smp->all_tasks, all_node) {
		if (t->memcg_batch.depth)
			VIOLATION(&inv_batch, "pid %u (%s) has %u open batches with %u pages",
				  t->pid, t->comm, t->memcg_batch.depth, t->memcg_batch.nr_pages);
	}
	spin_unlock(&m->smp->tasklist_lock);
}

void memcg_audit(struct machine *m)
{
	const struct mem_cgroup *groups = m->mm->memcg->groups;
	u64 pages[NR_MEM_CGROUPS] = {0}, stock[NR_MEM_CGROUPS] = {0};

	audit_tasks(m);
	oracle_enter();
	for (u64 pfn = 0; pfn < first_fresh_page(m); pfn++) {
		const struct mem_cgroup *g = oracle_read(m->mm->pages[pfn].memcg);

		if (g)
			pages[g->nr]++;
	}
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		const struct memcg_percpu *s = m->vcpus[i].mm->memcg;

		if (s->stock > CHARGE_BATCH)
			VIOLATION_WITH(&inv_charge, i,
				       "CPU%u has %u pages in stock, expected at most %u", i,
				       s->stock, CHARGE_BATCH);
		if (s->stock)
			stock[s->cached->nr] += s->stock;
	}
	for (u32 i = 0; i < NR_MEM_CGROUPS; i++) {
		if (groups[i].usage != pages[i] + stock[i])
			VIOLATION(
				&inv_charge,
				"group %u: usage %llu, but %llu pages are charged and %llu are in "
				"stock",
				i, (unsigned long long)groups[i].usage,
				(unsigned long long)pages[i], (unsigned long long)stock[i]);
	}
	oracle_exit();
}
