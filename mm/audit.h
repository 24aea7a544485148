// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The audit of a quiet machine: every page is reconciled with every page table, list and cache.
 *
 * Quiet means: the caller is the only task that is not asleep outside of any system call, every
 * other vCPU is idle, no RCU callback is pending. The caller is inside the oracle's brackets
 * (oracle_enter()): nothing here is a decision point. The first thing that is wrong is reported as
 * a violation.
 */
#ifndef MM_AUDIT_H
#define MM_AUDIT_H

#include "mm/mm_types.h"

/* Everything that must hold between two operations. */
void mm_audit(struct machine *m);

/* And when all tasks have gone and the files are closed: nothing is left but what lazy CPUs still
 * hold. @free_at_start: nr_free_pages() when the machine was set up. */
void mm_audit_leaks(struct machine *m, u64 free_at_start);

#endif
