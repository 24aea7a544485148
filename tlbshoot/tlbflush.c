// SPDX-License-Identifier: GPL-2.0-or-later
#include "tlbshoot/tlbflush.h"

#include <string.h>

#include "tlbshoot/knobs.h"
#include "tlbshoot/tlb_oracle.h"
#include "tlbshoot/tlb_private.h"

EVENT_DESC(ev_flush, 204, 0, "flush_tlb", "%llx-%llx");
EVENT_DESC(ev_flush_tables, 205, 0, "flush_tlb_tables", "%llx-%llx");
EVENT_DESC(ev_shootdown, 206, 0, "shootdown", "mm %llu, %llu CPUs");

const struct tlb_policy *const tlb_policies[] = {&tlb_policy_v313, &tlb_policy_broadcast, NULL};

const struct tlb_policy *tlb_policy_find(const char *name)
{
	for (u32 i = 0; tlb_policies[i]; i++) {
		if (!strcmp(tlb_policies[i]->name, name))
			return tlb_policies[i];
	}
	return NULL;
}

static u32 mask_words(const struct machine *m)
{
	return (m->nr_vcpus + 63) / 64;
}

static void read_cpumask(const struct mm_context *ctx, u64 *mask, u32 words)
{
	for (u32 i = 0; i < words; i++)
		mask[i] = READ_ONCE(ctx->cpumask[i]);
}

/* Planted bug flush-skips-cpu. */
static void skip_highest(u64 *mask, u32 words)
{
	while (words--) {
		if (mask[words]) {
			mask[words] &= ~(1ULL << (63 - __builtin_clzll(mask[words])));
			return;
		}
	}
}

/* Planted bug lazy-cpu-not-flushed. */
static void skip_lazy(const struct machine *m, u64 *mask, u32 words)
{
	for (u32 i = 0; i < words; i++) {
		for (u64 left = mask[i]; left; left &= left - 1) {
			u32 bit = (u32)__builtin_ctzll(left);

			if (READ_ONCE(m->vcpus[i * 64 + bit].tlb->state) == TLBSTATE_LAZY)
				mask[i] &= ~(1ULL << bit);
		}
	}
}

void tlb_shootdown(struct mm_context *ctx, smp_call_func_t func, const struct call_args *args)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	u32 words = mask_words(m), nr = 0;
	u64 mask[CPU_WORDS];

	/* (B) the page table was changed, now the mask is read: pairs with (A), the bit that
	 * native_switch_mm() sets before it loads the root. */
	smp_mb();
	read_cpumask(ctx, mask, words);
	if (planted(KNOB_FLUSH_MASK_EARLY) && v->tlb->early == ctx)
		memcpy(mask, v->tlb->early_mask, words * sizeof(*mask));
	mask[v->id / 64] &= ~(1ULL << (v->id % 64));
	if (planted(KNOB_FLUSH_SKIPS_CPU))
		skip_highest(mask, words);
	if (planted(KNOB_LAZY_SKIPPED))
		skip_lazy(m, mask, words);
	for (u32 i = 0; i < words; i++)
		nr += (u32)__builtin_popcountll(mask[i]);
	if (!nr)
		return;
	count_tlb_event(v, VMSTAT_nr_tlb_remote_flush);
	event_record(&ev_shootdown, ctx->id, nr);
	smp_call_function_many(mask, func, args);
}

static void flush(struct mm_context *ctx, u64 start, u64 end, bool tables)
{
	if (end == TLB_FLUSH_ALL) {
		start = 0;
	} else {
		start &= PAGE_MASK;
		end = (end + PAGE_SIZE - 1) & PAGE_MASK;
		if (start >= end) {
			if (!tables)
				return;
			end = start;
		}
	}
	preempt_disable();
	event_record(tables ? &ev_flush_tables : &ev_flush, start, end);
	this_vcpu()->machine->tlb->policy->flush_range(ctx, start, end, tables);
	tlb_oracle_flush_done(ctx, start, end);
	preempt_enable();
}

void flush_tlb_mm_range(struct mm_context *ctx, u64 start, u64 end)
{
	flush(ctx, start, end, false);
}

void flush_tlb_page(struct mm_context *ctx, u64 va)
{
	flush(ctx, va & PAGE_MASK, (va & PAGE_MASK) + PAGE_SIZE, false);
}

void flush_tlb_mm(struct mm_context *ctx)
{
	flush(ctx, 0, TLB_FLUSH_ALL, false);
}

void flush_tlb_tables(struct mm_context *ctx, u64 start, u64 end)
{
	flush(ctx, start, end, true);
}

void tlb_change_begin(struct mm_context *ctx)
{
	atomic_inc(&ctx->flush_pending);
	if (planted(KNOB_FLUSH_MASK_EARLY)) {
		struct tlb *t;

		preempt_disable();
		t = this_tlb();
		t->early = ctx;
		read_cpumask(ctx, t->early_mask, mask_words(this_vcpu()->machine));
		preempt_enable();
	}
}

void tlb_change_end(struct mm_context *ctx)
{
	u32 left = atomic_sub_return(1, &ctx->flush_pending);

	BUG_ON(left == ~0u, "mm %u: tlb_change_end without tlb_change_begin", ctx->id);
}

bool tlb_change_nested(const struct mm_context *ctx)
{
	return READ_ONCE(ctx->flush_pending) > 1;
}
