// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reverse mapping: from a page to the page-table entries that map it (v3.14 mm/rmap.c).
 *
 * Anonymous pages point to an anon_vma, which knows the VMAs that may map the page through
 * anon_vma_chains; a fork links the child's VMA into all anon_vmas of the parent's. File pages are
 * found through the address_space's i_mmap. The root anon_vma's rwsem and i_mmap_mutex guard the
 * lists and the bounds of the VMAs on them; the pte lock decides whether an entry really maps the
 * page.
 *
 * An anon_vma lives until its last chain is unlinked and nobody holds refcount.
 */
#ifndef MM_RMAP_H
#define MM_RMAP_H

#include "mm/mm_types.h"

struct anon_vma {
	struct rw_semaphore rwsem; /* of a root; one slot: readers are few */
	struct rwsem_slot slot;
	u32 refcount; /* atomic: one for each chain, one for each rmap walk */
	u32 id;
	struct cds_list_head chains; /* anon_vma_chain.same_anon_vma; root->rwsem */
	/* The first ancestor's, or itself; constant, with a reference. A VMA is on the lists of
	 * many anon_vmas of one family, and its bounds can only change when all of them hold still:
	 * so one lock is for all of them. */
	struct anon_vma *root;
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct anon_vma *anon_vma;
	struct cds_list_head same_vma;	    /* mmap_sem and page_table_lock */
	struct cds_list_head same_anon_vma; /* anon_vma->root->rwsem */
};

/* Gives @vma an anon_vma if it has none. mmap_sem for reading is enough. 0 or -ENOMEM. */
int anon_vma_prepare(struct vm_area_struct *vma);

/* @dst is a piece or a copy of @src (split, fork): it joins all of src's anon_vmas. 0 or -ENOMEM.
 */
int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src);

/* The same, and an anon_vma of the child's own for its new pages. */
int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *parent);

/* Before the VMA's page tables go. mmap_sem for writing, or the last user. */
void unlink_anon_vmas(struct vm_area_struct *vma);

/* Under the pte lock; the entry is being set (add) or has been cleared (remove). */
void page_add_new_anon_rmap(struct page *p, struct vm_area_struct *vma, u64 addr);
void page_add_anon_rmap(struct page *p); /* one more mapping: fork */
void page_add_file_rmap(struct page *p);
void page_remove_rmap(struct page *p);

static inline s32 page_mapcount(const struct page *p)
{
	return READ_ONCE(p->mapcount) + 1;
}
static inline bool page_mapped(const struct page *p)
{
	return page_mapcount(p) > 0;
}

/* Calls @one for every VMA that may map the page, with the page's address in it; stops when it
 * returns false. Takes and drops the list's lock; @p must be held by a reference. */
void rmap_walk(struct page *p,
	       bool (*one)(struct page *p, struct vm_area_struct *vma, u64 addr, void *arg),
	       void *arg);

/* Write-protects and cleans all entries of a shared file page (PG_locked held), flushing each; true
 * if any was dirty or writable. Writeback does this before it reads the page. */
bool page_mkclean(struct page *p);

/* Number of mappings whose accessed bit was set; clears them (v3.14: without a flush). */
u32 page_referenced(struct page *p);

#endif
