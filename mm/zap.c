// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unmapping: from unmap_vmas() down to zap_pte_range() (seed_path D1 to D6), and the callers that
 * bring a gather of their own.
 */
#include "mm/device.h"
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/notifier.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/rss.h"
#include "mm/uprobes.h"
#include "mm/vma.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_zap, 385, 0, "zap_pte_range", "from %#llx to %#llx");
EVENT_DESC(ev_zap_full, 386, 0, "zap_pte_range: gather full", "at %#llx, mm%llu");
EVENT_DESC(ev_unmap_vma, 387, 0, "unmap_single_vma", "from %#llx to %#llx");

INVARIANT(inv_zap_range, "zap-range", "a zap is asked for a range that is not empty");
INVARIANT(inv_pte_unlocked, "pte-changed-without-lock",
	  "a page-table entry is changed only under its table's lock");

struct page *vm_normal_page(struct vm_area_struct *vma, u64 addr, pteval_t pte)
{
	(void)vma;
	(void)addr;
	return pte & PTE_SPECIAL ? NULL : pfn_to_page(pte_pfn(pte));
}

/* Truncation asks only for some pages: is @page left alone? */
static bool spared(const struct zap_details *details, const struct page *page)
{
	if (!details)
		return false;
	if (details->check_mapping && details->check_mapping != READ_ONCE(page->mapping))
		return true;
	return page->index < details->first_index || page->index > details->last_index;
}

static pteval_t ptep_get_and_clear(struct mmu_gather *tlb, struct pte_place *at)
{
	pteval_t pte;

	if (unlikely(!spin_held_here(at->ptl)))
		VIOLATION(&inv_pte_unlocked, "mm%u, table pfn %llu", tlb->mm->context.id,
			  (unsigned long long)at->table_pfn);
	if (unlikely(planted(KNOB_PTE_CLEAR_NOT_ATOMIC))) {
		pte = READ_ONCE(*at->pte);
		WRITE_ONCE(*at->pte, 0);
		return pte;
	}
	/* Atomic: a CPU may set the dirty bit at any moment. */
	return xchg(at->pte, 0);
}

/* What one round of zap_pte_range under the lock has come to. */
struct zap_round {
	s32 rss[NR_MM_COUNTERS];
	u32 zapped;
	bool flush; /* flush before the lock is dropped */
	bool full;  /* the gather can take no more */
};

/* One present entry. */
static __always_inline_fn void zap_present(struct mmu_gather *tlb, struct vm_area_struct *vma,
					   u64 addr, struct pte_place *at,
					   struct zap_details *details, pteval_t pte,
					   struct zap_round *round)
{
	struct page *page = vm_normal_page(vma, addr, pte);
	bool delayed = false;

	if (page && unlikely(details) && spared(details, page))
		return;
	pte = ptep_get_and_clear(tlb, at);
	tlb_remove_tlb_entry(tlb, addr);
	round->zapped++;
	if (!page)
		return;
	if (page_is_anon(page)) {
		round->rss[MM_ANONPAGES]--;
	} else {
		if (pte & PTE_DIRTY) {
			if (!planted(KNOB_ZAP_DROPS_DIRTY))
				set_page_dirty(page);
			/*
			 * CPUs that have the entry cached go on storing until the flush. A cleaner
			 * must not find the page without entries before that: flush under the lock
			 * (v3.15, 1cf35d47712d), and keep the rmap until then (v6.2, 5df397dec7c4).
			 */
			if (!planted(KNOB_ZAP_DIRTY_BEFORE_FLUSH)) {
				round->flush = true;
				delayed = !planted(KNOB_RMAP_BEFORE_FLUSH);
			}
		}
		if ((pte & PTE_ACCESSED) && !(vma->vm_flags & VM_SEQ_READ))
			mark_page_accessed(page);
		round->rss[MM_FILEPAGES]--;
	}
	if (unlikely(planted(KNOB_MAPCOUNT_NOT_DROPPED)))
		;
	else if (unlikely(delayed))
		round->full |= !tlb_delay_rmap(tlb, page);
	else
		page_remove_rmap(page);
	if (unlikely(!__tlb_remove_page(tlb, page)))
		round->full = true;
}

static void add_mm_rss_vec(struct mm_struct *mm, const s32 *rss)
{
	/* As in the kernel: the running task's mm gets them through the task's cache. */
	for (u32 i = 0; i < NR_MM_COUNTERS; i++) {
		if (rss[i])
			add_mm_counter(mm, (enum mm_counter)i, rss[i]);
	}
}

