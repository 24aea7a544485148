// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The per-CPU lists, what a page must look like when it changes hands, and the audit. The buddy
 * system behind the lists is buddy.c.
 */
#include "mm/page_alloc.h"

#include <errno.h>
#include <string.h>

#include "engine/violation.h"
#include "mm/buddy.h"
#include "mm/lru.h"
#include "mm/mm_machine.h"
#include "mm/secondary_tlb.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlb.h"

EVENT_DESC(ev_alloc, 300, 0, "alloc_page", "pfn %llu order %llu");
EVENT_DESC(ev_free, 301, 0, "free_page", "pfn %llu order %llu");
EVENT_DESC(ev_refill, 302, 0, "pcp refill", "%llu pages, %llu left in the zone");
EVENT_DESC(ev_spill, 303, 0, "pcp spill", "%llu pages, %llu now in the zone");
EVENT_DESC(ev_fail, 304, 0, "allocation fails", "order %llu, %llu pages free");

INVARIANT(inv_double_free, "page-double-free", "a page that is free is not freed again");
INVARIANT(
	inv_bad_page, "bad-page-state",
	"a page that is freed has no references, mappings, owner or charge, and none of the flags "
	"of a page in use");
INVARIANT(inv_touched, "free-page-changed",
	  "nobody changes a page while it is free: it is handed out as it was freed");
INVARIANT(inv_get_free, "get-page-on-free", "a reference is taken only where there is one already");
INVARIANT(inv_in_pagevec, "page-freed-in-pagevec",
	  "a page that waits in a pagevec is held by it, and so is not freed");
INVARIANT(inv_free_state, "free-page-state",
	  "a page in no free list is in use, a page in one is not; never-used pages are untouched");

/* A batch is v3.14's zone_batchsize() for any zone of more than 512 MiB. The list may hold more
 * than its 6 batches: since v6.7 the kernel lets it grow while pages go round on one CPU, so that
 * they stay in that CPU's caches. Two page tables' worth: what one vCPU zaps at a go and faults in
 * again. */
#define PCP_BATCH 31
#define PCP_HIGH (33 * PCP_BATCH)
/* Where the list is short, batches shrink with it, to this many of them (v3.14
 * pageset_set_batch()). */
#define PCP_BATCHES 6
/* Per-CPU lists together hide at most one page in this many from the other vCPUs. */
#define PCP_SHARE 8

/* Flags that a page must have lost when it is freed (v3.14 PAGE_FLAGS_CHECK_AT_FREE). */
#define FREE_MARKS (1u << PG_buddy | 1u << PG_pcp)
#define CHECK_AT_FREE                                                                              \
	(1u << PG_locked | 1u << PG_lru | 1u << PG_active | 1u << PG_writeback |                   \
	 1u << PG_unevictable | 1u << PG_mlocked | 1u << PG_reserved | FREE_MARKS)

/* A vCPU's free pages: a stack whose bottom can be taken off too. Its own, with preemption off. */
struct pcp_list {
	u64 top, bottom; /* ever pushed and ever taken from the bottom; top - bottom pages */
	u64 mask;
	struct page **slots; /* mask + 1 of them */
};

static const char *const flag_names[] = {
	[PG_locked] = "locked",
	[PG_referenced] = "referenced",
	[PG_uptodate] = "uptodate",
	[PG_dirty] = "dirty",
	[PG_lru] = "lru",
	[PG_active] = "active",
	[PG_writeback] = "writeback",
	[PG_unevictable] = "unevictable",
	[PG_mlocked] = "mlocked",
	[PG_anon_exclusive] = "anon-exclusive",
	[PG_reserved] = "reserved",
	[PG_table] = "table",
	[PG_buddy] = "buddy",
	[PG_pcp] = "pcp",
};

const char *page_flags_text(u32 flags, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (u32 i = 0; i < ARRAY_SIZE(flag_names); i++) {
		int n;

		if (!(flags & (1u << i)) || len >= size)
			continue;
		n = snprintf(buf + len, size - len, "%s%s", len ? "|" : "", flag_names[i]);
		len += n > 0 ? (size_t)n : 0;
	}
	return flags ? buf : "none";
}

