// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An address space as the CPUs know it: its page-table root and the set of CPUs that may have
 * translations of it. Embedded in struct mm_struct (mm/mm_types.h).
 *
 * cpumask is atomic and unlocked. The order on which shootdowns rest:
 *   (A) switch_mm: set own bit (locked: full barrier) ... load the root, walk tables
 *   (B) flush: change the page table ... full barrier ... read cpumask
 * Either B sees the bit and interrupts the CPU, or the CPU's first walk sees B's change.
 * The way out is the same the other way round: load another root, then clear the own bit. So a CPU
 * that has a root loaded is in its mask at every moment, and the oracle insists on that.
 *
 * flush_pending counts operations that have weakened page-table entries of this mm and have not
 * finished their flush: in between, stale translations are legal. Kept by the gather and by every
 * other path that weakens entries (tlb_change_begin/end); it is also what a second zap looks at to
 * know that it must flush too (v4.13 mm_tlb_flush_nested).
 *
 * What a CPU has loaded, and whether it is lazy, belongs to that CPU and changes with interrupts
 * off only. The loaded context must stay allocated: whoever borrows it holds mm_count.
 */
#ifndef TLBSHOOT_MMU_CONTEXT_H
#define TLBSHOOT_MMU_CONTEXT_H

#include "engine/access.h"
#include "engine/machine.h"
#include "tlbshoot/pte.h"

struct task_struct;

struct mm_context {
	u32 id;	       /* the mm's number, never reused in a machine */
	u64 root;      /* frame of the page directory; constant */
	u64 recent_va; /* explorer: where its CPUs may speculate; atomic, zero to begin with */
	u64 cpumask[CPU_WORDS]; /* atomic; only the words that nr_vcpus needs are used */
	/* Last, apart from what every fault reads: each zap writes it. */
	u32 flush_pending; /* atomic */
};

/* A new address space that no CPU uses yet. @root stays with it for its life. */
static inline void mm_context_init(struct mm_context *ctx, u32 id, u64 root)
{
	ctx->id = id;
	ctx->root = root;
	init_once(ctx->flush_pending, 0);
	init_once(ctx->recent_va, 0);
	for (u32 i = 0; i < CPU_WORDS; i++)
		init_once(ctx->cpumask[i], 0);
}

/* How a vCPU stands to the address space in its root register (v3.14 arch/x86 tlbflush.h). */
enum tlbstate {
	TLBSTATE_OK = 1,   /* a task of that mm runs */
	TLBSTATE_LAZY = 2, /* a kernel thread has borrowed it */
};

/* Switches this vCPU from @prev, what it ran or borrowed, to @next; rq locked, interrupts off
 * (insisted on). The same context twice: ends laziness, and reloads the root if a shootdown has
 * made the vCPU leave meanwhile. */
void switch_mm(struct mm_context *prev, struct mm_context *next);

/* exec: the same from process context; switches with interrupts off. */
void activate_mm(struct mm_context *prev, struct mm_context *next);

/* A kernel thread goes on with @ctx, what the vCPU ran or borrowed, borrowed. */
void enter_lazy_tlb(struct mm_context *ctx);

/* This vCPU stops using the mm it has borrowed: out of its mask, onto the kernel's root. Does
 * nothing if it has left already. Not while a task of that mm runs. */
void leave_mm(void);

/* What the vCPU has loaded, NULL for the kernel's root; for checks and reports. */
struct mm_context *loaded_context(const struct vcpu *v);
enum tlbstate loaded_state(const struct vcpu *v);

#endif
