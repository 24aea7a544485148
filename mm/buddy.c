// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/buddy.h"

#include "engine/violation.h"
#include "smp/spinlock.h"

INVARIANT(
	inv_buddy, "buddy-lists",
	"every free block is aligned, marked by its first page, in the list of its order, and merged "
	"with its buddy if that is free");
INVARIANT(inv_once, "page-in-two-places", "a free page lies in exactly one place");

static inline void count_free(struct zone *z, u64 delta)
{
	init_once(z->nr_free, z->nr_free + delta);
}

static void insert_block(struct zone *z, u64 pfn, u32 order)
{
	struct page *p = &z->pages[pfn];

	p->order = order;
	init_once(p->flags, 1u << PG_buddy);
	cds_list_add(&p->lru, &z->area[order].blocks);
	z->area[order].nr++;
	z->nonempty |= 1u << order;
	count_free(z, 1ULL << order);
}

static void remove_block(struct zone *z, struct page *p, u32 order)
{
	cds_list_del(&p->lru);
	p->lru.prev = NULL;
	init_once(p->flags, 1u << PG_pcp);
	if (!--z->area[order].nr)
		z->nonempty &= ~(1u << order);
	count_free(z, -(1ULL << order));
}

void buddy_setup(struct zone *z, struct page *pages, u64 nr_pages)
{
	spin_lock_init(&z->lock, LOCK_CLASS_zone_lock);
	for (u32 o = 0; o <= MAX_ORDER; o++)
		CDS_INIT_LIST_HEAD(&z->area[o].blocks);
	z->pages = pages;
	z->nr_pages = nr_pages;
}

/* The largest block that begins at @pfn and ends at or before @end. */
static u32 order_at(u64 pfn, u64 end)
{
	u32 order = pfn ? (u32)__builtin_ctzll(pfn) : MAX_ORDER;

	order = min(order, (u32)MAX_ORDER);
	while (pfn + (1ULL << order) > end)
		order--;
	return order;
}

/* Makes never-used pages into free blocks. */
static bool open_fresh(struct zone *z)
{
	u64 pfn = z->fresh, end = min(pfn + (1ULL << MAX_ORDER), z->nr_pages);

	if (pfn == end)
		return false;
	for (u64 i = pfn; i < end; i++) {
		init_once(z->pages[i].flags, 1u << PG_pcp);
		init_once(z->pages[i].mapcount, -1);
	}
	while (pfn < end) {
		u32 order = order_at(pfn, end);

		insert_block(z, pfn, order);
		pfn += 1ULL << order;
	}
	init_once(z->fresh, end);
	return true;
}

/* Takes a block of order @from off its list and gives back all but its first 2^order pages. */
static struct page *take_split(struct zone *z, u32 from, u32 order)
{
	struct page *p = cds_list_first_entry(&z->area[from].blocks, struct page, lru);
	u64 pfn = (u64)(p - z->pages);

	remove_block(z, p, from);
	while (from > order) {
		from--;
		insert_block(z, pfn + (1ULL << from), from);
	}
	return p;
}

struct page *buddy_take(struct zone *z, u32 order)
{
	u32 fitting;

	lockdep_assert_held(LOCK_CLASS_zone_lock);
	do {
		fitting = z->nonempty >> order;
	} while (!fitting && open_fresh(z));
	if (!fitting)
		return NULL;
	return take_split(z, order + (u32)__builtin_ctz(fitting), order);
}

struct page *buddy_take_some(struct zone *z, u32 want, u32 *order)
{
	u32 fits = 31u - (u32)__builtin_clz(want), smallest;

	lockdep_assert_held(LOCK_CLASS_zone_lock);
	if (!z->nonempty && !open_fresh(z))
		return NULL;
	smallest = (u32)__builtin_ctz(z->nonempty);
	*order = min(fits, smallest);
	return take_split(z, smallest, *order);
}

void buddy_give(struct zone *z, u64 pfn, u32 order)
{
	lockdep_assert_held(LOCK_CLASS_zone_lock);
	for (; order < MAX_ORDER; order++) {
		u64 other = pfn ^ (1ULL << order);
		struct page *b = &z->pages[other];

		/* A block never reaches beyond the chunk in which fresh memory was opened, so what
		 * lies from z->fresh on is not looked at. The block of a buddy that is free, but
		 * not as one block of this order, does not begin with PG_buddy of this order. */
		if (other >= z->fresh || oracle_read(b->flags) != 1u << PG_buddy ||
		    b->order != order)
			break;
		remove_block(z, b, order);
		pfn = min(pfn, other);
	}
	insert_block(z, pfn, order);
}

