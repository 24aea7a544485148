// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/rmap.h"

#include <errno.h>

#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/mm_machine.h"
#include "mm/notifier.h"
#include "mm/page_alloc.h"
#include "mm/vma.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlbflush.h"

INVARIANT(inv_bad_mapcount, "bad-pte-mapcount",
	  "a page is mapped as often as its mapcount says, never less than not at all");
INVARIANT(inv_hooked, "rmap-after-tables",
	  "a VMA is off the lists of rmap before its page tables are freed");
INVARIANT(inv_moving, "rmap-in-moving-vma",
	  "rmap does not look for pages in a VMA whose page-table entries are being moved");
INVARIANT(inv_anon_vma, "anon-vma-freed", "an anon_vma in use has references");

/* @root NULL: a family of its own. */
static struct anon_vma *anon_vma_alloc(struct anon_vma *root)
{
	struct anon_vma *av = kmem_cache_alloc_at(this_mm()->anon_vma_cache, ALLOC_SITE_anon_vma);

	if (!av)
		return NULL;
	init_rwsem(&av->rwsem, &av->slot, 1, LOCK_CLASS_anon_vma_rwsem);
	init_once(av->refcount, 0);
	CDS_INIT_LIST_HEAD(&av->chains);
	av->root = root ? root : av;
	if (root)
		atomic_inc(&root->refcount);
	return av;
}

static void put_anon_vma(struct anon_vma *av)
{
	s32 left = (s32)atomic_dec_return(&av->refcount);
	struct anon_vma *root;

	if (unlikely(left < 0))
		VIOLATION(&inv_anon_vma, "reference dropped at %d", left + 1);
	if (left)
		return;
	root = av->root;
	kmem_cache_free(this_mm()->anon_vma_cache, av);
	if (root != av)
		put_anon_vma(root);
}

/* @av joins the ones that @vma's pages may belong to. The root's rwsem is taken here. */
static void chain_link(struct vm_area_struct *vma, struct anon_vma_chain *avc, struct anon_vma *av)
{
	avc->vma = vma;
	avc->anon_vma = av;
	atomic_inc(&av->refcount);
	cds_list_add(&avc->same_vma, &vma->anon_vma_chain);
	down_write(&av->root->rwsem);
	cds_list_add_tail(&avc->same_anon_vma, &av->chains);
	up_write(&av->root->rwsem);
}

static __noinline int anon_vma_prepare_slow(struct vm_area_struct *vma, struct anon_vma *root)
{
	struct mm_struct *mm = vma->vm_mm;
	struct anon_vma_chain *avc =
		kmem_cache_alloc_at(this_mm()->avc_cache, ALLOC_SITE_anon_vma_chain);
	struct anon_vma *av = avc ? anon_vma_alloc(root) : NULL;

	if (!av) {
		if (avc)
			kmem_cache_free(this_mm()->avc_cache, avc);
		return -ENOMEM;
	}
	avc->vma = vma;
	avc->anon_vma = av;
	init_once(av->refcount, 1);
	/* Nobody else knows av: its list needs no lock yet. */
	cds_list_add(&avc->same_anon_vma, &av->chains);
	/* Faults of several threads come here with mmap_sem for reading. */
	spin_lock(&mm->page_table_lock);
	if (!READ_ONCE(vma->anon_vma)) {
		cds_list_add(&avc->same_vma, &vma->anon_vma_chain);
		smp_store_release(&vma->anon_vma, av);
		spin_unlock(&mm->page_table_lock);
		return 0;
	}
	spin_unlock(&mm->page_table_lock);
	put_anon_vma(av);
	kmem_cache_free(this_mm()->avc_cache, avc);
	return 0;
}

int anon_vma_prepare(struct vm_area_struct *vma)
{
	if (likely(smp_load_acquire(&vma->anon_vma)))
		return 0;
	return anon_vma_prepare_slow(vma, NULL);
}

int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	struct anon_vma_chain *from;

	cds_list_for_each_entry_reverse(from, &src->anon_vma_chain, same_vma) {
		struct anon_vma_chain *avc =
			kmem_cache_alloc_at(this_mm()->avc_cache, ALLOC_SITE_anon_vma_chain);

		if (!avc) {
			unlink_anon_vmas(dst);
			return -ENOMEM;
		}
		chain_link(dst, avc, from->anon_vma);
	}
	return 0;
}

