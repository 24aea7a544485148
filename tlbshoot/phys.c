// SPDX-License-Identifier: GPL-2.0-or-later
#include "tlbshoot/phys.h"

#include <errno.h>
#include <string.h>

#include "engine/executor.h"
#include "tlbshoot/tlb.h"
#include "tlbshoot/tlb_oracle.h"

INVARIANT(inv_frame_state, "frame-state",
	  "a frame is handed out while it is free, and given back while it is in use");

#define TABLE_BYTES (PTRS_PER_TABLE * sizeof(pteval_t))

static const char *const state_names[] = {
	[FRAME_FREE] = "free",
	[FRAME_DATA] = "a data frame",
	[FRAME_TABLE] = "a page table",
};

int phys_setup(struct machine *m, struct phys_memory *mem, u64 nr)
{
	mem->nr_frames = nr;
	mem->frames = arena_alloc(&m->arena, nr * sizeof(*mem->frames), CACHE_LINE);
	mem->tables = kmem_cache_create(m, "page_table", TABLE_BYTES, CACHE_LINE);
	return mem->frames && mem->tables ? 0 : -ENOMEM;
}

static struct frame *take(struct phys_memory *mem, u64 pfn, enum frame_state state)
{
	struct vcpu *v = this_vcpu();
	struct frame *f = frame_of(mem, pfn);
	u32 was = oracle_read(f->state);

	explore_touch(f, true);
	if (unlikely(was != FRAME_FREE))
		VIOLATION(&inv_frame_state, "pfn %llu is handed out as %s: expected free, is %s",
			  (unsigned long long)pfn, state_names[state], state_names[was]);
	/* Set-up runs on no vCPU, and before any TLB has entries. */
	if (v)
		tlb_oracle_frame_taken(v->machine, pfn);
	init_once(f->state, state);
	return f;
}

void frame_take_data(struct phys_memory *mem, u64 pfn)
{
	take(mem, pfn, FRAME_DATA);
}

/* By atomic stores under ThreadSanitizer: with a planted bug a walker may still be in a table that
 * is handed out again, and the oracle is to report that, not the sanitizer. */
static void clear_table(pteval_t *table)
{
#ifdef __SANITIZE_THREAD__
	for (u32 i = 0; i < PTRS_PER_TABLE; i++)
		init_once(table[i], 0);
#else
	memset(table, 0, TABLE_BYTES);
#endif
}

int frame_take_table(struct phys_memory *mem, u64 pfn)
{
	pteval_t *table = kmem_cache_alloc(mem->tables);

	if (!table)
		return -ENOMEM;
	clear_table(table);
	__atomic_store_n(&take(mem, pfn, FRAME_TABLE)->table, table, __ATOMIC_RELEASE);
	return 0;
}

void frame_release(struct machine *m, u64 pfn)
{
	struct frame *f = frame_of(&m->tlb->mem, pfn);
	pteval_t *table = f->table;

	/* Walkers compare its generation, the oracle looks for it in all TLBs. */
	explore_touch(f, true);
	if (unlikely(oracle_read(f->state) == FRAME_FREE))
		VIOLATION(&inv_frame_state, "pfn %llu is given back: expected in use, is free",
			  (unsigned long long)pfn);
	tlb_oracle_frame_freed(m, pfn);
	/* The generation first: who finds the table gone, or another's, finds it changed. */
	init_once(f->generation, f->generation + 1);
	__atomic_store_n(&f->table, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&f->state, FRAME_FREE, __ATOMIC_RELEASE);
	if (table)
		kmem_cache_free(m->tlb->mem.tables, table);
}

void frame_clear(struct frame *f)
{
	for (u32 i = 0; i < FRAME_WORDS; i++) {
		explore_touch(&f->data[i], true);
		init_once(f->data[i], 0);
	}
}

void frame_copy(struct frame *to, const struct frame *from)
{
	explore_hook(&from->data[0], ACCESS_LOAD);
	for (u32 i = 0; i < FRAME_WORDS; i++) {
		explore_touch(&from->data[i], false);
		init_once(to->data[i], oracle_read(from->data[i]));
	}
}
