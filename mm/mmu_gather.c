// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/mmu_gather.h"

#include <errno.h>

#include "engine/strategy.h"
#include "mm/knobs.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlbflush.h"

EVENT_DESC(ev_gather, 382, 0, "tlb_gather_mmu", "mm%llu, from %#llx");
EVENT_DESC(ev_gather_free, 383, 0, "tlb_flush_mmu: frees", "%llu pages of mm%llu");
EVENT_DESC(ev_table_batch, 384, 0, "frees page tables", "%llu of mm%llu");

int mmu_gather_setup(struct machine *m)
{
	struct mm_machine *mm = m->mm;

	mm->gather_batch_cache = kmem_cache_create(m, "mmu_gather_batch", PAGE_SIZE, CACHE_LINE);
	mm->table_batch_cache =
		kmem_cache_create(m, "mmu_table_batch", sizeof(struct mmu_table_batch), CACHE_LINE);
	return mm->gather_batch_cache && mm->table_batch_cache ? 0 : -ENOMEM;
}

static void range_reset(struct mmu_gather *tlb)
{
	tlb->start = ~0ULL;
	tlb->end = 0;
	tlb->need_flush = false;
	tlb->tables_freed = false;
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end)
{
	tlb->mm = mm;
	tlb->range_start = start;
	tlb->range_end = end;
	tlb->fullmm = start == 0 && end == ~0ULL;
	tlb->batch_count = 0;
	tlb->tables = NULL;
	tlb->nr_delayed = 0;
	tlb->local.next = NULL;
	tlb->local.nr = 0;
	tlb->local.max = this_mm()->gather_bundle;
	tlb->active = &tlb->local;
	range_reset(tlb);
	event_record(&ev_gather, mm->context.id, start);
	/* Before the first entry is cleared: another zap that finds it cleared must know that its
	 * flush may still be to come. */
	tlb_change_begin(&mm->context);
}

void tlb_remove_tlb_entry(struct mmu_gather *tlb, u64 addr)
{
	tlb->need_flush = true;
	tlb->start = min(tlb->start, addr);
	tlb->end = max(tlb->end, addr + PAGE_SIZE);
}

static bool next_batch(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch = tlb->active->next;

	if (!batch) {
		if (tlb->batch_count >= this_mm()->gather_batches)
			return false;
		batch = kmem_cache_alloc_at(this_mm()->gather_batch_cache, ALLOC_SITE_gather);
		if (!batch)
			return false;
		batch->next = NULL;
		batch->nr = 0;
		batch->max = MAX_GATHER_BATCH;
		tlb->batch_count++;
		tlb->active->next = batch;
	}
	tlb->active = batch;
	return true;
}

bool __tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
	struct mmu_gather_batch *batch = tlb->active;

	tlb->need_flush = true;
	batch->pages[batch->nr++] = page;
	return likely(batch->nr < batch->max) || next_batch(tlb);
}

bool tlb_delay_rmap(struct mmu_gather *tlb, struct page *page)
{
	tlb->delayed_rmap[tlb->nr_delayed++] = page;
	return tlb->nr_delayed < MAX_DELAYED_RMAP;
}

void tlb_flush_rmaps(struct mmu_gather *tlb)
{
	for (u32 i = 0; i < tlb->nr_delayed; i++)
		page_remove_rmap(tlb->delayed_rmap[i]);
	tlb->nr_delayed = 0;
}

void tlb_flush_mmu_tlbonly(struct mmu_gather *tlb)
{
	struct mm_context *ctx = &tlb->mm->context;
	u64 start = tlb->start, end = tlb->end;

	if (!tlb->need_flush)
		return;
	if (tlb->fullmm && planted(KNOB_FULLMM_NO_FLUSH)) {
		range_reset(tlb);
		return;
	}
	if (tlb->fullmm) {
		start = 0;
		end = TLB_FLUSH_ALL;
	}
	if (tlb->tables_freed)
		flush_tlb_tables(ctx, start, end);
	else if (start < end)
		flush_tlb_mm_range(ctx, start, end);
	range_reset(tlb);
}

