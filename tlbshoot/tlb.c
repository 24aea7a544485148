// SPDX-License-Identifier: GPL-2.0-or-later
#include "tlbshoot/tlb.h"

#include <errno.h>
#include <string.h>

#include "engine/strategy.h"
#include "tlbshoot/knobs.h"
#include "tlbshoot/tlb_private.h"

EVENT_DESC(ev_fill, 210, 0, "tlb_fill", "va %llx pfn %llu");
EVENT_DESC(ev_fill_huge, 211, 0, "tlb_fill 2M", "va %llx pfn %llu");

INVARIANT(inv_stale_use, "stale-tlb-use",
	  "a translation is used only while the frame it names has not been freed since");
INVARIANT(inv_foreign, "foreign-translation",
	  "a CPU uses only translations of the address space it has loaded");

/* Paging-structure caches. Intel does not document them; 24 PDE and 4 PDPTE entries were measured
 * on Haswell to Kaby Lake parts, where no PML4E cache was seen: one entry here, the least. */
#define INTEL_WALK_CACHES                                                                          \
	"; paging-structure caches: van Schaik et al., Reverse Engineering Hardware Page Table "   \
	"Caches Using Side-Channel Attacks on the MMU (Vrije Universiteit Amsterdam, 2017)"
#define INTEL_PDE 24
#define INTEL_PDPTE 4
#define INTEL_PML4E 1

/* Where a second-level TLB holds pages of both sizes, the 2 MiB array here is the part's
 * first-level data TLB for them: the two sizes do not compete. */
const struct tlb_geometry tlb_geometries[] = {
	{"haswell", 128, 8, 8, 4, INTEL_PDE, INTEL_PDPTE, INTEL_PML4E,
	 "Intel 64 and IA-32 Architectures Optimization Reference Manual, TLB parameters of the "
	 "Haswell microarchitecture: second level 1024 entries, 8 ways; 2M data TLB 32 entries, "
	 "4 ways" INTEL_WALK_CACHES},
	{"skylake", 128, 12, 8, 4, INTEL_PDE, INTEL_PDPTE, INTEL_PML4E,
	 "Intel 64 and IA-32 Architectures Optimization Reference Manual, TLB parameters of the "
	 "Skylake microarchitecture: second level 1536 entries, 12 ways; 2M data TLB 32 entries, "
	 "4 ways" INTEL_WALK_CACHES},
	{"zen2", 256, 8, 1, 64, 64, 64, 64,
	 "CPUID Fn8000_0006 of family 17h model 31h: second-level data TLB 2048 entries, 8 ways; "
	 "AMD Software Optimization Guide for family 17h (56305): first level 64 entries of any "
	 "size, fully associative; page directory cache 64 entries"},
	{"tiny", 4, 2, 1, 2, 2, 1, 1,
	 "no real CPU: for exploring, small enough to be filled and evicted within a schedule"},
	{0},
};

const struct tlb_geometry *tlb_geometry_find(const char *name)
{
	for (const struct tlb_geometry *g = tlb_geometries; g->name; g++) {
		if (!strcmp(g->name, name))
			return g;
	}
	return NULL;
}

/* --- Arrays ----------------------------------------------------------------------------------- */

/* Ways are counted in bytes (tlb_array.recent, .victim). */
#define MAX_WAYS 255

static bool geometry_sound(const struct tlb_geometry *g)
{
	return g->sets_4k && !(g->sets_4k & (g->sets_4k - 1)) && g->sets_2m &&
	       !(g->sets_2m & (g->sets_2m - 1)) && g->ways_4k && g->ways_4k <= MAX_WAYS &&
	       g->ways_2m && g->ways_2m <= MAX_WAYS && g->pde && g->pdpte && g->pml4e;
}

