// SPDX-License-Identifier: GPL-2.0-or-later
/* The LRU lists, pagevecs, mlock of pages, and dropping references many at a time. */
#include "smp/spinlock.h"
#include "tests/mm_page_machine.h"

/* On this machine a pagevec takes the full PAGEVEC_SIZE. */
#define PAGES 512

static struct page *file_page(struct machine *m)
{
	struct page *p = alloc_page(PAGE_USER);

	p->mapping = m;
	lru_cache_add(p);
	return p;
}

static void put_file_page(struct page *p)
{
	p->mapping = NULL;
	put_page(p);
}

/* --- Pagevecs --------------------------------------------------------------------------------- */

static void task_waits_in_pagevec(void *arg)
{
	struct machine *m = arg;
	struct page *anon = new_anon_page(NULL), *file = file_page(m);

	check(anon->refcount == 2 && file->refcount == 2);
	check(!(anon->flags & 1u << PG_lru) && lru_pagevec_cpu(anon) == (s32)smp_processor_id());
	check(lru_pagevec_refs(m, page_to_pfn(anon)) == 1);
	check(!lru_size(m, LRU_INACTIVE_ANON));
	audit_pages(m);
	lru_add_drain();
	check(anon->refcount == 1 && file->refcount == 1 && lru_pagevec_cpu(anon) < 0);
	check(anon->flags == 1u << PG_lru && file->flags == 1u << PG_lru);
	check(!lru_pagevec_refs(m, page_to_pfn(anon)));
	check(lru_size(m, LRU_INACTIVE_ANON) == 1 && lru_size(m, LRU_INACTIVE_FILE) == 1);
	audit_pages(m);
	put_page(anon);
	put_file_page(file);
	check(!lru_size(m, LRU_INACTIVE_ANON) && !lru_size(m, LRU_INACTIVE_FILE));
	check(nr_free_pages(m) == PAGES);
	audit_pages(m);
}

Test(lru, a_page_waits_with_a_reference)
{
	both_executors(2, PAGES, 1, task_waits_in_pagevec);
}

static void task_fills_a_pagevec(void *arg)
{
	struct machine *m = arg;
	struct page *pages[2 * PAGEVEC_SIZE];

	for (u32 i = 0; i < 2 * PAGEVEC_SIZE; i++) {
		pages[i] = new_anon_page(NULL);
		check(lru_size(m, LRU_INACTIVE_ANON) == (i + 1) / PAGEVEC_SIZE * PAGEVEC_SIZE);
	}
	release_pages(pages, 2 * PAGEVEC_SIZE);
	check(nr_free_pages(m) == PAGES);
	audit_pages(m);
}

Test(lru, a_full_pagevec_is_drained)
{
	both_executors(1, PAGES, 1, task_fills_a_pagevec);
}

static void task_small_pagevec(void *arg)
{
	struct machine *m = arg;
	struct page *a = new_anon_page(NULL), *b;

	check(a->refcount == 2);
	b = new_anon_page(NULL);
	check(a->refcount == 1 && b->refcount == 1 && lru_size(m, LRU_INACTIVE_ANON) == 2);
	put_page(a);
	put_page(b);
}

Test(lru, pagevecs_of_small_machines_are_small)
{
	both_executors(4, 64, 1, task_small_pagevec);
}

static void task_last_reference_is_the_pagevecs(void *arg)
{
	struct machine *m = arg;
	struct page *p = new_anon_page(memcg_get(m, 1)), *q = new_anon_page(NULL);
	u32 generation = frame_generation(page_frame(p));

	put_page(p);
	check(p->refcount == 1 && nr_free_pages(m) == PAGES - 2);
	audit_pages(m);
	lru_add_drain();
	check(!p->refcount && frame_generation(page_frame(p)) == generation + 1);
	check(lru_size(m, LRU_INACTIVE_ANON) == 1 && nr_free_pages(m) == PAGES - 1);
	put_page(q);
	audit_pages(m);
}

Test(lru, a_page_that_only_its_pagevec_holds_is_freed_by_the_drain)
{
	both_executors(2, PAGES, 1, task_last_reference_is_the_pagevecs);
}

