// SPDX-License-Identifier: GPL-2.0-or-later
#include "tlbshoot/tlb_oracle.h"

#include <stdarg.h>

#include "tlbshoot/tlb_private.h"

INVARIANT(inv_at_free, "stale-tlb-at-free",
	  "when a frame is freed, no CPU's TLB, paging-structure cache or root still names it");
INVARIANT(inv_at_reuse, "stale-tlb-at-reuse",
	  "when a frame is handed out, no CPU's TLB, paging-structure cache or root names it");
INVARIANT(inv_exceeds, "tlb-exceeds-pagetable",
	  "unless a change waits for its flush, no CPU holds what the page table does not grant");
INVARIANT(inv_clean, "clean-page-writable-in-tlb",
	  "when a page is declared clean, no CPU can store to it through its TLB");
INVARIANT(inv_mask, "cpu-not-in-mask",
	  "a CPU that has the root of an address space loaded is in its CPU mask");
INVARIANT(inv_unfinished, "tlb-change-unfinished",
	  "in a quiet machine every tlb_change_begin() has had its tlb_change_end()");

/* What the oracle reads of other vCPUs' TLBs is plain memory that only the explorer orders. */
#define ORACLE_LOOKS __attribute__((no_sanitize("thread")))

/* Rights of an entry that the page table must grant too. */
#define RIGHTS ((u32)(PTE_RW | PTE_USER | PTE_DIRTY) | TLB_CAN_EXEC)

/* --- Page tables ------------------------------------------------------------------------------ */

struct step {
	pteval_t entry;
	u32 level;
	u32 rights;
};

/* Goes down from @root to the entry for @va at level @to, or the 2 MiB leaf above it. False where
 * nothing present is there. */
static bool descend(const struct machine *m, u64 root, u64 va, u32 to, struct step *s)
{
	const struct phys_memory *mem = &m->tlb->mem;
	u32 rights = RIGHTS;
	u64 pfn = root;

	for (u32 level = ROOT_LEVEL;; level--) {
		const pteval_t *table =
			pfn < mem->nr_frames ? frame_table(frame_of(mem, pfn)) : NULL;
		pteval_t e;

		if (!table)
			return false;
		explore_touch(&table[table_index(va, level)], false);
		e = __atomic_load_n(&table[table_index(va, level)], __ATOMIC_ACQUIRE);
		if (!(e & PTE_PRESENT))
			return false;
		rights &= (u32)(e & (PTE_RW | PTE_USER)) | (e & PTE_NX ? 0 : TLB_CAN_EXEC) |
			  (u32)PTE_DIRTY;
		if (level == to || (level == 1 && (e & PTE_PSE))) {
			if (!(e & PTE_DIRTY))
				rights &= ~(u32)PTE_DIRTY;
			*s = (struct step){e, level, rights};
			return true;
		}
		pfn = pte_pfn(e);
	}
}

pteval_t tlb_oracle_walk(const struct machine *m, u64 root, u64 va, u32 *level)
{
	struct step s;
	pteval_t e;

	if (!descend(m, root, va, 0, &s))
		return 0;
	*level = s.level;
	e = s.entry & ~(PTE_RW | PTE_USER | PTE_NX);
	return e | (s.rights & (PTE_RW | PTE_USER)) | (s.rights & TLB_CAN_EXEC ? 0 : PTE_NX);
}

/* Does the page table map @va to @pfn with all of @rights? */
static bool granted(const struct machine *m, const struct mm_context *ctx, u64 va, u64 pfn,
		    u32 rights, struct step *s)
{
	u64 mapped;

	*s = (struct step){0};
	if (!descend(m, ctx->root, va, 0, s))
		return false;
	mapped = pte_pfn(s->entry) + (s->level ? (va & (PMD_SIZE - 1)) >> PAGE_SHIFT : 0);
	return mapped == pfn && !(rights & ~s->rights);
}

static __cold_path void use_exceeds(const struct vcpu *v, const struct tlb *t, u64 va, u64 pfn,
				    enum tlb_access access, u32 rights, const struct step *s)
{
	VIOLATION(&inv_exceeds,
		  "CPU%u %s va %llx of mm %u through pfn %llu, rights %x; the page table has entry "
		  "%llx, rights %x, and no change is pending",
		  v->id, access == TLB_WRITE ? "writes" : "reads", (unsigned long long)va,
		  t->loaded->id, (unsigned long long)pfn, rights, (unsigned long long)s->entry,
		  s->rights);
}

