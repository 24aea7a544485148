// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hardware page walker.
 *
 * Reading tables that another CPU may free. The walker takes no lock and no reference: a table
 * stays because whoever wants to free it must first interrupt this CPU, and an instruction is not
 * interrupted. That is a promise of the kernel's, so it is checked: for each table the generation
 * of its frame is noted when the walk learns of it, in the same step as the entry that names it,
 * and compared again when the table has been read. Under the explorer the comparison stands between
 * the decision point and the access, where nobody else can run: a walk never touches a freed table.
 * Under threads it stands after the load (acquire), so that a table freed before the load is seen.
 */
#include "tlbshoot/tlb_private.h"

INVARIANT(inv_freed_under_walk, "table-freed-under-walk",
	  "a page table is freed only when no CPU can be walking it");
INVARIANT(
	inv_stale_walk, "stale-walk-cache",
	"a paging-structure cache is used only while the table it names has not been freed since");
INVARIANT(inv_bad_entry, "bad-page-table-entry",
	  "a present page-table entry names a frame that exists, and an upper one names a table");
INVARIANT(inv_mapped_free, "mapped-frame-free",
	  "a frame that a page table maps is handed out, as data, until no entry names it");

struct walk {
	struct tlb *t;
	u64 va;
	struct frame *table;
	u32 generation; /* of table, when the walk learned of it */
	u32 level;	/* of the entry to be read in table */
	u32 flags;	/* what the levels above grant */
};

/* What all levels must grant. */
#define GRANTS ((u32)(PTE_RW | PTE_USER) | TLB_CAN_EXEC)

static inline u32 entry_grants(pteval_t e)
{
	return (u32)(e & (PTE_RW | PTE_USER)) | (e & PTE_NX ? 0 : TLB_CAN_EXEC);
}

static inline u32 mm_id(const struct walk *w)
{
	return w->t->loaded->id;
}

static __cold_path void freed_under_walk(const struct walk *w)
{
	VIOLATION(
		&inv_freed_under_walk,
		"CPU%u walks va %llx of mm %u, level %u: table pfn %llu was at generation %u when "
		"the walk found it, is at %u",
		this_vcpu()->id, (unsigned long long)w->va, mm_id(w), w->level,
		(unsigned long long)frame_number(w->t->mem, w->table), w->generation,
		frame_generation(w->table));
}

static __cold_path void stale_walk(const struct walk *w, const struct walk_entry *e, u32 level)
{
	VIOLATION(
		&inv_stale_walk,
		"CPU%u uses its level %u cache for va %llx of mm %u: table pfn %llu was cached at "
		"generation %u, is at %u",
		this_vcpu()->id, level, (unsigned long long)w->va, mm_id(w),
		(unsigned long long)frame_number(w->t->mem, e->table), e->generation,
		frame_generation(e->table));
}

static __cold_path void bad_entry(const struct walk *w, pteval_t e, const char *what)
{
	VIOLATION(&inv_bad_entry, "CPU%u walks va %llx of mm %u: level %u entry %llx %s",
		  this_vcpu()->id, (unsigned long long)w->va, mm_id(w), w->level,
		  (unsigned long long)e, what);
}

static __always_inline_fn void check_table(const struct walk *w)
{
	explore_touch(w->table, false);
	if (unlikely(frame_generation(w->table) != w->generation))
		freed_under_walk(w);
}

/* The slot of the entry for w->va. */
static __always_inline_fn pteval_t *entry_slot(const struct walk *w)
{
	pteval_t *table = frame_table(w->table);

	if (unlikely(!table))
		freed_under_walk(w);
	return table + table_index(w->va, w->level);
}

/* READ_ONCE of an entry, with the check where it belongs (see the top of the file). */
static __always_inline_fn pteval_t read_entry(const struct walk *w, const pteval_t *slot)
{
	pteval_t e;

	if (unlikely(exploring())) {
		bool view = explore_point(slot, MMT_SITE_SIZED(ACCESS_LOAD, sizeof(*slot)));

		check_table(w);
		e = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
		return unlikely(view) ? mmt_view(slot, e) : e;
	}
	e = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	check_table(w);
	return e;
}

