// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mprotect's work on page tables.
 */
#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/notifier.h"
#include "mm/pgtable.h"
#include "smp/spinlock.h"
#include "tlbshoot/tlbflush.h"

EVENT_DESC(ev_protect, 391, 0, "change_protection", "from %#llx to %#llx");

/* What @pte becomes under the VMA's new flags. Write permission is only taken away here: it comes
 * back by a fault, which knows about copy on write and dirty tracking. */
static pteval_t modified(pteval_t pte, u32 vm_flags)
{
	pte &= ~(PTE_PRESENT | PTE_PROTNONE | PTE_NX);
	pte |= vm_flags & (VM_READ | VM_WRITE | VM_EXEC) ? PTE_PRESENT : PTE_PROTNONE;
	if (!(vm_flags & VM_EXEC))
		pte |= PTE_NX;
	if (!(vm_flags & VM_WRITE))
		pte &= ~PTE_RW;
	return pte;
}

static void protect_table(u64 table_pfn, u64 addr, u64 end, u32 vm_flags)
{
	spinlock_t *ptl = table_lock_of(table_pfn);
	pteval_t *pte = table_entry(table_pfn, LEVEL_PTE, addr);

	spin_lock(ptl);
	for (; addr < end; addr += PAGE_SIZE, pte++) {
		if (!pte_present(READ_ONCE(*pte)))
			continue;
		/* Taken out for a moment: a CPU that sets accessed or dirty bits does so before,
		 * and they are kept, or faults and waits for mmap_sem. */
		WRITE_ONCE(*pte, modified(xchg(pte, 0), vm_flags));
	}
	spin_unlock(ptl);
}

static void protect_level(u64 table_pfn, u32 level, u64 addr, u64 end, u32 vm_flags)
{
	u64 span = entry_span(level), next;

	for (; addr < end; addr = next) {
		u64 below;

		next = min((addr & ~(span - 1)) + span, end);
		if (!table_present(table_entry(table_pfn, level, addr), level, addr, &below))
			continue;
		if (level > LEVEL_PMD) {
			protect_level(below, level - 1, addr, next, vm_flags);
		} else {
			protect_table(below, addr, next, vm_flags);
			cond_resched();
		}
	}
}

void change_protection(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;

	event_record(&ev_protect, start, end);
	mmu_notifier_invalidate_range_start(mm, start, end);
	tlb_change_begin(&mm->context);
	protect_level(mm->context.root, LEVEL_PGD, start, end, vma->vm_flags);
	if (!planted(KNOB_MPROTECT_NO_FLUSH))
		flush_tlb_mm_range(&mm->context, start, end);
	tlb_change_end(&mm->context);
	mmu_notifier_invalidate_range_end(mm, start, end);
}