/*
 * A read may use less than the entry grants; a write makes use of PTE_RW and PTE_DIRTY.
 *
 * Under threads the page table may change while we look. No false alarm: an operation that weakens
 * it raises flush_pending first and lowers it only when this CPU, which is in the mask and takes no
 * interrupt here, has acknowledged the flush. So if the walk saw its change, the second load sees
 * flush_pending raised: loads of x86 are in order, elsewhere the walk's are acquire. The tables
 * themselves stay for the same reason.
 */
void tlb_oracle_check_use(struct vcpu *v, const struct tlb *t, u64 va, enum tlb_access access,
			  u64 pfn)
{
	struct mm_context *ctx = t->loaded;
	u32 rights = access == TLB_WRITE  ? (u32)(PTE_RW | PTE_DIRTY)
		     : access == TLB_EXEC ? TLB_CAN_EXEC
					  : 0;
	struct step s;

	explore_touch(&ctx->flush_pending, false);
	if (__atomic_load_n(&ctx->flush_pending, __ATOMIC_ACQUIRE) ||
	    granted(v->machine, ctx, va, pfn, rights, &s))
		return;
	if (__atomic_load_n(&ctx->flush_pending, __ATOMIC_ACQUIRE))
		return;
	use_exceeds(v, t, va, pfn, access, rights, &s);
}

/* --- Searches --------------------------------------------------------------------------------- */

/* What is looked for in a TLB, and how a find is reported. */
struct search {
	struct machine *m;
	const struct vcpu *v; /* whose TLB is searched */
	const struct tlb *t;
	/* A frame: */
	const struct invariant *inv;
	u64 pfn;
	/* or entries of [start, end) that the page table does not grant: */
	u64 start, end;
	const char *where; /* the function that searches, for the report */
	bool found;
};

/* On a vCPU: leaves the machine. From outside: returns. */
static __cold_path __attribute__((format(printf, 3, 4))) void
report(struct search *s, const struct invariant *inv, const char *fmt, ...)
{
	char text[VIOLATION_MESSAGE_SIZE];
	va_list args;

	s->found = true;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (this_vcpu())
		violation_report(inv, s->where, s->v->id, "%s", text);
	violation_from_outside(s->m, inv, s->v->id, "%s", text);
}

static u64 tag_va(u64 tag, u32 shift)
{
	return (tag & TLB_NUMBER_MASK) << shift;
}

ORACLE_LOOKS static void found_frame(struct search *s, const char *where, u64 va)
{
	report(s, s->inv, "pfn %llu: CPU%u's %s still has it, for va %llx of mm %u%s",
	       (unsigned long long)s->pfn, s->v->id, where, (unsigned long long)va,
	       s->t->loaded ? s->t->loaded->id : 0, s->t->state == TLBSTATE_LAZY ? " (lazy)" : "");
}

ORACLE_LOOKS static void array_search_frame(struct search *s, const struct tlb_array *a, bool huge)
{
	u64 span = huge ? PTRS_PER_TABLE : 1;
	u32 nr = (a->set_mask + 1) * a->ways;
	const struct tlb_entry *entries = a->entries;
	const u64 *tags = a->tags;
	u64 epoch = s->t->epoch, pfn = s->pfn;
	bool any = false;

	/* First without branches: which entries are in use no predictor can know. */
	for (u32 i = 0; i < nr; i++)
		any |= ((tags[i] ^ epoch) <= TLB_NUMBER_MASK) & (pfn - entries[i].pfn < span);
	if (likely(!any))
		return;
	for (u32 i = 0; i < nr; i++) {
		u64 tag = a->tags[i];

		if ((tag & ~TLB_NUMBER_MASK) != s->t->epoch || s->pfn - a->entries[i].pfn >= span)
			continue;
		found_frame(s, huge ? "TLB (2 MiB)" : "TLB",
			    tag_va(tag, huge ? PMD_SHIFT : PAGE_SHIFT));
		return;
	}
}

ORACLE_LOOKS static void tlb_search_frame(struct search *s)
{
	array_search_frame(s, &s->t->small, false);
	if (s->t->nr_huge && !s->found)
		array_search_frame(s, &s->t->huge, true);
}

/* The same in the paging-structure caches and the root register. */
ORACLE_LOOKS static void walk_search_frame(struct search *s)
{
	static const char *const names[NR_WALK_CACHES] = {"PDE cache", "PDPTE cache",
							  "PML4E cache"};
	const struct tlb *t = s->t;
	const struct frame *f = frame_of(t->mem, s->pfn);

	for (u32 i = 0; i < NR_WALK_CACHES && !s->found; i++) {
		const struct walk_cache *c = &t->walk[i];

		for (u32 k = 0; k < c->nr && !s->found; k++) {
			if (unlikely(c->entries[k].table == f) &&
			    (c->tags[k] & ~TLB_NUMBER_MASK) == t->walk_epoch)
				found_frame(s, names[i], tag_va(c->tags[k], c->shift));
		}
	}
	if (!s->found && t->loaded && t->root == f)
		found_frame(s, "root register", 0);
}

