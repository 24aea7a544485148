// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scheme of Linux v3.13 on x86 without PCID (seed_path E1 to E3): lazy CPUs keep the root
 * loaded and stay in the mask; the first shootdown that reaches one makes it leave the mm.
 */
#include "tlbshoot/knobs.h"
#include "tlbshoot/tlb_private.h"

EVENT_DESC(ev_received, 220, 0, "flush_tlb_func", "mm %llu from %llx");
EVENT_DESC(ev_not_loaded, 221, 0, "flush_tlb_func ignored", "mm %llu from %llx");

/* Arguments of the interrupt. */
enum {
	ARG_CONTEXT,
	ARG_START,
	ARG_END,
	ARG_TABLES,
};

/* With interrupts off, on a CPU that was in the mask. It may have switched away since: then there
 * is nothing left to flush, and the acknowledgement says so. */
static void flush_tlb_func(const struct call_args *args)
{
	const struct mm_context *ctx = (const struct mm_context *)args->v[ARG_CONTEXT];
	struct vcpu *v = this_vcpu();
	struct tlb *t = v->tlb;
	const struct mm_context *mine = t->loaded;

	if (planted(KNOB_FLUSH_COMPARES_CURRENT))
		mine = t->user;
	if (mine != ctx) {
		event_record(&ev_not_loaded, ctx->id, args->v[ARG_START]);
		return;
	}
	count_tlb_event(v, VMSTAT_nr_tlb_remote_flush_received);
	event_record(&ev_received, ctx->id, args->v[ARG_START]);
	if (oracle_read(t->state) == TLBSTATE_OK)
		tlb_flush_local(t, args->v[ARG_START], args->v[ARG_END], args->v[ARG_TABLES],
				false);
	else
		leave_mm();
}

static void v313_flush_range(struct mm_context *ctx, u64 start, u64 end, bool tables)
{
	struct call_args args;
	struct tlb *t;
	u32 irqs;

	if (planted(KNOB_FLUSH_RANGE_SHORT) && end != TLB_FLUSH_ALL && start < end)
		end -= PAGE_SIZE;
	/* Interrupts off: a shootdown of the same mm that nests here would leave_mm() between the
	 * test and what follows from it. */
	irqs = local_irq_save();
	t = this_tlb();
	if (t->loaded == ctx) {
		if (oracle_read(t->state) == TLBSTATE_OK)
			tlb_flush_local(t, start, end, tables, true);
		else
			leave_mm();
	}
	local_irq_restore(irqs);

	args.v[ARG_CONTEXT] = (u64)ctx;
	args.v[ARG_START] = start;
	args.v[ARG_END] = end;
	args.v[ARG_TABLES] = tables;
	tlb_shootdown(ctx, flush_tlb_func, &args);
}

const struct tlb_policy tlb_policy_v313 = {
	.name = "v3.13",
	.what = "x86 of Linux v3.13: lazy CPUs stay in the mask and leave at the first shootdown",
	.flush_range = v313_flush_range,
	.switch_mm = native_switch_mm,
	.enter_lazy = native_enter_lazy_tlb,
};