static int array_setup(struct arena *arena, struct tlb_array *a, u32 sets, u32 ways)
{
	a->set_mask = sets - 1;
	a->ways = ways;
	a->tags = arena_alloc(arena, (u64)sets * ways * sizeof(*a->tags), CACHE_LINE);
	a->entries = arena_alloc_dirty(arena, (u64)sets * ways * sizeof(*a->entries), CACHE_LINE);
	a->recent = arena_alloc(arena, 2 * (u64)sets, CACHE_LINE);
	a->victim = a->recent + sets;
	return a->tags && a->entries && a->recent ? 0 : -ENOMEM;
}

static int walk_cache_setup(struct arena *arena, struct walk_cache *c, u32 nr, u32 shift)
{
	c->nr = nr;
	c->shift = shift;
	c->tags = arena_alloc(arena, nr * sizeof(*c->tags), CACHE_LINE);
	c->entries = arena_alloc_dirty(arena, nr * sizeof(*c->entries), CACHE_LINE);
	return c->tags && c->entries ? 0 : -ENOMEM;
}

static struct tlb *tlb_create(struct machine *m, const struct tlb_geometry *g)
{
	struct arena *arena = &m->arena;
	struct tlb *t = arena_alloc(arena, sizeof(*t), CACHE_LINE);

	if (!t || array_setup(arena, &t->small, g->sets_4k, g->ways_4k) ||
	    array_setup(arena, &t->huge, g->sets_2m, g->ways_2m) ||
	    walk_cache_setup(arena, &t->walk[0], g->pde, PMD_SHIFT) ||
	    walk_cache_setup(arena, &t->walk[1], g->pdpte, PUD_SHIFT) ||
	    walk_cache_setup(arena, &t->walk[2], g->pml4e, PGDIR_SHIFT))
		return NULL;
	t->epoch = TLB_EPOCH_ONE;
	t->walk_epoch = TLB_EPOCH_ONE;
	t->state = TLBSTATE_LAZY;
	t->until_check = TLB_CHECK_INTERVAL;
	t->mem = &m->tlb->mem;
	return t;
}

int tlb_setup(struct machine *m, u64 nr_frames, const struct tlb_geometry *geometry,
	      const struct tlb_policy *policy)
{
	struct tlb_machine *tm = arena_alloc(&m->arena, sizeof(*tm), CACHE_LINE);

	if (!tm)
		return -ENOMEM;
	m->tlb = tm;
	tm->geometry = geometry ? geometry : &tlb_geometries[0];
	tm->policy = policy ? policy : tlb_policies[0];
	if (!geometry_sound(tm->geometry))
		return -EINVAL;
	if (phys_setup(m, &tm->mem, nr_frames))
		return -ENOMEM;
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		m->vcpus[i].tlb = tlb_create(m, tm->geometry);
		if (!m->vcpus[i].tlb)
			return -ENOMEM;
	}
	return 0;
}

static struct tlb_entry *array_insert(struct tlb_array *a, u64 epoch, u64 number,
				      const struct tlb_entry *e)
{
	u32 set = (u32)number & a->set_mask;
	u32 way = a->victim[set];

	a->victim[set] = (u8)(way + 1 == a->ways ? 0 : way + 1);
	a->recent[set] = (u8)way;
	a->tags[set * a->ways + way] = epoch | number;
	a->entries[set * a->ways + way] = *e;
	return &a->entries[set * a->ways + way];
}

static void array_drop(struct tlb_array *a, u64 epoch, u64 number)
{
	u64 *tags = a->tags + ((u32)number & a->set_mask) * a->ways;

	for (u32 way = 0; way < a->ways; way++) {
		if (tags[way] == (epoch | number))
			tags[way] = 0;
	}
}

static void array_clear(struct tlb_array *a)
{
	memset(a->tags, 0, (a->set_mask + 1) * a->ways * sizeof(*a->tags));
}

static struct tlb_entry *lookup(struct tlb *t, u64 va, bool *huge)
{
	struct tlb_entry *e = tlb_array_find(&t->small, t->epoch, va >> PAGE_SHIFT);

	*huge = false;
	if (e || !t->nr_huge)
		return e;
	*huge = true;
	return tlb_array_find(&t->huge, t->epoch, va >> PMD_SHIFT);
}

