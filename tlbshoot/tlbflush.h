// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flushing translations of an mm on all CPUs that may have them (seed_path E3), and the policy that
 * decides how. All of them return when no CPU can use an old translation of the range any more.
 *
 * Preemption may be on or off; interrupts must be on: the caller waits for other vCPUs. The caller
 * stands between its own tlb_change_begin() and tlb_change_end(): under the explorer the oracle
 * checks after each flush that no CPU holds more than the page table grants, unless a second such
 * operation is under way.
 *
 * Ranges are widened to whole pages and never flush less than asked; an empty range flushes
 * nothing. Counters as in v3.14: nr_tlb_local_flush_all and _one for what the caller's CPU flushes,
 * nr_tlb_remote_flush for each shootdown sent, nr_tlb_remote_flush_received where one arrives and
 * concerns the loaded mm.
 */
#ifndef TLBSHOOT_TLBFLUSH_H
#define TLBSHOOT_TLBFLUSH_H

#include "tlbshoot/mmu_context.h"

#define TLB_FLUSH_ALL (~0ULL)

/* More pages than this and the whole TLB goes: measured break-even of the kernel, v3.16 and later
 * arch/x86/mm/tlb.c, tlb_single_page_flush_ceiling. */
#define TLB_SINGLE_PAGE_FLUSH_CEILING 33

/* [start, end) of @ctx; end == TLB_FLUSH_ALL: everything. */
void flush_tlb_mm_range(struct mm_context *ctx, u64 start, u64 end);
void flush_tlb_page(struct mm_context *ctx, u64 va);
void flush_tlb_mm(struct mm_context *ctx);

/* Page tables of [start, end) are about to be freed: paging-structure caches must go too, also
 * those of lazy CPUs. */
void flush_tlb_tables(struct mm_context *ctx, u64 start, u64 end);

/* An operation begins to weaken entries of @ctx, before its first change (a full barrier) / has
 * finished the flush that belongs to it. Weakening: what was granted is granted no more: an entry
 * that goes, another frame, PTE_RW or PTE_DIRTY cleared, PTE_NX set. Clearing PTE_ACCESSED is none.
 */
void tlb_change_begin(struct mm_context *ctx);
void tlb_change_end(struct mm_context *ctx);
/* Is another such operation under way besides the caller's own? */
bool tlb_change_nested(const struct mm_context *ctx);

/*
 * A scheme of shooting down. One file each; new ones plug in here.
 *   flush_range	preemption off; start < end, whole pages, or end == TLB_FLUSH_ALL; with
 *@tables an empty range is possible switch_mm		interrupts off
 *   enter_lazy		the vCPU has @ctx loaded or has left it; preemption off
 */
struct tlb_policy {
	const char *name;
	const char *what;
	void (*flush_range)(struct mm_context *ctx, u64 start, u64 end, bool tables);
	void (*switch_mm)(struct mm_context *prev, struct mm_context *next);
	void (*enter_lazy)(struct mm_context *ctx);
};
extern const struct tlb_policy *const tlb_policies[]; /* NULL-terminated; the first is default */
const struct tlb_policy *tlb_policy_find(const char *name);

#endif