struct run {
	u64 pfn;
	u32 order;
};

void buddy_give_pages(struct zone *z, const u64 *pfns, u32 nr)
{
	struct run runs[BUDDY_GIVE_MAX];
	u32 top = 0;

	for (u32 i = 0; i < nr; i++) {
		struct run r = {pfns[i], 0};

		while (top && runs[top - 1].order == r.order && r.order < MAX_ORDER &&
		       (runs[top - 1].pfn ^ r.pfn) == 1ULL << r.order) {
			r.pfn = min(r.pfn, runs[--top].pfn);
			r.order++;
		}
		runs[top++] = r;
	}
	for (u32 i = 0; i < top; i++)
		buddy_give(z, runs[i].pfn, runs[i].order);
}

void buddy_audit_mark(const struct zone *z, u64 *seen, u64 pfn, const char *where)
{
	u64 bit = 1ULL << (pfn & 63);

	if (pfn >= z->fresh)
		VIOLATION(&inv_once,
			  "pfn %llu, never used, is found in %s; fresh pages begin at %llu",
			  (unsigned long long)pfn, where, (unsigned long long)z->fresh);
	if (seen[pfn >> 6] & bit)
		VIOLATION(&inv_once, "pfn %llu is found a second time, in %s",
			  (unsigned long long)pfn, where);
	seen[pfn >> 6] |= bit;
}

static void audit_block(const struct zone *z, u64 *seen, const struct page *p, u32 order)
{
	u64 pfn = (u64)(p - z->pages), size = 1ULL << order, other = pfn ^ size;
	const struct page *b = &z->pages[other];

	if (pfn >= z->nr_pages)
		VIOLATION(&inv_buddy, "the list of order %u leads outside the %llu pages", order,
			  (unsigned long long)z->nr_pages);
	if ((pfn & (size - 1)) || oracle_read(p->flags) != 1u << PG_buddy || p->order != order)
		VIOLATION(
			&inv_buddy,
			"pfn %llu is in the list of order %u: flags %x, order %u; expected flags %x, "
			"the same order, and a frame number that is a multiple of %llu",
			(unsigned long long)pfn, order, oracle_read(p->flags), p->order,
			1u << PG_buddy, (unsigned long long)size);
	if (p->lru.next->prev != &p->lru || p->lru.prev->next != &p->lru)
		VIOLATION(&inv_buddy,
			  "pfn %llu: its neighbours in the list of order %u do not link back",
			  (unsigned long long)pfn, order);
	if (order < MAX_ORDER && other < z->fresh && oracle_read(b->flags) == 1u << PG_buddy &&
	    b->order == order)
		VIOLATION(&inv_buddy, "pfn %llu and %llu of order %u are both free and not merged",
			  (unsigned long long)pfn, (unsigned long long)other, order);
	for (u64 i = 0; i < size; i++)
		buddy_audit_mark(z, seen, pfn + i, "the buddy lists");
	for (u64 i = 1; i < size; i++) {
		if (oracle_read(z->pages[pfn + i].flags) != 1u << PG_pcp)
			VIOLATION(
				&inv_buddy,
				"pfn %llu, inside the free block of order %u at %llu, has flags %x; "
				"expected %x",
				(unsigned long long)(pfn + i), order, (unsigned long long)pfn,
				oracle_read(z->pages[pfn + i].flags), 1u << PG_pcp);
	}
}

void buddy_audit(const struct zone *z, u64 *seen)
{
	u64 pages = 0;

	for (u32 o = 0; o <= MAX_ORDER; o++) {
		const struct free_area *area = &z->area[o];
		const struct cds_list_head *pos;
		u64 nr = 0;

		/* A page that comes twice is reported by buddy_audit_mark(): no endless list. */
		for (pos = area->blocks.next; pos != &area->blocks; pos = pos->next) {
			audit_block(z, seen, container_of(pos, const struct page, lru), o);
			nr++;
		}
		if (nr != area->nr || !!nr != !!(z->nonempty & (1u << o)))
			VIOLATION(&inv_buddy, "order %u: %llu blocks in the list, %llu counted, %s",
				  o, (unsigned long long)nr, (unsigned long long)area->nr,
				  z->nonempty & (1u << o) ? "marked as not empty"
							  : "marked as empty");
		pages += nr << o;
	}
	if (pages != z->nr_free)
		VIOLATION(&inv_buddy, "%llu pages in the buddy lists, %llu counted",
			  (unsigned long long)pages, (unsigned long long)z->nr_free);
}