/* --- Violations ------------------------------------------------------------------------------- */

static __cold_path __attribute__((noreturn)) void bad_page(const struct mm_machine *mm,
							   const struct page *p, const char *what)
{
	unsigned long long pfn = (unsigned long long)(p - mm->pages);
	u32 flags = oracle_read(p->flags);
	s32 pagevec = lru_pagevec_cpu(p);
	char text[128];

	page_flags_text(flags, text, sizeof(text));
	if (flags & FREE_MARKS)
		VIOLATION(&inv_double_free,
			  "pfn %llu (flags %s, refcount %d) is %s and free already", pfn, text,
			  oracle_read(p->refcount), what);
	if (pagevec >= 0)
		VIOLATION_WITH(&inv_in_pagevec, (u32)pagevec,
			       "pfn %llu is %s while it waits in a pagevec of CPU%d", pfn, what,
			       pagevec);
	VIOLATION(&inv_bad_page,
		  "pfn %llu is %s: refcount %d, mapcount %d, flags %s, order %u, mapping %s, %s%s; "
		  "expected refcount 0, mapcount -1 and nothing of the rest",
		  pfn, what, oracle_read(p->refcount), oracle_read(p->mapcount),
		  flags ? text : "none", p->order,
		  !p->mapping	    ? "none"
		  : page_is_anon(p) ? "anonymous"
				    : "file",
		  p->memcg ? "charged" : "not charged", p->ptl.locked ? ", ptl held" : "");
}

void get_page_failed(const struct page *p)
{
	VIOLATION(&inv_get_free, "pfn %llu: get_page() with refcount %d, expected more than 0",
		  (unsigned long long)page_to_pfn(p), oracle_read(p->refcount) - 1);
}

static __cold_path __attribute__((noreturn)) void changed_while_free(const struct mm_machine *mm,
								     const struct page *p)
{
	char text[128];

	VIOLATION(&inv_touched,
		  "pfn %llu comes out of the free list with refcount %d, mapcount %d, flags %s; "
		  "expected 0, -1, pcp",
		  (unsigned long long)(p - mm->pages), oracle_read(p->refcount),
		  oracle_read(p->mapcount),
		  page_flags_text(oracle_read(p->flags), text, sizeof(text)));
}

/* --- The page's state on its way out and in --------------------------------------------------- */

/* A free page gets its owner. Nobody else can reach it, so no access here is a decision point; the
 * reference comes last, for those who try get_page_unless_zero() on a page that they once knew. */
static __always_inline_fn void prepare_new(const struct mm_machine *mm, struct page *p, u32 flags,
					   u32 order)
{
	if (unlikely(oracle_read(p->flags) != 1u << PG_pcp) || unlikely(oracle_read(p->refcount)) ||
	    unlikely(oracle_read(p->mapcount) != -1))
		changed_while_free(mm, p);
	p->order = order;
	p->lru.prev = NULL;
	init_once(p->flags, flags);
	__atomic_store_n(&p->refcount, 1, __ATOMIC_RELEASE);
}

/* Checks a page that nobody holds any more and makes it a free one, but for the list it goes to. */
static __always_inline_fn void prepare_free(struct machine *m, const struct mm_machine *mm,
					    struct page *p)
{
	u64 pfn = (u64)(p - mm->pages);
	u64 mapping = (u64)oracle_read(p->mapping);

