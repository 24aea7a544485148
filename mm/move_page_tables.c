// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moving page-table entries to other addresses of the same address space (v3.14 mm/mremap.c). The
 * pages stay where they are; only exec does it, for the arguments' stack.
 */
#include "mm/memory.h"
#include "mm/notifier.h"
#include "mm/pgtable.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlbflush.h"

EVENT_DESC(ev_move, 393, 0, "move_page_tables", "from %#llx to %#llx");

/* What one table spans. */
#define TABLE_SPAN (PAGE_SIZE << TABLE_BITS)

/* [old, end) lies in one table, and so does where it goes. */
static void move_ptes(struct mm_struct *mm, const struct pte_place *from,
		      const struct pte_place *to, u64 old, u64 end)
{
	u64 nr = (end - old) >> PAGE_SHIFT, moved = 0;

	spin_lock(from->ptl);
	if (to->ptl != from->ptl)
		spin_lock_nested(to->ptl, LOCK_CLASS_ptl_nested);
	/* Upwards, for they move down: what is overwritten has been moved. */
	for (u64 i = 0; i < nr; i++) {
		if (!pte_present(READ_ONCE(from->pte[i])))
			continue;
		/* Atomic: a CPU may set the accessed or the dirty bit meanwhile. */
		WRITE_ONCE(to->pte[i], xchg(&from->pte[i], 0));
		moved++;
	}
	/* Under the locks (v4.20 eb66ae030829): whoever finds the entry at its new place and takes
	 * it away there does not flush the old one. */
	if (moved)
		flush_tlb_mm_range(&mm->context, old, end);
	if (to->ptl != from->ptl)
		spin_unlock_class(to->ptl, LOCK_CLASS_ptl_nested);
	spin_unlock(from->ptl);
	count_vm_events(VMSTAT_pgmoved, moved);
}

static inline u64 left_in_table(u64 addr)
{
	return TABLE_SPAN - (addr & (TABLE_SPAN - 1));
}

u64 move_page_tables(struct vm_area_struct *vma, u64 old, u64 new, u64 len)
{
	struct mm_struct *mm = vma->vm_mm;
	u64 start = old, end = old + len, extent;
	struct pte_place from, to;

	BUG_ON(new >= old, "page tables are moved up, from %#llx to %#llx", (unsigned long long)old,
	       (unsigned long long)new);
	event_record(&ev_move, old, new);
	mmu_notifier_invalidate_range_start(mm, start, end);
	tlb_change_begin(&mm->context);
	for (; old < end; old += extent, new += extent) {
		cond_resched();
		extent = min(min(left_in_table(old), left_in_table(new)), end - old);
		if (!pte_find(mm, old, &from))
			continue;
		if (!pte_alloc(mm, new, &to))
			break;
		move_ptes(mm, &from, &to, old, old + extent);
	}
	tlb_change_end(&mm->context);
	mmu_notifier_invalidate_range_end(mm, start, end);
	return old - start;
}
