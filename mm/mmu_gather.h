// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmu_gather: what has been unmapped and may be reused only after the TLB flush (seed_path D7).
 *
 * Pages wait in batches: a small one in the structure itself, then whole pages' worth of pointers,
 * up to MAX_GATHER_BATCH_COUNT of them. Page tables wait in a batch of their own. Nothing in either
 * goes back to the allocator before the range gathered so far has been flushed on all CPUs.
 *
 * rmap removal of dirty shared file pages is delayed until after the flush (v6.2 5df397dec7c4): a
 * cleaner that finds the page unmapped would believe that nobody can write to it any more.
 *
 * One gather belongs to one task. Between tlb_gather_mmu() and tlb_finish_mmu() the mm counts it in
 * context.flush_pending.
 */
#ifndef MM_MMU_GATHER_H
#define MM_MMU_GATHER_H

#include "mm/mm_types.h"

/* v3.14 include/asm-generic/tlb.h: MMU_GATHER_BUNDLE 8; MAX_GATHER_BATCH (what fits in a page) and
 * MAX_GATHER_BATCH_COUNT so that one gather frees at most 10,000 pages at a go. */
#define MMU_GATHER_BUNDLE 8
#define MAX_GATHER_BATCH ((u32)((PAGE_SIZE - 16) / sizeof(void *)))
#define MAX_GATHER_BATCH_COUNT (10000 / MAX_GATHER_BATCH)
#define MAX_TABLE_BATCH 64
#define MAX_DELAYED_RMAP 32

struct mmu_gather_batch {
	struct mmu_gather_batch *next;
	u32 nr, max;
	struct page *pages[];
};

/* A batch of freed page tables; kept apart because RCU may have to hold it. */
struct mmu_table_batch {
	struct rcu_head rcu;
	u32 nr;
	struct page *tables[MAX_TABLE_BATCH];
};

struct mmu_gather {
	struct mm_struct *mm;
	u64 range_start, range_end; /* the operation's range */
	u64 start, end;		    /* gathered since the last flush; start >= end: nothing */
	bool fullmm;		    /* the whole mm goes: no per-entry bookkeeping */
	bool need_flush;	    /* something was gathered */

	bool tables_freed;
	u32 batch_count;
	struct mmu_gather_batch *active;
	struct mmu_table_batch *tables;
	u32 nr_delayed;
	struct page *delayed_rmap[MAX_DELAYED_RMAP];
	struct mmu_gather_batch local;
	struct page *bundle[MMU_GATHER_BUNDLE];
};

/* Range [start, end); 0 and ~0 for the whole mm on its way out. */
void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end);

/* Page-table lock held: the entry at @addr has been cleared. */
void tlb_remove_tlb_entry(struct mmu_gather *tlb, u64 addr);

/* The page goes with the next flush. False: the gather is full, flush before the next one. */
bool __tlb_remove_page(struct mmu_gather *tlb, struct page *page);

/* A page table whose parent entry has been cleared. May flush. Not under a pte lock. */
void tlb_remove_table(struct mmu_gather *tlb, struct page *table, u64 addr, u64 size);

/* Flush only / flush and free what has been gathered so far. */
void tlb_flush_mmu_tlbonly(struct mmu_gather *tlb);
void tlb_flush_mmu_free(struct mmu_gather *tlb);
void tlb_flush_mmu(struct mmu_gather *tlb);

void tlb_finish_mmu(struct mmu_gather *tlb);

/* The page's rmap is removed after the next flush; false: no room, flush first. Pte lock held. */
bool tlb_delay_rmap(struct mmu_gather *tlb, struct page *page);
/* After tlb_flush_mmu_tlbonly(), still under the pte lock. */
void tlb_flush_rmaps(struct mmu_gather *tlb);

int mmu_gather_setup(struct machine *m);

#endif
