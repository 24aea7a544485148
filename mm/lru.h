// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lists of user pages by age: inactive and active, anonymous and file, and unevictable
 * (mlocked) pages, under lru_lock (v3.14 mm/swap.c, mm/mlock.c). A page on a list has PG_lru.
 *
 * Pagevecs. New pages wait in a pagevec of their vCPU, with a reference, and go onto the lists a
 * batch at a time; so do pages that are to become active. page->lru.prev of a page that waits to be
 * added names the vCPU: nobody else uses the links while PG_lru is clear.
 *
 * Which list a page belongs to follows from PG_mlocked (unevictable), PG_active and page->mapping
 * (anonymous or not). So mapping is set before the page is added, and does not change between
 * anonymous and file until it is freed (a file page that has left its cache has no mapping).
 *
 * mlock sets PG_mlocked, then looks for PG_lru under lru_lock; whoever puts a page on a list looks
 * at PG_mlocked under lru_lock. One of the two sees the other, and the page ends on the right list.
 *
 * Locking: lru_lock is taken inside; no lock is taken inside of it. Pagevecs belong to their vCPU,
 * with preemption off. Process context.
 */
#ifndef MM_LRU_H
#define MM_LRU_H

#include "mm/page.h"

enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE,
	NR_LRU_LISTS,
};

/* v3.14 PAGEVEC_SIZE is 14, later kernels use 31; the lock is taken once in so many pages. A small
 * machine uses less of it: what waits in a pagevec cannot be freed. */
#define PAGEVEC_SIZE 31

int lru_setup(struct machine *m);

/* A page that is on no list and in no pagevec; takes a reference until it is on one. */
void lru_cache_add(struct page *p);

/* The same for a page that nobody but the caller can reach yet: no page table, cache or list knows
 * it. Costs no atomic operation. */
void lru_cache_add_new(struct page *p);

/* This vCPU's pagevecs are emptied onto the lists. */
void lru_add_drain(void);

/* The same for @cpu, which is offline and whose pagevecs are the caller's. */
void lru_add_drain_cpu(u32 cpu);
/* For the oracle: pages that wait in @cpu's pagevecs. */
u32 lru_nr_waiting(const struct machine *m, u32 cpu);

/* A young bit was found: PG_referenced, and a second time onto the active list. */
void mark_page_accessed(struct page *p);

/* Writeback of a page that is to be reclaimed has ended: to the end of its inactive list where
 * reclaim looks first. Nothing for active, locked, dirty and unevictable pages. */
void rotate_reclaimable_page(struct page *p);

/*
 * mlock and munlock of one page (v3.14 mm/mlock.c): PG_mlocked and the unevictable list. Under the
 * pte lock or with a reference. Each does nothing if the page is that way already; whether another
 * VM_LOCKED area maps the page is the caller's to know (v3.14 try_to_munlock).
 */
void mlock_vma_page(struct page *p);
void munlock_vma_page(struct page *p);

/* munlock of a page that is being freed, or whose last mlocked mapping goes (clear_page_mlock). */
void clear_page_mlock(struct page *p);

/* Takes a page off its list for good (it is about to be freed). Under nothing. */
void lru_del_page(struct page *p);

u64 lru_size(const struct machine *m, enum lru_list l);

/* Quiet machine: lists, flags and sizes agree; pages in pagevecs have their references. */
void lru_audit(struct machine *m);

/* References that pagevecs hold on @pfn (quiet machine, for the audit of refcounts; explorer). */
u32 lru_pagevec_refs(const struct machine *m, u64 pfn);

/* The same for all pages at once: adds to @refs, which has a number for each frame. */
void lru_count_pagevec_refs(const struct machine *m, u32 *refs);

/* How page->lru.prev names the vCPU in whose pagevec the page waits: odd, which no link is. */
static inline struct cds_list_head *lru_pagevec_tag(u32 cpu)
{
	return (struct cds_list_head *)(2UL * cpu + 1);
}

/* That vCPU, or -1 for a page that does not wait to be added. */
static inline s32 lru_pagevec_cpu(const struct page *p)
{
	unsigned long tag = (unsigned long)oracle_read(p->lru.prev);

	return tag & 1 ? (s32)(tag / 2) : -1;
}

#endif
