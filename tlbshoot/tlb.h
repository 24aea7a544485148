// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The translation lookaside buffer and the paging-structure caches of one vCPU.
 *
 * They belong to their vCPU: nothing here may be called for another vCPU's TLB but the oracle's
 * functions, and those only under the explorer or in a quiet machine. That is why a hit costs no
 * atomic operation, and why a remote flush is an interrupt.
 *
 * Set-associative, separate arrays for 4 KiB and 2 MiB entries, round-robin replacement within a
 * set. Tags lie apart from the entries: one line of tags decides a set of eight ways. A tag is the
 * page number and the epoch in which it was filled; flushing everything is a new epoch (and a real
 * clearing when the epoch wraps). Paging-structure caches for pmd, pud and pgd entries (PDE, PDPTE
 * and PML4E caches; Intel SDM vol. 3A, 4.10.3) hold the frame of the next table with its
 * generation; an invalidation of any address drops all of them (4.10.4.1, INVLPG).
 *
 * The walker works as hardware does: it reads the tables with single loads, sets accessed and dirty
 * bits with a locked compare-and-exchange that fails if the entry changed, caches only present
 * entries with the accessed bit set, and is not interrupted.
 *
 * What the hardware is free to do at any time is a choice of the explorer: an entry is lost
 * (CHOICE_TLB_EVICT), or a walk that no instruction asked for fills one (CHOICE_TLB_FILL): of the
 * page behind an access, and of the address space's last used page when its root is loaded or its
 * CPU goes lazy. Under threads neither happens.
 */
#ifndef TLBSHOOT_TLB_H
#define TLBSHOOT_TLB_H

#include "engine/machine.h"
#include "tlbshoot/phys.h"

struct mm_context;
struct tlb_policy;

struct tlb_geometry {
	const char *name;     /* "haswell" */
	u32 sets_4k, ways_4k; /* second-level TLB */
	u32 sets_2m, ways_2m;
	u32 pde, pdpte, pml4e; /* entries of the paging-structure caches, fully associative */
	const char *source;
};

/* Named CPUs, ended by an entry without a name. The first is the default; "tiny" is for exploring:
 * small enough to be reset and scanned in no time. */
extern const struct tlb_geometry tlb_geometries[];
const struct tlb_geometry *tlb_geometry_find(const char *name);

/* One translation; its tag lies in an array of its own. A 2 MiB entry has the number, the frame and
 * the generation of the first of its 512 frames. */
struct tlb_entry {
	struct frame *frame;
	u32 pfn;
	u32 generation; /* of the frame when filled */
	u32 flags;	/* low bits of the pte when filled: PTE_PRESENT, PTE_RW, PTE_DIRTY ..., with
			 * PTE_RW and PTE_USER as all levels grant them; TLB_CAN_EXEC */
	u32 mm_id;	/* context it was filled under; for the oracle and reports */
};
#define TLB_CAN_EXEC (1u << 31) /* no level has PTE_NX, which does not fit into 32 bits */

enum tlb_access {
	TLB_READ,
	TLB_WRITE,
	TLB_EXEC,
};

/* Page-fault error code bits (Intel SDM vol. 3A, 4.7). */
#define PF_PROT 1u /* present, but not allowed */
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_INSTR 16u
#define PF_FAULT 0x100u /* set in every fault, so that a fault is never 0 */

/*
 * One memory access of the running user program on this vCPU: through the TLB, by the walker on a
 * miss. Returns 0 with the access done (*value written, or read: by TLB_EXEC too), or the fault's
 * error code with nothing done. It is one instruction: interrupts and preemption are taken before
 * it (it begins with a safepoint), never within.
 *
 * The oracle checks every translation that is used: the frame must be the one that was cached
 * ("stale-tlb-use"), and while no operation on the address space is between its first change and
 * the end of its flush (mm_context.flush_pending), the page table must still grant what the entry
 * grants ("tlb-exceeds-pagetable"). The second check walks the page table, so under threads only
 * one use in TLB_CHECK_INTERVAL of a vCPU pays it.
 */
#define TLB_CHECK_INTERVAL 64
u32 cpu_access(u64 va, enum tlb_access access, u64 *value);

/* The same split open, for exploring speculation: fills the TLB for @va as a speculative walk may
 * at any time; faults are ignored. */
void tlb_speculate(u64 va);

/* Local invalidation: the hardware operations. */
void tlb_invlpg(u64 va);	/* one page, and the paging-structure caches */
void tlb_flush_local_all(void); /* what loading the root does (no PCID) */

/* Loads the page-table root @pfn (CR3): everything cached goes. @ctx may be NULL (kernel only): no
 * user address is mapped then. Interrupts off. */
void load_root(u64 pfn, struct mm_context *ctx);

struct tlb_machine {
	struct phys_memory mem;
	const struct tlb_geometry *geometry;
	const struct tlb_policy *policy;
	/* Set by mm/ before the machine runs: the frame of the kernel's page directory, without
	 * user mappings, and init_mm's context. A CPU that has it loaded is in no mask that
	 * matters. */
	u64 kernel_root;
	struct mm_context *kernel_context;
	u32 table_free_rcu;
};

/* Sets up physical memory of @nr_frames and a TLB for each vCPU, with the kernel's root loaded.
 * NULL for @geometry or @policy takes the first of the named ones. 0, -ENOMEM, or -EINVAL for a
 * geometry that is none: sets must be powers of two, ways from 1 to 255, caches not empty. */
int tlb_setup(struct machine *m, u64 nr_frames, const struct tlb_geometry *geometry,
	      const struct tlb_policy *policy);

#endif
