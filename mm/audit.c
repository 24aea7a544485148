// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/audit.h"

#include <string.h>

#include "mm/aio.h"
#include "mm/binfmt_module.h"
#include "mm/device.h"
#include "mm/file.h"
#include "mm/file_private.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/mm_machine.h"
#include "mm/mm_owner.h"
#include "mm/mm_slots.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/secondary_tlb.h"
#include "mm/uprobes.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "tlbshoot/tlb_oracle.h"

INVARIANT(inv_mapcount, "mapcount", "a page's mapcount is the number of entries that map it");
INVARIANT(inv_refcount, "refcount",
	  "a page's refcount is its mappings, its place in the cache and its place in pagevecs");
INVARIANT(inv_rss, "rss", "an mm's counters are what its page tables map, by kind of page");
INVARIANT(inv_nr_ptes, "nr-ptes", "nr_ptes is the number of page-table pages");
INVARIANT(inv_pte_vma, "pte-outside-vma",
	  "an entry maps a page within a VMA, with no more permission than the VMA has");
INVARIANT(inv_shared_writable, "shared-page-writable",
	  "an anonymous page that several entries map is writable through none");
INVARIANT(inv_mm_users, "mm-users", "mm_users is the number of tasks that use the mm");
INVARIANT(
	inv_mm_count, "mm-count",
	"mm_count is one for all users, one for each CPU that has borrowed the mm and one for each "
	"scanner that has it registered");
INVARIANT(inv_mm_idle, "mm-not-quiet",
	  "in a quiet machine no lock of an mm is held and no flush or notifier range is open");
INVARIANT(inv_table_leak, "page-table-leak", "every page table belongs to one mm");
INVARIANT(inv_mapped_free, "free-page-mapped", "no page-table entry leads to a free page");
INVARIANT(inv_leak, "leak", "when everybody has gone, everything has been given back");

struct audit {
	struct machine *m;
	u32 *mapped;  /* entries that map each frame */
	u32 *tables;  /* times that each frame was met as a table */
	u32 *waiting; /* times that it waits in a pagevec, or is somebody's XOL area */
};

/* Of one mm. */
struct count {
	struct audit *a;
	struct mm_struct *mm;
	s64 rss[NR_MM_COUNTERS];
	s64 nr_ptes;
};

static pteval_t *raw_table(const struct machine *m, u64 pfn)
{
	return m->tlb->mem.frames[pfn].table;
}

static void count_pte(struct count *c, u64 addr, pteval_t pte)
{
	struct vm_area_struct *vma = vma_lookup(c->mm, addr);
	u64 pfn = pte_pfn(pte);
	struct page *page;

	if (!vma || ((pte & PTE_RW) && !(vma->vm_flags & VM_WRITE)))
		VIOLATION(&inv_pte_vma, "mm%u: entry %#llx at %#llx, VMA flags %#x",
			  c->mm->context.id, (unsigned long long)pte, (unsigned long long)addr,
			  vma ? vma->vm_flags : 0);
	if (pte & PTE_SPECIAL)
		return;
	page = &c->a->m->mm->pages[pfn];
	c->a->mapped[pfn]++;
	if (page_is_anon(page)) {
		c->rss[MM_ANONPAGES]++;
		if ((pte & PTE_RW) && page_mapcount(page) > 1)
			VIOLATION(&inv_shared_writable,
				  "mm%u: pfn %llu at %#llx is writable, its mapcount is %d",
				  c->mm->context.id, (unsigned long long)pfn,
				  (unsigned long long)addr, page_mapcount(page));
	} else {
		c->rss[MM_FILEPAGES]++;
	}
}

static void count_table(struct count *c, u64 table_pfn, u32 level, u64 base)
{
	const pteval_t *table = raw_table(c->a->m, table_pfn);

	c->a->tables[table_pfn]++;
	if (level == LEVEL_PTE)
		c->nr_ptes++;
	for (u32 i = 0; i < PTRS_PER_TABLE; i++) {
		pteval_t entry = oracle_read(table[i]);
		u64 addr = base + i * entry_span(level);

		if (!entry)
			continue;
		if (level == LEVEL_PTE) {
			if (pte_present(entry))
				count_pte(c, addr, entry);
		} else {
			count_table(c, pte_pfn(entry), level - 1, addr);
		}
	}
}