	explore_touch(&p->mapping, true);
	explore_touch(&p->flags, true);
	explore_touch(&p->refcount, false);
	explore_touch(&p->mapcount, false);
	explore_touch(&p->lru.prev, false);
	if (unlikely((oracle_read(p->flags) & CHECK_AT_FREE) | (u32)oracle_read(p->refcount) |
		     (u32)(oracle_read(p->mapcount) + 1)) ||
	    unlikely(mapping && !(mapping & PAGE_MAPPING_ANON)) ||
	    unlikely(oracle_read(p->memcg)) || unlikely(oracle_read(p->ptl.locked)) ||
	    unlikely(lru_pagevec_cpu(p) >= 0))
		bad_page(mm, p, "freed");
	if (unlikely(exploring()) && unlikely(lru_pagevec_refs(m, pfn)))
		VIOLATION(&inv_in_pagevec, "pfn %llu is freed while a pagevec holds it",
			  (unsigned long long)pfn);
	init_once(p->mapping, NULL);
	init_once(p->flags, 1u << PG_pcp);
	if (unlikely(exploring()))
		secondary_tlb_frame_freed(m, pfn);
	frame_release(m, pfn);
}

/* --- The per-CPU list; preemption off --------------------------------------------------------- */

static __always_inline_fn void pcp_push(struct pcp_list *pcp, struct page *p)
{
	pcp->slots[pcp->top & pcp->mask] = p;
	init_once(pcp->top, pcp->top + 1);
}

static __always_inline_fn u32 pcp_nr(const struct pcp_list *pcp)
{
	return (u32)(oracle_read(pcp->top) - oracle_read(pcp->bottom));
}

/* Gets a batch from the buddy lists. False if there is nothing. */
static __noinline bool pcp_refill(struct zone *z, struct pcp_list *pcp)
{
	u32 want = z->pcp_batch, order;

	spin_lock(&z->lock);
	while (want) {
		struct page *p = buddy_take_some(z, want, &order);

		if (!p)
			break;
		/* The lowest frame on top. */
		for (u32 i = 1u << order; i-- > 0;)
			pcp_push(pcp, p + i);
		want -= 1u << order;
	}
	event_record(&ev_refill, z->pcp_batch - want, z->nr_free);
	spin_unlock(&z->lock);
	return want != z->pcp_batch;
}

/* Gives the @nr pages that have been free longest back to the buddy lists. */
static __noinline void pcp_spill(struct zone *z, struct pcp_list *pcp, u32 nr)
{
	u64 pfns[BUDDY_GIVE_MAX];

	while (nr) {
		u32 now = min(nr, (u32)BUDDY_GIVE_MAX);

		for (u32 i = 0; i < now; i++)
			pfns[i] = (u64)(pcp->slots[(pcp->bottom + i) & pcp->mask] - z->pages);
		init_once(pcp->bottom, pcp->bottom + now);
		spin_lock(&z->lock);
		buddy_give_pages(z, pfns, now);
		event_record(&ev_spill, now, z->nr_free);
		spin_unlock(&z->lock);
		nr -= now;
	}
}

static __always_inline_fn void pcp_put(struct zone *z, struct pcp_list *pcp, struct page *p)
{
	pcp_push(pcp, p);
	if (unlikely(pcp_nr(pcp) > z->pcp_high))
		pcp_spill(z, pcp, z->pcp_batch);
}

void drain_local_pages(void)
{
	struct vcpu *v = this_vcpu();

	preempt_disable();
	pcp_spill(v->machine->mm->zone, v->mm->pcp, pcp_nr(v->mm->pcp));
	preempt_enable();
}

void drain_pages(u32 cpu)
{
	struct machine *m = this_vcpu()->machine;
	struct pcp_list *pcp = m->vcpus[cpu].mm->pcp;

	preempt_disable();
	pcp_spill(m->mm->zone, pcp, pcp_nr(pcp));
	preempt_enable();
}

u32 pcp_nr_pages(const struct machine *m, u32 cpu)
{
	return pcp_nr(m->vcpus[cpu].mm->pcp);
}

/* --- Allocation ------------------------------------------------------------------------------- */

static __cold_path struct page *alloc_failed(struct machine *m, u32 order)
{
	count_vm_event(VMSTAT_allocstall_oom);
	event_record(&ev_fail, order, nr_free_pages(m));
	return NULL;
}

/* The own list is empty and so are the buddy lists. What this vCPU can still do: let go of pages
 * that only its pagevecs hold. Preemption is off. */
static __cold_path bool pcp_refill_slow(struct zone *z, struct pcp_list *pcp)
{
	lru_add_drain();
	return pcp_nr(pcp) || pcp_refill(z, pcp);
}

