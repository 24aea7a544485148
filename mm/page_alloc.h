// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page allocator: a buddy system under one zone lock, and a list of single free pages for each
 * vCPU in front of it, refilled and emptied in batches (v3.14 mm/page_alloc.c, pcp->batch 31; list
 * and batch shrink with the machine, so that a small one does not hide its memory there).
 * A freed page is reused at once, last freed first: a use after free meets the new owner soon.
 *
 * Process context only (page frees by RCU run in process context too); preemption may be on.
 * Inside: zone_lock, and before an allocation fails lru_lock and memcg_lock (lru_add_drain()).
 * Errors: NULL when no page is free, or when alloc_page_at() is told to fail. Free pages in other
 * vCPUs' lists, one in eight at most, are not taken from there.
 * Before a vCPU runs (set-up), make vCPU 0 the current one (vcpu_set_current()).
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "mm/page.h"
#include "smp/fail_alloc.h"

/* Largest block: 2^MAX_ORDER pages (v3.14 MAX_ORDER - 1). */
#define MAX_ORDER 10

/* What the page is for: decides what the frame is set up as. */
enum page_use {
	PAGE_USER,  /* FRAME_DATA, content undefined: clear_user_page() or copy_user_page() */
	PAGE_TABLE, /* FRAME_TABLE, 512 zero entries, PG_table, ptl initialised by the caller */
};

/* Sets up @nr_pages pages, all free, and each vCPU's list. Uses machine->mm, vcpu->mm and
 * machine->tlb->mem, which must be there. 0, -ENOMEM, or -EINVAL for more pages than frames. */
int page_alloc_setup(struct machine *m, u64 nr_pages);

/* One page, refcount 1, mapcount -1, no flags but PG_table for PAGE_TABLE. */
struct page *alloc_page(enum page_use use);

/* The same at a site that may be told to fail. */
static __always_inline_fn struct page *alloc_page_at(enum page_use use, enum alloc_site site)
{
	return unlikely(should_fail_alloc(site)) ? NULL : alloc_page(use);
}

/* 2^order pages, physically contiguous; the first has refcount 1 and stands for all of them, the
 * others have refcount 0. User pages only. */
struct page *alloc_pages(u32 order);

/* Drops the reference that alloc_pages() gave, as put_page() does; checks the order. */
void free_pages_block(struct page *p, u32 order);

/*
 * A page with no references left goes back. Checks ("bad page"): refcount 0, mapcount -1, no
 * mapping, no flags that must not be set; the oracle looks for translations of it (frame_release).
 */
void free_page(struct page *p);
void free_page_list(struct page **pages, u32 nr);

__cold_path void get_page_failed(const struct page *p);

/* One more reference, by somebody who has one already or keeps others from dropping theirs. */
static inline void get_page(struct page *p)
{
	if (unlikely(atomic_inc_return(&p->refcount) <= 1))
		get_page_failed(p);
}

/* Drops a reference. At zero the page is taken off the LRU, uncharged and freed. */
void put_page(struct page *p);

/* Drops a reference of each: one lru_lock for many (v3.14 release_pages); uncharges and frees those
 * that reach zero. mm/lru.c. */
void release_pages(struct page **pages, u32 nr);

/* Takes a reference unless the page is on its way to the allocator. */
bool get_page_unless_zero(struct page *p);

void clear_user_page(struct page *p);
void copy_user_page(struct page *to, const struct page *from);

/* Free pages in the buddy lists and in all per-CPU lists. Exact when the machine is quiet. */
u64 nr_free_pages(const struct machine *m);

/* Pages from this one on were never handed out: all zero, and best not looked at, for the host
 * gives them memory when they are. */
u64 first_fresh_page(const struct machine *m);

/* Empties the current vCPU's list into the buddy lists. */
void drain_local_pages(void);
/* The same for @cpu, which is offline and whose list is the caller's. */
void drain_pages(u32 cpu);
/* For the oracle: pages in @cpu's list. */
u32 pcp_nr_pages(const struct machine *m, u32 cpu);

/* "locked|dirty", for reports; "none" for no flags. Returns @buf or a constant. */
const char *page_flags_text(u32 flags, char *buf, size_t size);

/* Quiet machine: every free page is in exactly one place, blocks are aligned and merged, free pages
 * have no users, and all others have. Reports a violation. */
void page_alloc_audit(struct machine *m);

#endif