/* An allocation that finds nothing lets go of what only the own pagevec holds. */
static void task_drain_before_failing(void *arg)
{
	struct machine *m = arg;
	struct page *p = new_anon_page(NULL), *last = NULL, *q;

	put_page(p);
	check(p->refcount == 1);
	for (u32 i = 0; i < PAGES; i++) {
		last = alloc_page(PAGE_USER);
		check(last);
	}
	check(last == p && !alloc_page(PAGE_USER));
	put_page(p);

	/* The same for a block: one half waits in the pagevec, the other in the per-CPU list. */
	q = new_anon_page(NULL);
	check(q == p);
	put_page(q);
	put_page(&m->mm->pages[page_to_pfn(p) ^ 1]);
	check(alloc_pages(1) == &m->mm->pages[page_to_pfn(p) & ~1ULL]);
	page_alloc_audit(m);
}

Test(lru, drained_before_an_allocation_fails)
{
	both_executors(1, PAGES, 1, task_drain_before_failing);
}

static void task_added_twice(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	lru_cache_add(p);
}

static void task_added_twice_new(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	lru_cache_add_new(p);
}

static void task_added_from_list(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	lru_add_drain();
	lru_cache_add(p);
}

static void task_added_from_list_new(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	lru_add_drain();
	lru_cache_add_new(p);
}

/* Set by somebody while it waits. */
static void task_marked_while_it_waits(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	page_flag_set(p, PG_lru);
	lru_add_drain();
}

static void task_freed_while_it_waits(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	p->refcount = 0;
	free_page(p);
}

static void task_dropped_while_it_waits(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	p->refcount = 0;
	lru_add_drain();
}

static void task_freed_while_it_waits_to_be_activated(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	lru_add_drain();
	mark_page_accessed(p);
	mark_page_accessed(p);
	check(p->refcount == 2);
	put_page(p);
	put_page(p);
}

Test(lru, wrong_use_of_pagevecs)
{
	expect_task_violates(task_added_twice, "lru-added-twice");
	expect_task_violates(task_added_twice_new, "lru-added-twice");
	expect_task_violates(task_added_from_list, "lru-added-twice");
	expect_task_violates(task_added_from_list_new, "lru-added-twice");
	expect_task_violates(task_marked_while_it_waits, "lru-added-twice");
	expect_task_violates(task_freed_while_it_waits, "page-freed-in-pagevec");
	expect_task_violates(task_dropped_while_it_waits, "page-freed-in-pagevec");
	expect_task_violates(task_freed_while_it_waits_to_be_activated, "page-freed-in-pagevec");
}

/* --- Age -------------------------------------------------------------------------------------- */

static void task_ages(void *arg)
{
	struct machine *m = arg;
	struct page *anon = new_anon_page(NULL), *file = file_page(m), *waiting;

	lru_add_drain();
	mark_page_accessed(file);
	check(file->flags == (1u << PG_lru | 1u << PG_referenced) && file->refcount == 1);
	mark_page_accessed(file);
	/* It waits to be activated, with a reference. */
	check(file->flags == 1u << PG_lru && file->refcount == 2);
	check(lru_pagevec_refs(m, page_to_pfn(file)) == 1);
	audit_pages(m);
	lru_add_drain();
	check(file->flags == (1u << PG_lru | 1u << PG_active) && file->refcount == 1);
	check(lru_size(m, LRU_ACTIVE_FILE) == 1 && !lru_size(m, LRU_INACTIVE_FILE));
	check(vmstat_sum(m, VMSTAT_pgactivate) == 1);
	mark_page_accessed(file);
	mark_page_accessed(file);
	check(file->flags == (1u << PG_lru | 1u << PG_active | 1u << PG_referenced));

	mark_page_accessed(anon);
	mark_page_accessed(anon);
	lru_add_drain();
	check(lru_size(m, LRU_ACTIVE_ANON) == 1);

	/* One that waits in the own pagevec becomes active on its way to the list. */
	waiting = new_anon_page(NULL);
	mark_page_accessed(waiting);
	mark_page_accessed(waiting);
	check(waiting->flags == 1u << PG_active && waiting->refcount == 2);
	lru_add_drain();
	check(waiting->flags == (1u << PG_active | 1u << PG_lru) &&
	      lru_size(m, LRU_ACTIVE_ANON) == 2);
	audit_pages(m);
	put_page(anon);
	put_page(waiting);
	put_file_page(file);
	check(nr_free_pages(m) == PAGES);
	audit_pages(m);
}