static void zap_pte_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 table_pfn,
			  u64 addr, u64 end, struct zap_details *details)
{
	struct pte_place at = {.table_pfn = table_pfn, .ptl = table_lock_of(table_pfn)};
	struct mm_struct *mm = tlb->mm;

	event_record(&ev_zap, addr, end);
	while (addr < end) {
		struct zap_round round = {0};

		at.pte = table_entry(table_pfn, LEVEL_PTE, addr);
		if (likely(!planted(KNOB_PTE_CLEAR_UNLOCKED)))
			spin_lock(at.ptl);
		if (unlikely(planted(KNOB_SLEEP_IN_ATOMIC))) {
			down_read(&mm->mmap_sem);
			up_read(&mm->mmap_sem);
		}
		for (; addr < end && !round.full; addr += PAGE_SIZE, at.pte++) {
			pteval_t pte = READ_ONCE(*at.pte);

			/* Not-present entries other than "none" (swap, migration) do not exist
			 * here. */
			if (pte_present(pte))
				zap_present(tlb, vma, addr, &at, details, pte, &round);
		}
		count_vm_events(VMSTAT_pgzap, round.zapped);
		if (!(round.full && planted(KNOB_RSS_FORGOTTEN)))
			add_mm_rss_vec(mm, round.rss);
		if (round.full && planted(KNOB_BATCH_RANGE_OFF_BY_ONE))
			tlb->end -= PAGE_SIZE;
		if (round.flush || round.full) {
			tlb_flush_mmu_tlbonly(tlb);
			tlb_flush_rmaps(tlb);
		}
		if (likely(!planted(KNOB_PTE_CLEAR_UNLOCKED)))
			spin_unlock(at.ptl);
		if (round.full) {
			event_record(&ev_zap_full, addr, mm->context.id);
			count_vm_event(VMSTAT_zap_full_batch);
			tlb_flush_mmu(tlb);
		}
	}
}

/* One upper level: every entry that leads to a table, one below the other. */
static void zap_level(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 table_pfn, u32 level,
		      u64 addr, u64 end, struct zap_details *details)
{
	u64 span = entry_span(level), next;

	for (; addr < end; addr = next) {
		pteval_t *entry = table_entry(table_pfn, level, addr);
		u64 below;

		next = min((addr & ~(span - 1)) + span, end);
		/* One read decides: with mmap_sem for reading, others fill entries in meanwhile. */
		if (!table_present(entry, level, addr, &below))
			continue;
		if (level > LEVEL_PMD) {
			zap_level(tlb, vma, below, level - 1, addr, next, details);
		} else {
			zap_pte_range(tlb, vma, below, addr, next, details);
			cond_resched();
		}
	}
}

void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr, u64 end,
		      struct zap_details *details)
{
	/* Details that ask for nothing in particular are none. */
	if (details && !details->check_mapping && !details->first_index &&
	    details->last_index == ~0ULL)
		details = NULL;
	if (unlikely(addr >= end))
		VIOLATION(&inv_zap_range, "[%#llx, %#llx)", (unsigned long long)addr,
			  (unsigned long long)end);
	mem_cgroup_uncharge_start();
	zap_level(tlb, vma, tlb->mm->context.root, LEVEL_PGD, addr, end, details);
	/* No struct page waits in the gather for these frames: their owner may free them as soon as
	 * the VMA is off the lists (v5.19, b67fbebd4cf9). */
	if (vma->vm_flags & VM_PFNMAP)
		tlb_flush_mmu_tlbonly(tlb);
	mem_cgroup_uncharge_end();
}

void unmap_single_vma(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end,
		      struct zap_details *details)
{
	start = max(start, vma->vm_start);
	end = min(end, vma->vm_end);
	if (start >= end)
		return;
	event_record(&ev_unmap_vma, start, end);
	if (vma->vm_file)
		uprobe_munmap(vma, start, end);
	if (vma->vm_flags & VM_PFNMAP)
		untrack_pfn(vma, start, end);
	unmap_page_range(tlb, vma, start, end, details);
}

void unmap_vmas(struct mmu_gather *tlb, struct vm_area_struct **vmas, u32 nr, u64 start, u64 end)
{
	mmu_notifier_invalidate_range_start(tlb->mm, start, end);
	for (u32 i = 0; i < nr && vmas[i]->vm_start < end; i++)
		unmap_single_vma(tlb, vmas[i], start, end, NULL);
	if (planted(KNOB_NOTIFIER_END_MISSING) && nr > 1)
		return;
	mmu_notifier_invalidate_range_end(tlb->mm, start, end);
}

void zap_page_range(struct vm_area_struct *vma, u64 start, u64 size, struct zap_details *details)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_gather tlb;
	u64 end = start + size;

	lru_add_drain();
	tlb_gather_mmu(&tlb, mm, start, end);
	update_hiwater_rss(mm);
	mmu_notifier_invalidate_range_start(mm, start, end);
	unmap_single_vma(&tlb, vma, start, end, details);
	mmu_notifier_invalidate_range_end(mm, start, end);
	tlb_finish_mmu(&tlb);
}

void unmap_mapping_range(struct address_space *mapping, u64 first, u64 nr, bool even_cows)
{
	struct zap_details details = {
		.check_mapping = even_cows ? NULL : mapping,
		.first_index = first,
		.last_index = nr ? first + nr - 1 : ~0ULL,
	};
	struct vm_area_struct *vma;

	mutex_lock(&mapping->i_mmap_mutex);
	cds_list_for_each_entry(vma, &mapping->i_mmap, shared) {
		u64 lo = max(details.first_index, vma->vm_pgoff);
		u64 hi = min(details.last_index, vma->vm_pgoff + vma_pages(vma) - 1);

		if (lo > hi)
			continue;
		zap_page_range(vma, vma->vm_start + ((lo - vma->vm_pgoff) << PAGE_SHIFT),
			       (hi - lo + 1) << PAGE_SHIFT, &details);
	}
	mutex_unlock(&mapping->i_mmap_mutex);
}
