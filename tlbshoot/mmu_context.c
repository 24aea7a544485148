// SPDX-License-Identifier: GPL-2.0-or-later
#include "tlbshoot/mmu_context.h"

#include "engine/strategy.h"
#include "tlbshoot/knobs.h"
#include "tlbshoot/tlb_private.h"

EVENT_DESC(ev_switch_mm, 200, 0, "switch_mm", "mm %llu -> mm %llu");
EVENT_DESC(ev_reload, 201, 0, "switch_mm reloads", "mm %llu%.0llu");
EVENT_DESC(ev_lazy, 202, 0, "enter_lazy_tlb", "mm %llu%.0llu");
EVENT_DESC(ev_leave, 203, 0, "leave_mm", "mm %llu%.0llu");

struct mm_context *loaded_context(const struct vcpu *v)
{
	return v->tlb->loaded;
}

enum tlbstate loaded_state(const struct vcpu *v)
{
	return (enum tlbstate)oracle_read(v->tlb->state);
}

/* No decision point: nobody else looks, but for a planted bug. */
static void set_state(struct tlb *t, enum tlbstate state)
{
	init_once(t->state, state);
}

/*
 * The own bit of @next's mask. Planted bug switch-mm-no-barrier: by an instruction that is not
 * locked, so that the bit may wait in the store buffer while this CPU already walks @next's tables
 * (load_root() does its part). A plain read, OR and store could lose other CPUs' bits, which would
 * show under sequential consistency too and is another bug; so the word changes at once and without
 * loss, and only its becoming visible to others is that of a store.
 */
static void join_mask(const struct vcpu *v, struct mm_context *next)
{
	u64 *word = &next->cpumask[v->id / 64];

	if (likely(!planted(KNOB_SWITCH_NO_BARRIER))) {
		set_bit(v->id, next->cpumask);
		return;
	}
	explore_hook(word, ACCESS_STORE);
	__atomic_fetch_or(word, 1ULL << (v->id % 64), __ATOMIC_RELAXED);
}

static void load_context(struct tlb *t, struct mm_context *ctx)
{
	struct tlb_machine *tm = this_vcpu()->machine->tlb;

	t->active = ctx;
	t->user = ctx;
	if (ctx == tm->kernel_context)
		load_root(tm->kernel_root, NULL);
	else
		load_root(ctx->root, ctx);
}

/*
 * (A) own bit, then root. The locked instruction that sets the bit is the full barrier of (A),
 * pairs with (B) in tlb_shootdown(): a flush that does not see the bit has changed the page table
 * before anything that this CPU reads of it.
 */
void native_switch_mm(struct mm_context *prev, struct mm_context *next)
{
	struct vcpu *v = this_vcpu();
	struct tlb *t = v->tlb;
	bool late = planted(KNOB_SWITCH_BIT_LATE);

	if (prev == next) {
		set_state(t, TLBSTATE_OK);
		t->user = next;
		if (test_bit(v->id, next->cpumask))
			return;
		/* A shootdown found this CPU lazy, and it left. */
		event_record(&ev_reload, next->id, 0);
		if (!late)
			join_mask(v, next);
		load_context(t, next);
		if (late)
			join_mask(v, next);
		return;
	}
	event_record(&ev_switch_mm, prev->id, next->id);
	count_tlb_event(v, VMSTAT_nr_mm_switches);
	set_state(t, TLBSTATE_OK);
	if (!late)
		join_mask(v, next);
	load_context(t, next);
	if (late)
		join_mask(v, next);
	/* Only now: until the new root was loaded, translations of prev could be used. */
	clear_bit(v->id, prev->cpumask);
}

void native_enter_lazy_tlb(struct mm_context *ctx)
{
	struct vcpu *v = this_vcpu();
	struct tlb *t = v->tlb;

	if (oracle_read(t->state) != TLBSTATE_OK)
		return;
	event_record(&ev_lazy, ctx->id, 0);
	count_tlb_event(v, VMSTAT_nr_lazy_entries);
	set_state(t, TLBSTATE_LAZY);
	t->user = NULL;
	/* The root stays loaded, and the CPU may walk it whenever it likes. */
	if (unlikely(exploring()) && t->loaded && machine_choose(CHOICE_TLB_FILL, 2))
		tlb_speculate(oracle_read(t->loaded->recent_va));
}

void switch_mm(struct mm_context *prev, struct mm_context *next)
{
	const struct tlb *t = this_tlb();

	BUG_ON(!irqs_disabled(), "switch_mm from mm %u to mm %u with interrupts enabled", prev->id,
	       next->id);
	BUG_ON(t->active && t->active != prev,
	       "switch_mm from mm %u to mm %u, but the CPU's active mm is %u", prev->id, next->id,
	       t->active->id);
	this_vcpu()->machine->tlb->policy->switch_mm(prev, next);
}

void activate_mm(struct mm_context *prev, struct mm_context *next)
{
	u32 irqs = local_irq_save();

	switch_mm(prev, next);
	local_irq_restore(irqs);
}

void enter_lazy_tlb(struct mm_context *ctx)
{
	const struct tlb *t = this_tlb();
	u32 irqs = local_irq_save();

	BUG_ON(t->active && t->active != ctx, "enter_lazy_tlb on mm %u, but the active mm is %u",
	       ctx->id, t->active->id);
	this_vcpu()->machine->tlb->policy->enter_lazy(ctx);
	local_irq_restore(irqs);
}

/*
 * The root first: v3.13 cleared the bit before, and a flush that came between the two skipped a CPU
 * which could still walk the tables that were then freed.
 */
void leave_mm(void)
{
	u32 irqs = local_irq_save();
	struct vcpu *v = this_vcpu();
	struct tlb *t = v->tlb;
	struct mm_context *ctx = t->loaded;

	BUG_ON(oracle_read(t->state) == TLBSTATE_OK, "leave_mm while a task of mm %u runs",
	       ctx ? ctx->id : 0);
	if (ctx) {
		event_record(&ev_leave, ctx->id, 0);
		count_tlb_event(v, VMSTAT_nr_tlb_lazy_leave);
		load_root(v->machine->tlb->kernel_root, NULL);
		clear_bit(v->id, ctx->cpumask);
	}
	local_irq_restore(irqs);
}