Test(lru, accessed_twice_is_active)
{
	both_executors(1, PAGES, 1, task_ages);
}

/* Freed while it waits to be activated: the drain finds the last reference. */
static void task_freed_after_activation(void *arg)
{
	struct machine *m = arg;
	struct page *p = new_anon_page(NULL);

	lru_add_drain();
	mark_page_accessed(p);
	mark_page_accessed(p);
	put_page(p);
	check(p->refcount == 1);
	lru_add_drain();
	check(!p->refcount && nr_free_pages(m) == PAGES && !lru_size(m, LRU_ACTIVE_ANON));
	audit_pages(m);
}

Test(lru, activated_and_freed)
{
	both_executors(1, PAGES, 1, task_freed_after_activation);
}

/* What has become of a page while it waited to be activated. */
static void task_changed_before_activation(void *arg)
{
	struct machine *m = arg;
	struct page *twice = new_anon_page(NULL), *locked = new_anon_page(NULL);
	struct page *gone = new_anon_page(NULL);

	lru_add_drain();
	for (u32 i = 0; i < 4; i++)
		mark_page_accessed(twice);
	mark_page_accessed(locked);
	mark_page_accessed(locked);
	mark_page_accessed(gone);
	mark_page_accessed(gone);
	check(twice->refcount == 3 && locked->refcount == 2 && gone->refcount == 2);
	mlock_vma_page(locked);
	lru_del_page(gone);
	lru_add_drain();
	check(twice->refcount == 1 && locked->refcount == 1 && gone->refcount == 1);
	check(vmstat_sum(m, VMSTAT_pgactivate) == 1 && lru_size(m, LRU_ACTIVE_ANON) == 1);
	check(locked->flags == (1u << PG_lru | 1u << PG_mlocked | 1u << PG_unevictable));
	check(!gone->flags);
	munlock_vma_page(locked);
	put_page(twice);
	put_page(locked);
	put_page(gone);
	audit_pages(m);
	check(nr_free_pages(m) == PAGES);
}

Test(lru, changed_before_activation)
{
	both_executors(1, PAGES, 1, task_changed_before_activation);
}

/* The first page of the inactive file list is the newest; the last one is where reclaim looks. */
static void task_rotates(void *arg)
{
	struct machine *m = arg;
	struct page *p[3];

	for (u32 i = 0; i < 3; i++)
		p[i] = file_page(m);
	lru_add_drain();
	check(p[2]->lru.next == &p[1]->lru && p[1]->lru.next == &p[0]->lru);
	rotate_reclaimable_page(p[1]);
	check(p[2]->lru.next == &p[0]->lru && p[0]->lru.next == &p[1]->lru);
	check(vmstat_sum(m, VMSTAT_pgrotated) == 1);
	page_flag_set(p[0], PG_dirty);
	rotate_reclaimable_page(p[0]);
	page_flag_set(p[2], PG_locked);
	rotate_reclaimable_page(p[2]);
	page_flag_clear(p[2], PG_locked);
	check(vmstat_sum(m, VMSTAT_pgrotated) == 1 && lru_size(m, LRU_INACTIVE_FILE) == 3);
	audit_pages(m);
	for (u32 i = 0; i < 3; i++)
		put_file_page(p[i]);
	audit_pages(m);
}

Test(lru, rotation)
{
	both_executors(1, PAGES, 1, task_rotates);
}

/* --- mlock ------------------------------------------------------------------------------------ */