struct page *alloc_page(enum page_use use)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	struct mm_machine *mm = m->mm;
	struct pcp_list *pcp = v->mm->pcp;
	struct page *p;
	u64 pfn;

	v->preempt_count++;
	if (unlikely(pcp->top == pcp->bottom) && unlikely(!pcp_refill(mm->zone, pcp)) &&
	    !pcp_refill_slow(mm->zone, pcp)) {
		preempt_enable();
		return alloc_failed(m, 0);
	}
	p = pcp->slots[(pcp->top - 1) & pcp->mask];
	init_once(pcp->top, pcp->top - 1);
	prepare_new(mm, p, use == PAGE_TABLE ? 1u << PG_table : 0, 0);
	pfn = (u64)(p - mm->pages);
	if (unlikely(exploring()))
		secondary_tlb_frame_taken(m, pfn);
	if (use == PAGE_USER) {
		frame_take_data(&m->tlb->mem, pfn);
	} else if (unlikely(frame_take_table(&m->tlb->mem, pfn))) {
		init_once(p->refcount, 0);
		init_once(p->flags, 1u << PG_pcp);
		pcp_push(pcp, p);
		preempt_enable();
		return alloc_failed(m, 0);
	}
	count_vm_event(VMSTAT_pgalloc);
	if (unlikely(exploring()))
		event_record(&ev_alloc, pfn, 0);
	preempt_enable();
	return p;
}

struct page *alloc_pages(u32 order)
{
	struct machine *m = this_vcpu()->machine;
	struct zone *z = m->mm->zone;
	struct page *p;

	if (!order)
		return alloc_page(PAGE_USER);
	BUG_ON(order > MAX_ORDER, "alloc_pages: order %u, expected at most %u", order, MAX_ORDER);
	for (u32 attempt = 0;; attempt++) {
		spin_lock(&z->lock);
		p = buddy_take(z, order);
		spin_unlock(&z->lock);
		if (p || attempt)
			break;
		lru_add_drain();
		drain_local_pages();
	}
	if (!p)
		return alloc_failed(m, order);
	for (u32 i = 0; i < 1u << order; i++) {
		prepare_new(m->mm, p + i, 0, i ? 0 : order);
		if (i)
			init_once(p[i].refcount, 0);
		frame_take_data(&m->tlb->mem, (u64)(p + i - m->mm->pages));
	}
	count_vm_events(VMSTAT_pgalloc, 1u << order);
	event_record(&ev_alloc, (u64)(p - m->mm->pages), order);
	return p;
}

/* --- Freeing ---------------------------------------------------------------------------------- */

void free_page(struct page *p)
{
	free_page_list(&p, 1);
}

/* 2^order pages of one block, to which nobody has a reference any more. */
static void free_block(struct machine *m, struct page *p, u32 order)
{
	struct zone *z = m->mm->zone;
	u64 pfn = (u64)(p - m->mm->pages);

	for (u32 i = 0; i < 1u << order; i++)
		prepare_free(m, m->mm, p + i);
	p->order = 0;
	count_vm_events(VMSTAT_pgfree, 1u << order);
	event_record(&ev_free, pfn, order);
	spin_lock(&z->lock);
	buddy_give(z, pfn, order);
	spin_unlock(&z->lock);
}

void free_page_list(struct page **pages, u32 nr)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	struct mm_machine *mm = m->mm;

	v->preempt_count++;
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pages[i];

		if (unlikely(p->order)) {
			if (oracle_read(p->flags) & FREE_MARKS)
				bad_page(mm, p, "freed");
			free_block(m, p, p->order);
			continue;
		}
		prepare_free(m, mm, p);
		if (unlikely(exploring()))
			event_record(&ev_free, (u64)(p - mm->pages), 0);
		count_vm_event(VMSTAT_pgfree);
		pcp_put(mm->zone, v->mm->pcp, p);
	}
	preempt_enable();
}

