// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What kmem_cache mm_struct hands out: the mm and what has to be allocated with it, so that an mm
 * costs one allocation. Private to the life of an mm.
 */
#ifndef MM_MM_BLOCK_H
#define MM_MM_BLOCK_H

#include "mm/mm_types.h"
#include "mm/notifier.h"

struct mm_block {
	struct mm_struct mm;
	struct mmu_notifier_mm
		notifiers;	   /* mm.notifiers points here from the first registration on */
	struct rwsem_slot slots[]; /* rwsem_slots_bytes() of mm.mmap_sem */
};

static inline struct mm_block *mm_block_of(struct mm_struct *mm)
{
	return container_of(mm, struct mm_block, mm);
}

static inline u32 mm_block_size(u32 nr_vcpus)
{
	return (u32)sizeof(struct mm_block) + rwsem_slots_bytes(nr_vcpus);
}

/* A new mm without users' parts: mm_users 1, mm_count 1, on the mmlist. NULL without memory. */
struct mm_struct *mm_create(struct machine *m, struct task_struct *owner, struct mem_cgroup *memcg,
			    u32 domain);

/* A data domain that no mm has had. */
u32 mm_new_domain(struct machine *m);

/* mm->exe_file (seed_path A4): takes a reference of @file, drops the old one. mmap_sem for writing,
 * or nobody else knows the mm. */
void set_mm_exe_file(struct mm_struct *mm, struct file *file);

#endif
