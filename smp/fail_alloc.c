// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/fail_alloc.h"

#include "engine/event.h"
#include "engine/executor.h"
#include "engine/strategy.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_fail_alloc, 215, 0, "allocation fails", "site %llu, by the rule of %llu");

const char *const alloc_site_names[NR_ALLOC_SITES + 1] = {
#define X(id, name, what) (name),
	ALLOC_SITES(X)
#undef X
		"any",
};

_Static_assert(VMSTAT_fail_module - VMSTAT_fail_task == ALLOC_SITE_module,
	       "each site has its counter");

struct fail_alloc *fail_alloc_arm(struct machine *m)
{
	m->fail_alloc = arena_alloc(&m->arena, sizeof(*m->fail_alloc), CACHE_LINE);
	return m->fail_alloc;
}

static bool rule_hits(struct fail_alloc *f, u32 row)
{
	const struct alloc_rule *r = &f->rules[row];
	bool hits = false;

	if (r->nth)
		hits = __atomic_add_fetch(&f->tried[row], 1, __ATOMIC_RELAXED) == r->nth;
	if (!hits && r->one_in)
		hits = exploring() ? machine_choose(CHOICE_ALLOC_FAIL, 2) != 0
				   : random_below(&current->rng, r->one_in) == 0;
	return hits;
}

bool fail_alloc_decide(struct fail_alloc *f, enum alloc_site site)
{
	bool own, any;

	if (f->task_filter && !current->make_it_fail)
		return false;
	own = rule_hits(f, site);
	any = rule_hits(f, ALLOC_SITE_any);
	if (!own && !any)
		return false;
	count_vm_event((enum vmstat_item)(VMSTAT_fail_task + site));
	event_record(&ev_fail_alloc, site, own ? site : ALLOC_SITE_any);
	return true;
}