void free_pages_block(struct page *p, u32 order)
{
	if (p->order != order)
		bad_page(this_mm(), p, "freed as a block of another order");
	put_page(p);
}

void clear_user_page(struct page *p)
{
	frame_clear(page_frame(p));
}

void copy_user_page(struct page *to, const struct page *from)
{
	frame_copy(page_frame(to), page_frame(from));
}

/* --- Set-up ----------------------------------------------------------------------------------- */

static u32 clamp_u32(u64 value, u32 lo, u32 hi)
{
	return value < lo ? lo : value > hi ? hi : (u32)value;
}

static struct pcp_list *pcp_create(struct machine *m, u32 high)
{
	struct pcp_list *pcp = arena_alloc(&m->arena, sizeof(*pcp), CACHE_LINE);
	u64 slots = 2;

	/* One more than it may hold, before it spills; and what pcp_refill() adds to an empty one.
	 */
	while (slots < high + 1u)
		slots *= 2;
	if (!pcp)
		return NULL;
	pcp->mask = slots - 1;
	pcp->slots = arena_alloc(&m->arena, slots * sizeof(*pcp->slots), CACHE_LINE);
	return pcp->slots ? pcp : NULL;
}

int page_alloc_setup(struct machine *m, u64 nr_pages)
{
	struct mm_machine *mm = m->mm;
	struct zone *z = arena_alloc(&m->arena, sizeof(*z), CACHE_LINE);

	if (!nr_pages || nr_pages > m->tlb->mem.nr_frames)
		return -EINVAL;
	mm->pages = arena_alloc(&m->arena, nr_pages * sizeof(*mm->pages), CACHE_LINE);
	if (!z || !mm->pages)
		return -ENOMEM;
	mm->nr_pages = nr_pages;
	mm->zone = z;
	buddy_setup(z, mm->pages, nr_pages);
	z->pcp_high = clamp_u32(nr_pages / ((u64)m->nr_vcpus * PCP_SHARE), 1, PCP_HIGH);
	z->pcp_batch = clamp_u32(z->pcp_high / PCP_BATCHES, 1, PCP_BATCH);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		m->vcpus[i].mm->pcp = pcp_create(m, z->pcp_high);
		if (!m->vcpus[i].mm->pcp)
			return -ENOMEM;
	}
	return 0;
}

u64 nr_free_pages(const struct machine *m)
{
	const struct zone *z = m->mm->zone;
	u64 nr = oracle_read(z->nr_free) + z->nr_pages - oracle_read(z->fresh);

	for (u32 i = 0; i < m->nr_vcpus; i++)
		nr += pcp_nr(m->vcpus[i].mm->pcp);
	return nr;
}

u64 first_fresh_page(const struct machine *m)
{
	return oracle_read(m->mm->zone->fresh);
}

/* --- Audit ------------------------------------------------------------------------------------ */

static void audit_pcp(const struct zone *z, u64 *seen, const struct pcp_list *pcp, u32 cpu)
{
	if (pcp_nr(pcp) > z->pcp_high)
		VIOLATION_WITH(&inv_free_state, cpu,
			       "the list of CPU%u holds %u pages, expected at most %u", cpu,
			       pcp_nr(pcp), z->pcp_high);
	for (u64 i = pcp->bottom; i != pcp->top; i++) {
		const struct page *p = pcp->slots[i & pcp->mask];

		if (oracle_read(p->flags) != 1u << PG_pcp)
			VIOLATION_WITH(&inv_free_state, cpu,
				       "pfn %llu in the list of CPU%u has flags %x, expected %x",
				       (unsigned long long)(p - z->pages), cpu,
				       oracle_read(p->flags), 1u << PG_pcp);
		buddy_audit_mark(z, seen, (u64)(p - z->pages), "a per-CPU list");
	}
}