/* Does the TLB of s->v hold s->pfn anywhere? Reports it. */
ORACLE_LOOKS static void search_frame(struct search *s)
{
	tlb_search_frame(s);
	if (!s->found)
		walk_search_frame(s);
}

ORACLE_LOOKS static void search_all(struct machine *m, const struct invariant *inv, u64 pfn,
				    const char *where)
{
	struct search s = {.m = m, .inv = inv, .pfn = pfn, .where = where};
	struct frame *f = frame_of(&m->tlb->mem, pfn);
	u64 cached = __atomic_load_n(&f->cached, __ATOMIC_RELAXED);
	u64 walked = __atomic_load_n(&f->walked, __ATOMIC_RELAXED);

	/* An entry for 2 MiB has 512 frames, which are not marked. */
	for (u32 i = 0; i < m->nr_vcpus; i++)
		cached |= (u64)(m->vcpus[i].tlb->nr_huge != 0) << i;
	if (!(cached | walked))
		return;
	for (u32 i = 0; i < m->nr_vcpus && !s.found; i++) {
		s.v = &m->vcpus[i];
		s.t = s.v->tlb;
		/* An entry for the frame that is filled concerns the frame, too (walker.c); one
		 * that is dropped may be any. */
		explore_touch(&s.t->walk_epoch, false);
		explore_touch(&s.t->loaded, false);
		if (cached >> i & 1)
			tlb_search_frame(&s);
		if ((walked >> i & 1) && !s.found)
			walk_search_frame(&s);
	}
	if (!s.found) {
		init_once(f->cached, 0);
		init_once(f->walked, 0);
	}
}

ORACLE_LOOKS void tlb_oracle_frame_freed(struct machine *m, u64 pfn)
{
	struct vcpu *v = this_vcpu();
	struct search s = {.m = m, .inv = &inv_at_free, .pfn = pfn, .v = v, .where = __func__};

	if (!v)
		return;
	if (exploring()) {
		count_tlb_event(v, VMSTAT_oracle_tlb_scans);
		search_all(m, &inv_at_free, pfn, __func__);
		return;
	}
	s.t = v->tlb;
	if (likely(v->tlb->until_scan--))
		return;
	v->tlb->until_scan = ORACLE_SCAN_INTERVAL - 1;
	count_tlb_event(v, VMSTAT_oracle_tlb_scans);
	search_frame(&s);
}

void tlb_oracle_frame_taken(struct machine *m, u64 pfn)
{
	if (exploring())
		search_all(m, &inv_at_reuse, pfn, __func__);
}

/* A store through an entry that is writable and not dirty walks the page table first. */
#define STORES ((u32)(PTE_RW | PTE_DIRTY))

ORACLE_LOOKS static void search_writable(struct search *s)
{
	const struct tlb_array *a = &s->t->small;

	for (u32 i = 0; i < (a->set_mask + 1) * a->ways && !s->found; i++) {
		u64 tag = a->tags[i];

		if ((tag & ~TLB_NUMBER_MASK) != s->t->epoch || a->entries[i].pfn != s->pfn ||
		    (a->entries[i].flags & STORES) != STORES)
			continue;
		s->found = true;
		report(s, s->inv,
		       "pfn %llu is declared clean; CPU%u's TLB can store to it, at va %llx of mm %u%s",
		       (unsigned long long)s->pfn, s->v->id,
		       (unsigned long long)tag_va(tag, PAGE_SHIFT),
		       s->t->loaded ? s->t->loaded->id : 0,
		       s->t->state == TLBSTATE_LAZY ? " (lazy)" : "");
	}
}

ORACLE_LOOKS void tlb_oracle_frame_clean(struct machine *m, u64 pfn)
{
	struct search s = {.m = m, .inv = &inv_clean, .pfn = pfn, .where = __func__};

	if (!exploring())
		return;
	for (u32 i = 0; i < m->nr_vcpus && !s.found; i++) {
		s.v = &m->vcpus[i];
		s.t = s.v->tlb;
		explore_touch(&s.t->epoch, false);
		search_writable(&s);
	}
}

ORACLE_LOOKS static void found_excess(struct search *s, const char *where, u64 va, u64 pfn,
				      u32 rights, const struct step *step)
{
	report(s, &inv_exceeds,
	       "CPU%u's %s has va %llx of mm %u -> pfn %llu, rights %x%s; the page table has entry "
	       "%llx, rights %x, and nothing is pending",
	       s->v->id, where, (unsigned long long)va, s->t->loaded->id, (unsigned long long)pfn,
	       rights, s->t->state == TLBSTATE_LAZY ? " (lazy)" : "",
	       (unsigned long long)step->entry, step->rights);
}

