// SPDX-License-Identifier: GPL-2.0-or-later
#include "tlbshoot/cpu_offline.h"

#include "tlbshoot/knobs.h"
#include "tlbshoot/tlb_private.h"

EVENT_DESC(ev_offline, 457, 0, "tlb_cpu_offline", "CPU%llu leaves mm %llu");
EVENT_DESC(ev_starting, 458, 0, "tlb_cpu_starting", "CPU%llu%.0llu");

INVARIANT(
	inv_offline, "offline-cpu-tlb",
	"an offline CPU has no root but the kernel's, no translation and no paging-structure entry");

void tlb_cpu_offline(struct mm_context *borrowed)
{
	u32 irqs = local_irq_save();
	struct vcpu *v = this_vcpu();
	struct tlb_machine *tm = v->machine->tlb;
	struct tlb *t = v->tlb;

	event_record(&ev_offline, v->id, borrowed->id);
	init_once(t->state, TLBSTATE_LAZY);
	t->user = NULL;
	t->active = tm->kernel_context;
	if (!planted(KNOB_OFFLINE_KEEPS_TLB))
		load_root(tm->kernel_root, NULL);
	if (!planted(KNOB_OFFLINE_KEEPS_MASK))
		clear_bit(v->id, borrowed->cpumask);
	if (borrowed != tm->kernel_context)
		clear_bit(v->id, tm->kernel_context->cpumask);
	local_irq_restore(irqs);
}

void tlb_cpu_starting(void)
{
	u32 irqs = local_irq_save();
	struct vcpu *v = this_vcpu();

	event_record(&ev_starting, v->id, 0);
	tlb_oracle_cpu_offline(v);
	load_root(v->machine->tlb->kernel_root, NULL);
	local_irq_restore(irqs);
}

/* What the TLB holds is plain memory: its CPU is parked, and ordered before us by the lock under
 * which it went offline. */

static bool array_holds(const struct tlb_array *a, u64 epoch)
{
	for (u32 i = 0; i < (a->set_mask + 1) * a->ways; i++) {
		if ((a->tags[i] & ~TLB_NUMBER_MASK) == epoch)
			return true;
	}
	return false;
}

static bool walk_caches_hold(const struct tlb *t)
{
	for (u32 i = 0; i < NR_WALK_CACHES; i++) {
		for (u32 k = 0; k < t->walk[i].nr; k++) {
			if ((t->walk[i].tags[k] & ~TLB_NUMBER_MASK) == t->walk_epoch)
				return true;
		}
	}
	return false;
}

void tlb_oracle_cpu_offline(const struct vcpu *v)
{
	const struct tlb *t = v->tlb;
	const char *holds = t->loaded ? "a root"
			    : array_holds(&t->small, t->epoch) || array_holds(&t->huge, t->epoch)
				    ? "a translation"
			    : walk_caches_hold(t) ? "a paging-structure entry"
						  : NULL;

	if (unlikely(holds))
		VIOLATION_WITH(&inv_offline, v->id, "CPU%u is offline and holds %s of mm %u", v->id,
			       holds, t->loaded ? t->loaded->id : 0);
}
