// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Physical memory as the hardware sees it: an array of 4 KiB frames. What the kernel knows of a
 * frame (its struct page) is mm/'s; here is identity and content.
 *
 * A frame that holds data has FRAME_WORDS words that stand for its 4 KiB: the address bits above
 * the word offset are ignored. A frame that is a page table has a real table of 512 entries, which
 * the hardware walker reads.
 *
 * The generation changes each time the frame is freed. Whoever cached a translation keeps the
 * generation of that moment: a different one means that the frame has been freed since, whoever has
 * it now. It is written by the vCPU that frees the frame and read by all.
 */
#ifndef TLBSHOOT_PHYS_H
#define TLBSHOOT_PHYS_H

#include "engine/access.h"
#include "engine/machine.h"
#include "tlbshoot/pte.h"

#define FRAME_WORDS 4

enum frame_state {
	FRAME_FREE,
	FRAME_DATA,
	FRAME_TABLE,
};

struct frame {
	u32 generation;	       /* atomic */
	u32 state;	       /* enum frame_state; atomic; for the oracle */
	pteval_t *table;       /* FRAME_TABLE: 512 entries; else NULL. Atomic: frame_table() */
	u64 data[FRAME_WORDS]; /* atomic; user memory */
	/* Explored, for the oracle: the vCPUs whose TLB has got it, and whose paging-structure
	 * caches or root register have; none after a search that finds it nowhere. Atomic. */
	u64 cached, walked;
} __line_aligned;
_Static_assert(sizeof(struct frame) == CACHE_LINE, "a frame is one line");

struct phys_memory {
	struct frame *frames;
	u64 nr_frames;
	struct kmem_cache *tables; /* 4 KiB blocks */
};

/* Allocates memory for frames 0 .. nr-1, all FRAME_FREE. Returns 0 or -ENOMEM. */
int phys_setup(struct machine *m, struct phys_memory *mem, u64 nr);

static __always_inline_fn struct frame *frame_of(const struct phys_memory *mem, u64 pfn)
{
	return &mem->frames[pfn];
}

static __always_inline_fn u64 frame_number(const struct phys_memory *mem, const struct frame *f)
{
	return (u64)(f - mem->frames);
}

/* The word of @f that stands for the address @va. */
static __always_inline_fn u64 *frame_word(struct frame *f, u64 va)
{
	return &f->data[(va / sizeof(u64)) % FRAME_WORDS];
}

/*
 * The entries of a page-table frame, NULL if it is none. Whoever found the frame through a page
 * table that another vCPU writes reads the pointer here: it comes with no lock. No decision point:
 * while the kernel is right it cannot change under somebody who reached the frame.
 */
static __always_inline_fn pteval_t *frame_table(const struct frame *f)
{
	return __atomic_load_n(&f->table, __ATOMIC_ACQUIRE);
}

static __always_inline_fn u32 frame_generation(const struct frame *f)
{
	return __atomic_load_n(&f->generation, __ATOMIC_RELAXED);
}

/* The allocator hands a frame out, and the oracle is asked whether any vCPU could still use it
 * (tlb_oracle_frame_taken). As a table it gets 512 entries of zero; -ENOMEM if not. The contents of
 * a data frame are the caller's to set. A frame that is in use already is a violation. */
void frame_take_data(struct phys_memory *mem, u64 pfn);
int frame_take_table(struct phys_memory *mem, u64 pfn);

/*
 * The frame goes back to the allocator: its generation changes, its table is freed. Before that
 * the oracle is asked whether any vCPU could still use the frame (tlb_oracle_frame_freed). All of
 * it is one step of the explorer. A frame that is free already is a violation.
 */
void frame_release(struct machine *m, u64 pfn);

/* Fills a data frame with zero (clear_page), or with the words of another (copy_page). Copying is
 * one decision point: others may still write @from through their TLBs before it. */
void frame_clear(struct frame *f);
void frame_copy(struct frame *to, const struct frame *from);

#endif
