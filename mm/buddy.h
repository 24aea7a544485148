// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The buddy system: free memory in blocks of 2^order pages, each aligned to its size, at most one
 * of two halves free on its own (Knowlton, CACM 8(10), 1965; v3.14 mm/page_alloc.c). Private to
 * page_alloc.c, which keeps the per-CPU lists in front of it.
 *
 * What a free page looks like. All of them: refcount 0, mapcount -1, mapping and memcg NULL. The
 * first page of a block in the lists has PG_buddy, its order in page->order and its links in
 * page->lru. Every other free page has PG_pcp: the pages further inside a block, and those in the
 * per-CPU lists. So a page that is freed again is recognised wherever it lies, and a block that
 * changes hands costs the line of its first page only.
 *
 * Memory that was never used. Pages from zone.fresh on have not been touched since set-up: they are
 * free but in no list, and are opened 2^MAX_ORDER at a time when the lists run dry. A machine with
 * millions of pages is ready at once and costs the host only what it touches.
 *
 * Locking: zone.lock around everything here but buddy_setup() and the audit.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "mm/mm_machine.h"
#include "mm/page_alloc.h"

struct free_area {
	struct cds_list_head blocks; /* page.lru of each block's first page; newest first */
	u64 nr;			     /* blocks */
};

struct zone {
	/* Under lock. */
	spinlock_t lock;
	u32 nonempty; /* bit o: area[o] has blocks */
	u64 nr_free;  /* pages in the lists; read without the lock for statistics */
	u64 fresh;    /* pages from here on were never used; read likewise */
	struct free_area area[MAX_ORDER + 1];

	/* Constant while the machine runs. */
	__line_aligned struct page *pages;
	u64 nr_pages;
	u32 pcp_batch;	 /* pages that move between a per-CPU list and the buddy lists at once */
	u32 pcp_high;	 /* pages that a per-CPU list holds at most */
	u64 *audit_seen; /* a bit a page, made by the first audit */
};

/* All of [0, nr_pages) is fresh. */
void buddy_setup(struct zone *z, struct page *pages, u64 nr_pages);

/* Takes a block of exactly 2^order pages; NULL if there is none. */
struct page *buddy_take(struct zone *z, u32 order);

/* Takes some block of at most @want pages (at least 1), the smallest one first, and puts its order
 * into *order; NULL if nothing is free. */
struct page *buddy_take_some(struct zone *z, u32 want, u32 *order);

/* Gives a block back and merges it with its buddy as often as that is free too. All its pages have
 * PG_pcp. */
void buddy_give(struct zone *z, u64 pfn, u32 order);

/*
 * The same for @nr single pages in any order; @pfns is scratched. Neighbours are merged on the way
 * in, before the lists are looked at: pages mostly come back in the order in which they went.
 */
#define BUDDY_GIVE_MAX 64
void buddy_give_pages(struct zone *z, const u64 *pfns, u32 nr);

/* Quiet machine: marks the pages of all blocks in @seen (a bit a page); reports a violation if
 * lists, counts, flags or merging are wrong. */
void buddy_audit(const struct zone *z, u64 *seen);

/* Marks @pfn in @seen; reports a page that was marked before, as found in @where. */
void buddy_audit_mark(const struct zone *z, u64 *seen, u64 pfn, const char *where);

#endif