/* Tasks that use @mm, and CPUs that have borrowed it; what the users' caches add to its counters.
 */
static void count_tasks(struct count *c, u32 *users, u32 *borrowers)
{
	struct machine *m = c->a->m;
	struct task_struct *t;

	cds_list_for_each_entry(t, &m->smp->all_tasks, all_node) {
		if (t->mm != c->mm)
			continue;
		(*users)++;
		for (u32 i = 0; i < NR_MM_COUNTERS; i++)
			c->rss[i] -= t->rss_stat.count[i];
	}
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		t = m->vcpus[i].current_task;
		if (!t->mm && t->active_mm == c->mm)
			(*borrowers)++;
	}
}

static void audit_mm(struct audit *a, struct mm_struct *mm)
{
	struct count c = {.a = a, .mm = mm};
	u32 users = 0, borrowers = 0, expected;
	static const char *const kind[NR_MM_COUNTERS] = {"file", "anonymous"};

	count_table(&c, mm->context.root, LEVEL_PGD, 0);
	count_tasks(&c, &users, &borrowers);
	for (u32 i = 0; i < NR_MM_COUNTERS; i++) {
		if (c.rss[i] != oracle_read(mm->rss[i]))
			VIOLATION(&inv_rss, "mm%u: %lld %s pages counted, %lld mapped",
				  mm->context.id, (long long)oracle_read(mm->rss[i]), kind[i],
				  (long long)c.rss[i]);
	}
	if (c.nr_ptes != oracle_read(mm->nr_ptes))
		VIOLATION(&inv_nr_ptes, "mm%u: nr_ptes %lld, %lld page tables", mm->context.id,
			  (long long)oracle_read(mm->nr_ptes), (long long)c.nr_ptes);
	if (rwsem_is_locked(&mm->mmap_sem) || oracle_read(mm->context.flush_pending) ||
	    oracle_read(mm->oracle_notifier_depth) || oracle_read(mm->page_table_lock.locked))
		VIOLATION(&inv_mm_idle, "mm%u: mmap_sem %s, %u flushes and %u notifier ranges open",
			  mm->context.id, rwsem_is_locked(&mm->mmap_sem) ? "held" : "free",
			  oracle_read(mm->context.flush_pending),
			  oracle_read(mm->oracle_notifier_depth));
	if (mm == a->m->mm->init_mm)
		return;
	if (oracle_read(mm->mm_users) != users)
		VIOLATION(&inv_mm_users, "mm%u: mm_users %u, %u tasks use it", mm->context.id,
			  oracle_read(mm->mm_users), users);
	expected = (users ? 1 : 0) + borrowers + mm_slots_refs(mm);
	if (oracle_read(mm->mm_count) != expected)
		VIOLATION(&inv_mm_count,
			  "mm%u: mm_count %u; %u users, borrowed by %u CPUs, %u scanners know it",
			  mm->context.id, oracle_read(mm->mm_count), users, borrowers,
			  mm_slots_refs(mm));
	mm_owner_audit(mm, users);
	vma_audit(mm);
}

static void audit_page(struct audit *a, u64 pfn)
{
	struct page *page = &a->m->mm->pages[pfn];
	u32 flags = oracle_read(page->flags);
	u32 refs = a->mapped[pfn];

	if (flags & (1u << PG_reserved))
		return;
	if (oracle_read(a->m->tlb->mem.frames[pfn].state) == FRAME_FREE) {
		/* Its struct page is the allocator's, and may never have been touched. */
		if (a->mapped[pfn] || a->tables[pfn])
			VIOLATION(&inv_mapped_free, "pfn %llu: %u entries map it, %u lead to it",
				  (unsigned long long)pfn, a->mapped[pfn], a->tables[pfn]);
		return;
	}
	if ((s32)a->mapped[pfn] != page_mapcount(page))
		VIOLATION(&inv_mapcount, "pfn %llu: mapcount %d, %u entries map it",
			  (unsigned long long)pfn, page_mapcount(page), a->mapped[pfn]);
	if (flags & (1u << PG_table)) {
		if (a->tables[pfn] != 1)
			VIOLATION(&inv_table_leak, "pfn %llu is a page table of %u mms",
				  (unsigned long long)pfn, a->tables[pfn]);
		refs++;
	}
	if (page_in_cache(page))
		refs++;
	refs += a->waiting[pfn];
	if ((s32)refs != oracle_read(page->refcount))
		VIOLATION(
			&inv_refcount,
			"pfn %llu (flags %#x): refcount %d; %u entries map it, %s in the cache, %u "
			"pagevecs have it",
			(unsigned long long)pfn, flags, oracle_read(page->refcount), a->mapped[pfn],
			page_in_cache(page) ? "is" : "is not", a->waiting[pfn]);
}

