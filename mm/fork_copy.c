// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork: the child's page-table entries. Private pages become read-only in both, to be copied by
 * whoever writes first.
 */
#include <errno.h>

#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/notifier.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/rss.h"
#include "mm/vma.h"
#include "smp/spinlock.h"
#include "tlbshoot/tlbflush.h"

EVENT_DESC(ev_copy, 390, 0, "copy_page_range", "from %#llx to %#llx");

struct copy {
	struct mm_struct *dst, *src;
	struct vm_area_struct *vma; /* the parent's */
	bool protected;		    /* some entry of the parent has lost its write permission */
	s64 rss[NR_MM_COUNTERS];
};

/* Both pte locks held. */
static void copy_one_pte(struct copy *c, pteval_t *dst, pteval_t *src, u64 addr)
{
	pteval_t pte = READ_ONCE(*src);
	struct page *page = vm_normal_page(c->vma, addr, pte);

	if ((pte & PTE_RW) && !(c->vma->vm_flags & (VM_SHARED | VM_PFNMAP))) {
		/* Atomic: a CPU may set the dirty bit meanwhile. */
		pte = atomic_fetch_and(~PTE_RW, src) & ~PTE_RW;
		c->protected = true;
	}
	if (c->vma->vm_flags & VM_SHARED)
		pte &= ~PTE_DIRTY; /* the parent's entry keeps it */
	pte &= ~PTE_ACCESSED;
	if (page) {
		/* A shared file page must be noticed when the child writes it. */
		if (c->vma->vm_flags & VM_SHARED)
			pte &= ~PTE_RW;
		get_page(page);
		if (page_is_anon(page)) {
			if (page_flag(page, PG_anon_exclusive))
				page_flag_clear(page, PG_anon_exclusive);
			page_add_anon_rmap(page);
			c->rss[MM_ANONPAGES]++;
		} else {
			page_add_file_rmap(page);
			c->rss[MM_FILEPAGES]++;
		}
	}
	WRITE_ONCE(*dst, pte);
}

static int copy_table(struct copy *c, u64 src_table, u64 addr, u64 end)
{
	spinlock_t *src_ptl = table_lock_of(src_table);
	pteval_t *src = table_entry(src_table, LEVEL_PTE, addr);
	struct pte_place to;

	if (!pte_alloc(c->dst, addr, &to))
		return -ENOMEM;
	spin_lock(src_ptl);
	spin_lock_nested(to.ptl, LOCK_CLASS_ptl_nested);
	for (; addr < end; addr += PAGE_SIZE, src++, to.pte++) {
		if (pte_present(READ_ONCE(*src)))
			copy_one_pte(c, to.pte, src, addr);
	}
	spin_unlock_class(to.ptl, LOCK_CLASS_ptl_nested);
	spin_unlock(src_ptl);
	return 0;
}

static int copy_level(struct copy *c, u64 table_pfn, u32 level, u64 addr, u64 end)
{
	u64 span = entry_span(level), next;

	for (; addr < end; addr = next) {
		u64 below;
		int err;

		next = min((addr & ~(span - 1)) + span, end);
		if (!table_present(table_entry(table_pfn, level, addr), level, addr, &below))
			continue;
		if (level > LEVEL_PMD) {
			err = copy_level(c, below, level - 1, addr, next);
		} else {
			err = copy_table(c, below, addr, next);
			cond_resched();
		}
		if (err)
			return err;
	}
	return 0;
}

int copy_page_range(struct mm_struct *dst, struct mm_struct *src, struct vm_area_struct *dst_vma,
		    struct vm_area_struct *src_vma)
{
	struct copy c = {.dst = dst, .src = src, .vma = src_vma};
	/* Only then entries of the parent lose permissions. */
	bool cow = !(src_vma->vm_flags & (VM_SHARED | VM_PFNMAP));
	int err;

	(void)dst_vma;
	/* Faults bring file pages that have no private copies (v3.14 copy_page_range). */
	if (src_vma->vm_file && !src_vma->anon_vma && !(src_vma->vm_flags & VM_PFNMAP))
		return 0;
	event_record(&ev_copy, src_vma->vm_start, src_vma->vm_end);
	if (cow)
		mmu_notifier_invalidate_range_start(src, src_vma->vm_start, src_vma->vm_end);
	tlb_change_begin(&src->context);
	err = copy_level(&c, src->context.root, LEVEL_PGD, src_vma->vm_start, src_vma->vm_end);
	/* Also when it failed half way: what has lost its permission must not be written. */
	if (c.protected && !planted(KNOB_FORK_NO_FLUSH))
		flush_tlb_mm_range(&src->context, src_vma->vm_start, src_vma->vm_end);
	tlb_change_end(&src->context);
	if (cow)
		mmu_notifier_invalidate_range_end(src, src_vma->vm_start, src_vma->vm_end);
	for (u32 i = 0; i < NR_MM_COUNTERS; i++) {
		if (c.rss[i])
			add_mm_counter(dst, (enum mm_counter)i, c.rss[i]);
	}
	return err;
}
