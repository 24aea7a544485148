// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page faults: what handle_mm_fault() does once the VMA is known and allows the access. mmap_sem is
 * held for reading throughout.
 */
#include <errno.h>

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
#include "mm/vma.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlbflush.h"

EVENT_DESC(ev_fault, 388, 0, "page fault", "at %#llx, mm%llu");
EVENT_DESC(ev_cow, 389, 0, "copy on write", "at %#llx from pfn %llu");

struct fault {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	u64 addr; /* page aligned */
	bool write;
	struct pte_place at;
	pteval_t orig; /* what the entry was when the fault looked, without the lock */
};

/* What a user entry of @vma carries besides the frame and the write bit. */
static pteval_t vma_pte_bits(const struct vm_area_struct *vma)
{
	/* Only the kernel itself faults in what is PROT_NONE (FOLL_FORCE). */
	bool none = !(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC));

	return (none ? PTE_PROTNONE : PTE_PRESENT) | PTE_USER | PTE_ACCESSED |
	       (vma->vm_flags & VM_EXEC ? 0 : PTE_NX);
}

/* And a page that has been written. A debugger writes where the program may not (FOLL_FORCE): the
 * entry stays read-only then (v3.14 maybe_mkwrite). */
static pteval_t vma_written_bits(const struct vm_area_struct *vma)
{
	return vma_pte_bits(vma) | PTE_DIRTY | (vma->vm_flags & VM_WRITE ? PTE_RW : 0);
}

/* Locks the page table; true if the entry is still as the fault found it. */
static bool lock_pte_same(struct fault *f)
{
	spin_lock(f->at.ptl);
	if (likely(READ_ONCE(*f->at.pte) == f->orig))
		return true;
	spin_unlock(f->at.ptl);
	return false;
}

static struct page *alloc_charged_page(struct fault *f)
{
	struct page *page = alloc_page_at(PAGE_USER, ALLOC_SITE_page);

	if (unlikely(!page))
		return NULL;
	if (unlikely(mem_cgroup_charge(f->mm->memcg, page))) {
		put_page(page);
		return NULL;
	}
	return page;
}

/* A page that has been charged and is not to be mapped after all. */
static void drop_charged_page(struct page *page)
{
	mem_cgroup_uncharge(page);
	put_page(page);
}

static u32 do_zero_page(struct fault *f)
{
	if (lock_pte_same(f)) {
		WRITE_ONCE(*f->at.pte,
			   pfn_pte(this_mm()->zero_pfn, vma_pte_bits(f->vma) | PTE_SPECIAL));
		spin_unlock(f->at.ptl);
	}
	return 0;
}

static u32 do_anonymous_page(struct fault *f)
{
	struct page *page;
	pteval_t pte;

	if (!f->write)
		return do_zero_page(f);
	if (unlikely(anon_vma_prepare(f->vma)))
		return VM_FAULT_OOM;
	page = alloc_charged_page(f);
	if (unlikely(!page))
		return VM_FAULT_OOM;
	if (likely(!planted(KNOB_ZEROED_LATE)))
		clear_user_page(page);
	pte = pfn_pte(page_to_pfn(page), vma_written_bits(f->vma));
	if (unlikely(!lock_pte_same(f))) {
		drop_charged_page(page);
		return 0;
	}
	add_mm_counter_fast(f->mm, MM_ANONPAGES, 1);
	page_add_new_anon_rmap(page, f->vma, f->addr);
	WRITE_ONCE(*f->at.pte, pte);
	spin_unlock(f->at.ptl);
	if (unlikely(planted(KNOB_ZEROED_LATE)))
		clear_user_page(page);
	return 0;
}

/*
 * Puts @new, a copy of what the entry maps now, in its place. The entry goes through "none", and
 * the flush comes before the new one is set: no CPU may read the old page after another has written
 * the new one. Pte lock held.
 */
static void replace_with_copy(struct fault *f, struct page *new)
{
	pteval_t pte = pfn_pte(page_to_pfn(new), vma_written_bits(f->vma));
	struct mm_context *ctx = &f->mm->context;

	tlb_change_begin(ctx);
	(void)xchg(f->at.pte, 0);
	if (likely(!planted(KNOB_COW_NO_FLUSH)))
		flush_tlb_page(ctx, f->addr);
	page_add_new_anon_rmap(new, f->vma, f->addr);
	/* set_pte_at_notify() */
	if (!planted(KNOB_COW_NOT_NOTIFIED))
		mmu_notifier_change_pte(f->mm, f->addr, pte);
	WRITE_ONCE(*f->at.pte, pte);
	tlb_change_end(ctx);
}

/* Secondary MMUs let go of the old page before the entry changes, and do not ask for a new one
 * until it has. */