static void free_table_batch(struct mmu_table_batch *batch)
{
	for (u32 i = 0; i < batch->nr; i++)
		put_page(batch->tables[i]);
	kmem_cache_free(this_mm()->table_batch_cache, batch);
}

static void free_table_batch_rcu(struct rcu_head *head)
{
	free_table_batch(container_of(head, struct mmu_table_batch, rcu));
}

/* The flush is done: no CPU's walker is in these tables any more. */
static void free_tables_gathered(struct mmu_gather *tlb)
{
	struct mmu_table_batch *batch = tlb->tables;

	if (!batch)
		return;
	tlb->tables = NULL;
	event_record(&ev_table_batch, batch->nr, tlb->mm->context.id);
	if (this_mm()->table_free_rcu)
		call_rcu(&batch->rcu, free_table_batch_rcu);
	else
		free_table_batch(batch);
}

void tlb_flush_mmu_free(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch;
	u64 nr = 0;

	free_tables_gathered(tlb);
	for (batch = &tlb->local; batch; batch = batch->next) {
		if (batch->nr)
			release_pages(batch->pages, batch->nr);
		nr += batch->nr;
		batch->nr = 0;
	}
	if (nr)
		event_record(&ev_gather_free, nr, tlb->mm->context.id);
	tlb->active = &tlb->local;
}

void tlb_flush_mmu(struct mmu_gather *tlb)
{
	if (planted(KNOB_FREE_BEFORE_FLUSH)) {
		tlb_flush_mmu_free(tlb);
		tlb_flush_mmu_tlbonly(tlb);
		return;
	}
	tlb_flush_mmu_tlbonly(tlb);
	tlb_flush_mmu_free(tlb);
}

/* No memory for the batch: the table goes alone, but not before everybody has let go of it. */
static __cold_path void remove_table_alone(struct mmu_gather *tlb, struct page *table)
{
	tlb_flush_mmu_tlbonly(tlb);
	if (this_mm()->table_free_rcu)
		synchronize_rcu();
	put_page(table);
}

void tlb_remove_table(struct mmu_gather *tlb, struct page *table, u64 addr, u64 size)
{
	tlb->need_flush = true;
	tlb->tables_freed = true;
	tlb->start = min(tlb->start, addr);
	tlb->end = max(tlb->end, addr + size);
	if (planted(KNOB_TABLE_FREE_AT_ONCE)) {
		put_page(table);
		return;
	}
	if (!tlb->tables) {
		tlb->tables =
			kmem_cache_alloc_at(this_mm()->table_batch_cache, ALLOC_SITE_table_batch);
		if (!tlb->tables) {
			remove_table_alone(tlb, table);
			return;
		}
		tlb->tables->nr = 0;
	}
	tlb->tables->tables[tlb->tables->nr++] = table;
	if (tlb->tables->nr == MAX_TABLE_BATCH)
		tlb_flush_mmu(tlb);
}

void tlb_finish_mmu(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch, *next;

	/*
	 * Another operation on this mm may have cleared entries of our range, so that we found
	 * nothing there, and not flushed yet. Our caller is told that the range is gone: flush it
	 * all (v4.13, 99baac21e458 and 56236a59556c).
	 */
	if (!tlb->fullmm && tlb_change_nested(&tlb->mm->context) &&
	    !planted(KNOB_PARALLEL_ZAP_SKIPS_FLUSH)) {
		tlb->start = min(tlb->start, tlb->range_start);
		tlb->end = max(tlb->end, tlb->range_end);
		tlb->need_flush = true;
	}
	tlb_flush_mmu(tlb);
	BUG_ON(tlb->nr_delayed, "%u delayed rmaps at the end of a gather", tlb->nr_delayed);
	for (batch = tlb->local.next; batch; batch = next) {
		next = batch->next;
		kmem_cache_free(this_mm()->gather_batch_cache, batch);
	}
	tlb->local.next = NULL;
	tlb_change_end(&tlb->mm->context);
}
