// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LRU lists, the pagevecs in front of them, and dropping references many at a time.
 */
#include "mm/lru.h"

#include <errno.h>

#include "engine/violation.h"
#include "mm/knobs.h"
#include "mm/memcg.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_drain, 305, 0, "lru_add_drain", "%llu pages, %llu of them freed");
EVENT_DESC(ev_activate, 306, 0, "activate_page", "pfn %llu%.0llu");
EVENT_DESC(ev_mlock, 307, 0, "mlock_vma_page", "pfn %llu%.0llu");
EVENT_DESC(ev_munlock, 308, 0, "munlock_vma_page", "pfn %llu%.0llu");
EVENT_DESC(ev_last_put, 309, 0, "last reference", "pfn %llu%.0llu");

INVARIANT(inv_underflow, "refcount-underflow", "nobody drops a reference that nobody holds");
INVARIANT(inv_pagevec, "page-freed-in-pagevec",
	  "a page that waits in a pagevec is held by it, and so is not freed");
INVARIANT(inv_added_twice, "lru-added-twice", "a page is on one LRU list or in one pagevec, once");
INVARIANT(
	inv_lru, "lru-lists",
	"every page on an LRU list says so, lies in the list that its flags name, and is counted");

#define LRU_FLAGS (1u << PG_lru | 1u << PG_active | 1u << PG_unevictable)

/* Pages that wait together for lru_lock. Those to be added: in the order of arrival. */
struct pagevec {
	u32 nr, limit;
	struct page *pages[PAGEVEC_SIZE];
};

/* A vCPU's own; preemption off. The explorer looks at it when a page is freed. */
struct lru_percpu {
	struct pagevec add;	 /* not on a list yet */
	struct pagevec activate; /* on an inactive list when they came here */
} __line_aligned;

/* Under lock; size may be read without. Newest pages first. */
struct lru_machine {
	spinlock_t lock;
	u64 size[NR_LRU_LISTS];
	struct cds_list_head lists[NR_LRU_LISTS];
} __line_aligned;

/* Pages that release_pages() lets go of under one lru_lock. Their lines and their frames' lines are
 * touched in several passes: half of a 32 KiB first-level cache holds them. */
#define RELEASE_BATCH 64

static const char *const list_names[NR_LRU_LISTS] = {
	[LRU_INACTIVE_ANON] = "inactive anon", [LRU_ACTIVE_ANON] = "active anon",
	[LRU_INACTIVE_FILE] = "inactive file", [LRU_ACTIVE_FILE] = "active file",
	[LRU_UNEVICTABLE] = "unevictable",
};

/* --- Lists; lru_lock held --------------------------------------------------------------------- */

static __always_inline_fn enum lru_list list_of(const struct page *p, u32 flags)
{
	u32 active = (flags >> PG_active) & 1;

	if (unlikely(flags & (1u << PG_unevictable)))
		return LRU_UNEVICTABLE;
	return ((u64)oracle_read(p->mapping) & PAGE_MAPPING_ANON ? LRU_INACTIVE_ANON
								 : LRU_INACTIVE_FILE) +
	       active;
}

/* Links are also looked at without the lock, for the tag of a pagevec: hence the atomic stores. */
static __always_inline_fn void link_between(struct page *p, struct cds_list_head *prev,
					    struct cds_list_head *next)
{
	p->lru.next = next;
	init_once(p->lru.prev, prev);
	init_once(next->prev, &p->lru);
	prev->next = &p->lru;
}

static __always_inline_fn void count_list(struct lru_machine *lru, enum lru_list l, u64 delta)
{
	init_once(lru->size[l], lru->size[l] + delta);
}

static __always_inline_fn void list_add(struct lru_machine *lru, struct page *p, enum lru_list l)
{
	link_between(p, &lru->lists[l], lru->lists[l].next);
	count_list(lru, l, 1);
}

static __cold_path void links_broken(const struct page *p, enum lru_list l)
{
	VIOLATION(&inv_lru, "pfn %llu: its neighbours in the %s list do not link back",
		  (unsigned long long)page_to_pfn(p), list_names[l]);
}

