// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/pgtable.h"

#include <errno.h>

#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_table_new, 380, 0, "page table", "level %llu in pfn %llu");
EVENT_DESC(ev_table_free, 381, 0, "page table freed", "level %llu in pfn %llu");

INVARIANT(inv_bad_entry, "bad-page-table-entry",
	  "an upper-level entry is empty or points to a live table of the level below");

bool table_present(pteval_t *entry, u32 level, u64 addr, u64 *pfn)
{
	/* Acquire: pairs with fill_in()'s release. The table and its lock are initialised. */
	pteval_t value = smp_load_acquire(entry);
	u64 child;

	if (!value)
		return false;
	child = pte_pfn(value);
	if (unlikely((value & ~PTE_PFN_MASK) != PTE_TABLE || child >= this_mm()->nr_pages))
		VIOLATION(&inv_bad_entry, "level %u entry %#llx for address %#llx", level,
			  (unsigned long long)value, (unsigned long long)addr);
	*pfn = child;
	return true;
}

/* The table that @entry points to is still one: who goes down without its lock relies on that. */
static void check_table(u64 pfn, u32 level, u64 addr)
{
	if (unlikely(oracle_read(this_vcpu()->machine->tlb->mem.frames[pfn].state) != FRAME_TABLE))
		VIOLATION(&inv_bad_entry,
			  "level %u entry for address %#llx points to pfn %llu, which is no table",
			  level, (unsigned long long)addr, (unsigned long long)pfn);
}

static inline void place(struct pte_place *where, u64 pfn, u64 addr)
{
	where->table_pfn = pfn;
	where->pte = table_entry(pfn, LEVEL_PTE, addr);
	where->ptl = table_lock_of(pfn);
}

bool pte_find(struct mm_struct *mm, u64 addr, struct pte_place *where)
{
	u64 pfn = mm->context.root;

	for (u32 level = LEVEL_PGD; level > LEVEL_PTE; level--) {
		if (!table_present(table_entry(pfn, level, addr), level, addr, &pfn))
			return false;
		check_table(pfn, level, addr);
	}
	place(where, pfn, addr);
	return true;
}

/* Makes the table below @entry. True unless there is no memory. */
static __noinline bool fill_in(struct mm_struct *mm, u64 table_pfn, pteval_t *entry, u32 level)
{
	enum alloc_site site = ALLOC_SITE_pte + (level - LEVEL_PMD);
	struct page *table = alloc_page_at(PAGE_TABLE, site);
	spinlock_t *lock = level == LEVEL_PMD ? table_lock_of(table_pfn) : &mm->page_table_lock;
	u64 pfn;

	if (!table)
		return false;
	pfn = page_to_pfn(table);
	spin_lock_init(&table->ptl, level == LEVEL_PMD ? LOCK_CLASS_ptl : LOCK_CLASS_ptl_pmd);
	spin_lock(lock);
	if (READ_ONCE(*entry)) {
		/* Somebody else was faster. */
		spin_unlock(lock);
		put_page(table);
		return true;
	}
	if (level == LEVEL_PMD)
		atomic_inc(&mm->nr_ptes);
	/* Release: whoever finds the table finds it empty and its lock initialised. */
	smp_store_release(entry, pfn_pte(pfn, PTE_TABLE));
	spin_unlock(lock);
	event_record(&ev_table_new, level - 1, pfn);
	return true;
}

bool pte_alloc(struct mm_struct *mm, u64 addr, struct pte_place *where)
{
	u64 pfn = mm->context.root;

	for (u32 level = LEVEL_PGD; level > LEVEL_PTE; level--) {
		pteval_t *entry = table_entry(pfn, level, addr);
		u64 below;

		while (unlikely(!table_present(entry, level, addr, &below))) {
			if (!fill_in(mm, pfn, entry, level))
				return false;
		}
		pfn = below;
		check_table(pfn, level, addr);
	}
	place(where, pfn, addr);
	return true;
}

int pgd_alloc(struct mm_struct *mm)
{
	struct page *table = alloc_page_at(PAGE_TABLE, ALLOC_SITE_pgd);

	if (!table)
		return -ENOMEM;
	spin_lock_init(&table->ptl, LOCK_CLASS_ptl_pmd);
	mm->context.root = page_to_pfn(table);
	return 0;
}

void pgd_free(struct mm_struct *mm)
{
	put_page(pfn_to_page(mm->context.root));
}

pteval_t *pte_find_lock(struct mm_struct *mm, u64 addr, spinlock_t **ptl)
{
	struct pte_place where;

	if (!pte_find(mm, addr, &where))
		return NULL;
	spin_lock(where.ptl);
	/* Nor can it have gone while we waited for its lock. */
	check_table(where.table_pfn, LEVEL_PTE, addr);
	*ptl = where.ptl;
	return where.pte;
}

/*
 * Frees the tables below @table_pfn (of @level) that only [addr, end) needs. A table goes when the
 * whole of what it spans lies between @floor and @ceiling (0: no limit above): then no VMA outside
 * the range can have an entry in it.
 */
static void free_tables(struct mmu_gather *tlb, u64 table_pfn, u32 level, u64 addr, u64 end,
			u64 floor, u64 ceiling)
{
	u64 span = entry_span(level);
	u64 base = addr & ~(span - 1);

	for (; base < end; base += span) {
		pteval_t *entry = table_entry(table_pfn, level, base);
		u64 child;

		if (!table_present(entry, level, base, &child))
			continue;
		if (level > LEVEL_PMD)
			free_tables(tlb, child, level - 1, max(addr, base), min(end, base + span),
				    floor, ceiling);
		if (base < floor || (ceiling && base + span > ceiling))
			continue;
		/* The parent's entry first: a walk that starts now does not find the table. */
		WRITE_ONCE(*entry, 0);
		if (level == LEVEL_PMD && !planted(KNOB_NR_PTES_NOT_LOWERED))
			atomic_dec(&tlb->mm->nr_ptes);
		event_record(&ev_table_free, level - 1, child);
		count_vm_event(VMSTAT_pgtables_freed);
		tlb_remove_table(tlb, pfn_to_page(child), base, span);
	}
}

void free_pgd_range(struct mmu_gather *tlb, u64 addr, u64 end, u64 floor, u64 ceiling)
{
	free_tables(tlb, tlb->mm->context.root, LEVEL_PGD, addr, end, floor, ceiling);
}

void free_pgtables(struct mmu_gather *tlb, struct vm_area_struct **vmas, u32 nr, u64 floor,
		   u64 ceiling)
{
	for (u32 i = 0; i < nr;) {
		u64 addr = vmas[i]->vm_start, end;
		u32 first = i;

		/* Neighbours share tables: take those that are near together. */
		do {
			/* No rmap walk may come to this VMA from here on: it would walk tables that
			 * are going away. */
			if (likely(!planted(KNOB_RMAP_UNLINKED_LATE)))
				unlink_anon_vmas(vmas[i]);
			if (vmas[i]->vm_file)
				unlink_file_vma(vmas[i]);
			end = vmas[i]->vm_end;
			i++;
		} while (i < nr && vmas[i]->vm_start <= end + PMD_SIZE);
		free_tables(tlb, tlb->mm->context.root, LEVEL_PGD, addr, end, floor,
			    i < nr ? vmas[i]->vm_start : ceiling);
		for (; first < i; first++)
			init_once(vmas[first]->oracle_tables_freed, 1);
	}
}