static void task_mlocks(void *arg)
{
	struct machine *m = arg;
	struct page *p = new_anon_page(NULL), *active = new_anon_page(NULL), *waiting;
	const u32 locked = 1u << PG_lru | 1u << PG_mlocked | 1u << PG_unevictable;

	lru_add_drain();
	mark_page_accessed(active);
	mark_page_accessed(active);
	lru_add_drain();
	mlock_vma_page(p);
	mlock_vma_page(p);
	mlock_vma_page(active);
	check(p->flags == locked && active->flags == locked);
	check(lru_size(m, LRU_UNEVICTABLE) == 2 && !lru_size(m, LRU_INACTIVE_ANON) &&
	      !lru_size(m, LRU_ACTIVE_ANON));
	check(vmstat_sum(m, VMSTAT_unevictable_pgs_mlocked) == 2);
	audit_pages(m);
	/* Age is not looked at while it cannot be reclaimed. */
	mark_page_accessed(p);
	mark_page_accessed(p);
	check(p->flags == (locked | 1u << PG_referenced) && p->refcount == 1);
	munlock_vma_page(p);
	munlock_vma_page(p);
	check(p->flags == (1u << PG_lru | 1u << PG_referenced));
	check(lru_size(m, LRU_UNEVICTABLE) == 1 && lru_size(m, LRU_INACTIVE_ANON) == 1);
	check(vmstat_sum(m, VMSTAT_unevictable_pgs_munlocked) == 1);
	clear_page_mlock(active);
	clear_page_mlock(active);
	check(active->flags == 1u << PG_lru && !lru_size(m, LRU_UNEVICTABLE));
	check(vmstat_sum(m, VMSTAT_unevictable_pgs_munlocked) == 2);

	waiting = new_anon_page(NULL);
	mlock_vma_page(waiting);
	check(waiting->flags == 1u << PG_mlocked);
	lru_add_drain();
	check(waiting->flags == locked && lru_size(m, LRU_UNEVICTABLE) == 1);
	audit_pages(m);
	munlock_vma_page(waiting);
	put_page(p);
	put_page(active);
	put_page(waiting);
	audit_pages(m);
	check(nr_free_pages(m) == PAGES);
}

Test(lru, mlock_and_munlock)
{
	both_executors(1, PAGES, 1, task_mlocks);
}

static void task_frees_mlocked(void *arg)
{
	struct page *p = new_anon_page(NULL);

	(void)arg;
	lru_add_drain();
	mlock_vma_page(p);
	put_page(p);
}

Test(lru, a_page_that_is_freed_is_not_mlocked)
{
	expect_task_violates(task_frees_mlocked, "bad-page-state");
}

/* --- References ------------------------------------------------------------------------------- */

#define MANY 200

static void task_releases_many(void *arg)
{
	struct machine *m = arg;
	struct page *pages[MANY + 10], *held[MANY];
	u32 nr_held = 0;

	for (u32 i = 0; i < MANY; i++) {
		pages[i] = i % 5 == 4	? alloc_page(PAGE_USER)
			   : i % 5 == 3 ? file_page(m)
					: new_anon_page(memcg_get(m, i % 2));
		if (i % 7 == 0) {
			get_page(pages[i]);
			held[nr_held++] = pages[i];
		}
	}
	lru_add_drain();
	for (u32 i = 0; i < MANY; i++) {
		if (!page_is_anon(pages[i]))
			pages[i]->mapping = NULL;
	}
	/* Some of them more than once. */
	for (u32 i = 0; i < 10; i++) {
		get_page(held[i]);
		pages[MANY + i] = held[i];
	}
	release_pages(pages, MANY + 10);
	check(nr_free_pages(m) == PAGES - nr_held);
	audit_pages(m);
	for (u32 i = 0; i < nr_held; i++)
		check(held[i]->refcount == 1);
	release_pages(held, nr_held);
	release_pages(held, 0);
	check(nr_free_pages(m) == PAGES);
	check(!memcg_usage(memcg_get(m, 0)) || memcg_usage(memcg_get(m, 0)) <= CHARGE_BATCH);
	for (u32 l = 0; l < NR_LRU_LISTS; l++)
		check(!lru_size(m, (enum lru_list)l));
	audit_pages(m);
}

Test(lru, release_pages_of_all_kinds)
{
	both_executors(1, PAGES, 1, task_releases_many);
}