static __always_inline_fn void list_del(struct lru_machine *lru, struct page *p, enum lru_list l)
{
	struct cds_list_head *prev = p->lru.prev, *next = p->lru.next;

	if (unlikely(next->prev != &p->lru || prev->next != &p->lru))
		links_broken(p, l);
	init_once(next->prev, prev);
	prev->next = next;
	init_once(p->lru.prev, NULL);
	count_list(lru, l, -1ULL);
}

/* --- References ------------------------------------------------------------------------------- */

static __cold_path __attribute__((noreturn)) void refcount_underflow(const struct page *p, s32 refs)
{
	char text[128];

	VIOLATION(&inv_underflow,
		  "pfn %llu: a reference is dropped, and the count was %d; mapcount %d, flags %s",
		  (unsigned long long)page_to_pfn(p), refs + 1, oracle_read(p->mapcount),
		  page_flags_text(oracle_read(p->flags), text, sizeof(text)));
}

bool get_page_unless_zero(struct page *p)
{
	return atomic_inc_not_zero(&p->refcount);
}

/* Takes pages that nobody holds any more off the lists. They are the caller's alone, so their flags
 * are changed by plain stores; PG_lru, which says that the links are not, needs the lock. */
static void del_unused(struct lru_machine *lru, struct page **pages, u32 nr)
{
	spin_lock(&lru->lock);
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pages[i];
		u32 flags = oracle_read(p->flags);

		if (!(flags & (1u << PG_lru)))
			continue;
		list_del(lru, p, list_of(p, flags));
		init_once(p->flags, flags & ~LRU_FLAGS);
	}
	spin_unlock(&lru->lock);
}

/* Pages whose last reference the caller has dropped. */
static void free_unused(struct page **pages, u32 nr)
{
	u32 flags = 0;

	for (u32 i = 0; i < nr; i++)
		flags |= oracle_read(pages[i]->flags);
	if (flags & (1u << PG_lru))
		del_unused(this_mm()->lru, pages, nr);
	mem_cgroup_uncharge_pages(pages, nr);
	free_page_list(pages, nr);
}

static __noinline void last_put(struct page *p, s32 refs)
{
	if (unlikely(refs < 0))
		refcount_underflow(p, refs);
	if (unlikely(exploring()))
		event_record(&ev_last_put, page_to_pfn(p), 0);
	free_unused(&p, 1);
}

void put_page(struct page *p)
{
	s32 refs = atomic_dec_return(&p->refcount);

	if (refs <= 0)
		last_put(p, refs);
}

void release_pages(struct page **pages, u32 nr)
{
	struct page *unused[RELEASE_BATCH];
	u32 nr_unused = 0;

	for (u32 i = 0; i < nr; i++) {
		struct page *p = pages[i];
		s32 refs = atomic_dec_return(&p->refcount);

		if (refs > 0)
			continue;
		if (unlikely(refs < 0))
			refcount_underflow(p, refs);
		unused[nr_unused++] = p;
		if (nr_unused == RELEASE_BATCH) {
			free_unused(unused, nr_unused);
			nr_unused = 0;
		}
	}
	if (nr_unused)
		free_unused(unused, nr_unused);
}

/* --- Pagevecs; preemption off ----------------------------------------------------------------- */

/* Does a waiting page have a reference? The planted deviation leaves it out at both ends. */
static __always_inline_fn bool pagevec_holds(void)
{
	return !planted(KNOB_PAGE_STILL_IN_PAGEVEC);
}

static __always_inline_fn void pagevec_push(struct pagevec *pv, struct page *p)
{
	init_once(pv->pages[pv->nr], p);
	init_once(pv->nr, pv->nr + 1);
}

/*
 * Sets flags that are clear and drops a reference; returns what is left. One locked operation where
 * two would be the larger part of what a page costs here: flags and refcount lie side by side, and
 * adding a bit that is clear carries into nothing. The explorer is shown the two accesses.
 */
static __always_inline_fn s32 set_flags_and_put(struct page *p, u32 set)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	typedef u64 __attribute__((may_alias)) flags_and_refcount;

	_Static_assert(offsetof(struct page, flags) % sizeof(u64) == 0 &&
			       offsetof(struct page, refcount) ==
				       offsetof(struct page, flags) + sizeof(u32),
		       "flags is the lower half of an aligned word, refcount the upper");
	if (likely(!exploring()))
		return (s32)(__atomic_add_fetch((flags_and_refcount *)&p->flags,
						set + (-1ULL << 32), __ATOMIC_SEQ_CST) >>
			     32);
