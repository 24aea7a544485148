// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory cgroups, as far as the teardown path has to do with them: every user page is charged to
 * the group of the mm that first touched it; a per-vCPU stock keeps charges off the shared counter;
 * uncharges between mem_cgroup_uncharge_start and _end are given back together (v3.14
 * mm/memcontrol.c).
 *
 * A group's counter (usage) holds its charged pages, what vCPUs have in stock for it, and what
 * tasks have gathered between start and end and not given back yet. In pages, under memcg_lock,
 * inside which nothing is taken. page->memcg belongs to whoever charges or uncharges the page: its
 * allocator first, then whoever removes its last mapping or drops its last reference.
 *
 * Process context. A stock belongs to its vCPU, with preemption off; a batch of uncharges to its
 * task (task_struct.memcg_batch), which may be preempted and move.
 */
#ifndef MM_MEMCG_H
#define MM_MEMCG_H

#include "mm/page.h"

/* Pages that a vCPU charges ahead (v3.14 CHARGE_BATCH). */
#define CHARGE_BATCH 32

/* Groups of a machine: the root, and a few for images of tasks to be spread over. */
#define NR_MEM_CGROUPS 8

int memcg_setup(struct machine *m);

/* Groups are numbered from 0 to NR_MEM_CGROUPS - 1; 0 is the root. NULL for any other number. */
struct mem_cgroup *memcg_get(struct machine *m, u32 nr);

/*
 * Charges one page. 0, or -ENOMEM when the group's limit is reached. The limit counts stocks too,
 * so that a group may be refused up to CHARGE_BATCH - 1 pages early for each other vCPU. No group:
 * the page is not charged.
 */
int mem_cgroup_charge(struct mem_cgroup *g, struct page *p);

/* The page's last mapping or its place in the page cache is gone: its charge goes with it. Nothing
 * for a page that is not charged. */
void mem_cgroup_uncharge(struct page *p);
void mem_cgroup_uncharge_pages(struct page **pages, u32 nr);

/* What the running task uncharges between the two is given back together, a group at a time. They
 * nest. */
void mem_cgroup_uncharge_start(void);
void mem_cgroup_uncharge_end(void);

/* From now on; what is charged already stays. */
void memcg_set_limit(struct mem_cgroup *g, u64 pages);

/* The stock of @cpu, which is offline, is given back by the caller. */
void memcg_drain_stock_cpu(u32 cpu);
/* For the oracle: pages that @cpu has in stock. */
u32 memcg_stock_of(const struct machine *m, u32 cpu);

/* For reports: usage, its maximum so far, charges refused at the limit. */
u64 memcg_usage(const struct mem_cgroup *g);
u64 memcg_max_usage(const struct mem_cgroup *g);
u64 memcg_failcnt(const struct mem_cgroup *g);

/* Quiet machine: charges of each group equal its charged pages plus the vCPUs' stocks, and no task
 * has an open batch. */
void memcg_audit(struct machine *m);

#endif