static void cow_range_start(const struct fault *f)
{
	if (!planted(KNOB_COW_NOT_NOTIFIED))
		mmu_notifier_invalidate_range_start(f->mm, f->addr, f->addr + PAGE_SIZE);
}

static void cow_range_end(const struct fault *f)
{
	if (!planted(KNOB_COW_NOT_NOTIFIED))
		mmu_notifier_invalidate_range_end(f->mm, f->addr, f->addr + PAGE_SIZE);
}

/* Write to a private page that others may have: copy it. @old has a reference of ours, or is NULL
 * for the zero page. No locks held. */
static u32 do_wp_copy(struct fault *f, struct page *old)
{
	struct page *new;

	if (anon_vma_prepare(f->vma))
		goto oom;
	new = alloc_charged_page(f);
	if (!new)
		goto oom;
	if (old)
		copy_user_page(new, old);
	else
		clear_user_page(new);
	event_record(&ev_cow, f->addr, pte_pfn(f->orig));
	cow_range_start(f);
	if (!lock_pte_same(f)) {
		cow_range_end(f);
		drop_charged_page(new);
		if (old)
			put_page(old);
		return 0;
	}
	count_vm_event(VMSTAT_pgcow);
	if (!old || !page_is_anon(old)) {
		if (old)
			add_mm_counter_fast(f->mm, MM_FILEPAGES, -1);
		add_mm_counter_fast(f->mm, MM_ANONPAGES, 1);
	}
	replace_with_copy(f, new);
	/* Only now, after the flush, is the old page free of this mapping. */
	if (old)
		page_remove_rmap(old);
	spin_unlock(f->at.ptl);
	cow_range_end(f);
	if (old) {
		put_page(old); /* the entry's */
		put_page(old); /* ours */
	}
	return VM_FAULT_WRITE;
oom:
	if (old)
		put_page(old);
	return VM_FAULT_OOM;
}

/*
 * Write to a page of a shared file mapping that is read-only so that the first write is noticed.
 * The page lock keeps writeback out between the dirty bit of the page and that of the entry. @page
 * has a reference of ours. No locks held.
 */
static u32 do_wp_shared(struct fault *f, struct page *page)
{
	lock_page(page);
	if (lock_pte_same(f)) {
		page_mkwrite(page);
		/* More permission: needs no flush, a CPU with the old entry faults and looks again.
		 */
		(void)atomic_fetch_or(PTE_RW | PTE_DIRTY | PTE_ACCESSED, f->at.pte);
		spin_unlock(f->at.ptl);
	}
	unlock_page(page);
	put_page(page);
	return VM_FAULT_WRITE;
}

/*
 * Is the anonymous page ours alone, so that it may be written in place? The mapcount can only rise
 * by a fork of this mm, which needs mmap_sem for writing. But it falls before the flush: another mm
 * that has zapped the page may still have it in its TLBs, and its gather holds a reference until
 * they are flushed. v3.13 asked for the mapcount alone; 09854ba94c6a (v5.9) made it the refcount.
 * A pagevec's reference is no mapping: ours is emptied, another vCPU's costs a copy. Pte lock held.
 */
static bool anon_page_is_ours(struct page *page)
{
	if (page_mapcount(page) != 1)
		return false;
	if (unlikely(planted(KNOB_REUSE_BY_MAPCOUNT)) || page_count(page) == 1)
		return true;
	if (page_flag(page, PG_lru))
		return false;
	lru_add_drain();
	return page_count(page) == 1;
}

/* One that nobody else can have had stays where it is, whoever holds a reference: of two debuggers
 * that write to a page which its program may only read, none must write to the page that the other
 * has copied (v5.19). Pte lock held. */
static bool reuse_anon_page(struct page *page)
{
	if (page_flag(page, PG_anon_exclusive))
		return true;
	if (!anon_page_is_ours(page))
		return false;
	page_flag_set(page, PG_anon_exclusive);
	return true;
}

/* Write to a present entry without write permission. */
static u32 do_wp_page(struct fault *f)
{
	struct page *page;

	if (!lock_pte_same(f))
		return 0;
	page = vm_normal_page(f->vma, f->addr, f->orig);
	if (!page) {
		spin_unlock(f->at.ptl);
		if (f->vma->vm_flags & VM_PFNMAP)
			return VM_FAULT_SIGBUS;
		return do_wp_copy(f, NULL);
	}
	if (page_is_anon(page) && reuse_anon_page(page)) {
		(void)atomic_fetch_or(
			vma_written_bits(f->vma) & (PTE_RW | PTE_DIRTY | PTE_ACCESSED), f->at.pte);
		spin_unlock(f->at.ptl);
		return VM_FAULT_WRITE;
	}
	get_page(page);
	spin_unlock(f->at.ptl);
	if (!page_is_anon(page) && (f->vma->vm_flags & VM_SHARED))
		return do_wp_shared(f, page);
	return do_wp_copy(f, page);
}