static struct tlb_entry *insert(struct tlb *t, u64 va, const struct walk_result *r, bool *huge)
{
	*huge = r->level != 0;
	/* Other CPUs' flushes and frees are checked against what is here (tlb_oracle.c). */
	explore_touch(&t->epoch, true);
	if (*huge) {
		t->nr_huge++;
		event_record(&ev_fill_huge, va & PMD_MASK, r->entry.pfn);
		return array_insert(&t->huge, t->epoch, va >> PMD_SHIFT, &r->entry);
	}
	event_record(&ev_fill, va & PAGE_MASK, r->entry.pfn);
	if (unlikely(exploring()))
		note_holder(&r->entry.frame->cached);
	return array_insert(&t->small, t->epoch, va >> PAGE_SHIFT, &r->entry);
}

static void drop_page(struct tlb *t, u64 va)
{
	explore_touch(&t->epoch, true);
	explore_touch(&t->walk_epoch, true);
	array_drop(&t->small, t->epoch, va >> PAGE_SHIFT);
	if (t->nr_huge)
		array_drop(&t->huge, t->epoch, va >> PMD_SHIFT);
}

static void drop_walk_caches(struct tlb *t)
{
	t->walk_epoch += TLB_EPOCH_ONE;
	if (unlikely(!t->walk_epoch)) {
		for (u32 i = 0; i < NR_WALK_CACHES; i++)
			memset(t->walk[i].tags, 0, t->walk[i].nr * sizeof(*t->walk[i].tags));
		t->walk_epoch = TLB_EPOCH_ONE;
	}
}

static void drop_all(struct tlb *t)
{
	explore_touch(&t->epoch, true);
	explore_touch(&t->walk_epoch, true);
	t->nr_huge = 0;
	t->epoch += TLB_EPOCH_ONE;
	if (unlikely(!t->epoch)) {
		array_clear(&t->small);
		array_clear(&t->huge);
		t->epoch = TLB_EPOCH_ONE;
	}
	drop_walk_caches(t);
}

void tlb_invlpg(u64 va)
{
	struct tlb *t = this_tlb();

	drop_page(t, va);
	drop_walk_caches(t);
}

void tlb_flush_local_all(void)
{
	drop_all(this_tlb());
}

void tlb_flush_local(struct tlb *t, u64 start, u64 end, bool tables, bool count)
{
	struct vcpu *v = this_vcpu();

	if (end == TLB_FLUSH_ALL || end - start > TLB_SINGLE_PAGE_FLUSH_CEILING * PAGE_SIZE) {
		if (count)
			count_tlb_event(v, VMSTAT_nr_tlb_local_flush_all);
		drop_all(t);
		return;
	}
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		if (count)
			count_tlb_event(v, VMSTAT_nr_tlb_local_flush_one);
		drop_page(t, va);
	}
	if (start < end || tables)
		drop_walk_caches(t);
}

/* --- Accesses --------------------------------------------------------------------------------- */

static __cold_path void stale_use(const struct vcpu *v, const struct tlb_entry *e,
				  const struct frame *f, u64 va)
{
	const struct tlb *t = v->tlb;

	VIOLATION(&inv_stale_use,
		  "CPU%u uses va %llx of mm %u through pfn %llu: cached at generation %u, expected "
		  "that still, the frame is at %u",
		  v->id, (unsigned long long)va, e->mm_id,
		  (unsigned long long)frame_number(t->mem, f), e->generation,
		  frame_generation(e->frame));
}

/* The frame of the 4 KiB around @va in what @e maps. */
static __always_inline_fn struct frame *frame_in(const struct tlb_entry *e, u64 va, bool huge)
{
	return e->frame + (huge ? (va & (PMD_SIZE - 1)) >> PAGE_SHIFT : 0);
}

/* The access itself. Its decision point comes before the oracle's last look, so this is no
 * READ_ONCE or WRITE_ONCE, which would put it between look and access. */