int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *parent)
{
	init_once(vma->anon_vma, NULL);
	if (!parent->anon_vma)
		return 0;
	if (anon_vma_clone(vma, parent))
		return -ENOMEM;
	/* New pages of the child belong to the child alone: they get an anon_vma of their own, so
	 * that a walk for them does not visit the parent. */
	if (anon_vma_prepare_slow(vma, parent->anon_vma->root)) {
		unlink_anon_vmas(vma);
		return -ENOMEM;
	}
	return 0;
}

void unlink_anon_vmas(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc, *next;

	cds_list_for_each_entry_safe(avc, next, &vma->anon_vma_chain, same_vma) {
		struct anon_vma *av = avc->anon_vma;

		down_write(&av->root->rwsem);
		cds_list_del(&avc->same_anon_vma);
		up_write(&av->root->rwsem);
		cds_list_del(&avc->same_vma);
		kmem_cache_free(this_mm()->avc_cache, avc);
		put_anon_vma(av);
	}
	init_once(vma->anon_vma, NULL);
}

void page_add_new_anon_rmap(struct page *p, struct vm_area_struct *vma, u64 addr)
{
	/* Nobody else has the page yet. */
	init_once(p->mapcount, 0);
	init_once(p->flags, oracle_read(p->flags) | 1u << PG_anon_exclusive);
	/* Idle page tracking, which holds no lock, may come between these: with the index or the
	 * mapping of an earlier life it walks the wrong VMAs, and finds the page in none of their
	 * entries. */
	init_once(p->index, linear_page_index(vma, addr));
	init_once(p->mapping, (void *)((unsigned long)vma->anon_vma | PAGE_MAPPING_ANON));
	lru_cache_add_new(p);
	if (unlikely(vma->vm_flags & VM_LOCKED))
		mlock_vma_page(p);
}

void page_add_anon_rmap(struct page *p)
{
	atomic_inc(&p->mapcount);
}

void page_add_file_rmap(struct page *p)
{
	atomic_inc(&p->mapcount);
}

void page_remove_rmap(struct page *p)
{
	s32 left = (s32)atomic_dec_return(&p->mapcount);

	if (unlikely(left < -1))
		VIOLATION(&inv_bad_mapcount, "pfn %llu: mapcount %d after unmapping",
			  (unsigned long long)page_to_pfn(p), left);
	if (left >= 0)
		return;
	if (unlikely(page_flag(p, PG_mlocked)))
		clear_page_mlock(p);
	if (page_is_anon(p))
		mem_cgroup_uncharge(p);
}

/* The address that a page with this index has in @vma, if it lies in it. */
static bool vma_address(const struct vm_area_struct *vma, u64 index, u64 *addr)
{
	if (index < vma->vm_pgoff || index - vma->vm_pgoff >= vma_pages(vma))
		return false;
	*addr = vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
	return true;
}

/* A walk has come to @vma, on whose list it is. */
static void check_hooked(const struct vm_area_struct *vma)
{
	if (unlikely(oracle_read(vma->oracle_tables_freed)))
		VIOLATION(&inv_hooked, "VMA %u [%#llx, %#llx) of mm%u has no page tables any more",
			  vma->id, (unsigned long long)vma->vm_start,
			  (unsigned long long)vma->vm_end, vma->vm_mm->context.id);
}

/* An anonymous page is looked for in @vma, where the entries may be somewhere else just now. */
static void check_in_place(const struct vm_area_struct *vma)
{
	if (unlikely(oracle_read(vma->oracle_moving)))
		VIOLATION(&inv_moving,
			  "the entries of VMA %u [%#llx, %#llx) of mm%u are being moved", vma->id,
			  (unsigned long long)vma->vm_start, (unsigned long long)vma->vm_end,
			  vma->vm_mm->context.id);
}

typedef bool (*rmap_one)(struct page *p, struct vm_area_struct *vma, u64 addr, void *arg);

/*
 * The anon_vma of a page that may be unmapped at any moment: its memory is not given back while we
 * look (RCU read section), and its count tells whether it is still one.
 */
static struct anon_vma *page_get_anon_vma(struct page *p)
{
	struct anon_vma *av = NULL;
	unsigned long mapping;

	rcu_read_lock();
	mapping = (unsigned long)READ_ONCE(p->mapping);
	if ((mapping & PAGE_MAPPING_ANON) && page_mapped(p)) {
		av = (struct anon_vma *)(mapping & ~PAGE_MAPPING_ANON);
		if (!atomic_inc_not_zero(&av->refcount)) {
			av = NULL;
		} else if (!page_mapped(p)) {
			rcu_read_unlock();
			put_anon_vma(av);
			return NULL;
		}
	}
	rcu_read_unlock();
	return av;
}

