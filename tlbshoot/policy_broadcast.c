// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plainest scheme that is right: every flush drops everything, on every CPU of the mask, and
 * nobody is lazy: a CPU that goes on with a kernel thread leaves the mm at once. What the cleverer
 * schemes are compared with.
 */
#include "tlbshoot/tlb_private.h"

EVENT_DESC(ev_received, 230, 0, "flush_tlb_func_all", "mm %llu%.0llu");

static void flush_tlb_func_all(const struct call_args *args)
{
	const struct mm_context *ctx = (const struct mm_context *)args->v[0];
	struct vcpu *v = this_vcpu();
	struct tlb *t = v->tlb;

	if (t->loaded == ctx)
		count_tlb_event(v, VMSTAT_nr_tlb_remote_flush_received);
	event_record(&ev_received, ctx->id, 0);
	tlb_flush_local(t, 0, TLB_FLUSH_ALL, true, false);
}

static void broadcast_flush_range(struct mm_context *ctx, u64 start, u64 end, bool tables)
{
	struct call_args args = {.v = {(u64)ctx}};
	u32 irqs = local_irq_save();

	(void)start;
	(void)end;
	(void)tables;
	if (this_tlb()->loaded == ctx)
		tlb_flush_local(this_tlb(), 0, TLB_FLUSH_ALL, true, true);
	local_irq_restore(irqs);
	tlb_shootdown(ctx, flush_tlb_func_all, &args);
}

static void broadcast_enter_lazy(struct mm_context *ctx)
{
	native_enter_lazy_tlb(ctx);
	leave_mm();
}

const struct tlb_policy tlb_policy_broadcast = {
	.name = "broadcast",
	.what = "every flush drops everything on every CPU of the mask; no lazy TLB",
	.flush_range = broadcast_flush_range,
	.switch_mm = native_switch_mm,
	.enter_lazy = broadcast_enter_lazy,
};