static void audit_free(const struct machine *m, u64 pfn)
{
	const struct page *p = &m->mm->pages[pfn];
	u32 state = oracle_read(m->tlb->mem.frames[pfn].state);

	if (oracle_read(p->refcount) || oracle_read(p->mapcount) != -1 || p->mapping || p->memcg ||
	    p->ptl.locked || state != FRAME_FREE)
		VIOLATION(&inv_free_state,
			  "pfn %llu is free: refcount %d, mapcount %d, %s, %s, frame state %u; "
			  "expected 0, -1, no mapping, not charged, %u",
			  (unsigned long long)pfn, oracle_read(p->refcount),
			  oracle_read(p->mapcount), p->mapping ? "mapping set" : "no mapping",
			  p->memcg ? "charged" : "not charged", state, FRAME_FREE);
}

/* A page that lies in no free list: it must be somebody's. Returns the pages of its block. */
static u64 audit_used(const struct machine *m, const u64 *seen, u64 pfn)
{
	const struct page *p = &m->mm->pages[pfn];
	u32 flags = oracle_read(p->flags);
	u32 state = oracle_read(m->tlb->mem.frames[pfn].state);
	u32 expected = flags & (1u << PG_table) ? FRAME_TABLE : FRAME_DATA;
	char text[128];

	if (oracle_read(p->refcount) < 1 || (flags & FREE_MARKS) || state != expected)
		VIOLATION(&inv_free_state,
			  "pfn %llu is in no free list: refcount %d, flags %s, frame state %u; "
			  "expected a reference, no mark of a free page, frame state %u",
			  (unsigned long long)pfn, oracle_read(p->refcount),
			  page_flags_text(flags, text, sizeof(text)), state, expected);
	for (u64 i = pfn + 1; i < pfn + (1ULL << p->order); i++) {
		if (seen[i >> 6] & (1ULL << (i & 63)))
			VIOLATION(
				&inv_free_state,
				"pfn %llu is free and inside the block of order %u at %llu, which "
				"is in use",
				(unsigned long long)i, p->order, (unsigned long long)pfn);
	}
	return 1ULL << p->order;
}

/* The pages that were never handed out. */
static void audit_fresh(const struct machine *m, u64 pfn)
{
	const struct page *p = &m->mm->pages[pfn];
	u32 state = oracle_read(m->tlb->mem.frames[pfn].state);

	if (oracle_read(p->refcount) || oracle_read(p->flags) || p->mapping || p->memcg ||
	    state != FRAME_FREE)
		VIOLATION(&inv_free_state,
			  "pfn %llu was never handed out: refcount %d, flags %x, frame state %u; "
			  "expected all zero",
			  (unsigned long long)pfn, oracle_read(p->refcount), oracle_read(p->flags),
			  state);
}

/* Looking at untouched pages would make the host give them memory: a sample of them will do. */
#define FRESH_SAMPLE 4096

void page_alloc_audit(struct machine *m)
{
	struct zone *z = m->mm->zone;
	u64 words = (z->nr_pages + 63) / 64, *seen = z->audit_seen;
	u64 nr = 0, expected;

	if (!seen)
		seen = arena_alloc(&m->arena, words * sizeof(*seen), CACHE_LINE);
	BUG_ON(!seen, "no memory for the audit of %llu pages", (unsigned long long)z->nr_pages);
	z->audit_seen = seen;
	memset(seen, 0, words * sizeof(*seen));

	oracle_enter();
	buddy_audit(z, seen);
	for (u32 i = 0; i < m->nr_vcpus; i++)
		audit_pcp(z, seen, m->vcpus[i].mm->pcp, i);
	for (u64 pfn = 0; pfn < z->fresh;) {
		if (seen[pfn >> 6] & (1ULL << (pfn & 63))) {
			audit_free(m, pfn);
			nr++;
			pfn++;
		} else {
			pfn += audit_used(m, seen, pfn);
		}
	}
	for (u64 pfn = z->fresh; pfn < z->nr_pages; pfn += FRESH_SAMPLE)
		audit_fresh(m, pfn);
	expected = nr_free_pages(m);
	nr += z->nr_pages - z->fresh;
	if (nr != expected)
		VIOLATION(&inv_free_state, "%llu pages are free, %llu are counted",
			  (unsigned long long)nr, (unsigned long long)expected);
	oracle_exit();
}
