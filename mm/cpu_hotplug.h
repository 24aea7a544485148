// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What memory management does when a CPU goes offline and comes back (seed_path E5; smp/hotplug.h
 * calls it).
 *
 *   CPU_DYING	the idle task lets go of the mm that it has borrowed and takes init_mm in its place
 *		(v3.14 idle_task_exit()): out of its CPU mask, nothing of it in the TLB, and the
 *		reference dropped, which may be the last one
 *   CPU_DEAD	what the CPU kept for itself goes back: pages in its pagevecs onto the lists
 *		(lru_add_drain_cpu()), its memory cgroup's stock (drain_stock()), its free pages to
 *		the buddy system (drain_pages(); v3.14 page_alloc_cpu_notify(),
 *		memcg_cpu_hotplug_callback())
 *   CPU_STARTING	the TLB is empty
 *
 * Locking: that of smp/hotplug.h: a dead CPU's own belongs to who holds cpu_hotplug.
 */
#ifndef MM_CPU_HOTPLUG_H
#define MM_CPU_HOTPLUG_H

#include "engine/machine.h"

/* Set-up: tells smp/ whom to call. */
void mm_cpu_hotplug_setup(struct machine *m);

#endif