static void rmap_walk_anon(struct page *p, rmap_one one, void *arg)
{
	struct anon_vma *av = page_get_anon_vma(p);
	struct anon_vma_chain *avc;
	u64 addr, index = READ_ONCE(p->index);

	if (!av)
		return;
	down_read(&av->root->rwsem);
	cds_list_for_each_entry(avc, &av->chains, same_anon_vma) {
		check_hooked(avc->vma);
		if (vma_is_temporary_stack(avc->vma)) {
			count_vm_event(VMSTAT_rmap_passed_over);
			continue;
		}
		check_in_place(avc->vma);
		if (vma_address(avc->vma, index, &addr) && !one(p, avc->vma, addr, arg))
			break;
	}
	up_read(&av->root->rwsem);
	put_anon_vma(av);
}

static void rmap_walk_file(struct page *p, rmap_one one, void *arg)
{
	struct address_space *mapping = READ_ONCE(p->mapping);
	struct vm_area_struct *vma;
	u64 addr;

	if (!mapping)
		return;
	mutex_lock(&mapping->i_mmap_mutex);
	cds_list_for_each_entry(vma, &mapping->i_mmap, shared) {
		check_hooked(vma);
		if (vma_address(vma, p->index, &addr) && !one(p, vma, addr, arg))
			break;
	}
	mutex_unlock(&mapping->i_mmap_mutex);
}

void rmap_walk(struct page *p, rmap_one one, void *arg)
{
	if (page_is_anon(p))
		rmap_walk_anon(p, one, arg);
	else
		rmap_walk_file(p, one, arg);
}

/* The entry at @addr, locked, if it maps @p; NULL otherwise. */
static pteval_t *page_check_address(struct page *p, struct mm_struct *mm, u64 addr,
				    spinlock_t **ptl)
{
	pteval_t *pte = pte_find_lock(mm, addr, ptl);

	if (!pte)
		return NULL;
	if (pte_present(READ_ONCE(*pte)) && pte_pfn(READ_ONCE(*pte)) == page_to_pfn(p))
		return pte;
	spin_unlock(*ptl);
	return NULL;
}

static bool mkclean_one(struct page *p, struct vm_area_struct *vma, u64 addr, void *arg)
{
	struct mm_struct *mm = vma->vm_mm;
	bool *cleaned = arg, changed = false;
	spinlock_t *ptl;
	pteval_t *pte, old;

	if (!(vma->vm_flags & VM_SHARED))
		return true;
	pte = page_check_address(p, mm, addr, &ptl);
	if (!pte)
		return true;
	if (READ_ONCE(*pte) & (PTE_RW | PTE_DIRTY)) {
		tlb_change_begin(&mm->context);
		/* Cleared for a moment, so that no CPU sets the dirty bit between our look and our
		 * store; a walker that comes meanwhile faults and waits for the pte lock. */
		old = xchg(pte, 0);
		if (!planted(KNOB_MKCLEAN_NO_FLUSH))
			flush_tlb_page(&mm->context, addr);
		WRITE_ONCE(*pte, old & ~(PTE_RW | PTE_DIRTY));
		if (old & PTE_DIRTY)
			set_page_dirty(p);
		changed = true;
	}
	spin_unlock(ptl);
	if (changed) {
		/* What a device has written until now is in the page before it is copied. */
		if (!planted(KNOB_MKCLEAN_NOT_NOTIFIED))
			mmu_notifier_invalidate_page(mm, addr);
		tlb_change_end(&mm->context);
		*cleaned = true;
	}
	return true;
}

bool page_mkclean(struct page *p)
{
	bool cleaned = false;

	/* rmap removal of dirty pages waits for the flush: who is not mapped cannot be written. */
	if (page_mapped(p))
		rmap_walk_file(p, mkclean_one, &cleaned);
	return cleaned;
}

static bool referenced_one(struct page *p, struct vm_area_struct *vma, u64 addr, void *arg)
{
	u32 *referenced = arg;
	spinlock_t *ptl;
	pteval_t *pte = page_check_address(p, vma->vm_mm, addr, &ptl);

	if (!pte)
		return true;
	/* No flush: a CPU that goes on using its entry does not set the bit again, and the page
	 * looks older than it is. Races on the accessed bit alone are accepted. */
	if (atomic_fetch_and(~PTE_ACCESSED, pte) & PTE_ACCESSED)
		(*referenced)++;
	spin_unlock(ptl);
	return true;
}

u32 page_referenced(struct page *p)
{
	u32 referenced = 0;

	rmap_walk(p, referenced_one, &referenced);
	return referenced;
}
