// SPDX-License-Identifier: GPL-2.0-or-later
/* What the page allocator notices: wrong frees, pages changed while free, and damage to its lists.
 */
#include "mm/buddy.h"
#include "smp/spinlock.h"
#include "tests/mm_page_machine.h"

/* --- What is noticed -------------------------------------------------------------------------- */

/* A page nobody holds any more, but not given back yet. */
static struct page *unused_page(enum page_use use)
{
	struct page *p = alloc_page(use);

	p->refcount = 0;
	return p;
}

static void task_double_free(void *arg)
{
	struct page *p = unused_page(PAGE_USER);

	(void)arg;
	free_page(p);
	free_page(p);
}

static void task_double_free_merged(void *arg)
{
	struct page *p[8];

	(void)arg;
	for (u32 i = 0; i < 8; i++)
		p[i] = unused_page(PAGE_USER);
	free_page_list(p, 8);
	drain_local_pages();
	free_page(p[5]);
}

static void task_double_free_of_block(void *arg)
{
	struct page *p = alloc_pages(3);

	(void)arg;
	put_page(p);
	p->refcount = 0;
	p->order = 3;
	free_page(p);
}

Test(page_alloc_checks, double_free)
{
	expect_task_violates(task_double_free, "page-double-free");
	expect_task_violates(task_double_free_merged, "page-double-free");
	expect_task_violates(task_double_free_of_block, "page-double-free");
}

static void task_put_too_often(void *arg)
{
	struct page *p = alloc_page(PAGE_USER);

	(void)arg;
	put_page(p);
	put_page(p);
}

static void task_release_too_often(void *arg)
{
	struct page *p = alloc_page(PAGE_USER), *pages[3] = {p, p, p};

	(void)arg;
	get_page(p);
	release_pages(pages, 3);
}

static void task_get_free(void *arg)
{
	struct page *p = alloc_page(PAGE_USER);

	(void)arg;
	put_page(p);
	get_page(p);
}

static void task_try_get_free(void *arg)
{
	struct page *p = alloc_page(PAGE_USER);

	check(get_page_unless_zero(p) && p->refcount == 2);
	put_page(p);
	put_page(p);
	check(!get_page_unless_zero(p) && !p->refcount);
	page_alloc_audit(arg);
}

Test(page_alloc_checks, references)
{
	expect_task_violates(task_put_too_often, "refcount-underflow");
	expect_task_violates(task_release_too_often, "refcount-underflow");
	expect_task_violates(task_get_free, "get-page-on-free");
	both_executors(1, 64, 1, task_try_get_free);
}

#define BAD_PAGE(name, use, spoil)                                                                 \
	static void task_free_##name(void *arg)                                                    \
	{                                                                                          \
		struct machine *m = arg;                                                           \
		struct page *p = unused_page(use);                                                 \
                                                                                                   \
		(void)m;                                                                           \
		spoil;                                                                             \
		free_page(p);                                                                      \
	}
BAD_PAGE(held, PAGE_USER, p->refcount = 1)
BAD_PAGE(mapped, PAGE_USER, p->mapcount = 0)
BAD_PAGE(in_cache, PAGE_USER, p->mapping = m)
BAD_PAGE(locked, PAGE_USER, page_flag_set(p, PG_locked))
BAD_PAGE(writeback, PAGE_USER, page_flag_set(p, PG_writeback))
BAD_PAGE(on_lru, PAGE_USER, page_flag_set(p, PG_lru))
BAD_PAGE(active, PAGE_USER, page_flag_set(p, PG_active))
BAD_PAGE(mlocked, PAGE_USER, page_flag_set(p, PG_mlocked))
BAD_PAGE(unevictable, PAGE_USER, page_flag_set(p, PG_unevictable))
BAD_PAGE(reserved, PAGE_USER, page_flag_set(p, PG_reserved))
BAD_PAGE(charged, PAGE_USER, (void)mem_cgroup_charge(memcg_get(m, 0), p))
BAD_PAGE(locked_table, PAGE_TABLE, spin_lock_init(&p->ptl, LOCK_CLASS_ptl); spin_lock(&p->ptl))
BAD_PAGE(fine, PAGE_USER, p->flags = 1u << PG_dirty | 1u << PG_referenced | 1u << PG_uptodate;
	 p->mapping = (void *)(64 | PAGE_MAPPING_ANON))