/* Maps the page cache's page. It comes locked, with a reference that becomes the entry's. */
static void map_file_page(struct fault *f, struct page *page)
{
	pteval_t bits = vma_pte_bits(f->vma);

	if (f->write && (f->vma->vm_flags & VM_SHARED)) {
		page_mkwrite(page);
		bits |= PTE_RW | PTE_DIRTY;
	} else if ((f->vma->vm_flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE) &&
		   !f->vma->vm_file->inode->mapping.account_dirty) {
		/* No first write to be noticed: the hardware will say. */
		bits |= PTE_RW;
	}
	if (!lock_pte_same(f)) {
		unlock_page(page);
		put_page(page);
		return;
	}
	add_mm_counter_fast(f->mm, MM_FILEPAGES, 1);
	page_add_file_rmap(page);
	if (f->vma->vm_flags & VM_LOCKED)
		mlock_vma_page(page);
	WRITE_ONCE(*f->at.pte, pfn_pte(page_to_pfn(page), bits));
	spin_unlock(f->at.ptl);
	unlock_page(page);
}

/* Write to a page of a private file mapping that is not mapped yet: straight to a copy. @page stays
 * locked until the copy is mapped: truncation, which waits for the lock, then finds the copy. */
static u32 map_private_copy(struct fault *f, struct page *page)
{
	struct page *new = alloc_charged_page(f);
	u32 ret = 0;

	if (!new) {
		ret = VM_FAULT_OOM;
		goto out;
	}
	copy_user_page(new, page);
	if (!lock_pte_same(f)) {
		drop_charged_page(new);
		goto out;
	}
	count_vm_event(VMSTAT_pgcow);
	add_mm_counter_fast(f->mm, MM_ANONPAGES, 1);
	page_add_new_anon_rmap(new, f->vma, f->addr);
	WRITE_ONCE(*f->at.pte, pfn_pte(page_to_pfn(new), vma_written_bits(f->vma)));
	spin_unlock(f->at.ptl);
out:
	unlock_page(page);
	put_page(page);
	return ret;
}

static u32 do_file_fault(struct fault *f)
{
	bool copy = f->write && !(f->vma->vm_flags & VM_SHARED);
	struct page *page;
	u32 ret;

	if (copy && anon_vma_prepare(f->vma))
		return VM_FAULT_OOM;
	ret = filemap_fault(f->vma, linear_page_index(f->vma, f->addr), &page);
	if (ret & (VM_FAULT_OOM | VM_FAULT_SIGBUS))
		return ret;
	if (copy)
		return ret | map_private_copy(f, page);
	map_file_page(f, page);
	return ret;
}

/* A present entry that allows the access by now: another CPU has been here, or PROT_NONE has gone.
 */
static u32 do_spurious(struct fault *f)
{
	if (lock_pte_same(f)) {
		(void)atomic_fetch_or(PTE_ACCESSED | (f->write ? PTE_DIRTY : 0), f->at.pte);
		spin_unlock(f->at.ptl);
	}
	count_vm_event(VMSTAT_pgspurious_fault);
	return 0;
}

u32 handle_mm_fault(struct mm_struct *mm, struct vm_area_struct *vma, u64 addr, u32 flags)
{
	struct fault f = {
		.mm = mm,
		.vma = vma,
		.addr = addr & PAGE_MASK,
		.write = flags & FAULT_FLAG_WRITE,
	};

	count_vm_event(VMSTAT_pgfault);
	check_sync_rss_stat(current);
	event_record(&ev_fault, addr, mm->context.id);
	if (unlikely(!pte_alloc(mm, addr, &f.at)))
		return VM_FAULT_OOM;
	f.orig = READ_ONCE(*f.at.pte);
	if (!pte_present(f.orig)) {
		if (vma->vm_flags & VM_PFNMAP)
			return VM_FAULT_SIGBUS;
		return vma->vm_file ? do_file_fault(&f) : do_anonymous_page(&f);
	}
	if (f.write && !(f.orig & PTE_RW))
		return do_wp_page(&f);
	return do_spurious(&f);
}

int vm_insert_pfn(struct vm_area_struct *vma, u64 addr, u64 pfn)
{
	struct pte_place at;
	pteval_t bits = vma_pte_bits(vma) | PTE_SPECIAL;
	int err = -EBUSY;

	if (vma->vm_flags & VM_WRITE)
		bits |= PTE_RW | PTE_DIRTY;
	if (!pte_alloc(vma->vm_mm, addr, &at))
		return -ENOMEM;
	spin_lock(at.ptl);
	if (!READ_ONCE(*at.pte)) {
		WRITE_ONCE(*at.pte, pfn_pte(pfn, bits));
		err = 0;
	}
	spin_unlock(at.ptl);
	return err;
}
