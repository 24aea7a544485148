// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * On which vCPU a task goes on: an idle one as near as can be to where it ran last (Linux v3.14,
 * kernel/sched/fair.c select_task_rq_fair() and core.c select_fallback_rq(), in their effect).
 * Private to smp/; sched_pick_cpu() is in sched.h.
 *
 * Locking: a vCPU may cease to be active right after it was found. A grace period follows then, so
 * who relies on it keeps preemption off.
 */
#ifndef SMP_SELECT_CPU_H
#define SMP_SELECT_CPU_H

#include "smp/sched.h"
#include "smp/topology.h"

static inline bool cpu_allowed(const u64 *allowed, u32 cpu)
{
	return !allowed || (allowed[cpu / 64] & (1ULL << (cpu & 63)));
}

/* How far vCPUs @a and @b are apart (enum placement_distance); 0 where the machine has no places.
 */
static inline u32 cpu_distance(const struct machine *m, u32 a, u32 b)
{
	return m->placement ? (u32)placement_distance(m->placement, a, b) : 0;
}

/* Where @t, which the caller may move, is to run: not ~0. A task that is bound to vCPUs all of
 * which are offline is bound no longer. */
u32 select_task_cpu(struct machine *m, struct task_struct *t);

#endif