Test(page_alloc_checks, a_page_that_is_freed_has_no_users)
{
	expect_task_violates(task_free_held, "bad-page-state");
	expect_task_violates(task_free_mapped, "bad-page-state");
	expect_task_violates(task_free_in_cache, "bad-page-state");
	expect_task_violates(task_free_locked, "bad-page-state");
	expect_task_violates(task_free_writeback, "bad-page-state");
	expect_task_violates(task_free_on_lru, "bad-page-state");
	expect_task_violates(task_free_active, "bad-page-state");
	expect_task_violates(task_free_mlocked, "bad-page-state");
	expect_task_violates(task_free_unevictable, "bad-page-state");
	expect_task_violates(task_free_reserved, "bad-page-state");
	expect_task_violates(task_free_charged, "bad-page-state");
	expect_task_violates(task_free_locked_table, "bad-page-state");
	both_executors(1, 64, 1, task_free_fine);
}

static void task_block_tail_used(void *arg)
{
	struct page *p = alloc_pages(2);

	(void)arg;
	p[3].mapcount = 0;
	put_page(p);
}

static void task_block_of_other_order(void *arg)
{
	(void)arg;
	free_pages_block(alloc_pages(2), 3);
}

Test(page_alloc_checks, blocks_are_freed_whole)
{
	expect_task_violates(task_block_tail_used, "bad-page-state");
	expect_task_violates(task_block_of_other_order, "bad-page-state");
}

/* Somebody goes on using a page that he has freed; the next owner's allocation notices. */
#define CHANGED(name, spoil)                                                                       \
	static void task_changed_##name(void *arg)                                                 \
	{                                                                                          \
		struct page *p = alloc_page(PAGE_USER);                                            \
                                                                                                   \
		(void)arg;                                                                         \
		put_page(p);                                                                       \
		spoil;                                                                             \
		alloc_page(PAGE_USER);                                                             \
	}
CHANGED(refcount, p->refcount++)
CHANGED(mapcount, p->mapcount++)
CHANGED(flags, page_flag_set(p, PG_dirty))

Test(page_alloc_checks, a_free_page_is_not_changed)
{
	expect_task_violates(task_changed_refcount, "free-page-changed");
	expect_task_violates(task_changed_mapcount, "free-page-changed");
	expect_task_violates(task_changed_flags, "free-page-changed");
}

/* --- The audit -------------------------------------------------------------------------------- */

/* A machine with something in every place, then one thing put wrong. */
#define AUDIT(name, spoil)                                                                         \
	static void task_audit_##name(void *arg)                                                   \
	{                                                                                          \
		struct machine *m = arg;                                                           \
		struct zone *z = m->mm->zone;                                                      \
		struct page *used = alloc_page(PAGE_USER), *pcp = alloc_page(PAGE_USER);           \
		struct page *table = alloc_page(PAGE_TABLE), *block = alloc_pages(3);              \
		struct page *head = cds_list_first_entry(&z->area[4].blocks, struct page, lru);    \
                                                                                                   \
		check(z->area[4].nr == 1 && head->order == 4 && used && table && block);           \
		put_page(pcp);                                                                     \
		page_alloc_audit(m);                                                               \
		spoil;                                                                             \
		page_alloc_audit(m);                                                               \
	}

static void split_by_hand(struct zone *z, struct page *head)
{
	cds_list_del(&head->lru);
	z->area[4].nr = 0;
	z->nonempty &= ~(1u << 4);
	for (u32 i = 0; i < 16; i += 8) {
		head[i].flags = 1u << PG_buddy;
		head[i].order = 3;
		cds_list_add(&head[i].lru, &z->area[3].blocks);
		z->area[3].nr++;
	}
	z->nonempty |= 1u << 3;
}

