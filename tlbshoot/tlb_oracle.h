// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the oracle knows about translations. Stale ones are looked for at three moments:
 *   when a frame is freed, and again when it is handed out: does any vCPU's TLB, paging-structure
 *   cache or root register still hold it? ("stale-tlb-at-free", "stale-tlb-at-reuse"). Explorer:
 * all vCPUs are scanned, each time; an interrupt that has been sent but not taken excuses nobody.
 *   Threads: nobody may look into another's TLB, and the own one is too big to be searched at each
 *   free, so one in ORACLE_SCAN_INTERVAL frees of a vCPU searches its own; the use of a stale
 *   translation is what finds the rest.
 *   when a translation is used: is the frame still the one that was cached? (tlb.h)
 *   when the machine is quiet: every cached entry must be granted by the page table.
 * And at the end of a flush, when no other change is under way: no vCPU may hold an entry of the
 * range that the page table does not grant, and every vCPU that has the root loaded is in the mask
 * (explorer).
 *
 * The oracle looks at TLBs and page tables without decision points, and without ThreadSanitizer's
 * instrumentation: what it reads of other vCPUs is ordered by nothing but the explorer. It changes
 * nothing.
 */
#ifndef TLBSHOOT_TLB_ORACLE_H
#define TLBSHOOT_TLB_ORACLE_H

#include "tlbshoot/mmu_context.h"
#include "tlbshoot/tlb.h"

/* A search of 1024 entries costs 0.5 to 1 us: this makes it about 1 ns a free. */
#define ORACLE_SCAN_INTERVAL 1024

void tlb_oracle_frame_freed(struct machine *m, u64 pfn);
void tlb_oracle_frame_taken(struct machine *m, u64 pfn);
/* The frame's page has just been made clean and read-only everywhere: no vCPU may be able to store
 * to it without a page fault, which would mark it dirty again. Explorer only, as the next one. */
void tlb_oracle_frame_clean(struct machine *m, u64 pfn);
/* Explorer only; does nothing under threads. */
void tlb_oracle_flush_done(struct mm_context *ctx, u64 start, u64 end);

/* The whole machine is quiet (no vCPU runs, or the others stand still in the explorer with nothing
 * pending): audits all TLBs against the page tables and masks. Reports a violation: on a vCPU it
 * does not return then; from outside it does, with machine.violations set. */
void tlb_oracle_audit(struct machine *m);

/* Walks the tables of @root without side effects and returns the leaf that maps @va, with PTE_RW,
 * PTE_USER and PTE_NX as all levels together grant them; 0 if nothing is mapped there. *level is
 * the level of the entry returned: 0, or 1 for 2 MiB. */
pteval_t tlb_oracle_walk(const struct machine *m, u64 root, u64 va, u32 *level);

#endif
