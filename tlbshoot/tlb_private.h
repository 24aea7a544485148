// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The inside of a vCPU's TLB, for the files of this part only.
 *
 * Everything here is plain memory of the vCPU that owns it, but for `state`, which a planted bug
 * reads from elsewhere. It changes while that vCPU executes an instruction (cpu_access), in its
 * flush interrupts and when it switches address spaces: never two of these at once, since an
 * instruction is not interrupted and the rest runs with interrupts off.
 */
#ifndef TLBSHOOT_TLB_PRIVATE_H
#define TLBSHOOT_TLB_PRIVATE_H

#include "engine/access.h"
#include "engine/executor.h"
#include "smp/ipi.h"
#include "smp/vmstat.h"
#include "tlbshoot/mmu_context.h"
#include "tlbshoot/tlb.h"
#include "tlbshoot/tlbflush.h"

/* A tag is epoch | page number: 36 bits hold any 48-bit address' page number, the rest the epoch,
 * which is never 0. So a tag of 0 is an empty way. */
#define TLB_EPOCH_SHIFT 36
#define TLB_EPOCH_ONE (1ULL << TLB_EPOCH_SHIFT)
#define TLB_NUMBER_MASK (TLB_EPOCH_ONE - 1)

struct tlb_array {
	u64 *tags; /* sets * ways */
	struct tlb_entry *entries;
	u8 *recent; /* for each set, the way that hit last: looked at first */
	u8 *victim; /* for each set, the way that is replaced next */
	u32 set_mask;
	u32 ways;
};

/* Where a walk goes on: the next table. */
struct walk_entry {
	struct frame *table;
	u32 generation;
	u32 flags; /* what the levels above grant: PTE_RW, PTE_USER, TLB_CAN_EXEC */
};

/* A paging-structure cache: fully associative, tagged by epoch | address bits above @shift. */
struct walk_cache {
	u64 *tags;
	struct walk_entry *entries;
	u32 nr;
	u32 recent;
	u32 victim;
	u32 shift;
};

/* Caches of pmd, pud and pgd entries: index level - 1. */
#define NR_WALK_CACHES 3
#define ROOT_LEVEL 3

struct tlb {
	/* A hit needs this line, and one each of tags, entries and frames. */
	struct tlb_array small;	   /* 4 KiB pages */
	u64 epoch;		   /* in place: a multiple of TLB_EPOCH_ONE */
	struct mm_context *loaded; /* whose root is loaded; NULL: the kernel's */
	u32 until_check;	   /* threads: uses left to the next look at the page table */
	u32 nr_huge;		   /* entries put into `huge` since everything was flushed */

	struct tlb_array huge; /* 2 MiB pages */
	u64 walk_epoch;	       /* of the paging-structure caches, in place */
	struct walk_cache walk[NR_WALK_CACHES];

	/* The root register, and what stands for v3.14's cpu_tlbstate. */
	struct phys_memory *mem;
	struct frame *root;
	u32 root_generation;
	u32 state;		   /* enum tlbstate; atomic */
	struct mm_context *active; /* what the kernel believes it runs or borrows */
	struct mm_context *user;   /* context of current->mm: NULL while lazy */
	u32 until_scan;		   /* threads: frees left to the next search */

	/* Planted bug flush-mask-early: the mask as it was when a change began. */
	const struct mm_context *early;
	u64 early_mask[CPU_WORDS];
} __line_aligned;

/* What a walk has found. */
struct walk_result {
	struct tlb_entry entry;
	u32 level; /* 0: 4 KiB, 1: 2 MiB */
};

/*
 * walker.c: walks the tables of the loaded root for @va. Returns 0 with @result filled in and the
 * accessed (and for a write, dirty) bits set, or the error code of the fault. Interrupts must be
 * off, or not be taken (threads).
 */
u32 tlb_walk(struct vcpu *v, struct tlb *t, u64 va, enum tlb_access access,
	     struct walk_result *result);

/* tlb_oracle.c: @va is about to be accessed in frame @pfn. Does not return if the page table does
 * not grant that and no change is pending. */
void tlb_oracle_check_use(struct vcpu *v, const struct tlb *t, u64 va, enum tlb_access access,
			  u64 pfn);

/* mmu_context.c: the order of v3.13's switch_mm and enter_lazy_tlb, for policies. */
void native_switch_mm(struct mm_context *prev, struct mm_context *next);
void native_enter_lazy_tlb(struct mm_context *ctx);

/* tlbflush.c, for policies: invalidates [start, end) or everything on this vCPU, as
 * TLB_SINGLE_PAGE_FLUSH_CEILING says. @count: for the caller's own CPU. Interrupts off. */
void tlb_flush_local(struct tlb *t, u64 start, u64 end, bool tables, bool count);
/* Interrupts the CPUs that may have translations of @ctx, but this one, and waits for them. */
void tlb_shootdown(struct mm_context *ctx, smp_call_func_t func, const struct call_args *args);

extern const struct tlb_policy tlb_policy_v313;
extern const struct tlb_policy tlb_policy_broadcast;

static __always_inline_fn struct tlb *this_tlb(void)
{
	return this_vcpu()->tlb;
}

/* Explored: the running vCPU has a frame from here on, in the way that *@who stands for
 * (frame.cached, frame.walked). */
static __always_inline_fn void note_holder(u64 *who)
{
	init_once(*who, __atomic_load_n(who, __ATOMIC_RELAXED) | 1ULL << smp_processor_id());
}

static __always_inline_fn void count_tlb_event(struct vcpu *v, enum vmstat_item item)
{
	u64 *c = &v->counters[item];

	__atomic_store_n(c, *c + 1, __ATOMIC_RELAXED);
}

/* What an entry must have for an access. A write needs PTE_DIRTY too: without it the walker has to
 * set it in the page table first. */
static __always_inline_fn bool tlb_allows(u32 flags, enum tlb_access access)
{
	static const u32 need[] = {
		[TLB_READ] = (u32)PTE_USER,
		[TLB_WRITE] = (u32)(PTE_USER | PTE_RW | PTE_DIRTY),
		[TLB_EXEC] = (u32)PTE_USER | TLB_CAN_EXEC,
	};

	return !(need[access] & ~flags);
}

/* The entry of @number (page number in the array's page size) if it is the set's recent one. */
static __always_inline_fn struct tlb_entry *tlb_array_recent(const struct tlb_array *a, u64 epoch,
							     u64 number)
{
	u32 set = (u32)number & a->set_mask;
	u32 i = set * a->ways + a->recent[set];

	return likely(a->tags[i] == (epoch | number)) ? &a->entries[i] : NULL;
}

/* The entry of @number, or NULL. */
static __always_inline_fn struct tlb_entry *tlb_array_find(struct tlb_array *a, u64 epoch,
							   u64 number)
{
	u32 set = (u32)number & a->set_mask;
	u32 base = set * a->ways;
	const u64 *tags = a->tags + base;

	for (u32 way = 0; way < a->ways; way++) {
		if (tags[way] == (epoch | number)) {
			a->recent[set] = (u8)way;
			return &a->entries[base + way];
		}
	}
	return NULL;
}

/* Error code of a fault at an access by user mode. */
static inline u32 tlb_fault(enum tlb_access access, u32 why)
{
	return PF_FAULT | PF_USER | why | (access == TLB_WRITE ? PF_WRITE : 0) |
	       (access == TLB_EXEC ? PF_INSTR : 0);
}

#endif