#endif
	(void)atomic_fetch_or(set, &p->flags);
	return atomic_dec_return(&p->refcount);
}

static __cold_path void bad_pagevec_page(const struct page *p, u32 flags)
{
	unsigned long long pfn = page_to_pfn(p);
	char text[128];

	page_flags_text(flags, text, sizeof(text));
	if (flags & (1u << PG_lru))
		VIOLATION(&inv_added_twice,
			  "pfn %llu comes from a pagevec, flags %s: expected no lru", pfn,
			  flags ? text : "none");
	VIOLATION(
		&inv_pagevec,
		"pfn %llu comes from a pagevec with refcount %d, flags %s: expected a reference and "
		"no mark of a free page",
		pfn, oracle_read(p->refcount), flags ? text : "none");
}

/* The list a page goes to now, and the flags that say so. */
static __always_inline_fn enum lru_list list_for_new(const struct page *p, u32 flags, u32 *set)
{
	*set = 1u << PG_lru;
	if (unlikely(flags & (1u << PG_mlocked)))
		*set |= 1u << PG_unevictable;
	return list_of(p, flags | *set);
}

static __noinline void drain_add(struct lru_machine *lru, struct pagevec *pv)
{
	struct page *unused[PAGEVEC_SIZE];
	u32 nr = pv->nr, nr_unused = 0;
	bool holds = pagevec_holds();

	spin_lock(&lru->lock);
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pv->pages[i];
		u32 flags = READ_ONCE(p->flags), set;
		enum lru_list l = list_for_new(p, flags, &set);

		if (unlikely(flags & (1u << PG_lru | 1u << PG_buddy | 1u << PG_pcp)) ||
		    unlikely(oracle_read(p->refcount) <= 0))
			bad_pagevec_page(p, flags);
		explore_touch(&p->lru.prev, true);
		list_add(lru, p, l);
		if (unlikely(!holds)) {
			(void)atomic_fetch_or(set, &p->flags);
		} else if (unlikely(!set_flags_and_put(p, set))) {
			/* The last reference was ours. */
			list_del(lru, p, l);
			init_once(p->flags, oracle_read(p->flags) & ~LRU_FLAGS);
			unused[nr_unused++] = p;
		}
	}
	init_once(pv->nr, 0);
	event_record(&ev_drain, nr, nr_unused);
	spin_unlock(&lru->lock);
	if (unlikely(nr_unused))
		free_unused(unused, nr_unused);
}

static __noinline void drain_activate(struct lru_machine *lru, struct pagevec *pv)
{
	struct page *pages[PAGEVEC_SIZE];
	u32 nr = pv->nr;

	spin_lock(&lru->lock);
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pv->pages[i];
		u32 flags = READ_ONCE(p->flags);

		pages[i] = p;
		if ((flags & LRU_FLAGS) != 1u << PG_lru)
			continue;
		list_del(lru, p, list_of(p, flags));
		page_flag_set(p, PG_active);
		list_add(lru, p, list_of(p, flags | 1u << PG_active));
		count_vm_event(VMSTAT_pgactivate);
		event_record(&ev_activate, page_to_pfn(p), 0);
	}
	init_once(pv->nr, 0);
	spin_unlock(&lru->lock);
	release_pages(pages, nr);
}

static __always_inline_fn void pagevec_add(struct vcpu *v, struct page *p)
{
	struct pagevec *pv = &v->mm->lru->add;

	explore_touch(&p->lru.prev, true);
	if (unlikely(lru_pagevec_cpu(p) >= 0))
		VIOLATION_WITH(&inv_added_twice, (u32)lru_pagevec_cpu(p),
			       "pfn %llu is added to the LRU and waits in a pagevec of CPU%d",
			       (unsigned long long)page_to_pfn(p), lru_pagevec_cpu(p));
	init_once(p->lru.prev, lru_pagevec_tag(v->id));
	pagevec_push(pv, p);
	if (unlikely(pv->nr == pv->limit))
		drain_add(v->machine->mm->lru, pv);
}

