// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct page: what the kernel knows of a physical frame. Its content and identity are the
 * hardware's (struct frame, tlbshoot/phys.h); both arrays are indexed by the frame number.
 *
 * Who may change what:
 *   flags, refcount, mapcount	atomic
 *   mapping, index		under PG_locked for page-cache pages; by the one who has just
 *allocated the page for anonymous ones lru			lru_lock while PG_lru is set; the
 *owner of the page otherwise ptl			initialised when the page becomes a page
 *table memcg			by who charges or uncharges
 *
 * References (refcount): one for each page-table entry that maps the page, one for the page cache,
 * one for a pending addition to the LRU (pagevec), one for whoever else holds it. At zero the page
 * goes to the allocator. mapcount is -1 when no page-table entry maps the page (v3.14
 * include/linux/mm_types.h).
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <urcu/list.h>

#include "engine/access.h"
#include "smp/spinlock_types.h"
#include "tlbshoot/phys.h"
#include "tlbshoot/tlb.h"

struct mem_cgroup;

enum page_flag {
	PG_locked,
	PG_referenced,
	PG_uptodate,
	PG_dirty,
	PG_lru,
	PG_active,
	PG_writeback,
	PG_unevictable,
	PG_mlocked,
	/* Anonymous: no other mm has had it since it was made, or found to be ours alone (v5.19).
	 * Under the pte lock of its entry. */
	PG_anon_exclusive,
	PG_reserved, /* never freed: the zero page, frames of the emulated driver */
	PG_table,    /* a page table: ptl is in use */
	PG_buddy,    /* free: the first page of a block in the buddy lists; order says how large */
	PG_pcp,	     /* free: inside such a block, or in a per-CPU list */
};

struct page {
	u32 flags; /* 1 << enum page_flag; atomic */
	s32 refcount;
	s32 mapcount;
	u32 order;     /* of a free block, by its first page */
	void *mapping; /* struct address_space, or struct anon_vma | PAGE_MAPPING_ANON */
	u64 index;     /* page offset within the file; page number of the address for anonymous */
	struct cds_list_head lru;
	spinlock_t ptl;
	struct mem_cgroup *memcg;
} __line_aligned;
_Static_assert(sizeof(struct page) == CACHE_LINE, "struct page is one line");

#define PAGE_MAPPING_ANON 1UL

static inline s32 page_count(const struct page *p)
{
	return READ_ONCE(p->refcount);
}

static inline bool page_flag(const struct page *p, enum page_flag f)
{
	return READ_ONCE(p->flags) & (1u << f);
}
static inline void page_flag_set(struct page *p, enum page_flag f)
{
	(void)atomic_fetch_or(1u << f, &p->flags);
}
static inline void page_flag_clear(struct page *p, enum page_flag f)
{
	(void)atomic_fetch_and(~(1u << f), &p->flags);
}
static inline bool page_flag_test_set(struct page *p, enum page_flag f)
{
	return atomic_fetch_or(1u << f, &p->flags) & (1u << f);
}
static inline bool page_flag_test_clear(struct page *p, enum page_flag f)
{
	return atomic_fetch_and(~(1u << f), &p->flags) & (1u << f);
}

static inline bool page_is_anon(const struct page *p)
{
	return (unsigned long)READ_ONCE(p->mapping) & PAGE_MAPPING_ANON;
}

#endif