AUDIT(nothing, (void)0)
AUDIT(lost, used->refcount = 0)
AUDIT(table_is_data, table->flags = 0)
AUDIT(mark_in_use, page_flag_set(used, PG_pcp))
AUDIT(free_mapped, head[3].mapcount = 0)
AUDIT(free_held, pcp->refcount = 1)
AUDIT(free_mapping, head->mapping = m)
AUDIT(frame_in_use, page_frame(pcp)->state = FRAME_DATA)
AUDIT(pcp_flags, pcp->flags = 0)
AUDIT(order, head->order = 3)
AUDIT(head_unmarked, head->flags = 1u << PG_pcp)
AUDIT(inside_marked, head[1].flags = 1u << PG_buddy)
AUDIT(unlisted, cds_list_del(&head->lru))
AUDIT(nr_free, z->nr_free++)
AUDIT(area_nr, z->area[4].nr++)
AUDIT(nonempty, z->nonempty ^= 1u << 2)
AUDIT(not_merged, split_by_hand(z, head))
AUDIT(broken_link, head->lru.next->prev = head->lru.next)
AUDIT(twice, block->order = 4)
AUDIT(misaligned, cds_list_del(&head->lru); head[1].order = 4; head[1].flags = 1u << PG_buddy;
      cds_list_add(&head[1].lru, &z->area[4].blocks))

Test(page_alloc_checks, audit)
{
	both_executors(1, 64, 1, task_audit_nothing);
	expect_task_violates(task_audit_lost, "free-page-state");
	expect_task_violates(task_audit_table_is_data, "free-page-state");
	expect_task_violates(task_audit_mark_in_use, "free-page-state");
	expect_task_violates(task_audit_free_mapped, "free-page-state");
	expect_task_violates(task_audit_free_held, "free-page-state");
	expect_task_violates(task_audit_free_mapping, "free-page-state");
	expect_task_violates(task_audit_frame_in_use, "free-page-state");
	expect_task_violates(task_audit_pcp_flags, "free-page-state");
	expect_task_violates(task_audit_order, "buddy-lists");
	expect_task_violates(task_audit_head_unmarked, "buddy-lists");
	expect_task_violates(task_audit_inside_marked, "buddy-lists");
	expect_task_violates(task_audit_unlisted, "buddy-lists");
	expect_task_violates(task_audit_nr_free, "buddy-lists");
	expect_task_violates(task_audit_area_nr, "buddy-lists");
	expect_task_violates(task_audit_nonempty, "buddy-lists");
	expect_task_violates(task_audit_not_merged, "buddy-lists");
	expect_task_violates(task_audit_broken_link, "buddy-lists");
	expect_task_violates(task_audit_misaligned, "buddy-lists");
	expect_task_violates(task_audit_twice, "free-page-state");
}

/* A page in two places: the first page of a free block is pushed onto the per-CPU list as well. */
static void task_audit_two_places(void *arg)
{
	struct machine *m = arg;
	struct page *p = alloc_page(PAGE_USER);
	struct zone *z = m->mm->zone;

	put_page(p);
	spin_lock(&z->lock);
	buddy_give(z, page_to_pfn(p), 0);
	p->flags = 1u << PG_pcp;
	spin_unlock(&z->lock);
	page_alloc_audit(m);
}

static void task_audit_fresh(void *arg)
{
	struct machine *m = arg;

	put_page(alloc_page(PAGE_USER));
	page_alloc_audit(m);
	m->mm->pages[1024].flags = 1;
	page_alloc_audit(m);
}

static void task_audit_fresh_in_use(void *arg)
{
	struct machine *m = arg;
	struct zone *z = m->mm->zone;

	put_page(alloc_page(PAGE_USER));
	z->fresh = 1000;
	page_alloc_audit(m);
}

Test(page_alloc_checks, audit_of_places)
{
	struct machine *m = page_machine_create(1, 2048, 1, 0);
	enum machine_end end;

	expect_task_violates(task_audit_two_places, "buddy-lists");
	end = page_machine_run(m, EXECUTOR_EXPLORE, 1, task_audit_fresh, m);
	expect_violation(m, end, "free-page-state");
	page_machine_again(m, 2048, 1, 0);
	end = page_machine_run(m, EXECUTOR_EXPLORE, 1, task_audit_fresh_in_use, m);
	expect_violation(m, end, "page-in-two-places");
	page_machine_destroy(m);
}