static __cold_path void added_while_on_list(const struct page *p)
{
	VIOLATION(&inv_added_twice, "pfn %llu is added to the LRU and is on a list",
		  (unsigned long long)page_to_pfn(p));
}

void lru_cache_add(struct page *p)
{
	if (unlikely(page_flag(p, PG_lru)))
		added_while_on_list(p);
	if (pagevec_holds())
		get_page(p);
	preempt_disable();
	pagevec_add(this_vcpu(), p);
	preempt_enable();
}

void lru_cache_add_new(struct page *p)
{
	struct vcpu *v = this_vcpu();

	if (unlikely(oracle_read(p->flags) & (1u << PG_lru)))
		added_while_on_list(p);
	if (pagevec_holds())
		init_once(p->refcount, oracle_read(p->refcount) + 1);
	v->preempt_count++;
	pagevec_add(v, p);
	preempt_enable();
}

static __always_inline_fn void drain(struct lru_machine *lru, struct lru_percpu *percpu)
{
	if (percpu->add.nr)
		drain_add(lru, &percpu->add);
	if (percpu->activate.nr)
		drain_activate(lru, &percpu->activate);
}

void lru_add_drain(void)
{
	struct vcpu *v = this_vcpu();

	v->preempt_count++;
	drain(v->machine->mm->lru, v->mm->lru);
	preempt_enable();
}

void lru_add_drain_cpu(u32 cpu)
{
	struct machine *m = this_vcpu()->machine;

	preempt_disable();
	drain(m->mm->lru, m->vcpus[cpu].mm->lru);
	preempt_enable();
}

u32 lru_nr_waiting(const struct machine *m, u32 cpu)
{
	const struct lru_percpu *percpu = m->vcpus[cpu].mm->lru;

	return oracle_read(percpu->add.nr) + oracle_read(percpu->activate.nr);
}

/* --- Age -------------------------------------------------------------------------------------- */

/* The second young bit in a row. A page that waits in the own pagevec is marked there and becomes
 * active when it is added; in another vCPU's it stays as it is (v3.14 __lru_cache_activate_page).
 */
static void activate_page(struct page *p, u32 flags)
{
	struct vcpu *v;

	preempt_disable();
	v = this_vcpu();
	if (flags & (1u << PG_lru)) {
		struct pagevec *pv = &v->mm->lru->activate;

		get_page(p);
		pagevec_push(pv, p);
		if (pv->nr == pv->limit)
			drain_activate(v->machine->mm->lru, pv);
	} else if (lru_pagevec_cpu(p) == (s32)v->id) {
		page_flag_set(p, PG_active);
		count_vm_event(VMSTAT_pgactivate);
	}
	preempt_enable();
}

void mark_page_accessed(struct page *p)
{
	u32 flags = READ_ONCE(p->flags);

	if (!(flags & (1u << PG_referenced))) {
		page_flag_set(p, PG_referenced);
	} else if (!(flags & (1u << PG_active | 1u << PG_unevictable))) {
		activate_page(p, flags);
		page_flag_clear(p, PG_referenced);
	}
}

void rotate_reclaimable_page(struct page *p)
{
	struct lru_machine *lru = this_mm()->lru;
	u32 flags;

	spin_lock(&lru->lock);
	flags = READ_ONCE(p->flags);
	if ((flags & (LRU_FLAGS | 1u << PG_locked | 1u << PG_dirty)) == 1u << PG_lru) {
		enum lru_list l = list_of(p, flags);

		list_del(lru, p, l);
		link_between(p, lru->lists[l].prev, &lru->lists[l]);
		count_list(lru, l, 1);
		count_vm_event(VMSTAT_pgrotated);
	}
	spin_unlock(&lru->lock);
}

/* --- mlock ------------------------------------------------------------------------------------ */

/* Onto the unevictable list or back, as PG_mlocked says now. A page in a pagevec is put where it
 * belongs when it is added. */
