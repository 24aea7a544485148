// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of an address space, when the last user is gone (seed_path C). Nobody can fault here any
 * more, but rmap walks, truncation and lazy CPUs still come by: what they rely on is taken away in
 * this order.
 */
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/mlock.h"
#include "mm/mm.h"
#include "mm/notifier.h"
#include "mm/vma.h"
#include "smp/sched.h"

EVENT_DESC(ev_exit_mmap, 369, 0, "exit_mmap", "mm%llu, %llu VMAs");

INVARIANT(inv_locked_vm, "locked-vm-left",
	  "no page of an mm is counted as locked when all its VMAs have been munlocked");
INVARIANT(inv_nr_ptes, "nr-ptes-left",
	  "all page tables of an mm are gone when it has been unmapped");

/* (C2) */
static void munlock_all(struct mm_struct *mm)
{
	for (u32 i = 0; i < mm->nr_vmas; i++) {
		struct vm_area_struct *vma = mm->vmas[i];

		if (!(vma->vm_flags & VM_LOCKED))
			continue;
		munlock_vma_pages_all(vma);
		mm->locked_vm -= vma_pages(vma);
	}
}

/* (C7) No lock of the mm is held, and preemption is possible: closing a file may take its time. */
static u64 remove_vmas(struct mm_struct *mm)
{
	u64 nr_accounted = 0;

	for (u32 i = 0; i < mm->nr_vmas; i++) {
		struct vm_area_struct *vma = mm->vmas[i];

		if (vma->vm_flags & VM_ACCOUNT)
			nr_accounted += vma_pages(vma);
		remove_vma(vma);
		cond_resched();
	}
	return nr_accounted;
}

void exit_mmap(struct mm_struct *mm)
{
	struct mmu_gather tlb;
	u64 nr_accounted;

	event_record(&ev_exit_mmap, mm->context.id, mm->nr_vmas);
	/* (C1) Secondary MMUs let go while everything is still there. */
	if (!planted(KNOB_NOTIFIER_NOT_RELEASED))
		mmu_notifier_release(mm);

	if (mm->locked_vm && !planted(KNOB_MUNLOCK_SKIPPED))
		munlock_all(mm);
	if (unlikely(mm->locked_vm))
		VIOLATION(&inv_locked_vm, "mm%u still counts %llu locked pages", mm->context.id,
			  (unsigned long long)mm->locked_vm);

	/* (C3) arch_exit_mmap() would come here: x86 has one for paravirtual page tables only. */

	/* (C4) A fork that ran out of memory before its first VMA. */
	if (!mm->nr_vmas)
		return;

	/* (C5) Pages that wait in this CPU's pagevec are not freed with the batch otherwise. */
	lru_add_drain();
	tlb_gather_mmu(&tlb, mm, 0, ~0ULL);
	/* (C6) */
	unmap_vmas(&tlb, mm->vmas, mm->nr_vmas, 0, ~0ULL);
	free_pgtables(&tlb, mm->vmas, mm->nr_vmas, FIRST_USER_ADDRESS, 0);
	tlb_finish_mmu(&tlb);

	nr_accounted = remove_vmas(mm);
	mm->nr_vmas = 0;
	mm->total_vm = 0;
	vma_array_free(mm);
	if (nr_accounted && !planted(KNOB_COMMIT_NOT_RETURNED))
		vm_unacct_memory(nr_accounted);

	/* (C8) With FIRST_USER_ADDRESS 0 none may be left. */
	if (unlikely(atomic_read(&mm->nr_ptes)))
		VIOLATION(&inv_nr_ptes, "mm%u has %lld page tables left", mm->context.id,
			  (long long)oracle_read(mm->nr_ptes));
}
