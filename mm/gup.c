// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/gup.h"

#include <errno.h>

#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/vma.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_gup, 465, 0, "get_user_page", "at %#llx: pfn %llu");

#define VM_ACCESS_FLAGS (VM_READ | VM_WRITE | VM_EXEC)

/* What the present entry maps, the zero page included; NULL for a driver's frame. */
static struct page *page_of(struct vm_area_struct *vma, u64 addr, pteval_t pte)
{
	if (pte_pfn(pte) == this_mm()->zero_pfn)
		return pfn_to_page(pte_pfn(pte));
	return vm_normal_page(vma, addr, pte);
}

/* May @page, which the entry maps, be written? By force only if it is a copy of our own. */
static bool can_follow_write_pte(pteval_t pte, const struct page *page, u32 flags)
{
	return pte & PTE_RW ||
	       ((flags & FOLL_FORCE) && page_is_anon(page) && page_flag(page, PG_anon_exclusive));
}

/* The page at @addr with a reference, if an entry is there that will do. */
static struct page *follow_page(struct vm_area_struct *vma, u64 addr, u32 flags)
{
	struct page *page = NULL;
	spinlock_t *ptl;
	pteval_t *slot = pte_find_lock(vma->vm_mm, addr, &ptl), pte;

	if (!slot)
		return NULL;
	pte = READ_ONCE(*slot);
	if (pte_present(pte))
		page = page_of(vma, addr, pte);
	if (page && (flags & FOLL_WRITE) && !can_follow_write_pte(pte, page, flags))
		page = NULL;
	if (page) {
		if (!planted(KNOB_GUP_NO_REFERENCE))
			get_page(page);
		/* Where dirty pages are not accounted the entry may let write and be clean. */
		if ((flags & FOLL_WRITE) && !(pte & PTE_DIRTY) && !page_is_anon(page))
			set_page_dirty(page);
		if (!(pte & PTE_SPECIAL))
			mark_page_accessed(page);
	}
	spin_unlock(ptl);
	return page;
}

/* 0 or -EFAULT: whether @flags may be had of @vma at all. */
static int check_vma_flags(const struct vm_area_struct *vma, u32 flags)
{
	if (vma->vm_flags & VM_PFNMAP)
		return -EFAULT;
	if (!(flags & FOLL_WRITE))
		return vma->vm_flags & VM_ACCESS_FLAGS || flags & FOLL_FORCE ? 0 : -EFAULT;
	if (vma->vm_flags & VM_WRITE)
		return 0;
	/* A copy in a shared mapping would be nobody's (v3.15 cda540ace6a1 refuses it). */
	return flags & FOLL_FORCE && !(vma->vm_flags & VM_SHARED) ? 0 : -EFAULT;
}

/* 0: look again. */
static int fault_in(struct vm_area_struct *vma, u64 addr, u32 *flags)
{
	u32 fault;

	if (READ_ONCE(current->killed))
		return -EINTR;
	fault = handle_mm_fault(vma->vm_mm, vma, addr, *flags & FOLL_WRITE ? FAULT_FLAG_WRITE : 0);
	if (fault & VM_FAULT_OOM)
		return -ENOMEM;
	if (fault & VM_FAULT_SIGBUS)
		return -EIO;
	/* The entry of an area that may not be written does not let write however often we fault.
	 * What it maps now is our own copy, or will be after another fault. */
	if ((fault & VM_FAULT_WRITE) && !(vma->vm_flags & VM_WRITE)) {
		count_vm_event(VMSTAT_gup_forced);
		if (planted(KNOB_GUP_FORGETS_WRITE))
			*flags &= ~FOLL_WRITE;
	}
	cond_resched();
	return 0;
}

int get_user_page(struct mm_struct *mm, u64 addr, u32 flags, struct page **page)
{
	struct vm_area_struct *vma = find_vma(mm, addr);
	int err;

	might_sleep();
	if (!vma || vma->vm_start > addr)
		return -EFAULT;
	err = check_vma_flags(vma, flags);
	while (!err) {
		*page = follow_page(vma, addr, flags);
		if (*page) {
			event_record(&ev_gup, addr, page_to_pfn(*page));
			return 0;
		}
		err = fault_in(vma, addr, &flags);
	}
	return err;
}

void put_user_page(struct page *p)
{
	if (!planted(KNOB_GUP_NO_REFERENCE))
		put_page(p);
}

void set_page_dirty_lock(struct page *p)
{
	lock_page(p);
	/* What has left its file has no disk to go to. */
	if (READ_ONCE(p->mapping) && !page_is_anon(p))
		set_page_dirty(p);
	unlock_page(p);
}