static void update_evictable(struct page *p)
{
	struct lru_machine *lru = this_mm()->lru;
	u32 flags;

	spin_lock(&lru->lock);
	flags = READ_ONCE(p->flags);
	if ((flags & (1u << PG_lru)) &&
	    !(flags & (1u << PG_mlocked)) != !(flags & (1u << PG_unevictable))) {
		list_del(lru, p, list_of(p, flags));
		if (flags & (1u << PG_mlocked)) {
			page_flag_clear(p, PG_active);
			page_flag_set(p, PG_unevictable);
			list_add(lru, p, LRU_UNEVICTABLE);
		} else {
			page_flag_clear(p, PG_unevictable);
			list_add(lru, p, list_of(p, flags & ~(1u << PG_unevictable)));
		}
	}
	spin_unlock(&lru->lock);
}

void mlock_vma_page(struct page *p)
{
	if (page_flag_test_set(p, PG_mlocked))
		return;
	count_vm_event(VMSTAT_unevictable_pgs_mlocked);
	event_record(&ev_mlock, page_to_pfn(p), 0);
	update_evictable(p);
}

void munlock_vma_page(struct page *p)
{
	if (!page_flag_test_clear(p, PG_mlocked))
		return;
	count_vm_event(VMSTAT_unevictable_pgs_munlocked);
	event_record(&ev_munlock, page_to_pfn(p), 0);
	update_evictable(p);
}

void clear_page_mlock(struct page *p)
{
	if (page_flag(p, PG_mlocked))
		munlock_vma_page(p);
}

void lru_del_page(struct page *p)
{
	struct lru_machine *lru = this_mm()->lru;
	u32 flags;

	spin_lock(&lru->lock);
	flags = READ_ONCE(p->flags);
	if (flags & (1u << PG_lru)) {
		list_del(lru, p, list_of(p, flags));
		(void)atomic_fetch_and(~LRU_FLAGS, &p->flags);
	}
	spin_unlock(&lru->lock);
}

/* --- Set-up, numbers, audit ------------------------------------------------------------------- */

/* What waits in pagevecs is held by them: in a small machine all of them together may hold at most
 * one page in this many. Two at least, or nothing would ever wait. */
#define PAGEVEC_SHARE 8
#define PAGEVEC_MIN 2

int lru_setup(struct machine *m)
{
	struct lru_machine *lru = arena_alloc(&m->arena, sizeof(*lru), CACHE_LINE);
	struct lru_percpu *percpu =
		arena_alloc(&m->arena, m->nr_vcpus * sizeof(*percpu), CACHE_LINE);
	u64 limit = m->mm->nr_pages / ((u64)m->nr_vcpus * PAGEVEC_SHARE);

	if (!lru || !percpu)
		return -ENOMEM;
	limit = max((u64)PAGEVEC_MIN, min(limit, (u64)PAGEVEC_SIZE));
	spin_lock_init(&lru->lock, LOCK_CLASS_lru_lock);
	for (u32 l = 0; l < NR_LRU_LISTS; l++)
		CDS_INIT_LIST_HEAD(&lru->lists[l]);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		percpu[i].add.limit = (u32)limit;
		percpu[i].activate.limit = (u32)limit;
		m->vcpus[i].mm->lru = &percpu[i];
	}
	m->mm->lru = lru;
	return 0;
}

u64 lru_size(const struct machine *m, enum lru_list l)
{
	return oracle_read(m->mm->lru->size[l]);
}

static u32 pagevec_count(const struct pagevec *pv, const struct page *p)
{
	u32 nr = 0;

	for (u32 i = 0; i < oracle_read(pv->nr); i++)
		nr += oracle_read(pv->pages[i]) == p;
	return nr;
}

u32 lru_pagevec_refs(const struct machine *m, u64 pfn)
{
	const struct page *p = &m->mm->pages[pfn];
	u32 nr = 0;

	for (u32 i = 0; i < m->nr_vcpus; i++) {
		nr += pagevec_count(&m->vcpus[i].mm->lru->add, p);
		nr += pagevec_count(&m->vcpus[i].mm->lru->activate, p);
	}
	return nr;
}

