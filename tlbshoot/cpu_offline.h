// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the TLB has to do with a CPU that goes offline and comes back (seed_path E5).
 *
 * A CPU that is offline is interrupted by no flush, so it may hold nothing that a flush is about:
 * it has the kernel's root loaded, no translations, and is in no CPU mask. INIT, with which a CPU
 * is called back, leaves the TLB as it is (Intel SDM vol. 3A, table of processor states after reset
 * and INIT): so what a CPU begins with is flushed once more (v3.14 start_secondary(): load_cr3(),
 * __flush_tlb_all()).
 *
 * tlb_cpu_offline() and tlb_cpu_starting() run on the CPU itself; tlb_oracle_cpu_offline()
 * anywhere, once the CPU does nothing any more. No locks.
 */
#ifndef TLBSHOOT_CPU_OFFLINE_H
#define TLBSHOOT_CPU_OFFLINE_H

#include "tlbshoot/mmu_context.h"

/*
 * The idle task leaves @borrowed for good, for the kernel's context (v3.14 idle_task_exit()). The
 * root is loaded first, then the mask's bit cleared: a flush in between interrupts a CPU that has
 * nothing any more. @borrowed may be the kernel's context.
 */
void tlb_cpu_offline(struct mm_context *borrowed);

/* The CPU comes back: with an empty TLB. */
void tlb_cpu_starting(void);

/* Reports what the offline CPU @v still holds. */
void tlb_oracle_cpu_offline(const struct vcpu *v);

#endif