/* Sets @bits in the entry unless it has changed: false then. */
static bool set_entry_bits(const struct walk *w, pteval_t *slot, pteval_t e, pteval_t bits)
{
	if (unlikely(exploring())) {
		explore_point(slot, MMT_SITE_SIZED(ACCESS_RMW, sizeof(*slot)));
		check_table(w);
	}
	return __atomic_compare_exchange_n(slot, &e, e | bits, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static inline struct frame *frame_named(const struct walk *w, pteval_t e)
{
	if (unlikely(pte_pfn(e) >= w->t->mem->nr_frames))
		bad_entry(w, e, "names a frame beyond the end of memory");
	return frame_of(w->t->mem, pte_pfn(e));
}

static __cold_path void mapped_free(const struct walk *w, const struct frame *f)
{
	VIOLATION(&inv_mapped_free,
		  "CPU%u walks va %llx of mm %u to pfn %llu: expected a data frame, is %s",
		  this_vcpu()->id, (unsigned long long)w->va, mm_id(w),
		  (unsigned long long)frame_number(w->t->mem, f),
		  oracle_read(f->state) == FRAME_FREE ? "free" : "a page table");
}

/* The frame that the leaf @e, just read or set, maps. */
static inline struct frame *leaf_frame(const struct walk *w, pteval_t e)
{
	struct frame *f = frame_named(w, e);

	explore_touch(f, false);
	if (unlikely(oracle_read(f->state) != FRAME_DATA))
		mapped_free(w, f);
	return f;
}

/* --- Paging-structure caches ------------------------------------------------------------------ */

static __always_inline_fn struct walk_entry *walk_cache_find(struct walk_cache *c, u64 tag)
{
	if (likely(c->tags[c->recent] == tag))
		return &c->entries[c->recent];
	for (u32 i = 0; i < c->nr; i++) {
		if (c->tags[i] == tag) {
			c->recent = i;
			return &c->entries[i];
		}
	}
	return NULL;
}

static void walk_cache_insert(struct walk_cache *c, u64 tag, const struct walk_entry *e)
{
	c->recent = c->victim;
	c->victim = c->victim + 1 == c->nr ? 0 : c->victim + 1;
	c->tags[c->recent] = tag;
	c->entries[c->recent] = *e;
}

static __always_inline_fn u64 walk_tag(const struct tlb *t, const struct walk_cache *c, u64 va)
{
	return t->walk_epoch | va >> c->shift;
}

/* Starts at the lowest table that a cache knows, or at the root. */
static void walk_begin(struct walk *w, struct vcpu *v, struct tlb *t, u64 va)
{
	w->t = t;
	w->va = va;
	for (u32 i = 0; i < NR_WALK_CACHES; i++) {
		struct walk_cache *c = &t->walk[i];
		const struct walk_entry *e = walk_cache_find(c, walk_tag(t, c, va));

		if (!e)
			continue;
		if (unlikely(frame_generation(e->table) != e->generation))
			stale_walk(w, e, i + 1);
		count_tlb_event(v, VMSTAT_walk_cache_hit);
		w->table = e->table;
		w->generation = e->generation;
		w->flags = e->flags;
		w->level = i;
		return;
	}
	w->table = t->root;
	w->generation = t->root_generation;
	w->flags = GRANTS;
	w->level = ROOT_LEVEL;
}

/* Goes down through the present entry @e, just read or set, and remembers where it leads. */
static void walk_descend(struct walk *w, pteval_t e)
{
	struct walk_cache *c = &w->t->walk[w->level - 1];
	struct walk_entry next = {
		.table = frame_named(w, e),
		.flags = w->flags & entry_grants(e),
	};

	explore_touch(next.table, false);
	next.generation = frame_generation(next.table);
	if (unlikely(!frame_table(next.table)))
		bad_entry(w, e, "does not name a table");
	explore_touch(&w->t->epoch, true);
	if (unlikely(exploring()))
		note_holder(&next.table->walked);
	walk_cache_insert(c, walk_tag(w->t, c, w->va), &next);
	w->table = next.table;
	w->generation = next.generation;
	w->flags = next.flags;
	w->level--;
}

/*
 * A fault drops what the paging-structure caches hold for the address (SDM vol. 3A, 4.10.4.1), so
 * that upper levels that grant more need no flush. Where nothing is present the model keeps them,
 * which hardware does not: an entry that is only filled in was never cached, and every other change
 * of an upper entry takes a flush. It saves the three upper levels in the walk after each fault.
 */
static u32 walk_fault(const struct walk *w, enum tlb_access access, u32 why)
{
	if (!(why & PF_PROT))
		return tlb_fault(access, why);
	for (u32 i = 0; i < NR_WALK_CACHES; i++) {
		struct walk_cache *c = &w->t->walk[i];

		if (walk_cache_find(c, walk_tag(w->t, c, w->va)))
			c->tags[c->recent] = 0;
	}
	return tlb_fault(access, why);
}

/* --- The walk --------------------------------------------------------------------------------- */

u32 tlb_walk(struct vcpu *v, struct tlb *t, u64 va, enum tlb_access access,
	     struct walk_result *result)
{
	struct walk w;

	if (unlikely(!t->loaded))
		return tlb_fault(access, 0);
	walk_begin(&w, v, t, va);
	for (;;) {
		pteval_t *slot = entry_slot(&w);
		pteval_t e = read_entry(&w, slot);
		pteval_t bits = PTE_ACCESSED;
		u32 flags;

		if (!(e & PTE_PRESENT))
			return walk_fault(&w, access, 0);
		if (w.level > 1 || (w.level == 1 && !(e & PTE_PSE))) {
			if (!(e & PTE_ACCESSED) && !set_entry_bits(&w, slot, e, bits))
				continue;
			walk_descend(&w, e);
			continue;
		}
		if (access == TLB_WRITE)
			bits |= PTE_DIRTY;
		flags = (u32)(e & 0xfff & ~(u64)GRANTS) | (w.flags & entry_grants(e));
		if (!tlb_allows(flags | (u32)bits, access))
			return walk_fault(&w, access, PF_PROT);
		if ((e & bits) != bits && !set_entry_bits(&w, slot, e, bits))
			continue;
		result->level = w.level;
		result->entry = (struct tlb_entry){
			.frame = leaf_frame(&w, e),
			.pfn = (u32)pte_pfn(e),
			.flags = flags | (u32)bits,
			.mm_id = t->loaded->id,
		};
		result->entry.generation = frame_generation(result->entry.frame);
		return 0;
	}
}