static __always_inline_fn void access_word(struct frame *f, u64 va, enum tlb_access access,
					   u64 *value)
{
	if (access == TLB_WRITE)
		__atomic_store_n(frame_word(f, va), *value, __ATOMIC_RELAXED);
	else
		*value = __atomic_load_n(frame_word(f, va), __ATOMIC_RELAXED);
}

/* The entry that may be used for @access to @va, walked for if need be; or NULL and the fault. */
static struct tlb_entry *translate(struct vcpu *v, struct tlb *t, u64 va, enum tlb_access access,
				   bool *huge, u32 *fault)
{
	struct tlb_entry *e = lookup(t, va, huge);
	struct walk_result found;

	if (e && tlb_allows(e->flags, access)) {
		count_tlb_event(v, VMSTAT_tlb_hit);
		return e;
	}
	if (!e) {
		count_tlb_event(v, VMSTAT_tlb_miss);
	} else if (access == TLB_WRITE && (e->flags & PTE_RW)) {
		/* Cached by a read: the walk sets the dirty bit and brings what the page table says
		 * now. */
		count_tlb_event(v, VMSTAT_tlb_dirty_assist);
		drop_page(t, va);
	} else {
		/* A fault invalidates the translation it was due to (SDM vol. 3A, 4.10.4.1): the
		 * kernel need not flush where it has only granted more. */
		drop_page(t, va);
		*fault = tlb_fault(access, PF_PROT);
		return NULL;
	}
	*fault = tlb_walk(v, t, va, access, &found);
	return *fault ? NULL : insert(t, va, &found, huge);
}

/* Threads: everything but a hit of a 4 KiB page that allows the access. */
static __noinline u32 access_slow(struct vcpu *v, struct tlb *t, u64 va, enum tlb_access access,
				  u64 *value)
{
	struct tlb_entry *e;
	u32 fault = 0;
	bool huge;

	e = translate(v, t, va, access, &huge, &fault);
	if (!e)
		return fault;
	if (unlikely(frame_generation(e->frame) != e->generation))
		stale_use(v, e, frame_in(e, va, huge), va);
	access_word(frame_in(e, va, huge), va, access, value);
	return 0;
}

static void speculate(struct vcpu *v, struct tlb *t, u64 va)
{
	struct walk_result found;
	bool huge;

	if (va >= TASK_SIZE || !t->loaded || lookup(t, va, &huge))
		return;
	if (!tlb_walk(v, t, va, TLB_READ, &found))
		insert(t, va, &found, &huge);
}

/* Explorer: interrupts are off. */
static u32 access_explored(struct vcpu *v, struct tlb *t, u64 va, enum tlb_access access,
			   u64 *value)
{
	struct tlb_entry *e;
	struct frame *f;
	u32 fault = 0;
	bool huge;

	if (va >= TASK_SIZE)
		return tlb_fault(access, PF_PROT);
	if (t->loaded)
		init_once(t->loaded->recent_va, va);
	if (machine_choose(CHOICE_TLB_EVICT, 2))
		drop_page(t, va);
	e = translate(v, t, va, access, &huge, &fault);
	if (!e)
		return fault;
	f = frame_in(e, va, huge);
	if (access == TLB_WRITE)
		explore_point(frame_word(f, va), MMT_SITE(ACCESS_STORE));
	else
		explore_point(frame_word(f, va), MMT_SITE(ACCESS_LOAD));
	/* From here to the access nobody else runs. */
	explore_touch(e->frame, false);
	if (frame_generation(e->frame) != e->generation)
		stale_use(v, e, f, va);
	if (e->mm_id != t->loaded->id)
		VIOLATION(&inv_foreign,
			  "CPU%u uses va %llx through pfn %llu: cached for mm %u, loaded is mm %u",
			  v->id, (unsigned long long)va,
			  (unsigned long long)frame_number(t->mem, f), e->mm_id, t->loaded->id);
	tlb_oracle_check_use(v, t, va, access, frame_number(t->mem, f));
	access_word(f, va, access, value);
	return 0;
}