static void audit_listed(const struct machine *m, const struct page *p, enum lru_list l)
{
	u32 flags = oracle_read(p->flags);
	char text[128];

	if (!(flags & (1u << PG_lru)) || list_of(p, flags) != l || oracle_read(p->refcount) < 1 ||
	    !(flags & (1u << PG_mlocked)) != !(flags & (1u << PG_unevictable)))
		VIOLATION(
			&inv_lru,
			"pfn %llu is in the %s list with refcount %d, flags %s, %s mapping; expected "
			"lru, a reference, unevictable if and only if mlocked, and the %s list",
			(unsigned long long)(p - m->mm->pages), list_names[l],
			oracle_read(p->refcount), page_flags_text(flags, text, sizeof(text)),
			page_is_anon(p) ? "an anonymous" : "no anonymous",
			list_names[list_of(p, flags)]);
}

static u64 audit_list(const struct machine *m, enum lru_list l)
{
	const struct lru_machine *lru = m->mm->lru;
	const struct cds_list_head *pos;
	u64 nr = 0;

	for (pos = lru->lists[l].next; pos != &lru->lists[l]; pos = pos->next) {
		const struct page *p = container_of(pos, const struct page, lru);

		if (p < m->mm->pages || p >= m->mm->pages + m->mm->nr_pages)
			VIOLATION(&inv_lru,
				  "the %s list leads outside the pages after %llu of them",
				  list_names[l], (unsigned long long)nr);
		if (p->lru.next->prev != &p->lru || p->lru.prev->next != &p->lru)
			links_broken(p, l);
		audit_listed(m, p, l);
		/* A list that bites its tail. */
		if (++nr > m->mm->nr_pages)
			break;
	}
	if (nr != lru->size[l])
		VIOLATION(&inv_lru, "the %s list has %llu pages, %llu are counted", list_names[l],
			  (unsigned long long)nr, (unsigned long long)lru->size[l]);
	return nr;
}

static void audit_pagevec(const struct machine *m, const struct pagevec *pv, u32 cpu, bool add)
{
	char text[128];

	for (u32 i = 0; i < pv->nr; i++) {
		const struct page *p = pv->pages[i];
		u64 pfn = (u64)(p - m->mm->pages);
		u32 flags = oracle_read(p->flags), held = lru_pagevec_refs(m, pfn);
		bool waits = lru_pagevec_cpu(p) == (s32)cpu;

		if (oracle_read(p->refcount) < (s32)held ||
		    (flags & (1u << PG_buddy | 1u << PG_pcp)))
			VIOLATION_WITH(
				&inv_pagevec, cpu,
				"pfn %llu waits in pagevecs %u times, one of them of CPU%u, with "
				"refcount %d, flags %s; expected a reference for each",
				(unsigned long long)pfn, held, cpu, oracle_read(p->refcount),
				page_flags_text(flags, text, sizeof(text)));
		if (add && (!waits || (flags & (1u << PG_lru))))
			VIOLATION_WITH(
				&inv_added_twice, cpu,
				"pfn %llu waits to be added by CPU%u, its links name CPU%d, flags "
				"%s; expected CPU%u, not lru",
				(unsigned long long)pfn, cpu, lru_pagevec_cpu(p),
				page_flags_text(flags, text, sizeof(text)), cpu);
	}
}

void lru_audit(struct machine *m)
{
	u64 listed = 0, flagged = 0;

	oracle_enter();
	for (u32 l = 0; l < NR_LRU_LISTS; l++)
		listed += audit_list(m, (enum lru_list)l);
	for (u64 pfn = 0; pfn < first_fresh_page(m); pfn++)
		flagged += (oracle_read(m->mm->pages[pfn].flags) >> PG_lru) & 1;
	if (listed != flagged)
		VIOLATION(&inv_lru, "%llu pages are on LRU lists, %llu have PG_lru",
			  (unsigned long long)listed, (unsigned long long)flagged);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		audit_pagevec(m, &m->vcpus[i].mm->lru->add, i, true);
		audit_pagevec(m, &m->vcpus[i].mm->lru->activate, i, false);
	}
	oracle_exit();
}

static void count_refs(const struct machine *m, const struct pagevec *pv, u32 *refs)
{
	for (u32 i = 0; i < pv->nr; i++)
		refs[pv->pages[i] - m->mm->pages]++;
}

void lru_count_pagevec_refs(const struct machine *m, u32 *refs)
{
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		count_refs(m, &m->vcpus[i].mm->lru->add, refs);
		count_refs(m, &m->vcpus[i].mm->lru->activate, refs);
	}
}