/* Counters for every frame, all zero but those of pagevecs; false without memory. */
static bool counts_get(struct machine *m, struct audit *a)
{
	u64 nr = m->mm->nr_pages;
	u32 *counts = m->mm->audit_counts;

	if (!counts)
		counts = arena_alloc_dirty(&m->arena, 3 * nr * sizeof(*counts), CACHE_LINE);
	if (!counts)
		return false;
	m->mm->audit_counts = counts;
	memset(counts, 0, 3 * nr * sizeof(*counts));
	*a = (struct audit){m, counts, counts + nr, counts + 2 * nr};
	lru_count_pagevec_refs(m, a->waiting);
	uprobes_count_refs(m, a->waiting);
	return true;
}

/* Pages that nobody has any more but pagevecs: they go when their vCPU next empties them. */
static u64 only_waiting(struct machine *m)
{
	struct audit a;
	u64 nr = 0;

	if (!counts_get(m, &a))
		return 0;
	for (u64 pfn = 0; pfn < m->mm->nr_pages; pfn++) {
		if (a.waiting[pfn] &&
		    oracle_read(m->mm->pages[pfn].refcount) == (s32)a.waiting[pfn])
			nr++;
	}
	return nr;
}

void mm_audit(struct machine *m)
{
	struct mm_machine *mms = m->mm;
	struct audit a;
	struct mm_struct *mm;

	if (!counts_get(m, &a))
		return;
	cds_list_for_each_entry(mm, &mms->mmlist, mmlist)
		audit_mm(&a, mm);
	if (!a.tables[mms->init_mm->context.root])
		audit_mm(&a, mms->init_mm);
	for (u64 pfn = 0; pfn < mms->nr_pages; pfn++)
		audit_page(&a, pfn);
	page_alloc_audit(m);
	lru_audit(m);
	memcg_audit(m);
	device_audit(m);
	files_audit(m);
	tlb_oracle_audit(m);
	secondary_tlb_audit(m);
}

static void expect_unused(const struct kmem_cache *c, s64 expected)
{
	s64 n = kmem_cache_in_use(c);

	if (n != expected)
		VIOLATION(&inv_leak, "%lld objects of %s are in use, %lld should be", (long long)n,
			  c->name, (long long)expected);
}

void mm_audit_leaks(struct machine *m, u64 free_at_start)
{
	struct mm_machine *mms = m->mm;
	struct mm_struct *mm;
	s64 lazy = 0;
	u64 nr_free = nr_free_pages(m), waiting = only_waiting(m);

	/* An idle CPU keeps the structure and the page directory of what it ran last. */
	cds_list_for_each_entry(mm, &mms->mmlist, mmlist) {
		if (mm != mms->init_mm)
			lazy++;
	}
	expect_unused(mms->mm_cache, lazy + 1);
	expect_unused(mms->vma_cache, 0);
	expect_unused(mms->anon_vma_cache, 0);
	expect_unused(mms->avc_cache, 0);
	expect_unused(mms->gather_batch_cache, 0);
	expect_unused(mms->table_batch_cache, 0);
	expect_unused(mms->files->file_cache, 0);
	expect_unused(mms->secondary->cache, 0);
	mm_slots_audit_leaks(m);
	aio_audit_leaks(m);
	binfmt_audit_leaks(m);
	if (mms->committed_pages)
		VIOLATION(&inv_leak, "%lld pages of committed memory are still accounted",
			  (long long)mms->committed_pages);
	if (nr_free + waiting + (u64)lazy != free_at_start)
		VIOLATION(&inv_leak,
			  "%llu pages are free, %llu wait in pagevecs, %lld page directories are "
			  "borrowed; %llu were free at the start",
			  (unsigned long long)nr_free, (unsigned long long)waiting, (long long)lazy,
			  (unsigned long long)free_at_start);
}
