// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory management of one machine: what machine->mm points to, and what each vCPU's
 * vcpu->mm points to. Each member is owned by the file named beside it.
 */
#ifndef MM_MM_MACHINE_H
#define MM_MM_MACHINE_H

#include <urcu/list.h>

#include "engine/machine.h"
#include "mm/page.h"
#include "smp/spinlock_types.h"

struct device_driver;
struct disk;
struct files;
struct kmem_cache;
struct linux_binfmt;
struct lru_machine;
struct lru_percpu;
struct memcg_machine;
struct memcg_percpu;
struct mm_slots;
struct mm_struct;
struct mutex;
struct pcp_list;
struct secondary_tlbs;
struct uprobes;
struct zone;

/* Blocks for arrays of VMAs: 128, 1024, 8192 and 65536 of them. */
#define VMA_ARRAY_SIZES 4

struct mm_machine {
	struct page *pages; /* page.h; nr_pages of them */
	u64 nr_pages;
	struct zone *zone;	     /* page_alloc.c */
	struct lru_machine *lru;     /* lru.c */
	struct memcg_machine *memcg; /* memcg.c */
	struct files *files;	     /* file.c */
	struct disk *disk;	     /* disk.c */
	u32 *audit_counts;	     /* audit.c: scratch, two numbers a page */
	u64 zero_pfn;		     /* the zero page: PG_reserved, mapped by special entries */

	struct mm_struct *init_mm; /* of kernel threads before they borrow another */
	struct kmem_cache *mm_cache, *vma_cache, *anon_vma_cache, *avc_cache;
	spinlock_t mmlist_lock; /* guards mmlist and the mmlist members of mms */
	__line_aligned struct cds_list_head
		mmlist;		       /* every mm_struct from mm_alloc() to its freeing */
	struct cds_list_head swap_mms; /* mmlist_lock: mms that use swap (swap_mms.c) */
	u32 next_mm_id;		       /* atomic */
	u32 next_domain;	       /* atomic; see mm_struct.domain */

	bool table_free_rcu; /* page tables are freed by RCU instead of after the flush alone */
	u32 gather_bundle;   /* pages in a gather's first batch (mmu_gather.h) */
	u32 gather_batches;  /* further batches a gather may have */
	struct kmem_cache *gather_batch_cache, *table_batch_cache;

	spinlock_t commit_lock;
	s64 committed_pages; /* under commit_lock: VM_ACCOUNT pages of all mms */

	struct kmem_cache *vma_arrays[VMA_ARRAY_SIZES]; /* vma.c: arrays beyond vmas_inline */
	struct device_driver *driver;			/* device.c */
	struct mutex *all_locks_mutex;			/* notifier.c: mm_take_all_locks() */
	struct secondary_tlbs *secondary;		/* secondary_tlb.c */
	struct kmem_cache *ioctx_cache, *aio_cache;	/* aio.c */
	spinlock_t binfmt_lock;				/* binfmt_module.c */
	struct linux_binfmt *binfmt;			/* under binfmt_lock; NULL: not loaded */
	u32 binfmts_made;				/* under binfmt_lock */
	struct kmem_cache *binfmt_cache;
	struct mm_slots *slots; /* mm_slots.c: one a scanner */
	struct uprobes *uprobes;
	struct futex_table *futexes; /* futex.c */
};

struct mm_percpu {
	struct pcp_list *pcp;	    /* page_alloc.c */
	struct lru_percpu *lru;	    /* lru.c */
	struct memcg_percpu *memcg; /* memcg.c */
	u32 vmas_made;		    /* vma.c: for the VMAs' numbers */
};

static __always_inline_fn struct mm_machine *this_mm(void)
{
	return this_vcpu()->machine->mm;
}

static __always_inline_fn struct page *pfn_to_page(u64 pfn)
{
	return &this_mm()->pages[pfn];
}

static __always_inline_fn u64 page_to_pfn(const struct page *p)
{
	return (u64)(p - this_mm()->pages);
}

static __always_inline_fn struct frame *page_frame(const struct page *p)
{
	return &this_vcpu()->machine->tlb->mem.frames[page_to_pfn(p)];
}

#endif
