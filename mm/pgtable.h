// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables: finding, making and freeing them. Level 3 is the page global directory, 2 the page
 * upper directory, 1 the page middle directory, 0 the page table.
 *
 * Locks: a pgd or pud entry is filled in under mm->page_table_lock; a pmd entry under the lock of
 * the pmd page; a pte under the lock of the page-table page. Going down needs no lock while
 * mmap_sem (or the last reference, or the rmap lock that free_pgtables takes first) keeps the
 * tables in place.
 */
#ifndef MM_PGTABLE_H
#define MM_PGTABLE_H

#include "mm/mm_machine.h"
#include "mm/mm_types.h"

#define LEVEL_PTE 0
#define LEVEL_PMD 1
#define LEVEL_PUD 2
#define LEVEL_PGD 3

static inline u64 level_span(u32 level)
{
	return 1ULL << (PAGE_SHIFT + TABLE_BITS * (level + 1)); /* of one whole table */
}

static inline u64 entry_span(u32 level)
{
	return 1ULL << (PAGE_SHIFT + TABLE_BITS * level); /* of one entry */
}

/* The entry for @addr in the table in frame @pfn. */
static __always_inline_fn pteval_t *table_entry(u64 pfn, u32 level, u64 addr)
{
	return &this_vcpu()->machine->tlb->mem.frames[pfn].table[table_index(addr, level)];
}

static __always_inline_fn spinlock_t *table_lock_of(u64 pfn)
{
	return &pfn_to_page(pfn)->ptl;
}

/* Where the pte for an address is. */
struct pte_place {
	pteval_t *pte;
	spinlock_t *ptl;
	u64 table_pfn;
};

/* Goes down to the page table of @addr, without making anything: false if there is none. A bad
 * entry on the way is reported. */
bool pte_find(struct mm_struct *mm, u64 addr, struct pte_place *where);

/* The same, making the tables that are missing: false without memory. */
bool pte_alloc(struct mm_struct *mm, u64 addr, struct pte_place *where);

/* An upper-level entry points to a table of the level below, or to nothing: true for a table (its
 * frame in *pfn). Anything else is a bad entry. One read. */
bool table_present(pteval_t *entry, u32 level, u64 addr, u64 *pfn);

#endif