static u32 instruction_explored(struct vcpu *v, u64 va, enum tlb_access access, u64 *value)
{
	u32 irqs = v->irqs_off;
	u32 fault;

	v->irqs_off = 1;
	/* Before the access: it is the last step, so that a program's own record of it, made when
	 * cpu_access() returns, belongs to the same step. */
	if (machine_choose(CHOICE_TLB_FILL, 2))
		speculate(v, v->tlb, va + PAGE_SIZE);
	fault = access_explored(v, v->tlb, va, access, value);
	v->irqs_off = irqs;
	return fault;
}

/* An instruction before which something may have to be done. */
static __noinline u32 instruction_slow(u64 va, enum tlb_access access, u64 *value)
{
	struct vcpu *v;

	safepoint();
	/* The task may have moved. */
	v = this_vcpu();
	if (exploring())
		return instruction_explored(v, va, access, value);
	if (unlikely(va >= TASK_SIZE))
		return tlb_fault(access, PF_PROT);
	return access_slow(v, v->tlb, va, access, value);
}

/* A use whose turn it is to be compared with the page table. */
static __noinline u32 access_checked(struct vcpu *v, u64 va, enum tlb_access access, u64 *value,
				     const struct tlb_entry *e)
{
	v->tlb->until_check = TLB_CHECK_INTERVAL;
	tlb_oracle_check_use(v, v->tlb, va, access, e->pfn);
	access_word(e->frame, va, access, value);
	return 0;
}

/* The hot path. All that is not a hit in the set's recent way is a tail call, so that a hit saves
 * no registers: the safepoint is looked at here and taken elsewhere. */
u32 cpu_access(u64 va, enum tlb_access access, u64 *value)
{
	struct vcpu *v = this_vcpu();
	struct tlb_entry *e;
	struct tlb *t;

	if (unlikely(exploring()) || unlikely(__atomic_load_n(&v->pending, __ATOMIC_RELAXED)) ||
	    unlikely(v->ticks == 1) || unlikely(va >= TASK_SIZE))
		return instruction_slow(va, access, value);
	v->ticks--;
	t = v->tlb;
	e = tlb_array_recent(&t->small, t->epoch, va >> PAGE_SHIFT);
	if (unlikely(!e) || unlikely(!tlb_allows(e->flags, access)))
		return access_slow(v, t, va, access, value);
	count_tlb_event(v, VMSTAT_tlb_hit);
	if (unlikely(frame_generation(e->frame) != e->generation))
		stale_use(v, e, e->frame, va);
	if (unlikely(!--t->until_check))
		return access_checked(v, va, access, value, e);
	access_word(e->frame, va, access, value);
	return 0;
}

void tlb_speculate(u64 va)
{
	u32 irqs = local_irq_save();
	struct vcpu *v = this_vcpu();

	speculate(v, v->tlb, va);
	local_irq_restore(irqs);
}

void load_root(u64 pfn, struct mm_context *ctx)
{
	struct vcpu *v = this_vcpu();
	struct tlb *t = v->tlb;

	/* Until here the old root is in use: loading is a serializing instruction. (A kernel whose
	 * switch_mm() lacks its barrier cannot count on this one either: planted bug.) */
	if (unlikely(exploring()))
		explore_point(NULL, planted(KNOB_SWITCH_NO_BARRIER) ? MMT_SITE(ACCESS_EXEC)
								    : MMT_SITE(ACCESS_FENCE));
	explore_touch(&t->loaded, true);
	t->root = frame_of(t->mem, pfn);
	if (unlikely(exploring()))
		note_holder(&t->root->walked);
	explore_touch(t->root, false);
	t->root_generation = frame_generation(t->root);
	t->loaded = ctx;
	drop_all(t);
	/* The CPU may guess at once what the program will touch. */
	if (unlikely(exploring()) && ctx && machine_choose(CHOICE_TLB_FILL, 2))
		tlb_speculate(oracle_read(ctx->recent_va));
}