static bool overlaps(const struct search *s, u64 va, u64 size)
{
	return va < s->end && va + size > s->start;
}

ORACLE_LOOKS static void array_search_excess(struct search *s, const struct tlb_array *a, u32 shift)
{
	for (u32 i = 0; i < (a->set_mask + 1) * a->ways && !s->found; i++) {
		const struct tlb_entry *e = &a->entries[i];
		u64 va = tag_va(a->tags[i], shift);
		struct step step;

		if ((a->tags[i] & ~TLB_NUMBER_MASK) != s->t->epoch ||
		    !overlaps(s, va, 1ULL << shift))
			continue;
		if (!granted(s->m, s->t->loaded, va, e->pfn, e->flags & RIGHTS, &step))
			found_excess(s, shift == PMD_SHIFT ? "TLB (2 MiB)" : "TLB", va, e->pfn,
				     e->flags & RIGHTS, &step);
	}
}

ORACLE_LOOKS static void walk_search_excess(struct search *s, u32 level)
{
	const struct walk_cache *c = &s->t->walk[level - 1];

	for (u32 k = 0; k < c->nr && !s->found; k++) {
		const struct walk_entry *e = &c->entries[k];
		u64 va = tag_va(c->tags[k], c->shift);
		u64 pfn;
		struct step step = {0};

		if ((c->tags[k] & ~TLB_NUMBER_MASK) != s->t->walk_epoch ||
		    !overlaps(s, va, 1ULL << c->shift))
			continue;
		pfn = frame_number(s->t->mem, e->table);
		if (!descend(s->m, s->t->loaded->root, va, level, &step) ||
		    pte_pfn(step.entry) != pfn || (level == 1 && (step.entry & PTE_PSE)) ||
		    (e->flags & ~step.rights))
			found_excess(s, "paging-structure cache", va, pfn, e->flags, &step);
	}
}

/* Does the TLB of s->v hold anything of [s->start, s->end) that the page table does not grant? */
ORACLE_LOOKS static void search_excess(struct search *s)
{
	array_search_excess(s, &s->t->small, PAGE_SHIFT);
	if (s->t->nr_huge && !s->found)
		array_search_excess(s, &s->t->huge, PMD_SHIFT);
	for (u32 level = 1; level <= NR_WALK_CACHES && !s->found; level++)
		walk_search_excess(s, level);
}

ORACLE_LOOKS static void check_in_mask(struct search *s)
{
	const struct mm_context *ctx = s->t->loaded;
	u32 id = s->v->id;

	if (oracle_read(ctx->cpumask[id / 64]) & (1ULL << (id % 64)))
		return;
	report(s, &inv_mask, "CPU%u has the root of mm %u loaded, its bit is clear%s", id, ctx->id,
	       s->t->state == TLBSTATE_LAZY ? " (lazy)" : "");
}

ORACLE_LOOKS void tlb_oracle_flush_done(struct mm_context *ctx, u64 start, u64 end)
{
	struct vcpu *self = this_vcpu();
	struct search s = {.m = self->machine, .start = start, .end = end, .where = __func__};

	if (!exploring())
		return;
	for (u32 i = 0; i < s.m->nr_vcpus && !s.found; i++) {
		s.v = &s.m->vcpus[i];
		s.t = s.v->tlb;
		explore_touch(&s.t->loaded, false);
		if (s.t->loaded != ctx)
			continue;
		explore_touch(&s.t->epoch, false);
		explore_touch(&ctx->cpumask[i / 64], false);
		explore_touch(&ctx->flush_pending, false);
		check_in_mask(&s);
		/* One is the caller's own. With more, what another has changed may still be cached.
		 */
		if (oracle_read(ctx->flush_pending) <= 1)
			search_excess(&s);
	}
}

ORACLE_LOOKS void tlb_oracle_audit(struct machine *m)
{
	struct search s = {.m = m, .start = 0, .end = TASK_SIZE, .where = __func__};

	for (u32 i = 0; i < m->nr_vcpus && !s.found; i++) {
		s.v = &m->vcpus[i];
		s.t = s.v->tlb;
		if (!s.t->loaded)
			continue;
		if (oracle_read(s.t->loaded->flush_pending)) {
			report(&s, &inv_unfinished, "mm %u: %u changes are pending",
			       s.t->loaded->id, oracle_read(s.t->loaded->flush_pending));
			return;
		}
		check_in_mask(&s);
		if (!s.found)
			search_excess(&s);
	}
}