static void task_del_page(void *arg)
{
	struct machine *m = arg;
	struct page *p = new_anon_page(NULL);

	lru_add_drain();
	lru_del_page(p);
	lru_del_page(p);
	check(!p->flags && p->refcount == 1 && !lru_size(m, LRU_INACTIVE_ANON));
	audit_pages(m);
	lru_cache_add(p);
	lru_add_drain();
	check(p->flags == 1u << PG_lru);
	put_page(p);
	audit_pages(m);
}

Test(lru, off_the_list_and_on_again)
{
	both_executors(1, PAGES, 1, task_del_page);
}

/* --- The audit -------------------------------------------------------------------------------- */

#define AUDIT(name, spoil)                                                                         \
	static void task_audit_##name(void *arg)                                                   \
	{                                                                                          \
		struct machine *m = arg;                                                           \
		struct page *p = new_anon_page(NULL), *q = new_anon_page(NULL);                    \
		struct page *file = file_page(m), *locked = new_anon_page(NULL), *waiting;         \
                                                                                                   \
		lru_add_drain();                                                                   \
		mlock_vma_page(locked);                                                            \
		waiting = new_anon_page(NULL);                                                     \
		audit_pages(m);                                                                    \
		check(p->flags);                                                                   \
		check(q->flags);                                                                   \
		check(file->flags);                                                                \
		check(waiting);                                                                    \
		spoil;                                                                             \
		lru_audit(m);                                                                      \
	}

AUDIT(nothing, (void)p)
AUDIT(active, page_flag_set(p, PG_active))
AUDIT(not_lru, page_flag_clear(p, PG_lru))
AUDIT(freed, p->refcount = 0)
AUDIT(mapping, file->mapping = p->mapping)
AUDIT(mlocked, page_flag_set(p, PG_mlocked))
AUDIT(not_mlocked, page_flag_clear(locked, PG_mlocked))
AUDIT(evictable, page_flag_clear(locked, PG_unevictable))
AUDIT(off_the_list, cds_list_del(&p->lru))
AUDIT(broken_link, p->lru.prev = q->lru.prev)
AUDIT(flag_without_list, page_flag_set(alloc_page(PAGE_USER), PG_lru))
AUDIT(pagevec_unheld, waiting->refcount = 0)
AUDIT(pagevec_tag, waiting->lru.prev = NULL)
AUDIT(pagevec_listed, page_flag_set(waiting, PG_lru); page_flag_clear(p, PG_lru);
      cds_list_del(&p->lru))

static void task_audit_pagevec_short(void *arg)
{
	struct machine *m = arg;
	struct page *p = new_anon_page(NULL);

	lru_add_drain();
	mark_page_accessed(p);
	mark_page_accessed(p);
	lru_audit(m);
	p->refcount = 0;
	lru_del_page(p);
	lru_audit(m);
}

/* An unlinked neighbour is met when a page is taken off. */
static void task_broken_link_at_del(void *arg)
{
	struct page *p = new_anon_page(NULL), *q = new_anon_page(NULL);

	(void)arg;
	lru_add_drain();
	q->lru.next = q->lru.next->next;
	put_page(p);
}

Test(lru, audit)
{
	both_executors(1, PAGES, 1, task_audit_nothing);
	expect_task_violates(task_audit_active, "lru-lists");
	expect_task_violates(task_audit_not_lru, "lru-lists");
	expect_task_violates(task_audit_freed, "lru-lists");
	expect_task_violates(task_audit_mapping, "lru-lists");
	expect_task_violates(task_audit_mlocked, "lru-lists");
	expect_task_violates(task_audit_not_mlocked, "lru-lists");
	expect_task_violates(task_audit_evictable, "lru-lists");
	expect_task_violates(task_audit_off_the_list, "lru-lists");
	expect_task_violates(task_audit_broken_link, "lru-lists");
	expect_task_violates(task_audit_flag_without_list, "lru-lists");
	expect_task_violates(task_audit_pagevec_unheld, "page-freed-in-pagevec");
	expect_task_violates(task_audit_pagevec_tag, "lru-added-twice");
	expect_task_violates(task_audit_pagevec_listed, "lru-lists");
	expect_task_violates(task_audit_pagevec_short, "page-freed-in-pagevec");
	expect_task_violates(task_broken_link_at_del, "lru-lists");
}
