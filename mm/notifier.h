// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmu_notifier: what a secondary MMU (a device that translates through this mm's page tables) is
 * told about changes, so that it never maps what the page tables no longer do (v3.14
 * include/linux/mmu_notifier.h).
 *
 * A path that takes entries away calls mmu_notifier_invalidate_range_start() before its first
 * change and _end() after its flush; between the two the device must not build new translations of
 * the range. exit_mmap() begins with mmu_notifier_release(): the device drops everything, and no
 * callback finds the mm afterwards.
 *
 * Locking. The list of an mm is changed under notifier_lock and read under RCU, so callbacks must
 * not sleep. A registered notifier holds mm_count, never mm_users: it may outlive the address
 * space. Its owner unregisters it before its memory goes; unregistering and release may race, and
 * ->release is called exactly once whoever wins.
 *
 * Oracle. mm->oracle_notifier_depth counts ranges begun and not ended, with or without notifiers:
 * it must be zero when the mm is freed. A range that still finds a notifier after
 * mmu_notifier_release() has returned is a violation.
 */
#ifndef MM_NOTIFIER_H
#define MM_NOTIFIER_H

#include "mm/mm_types.h"

struct mmu_notifier;

struct mmu_notifier_ops {
	/* Any of them may be NULL. Not preemptible: they must not sleep. */
	void (*release)(struct mmu_notifier *mn, struct mm_struct *mm);
	void (*invalidate_range_start)(struct mmu_notifier *mn, struct mm_struct *mm, u64 start,
				       u64 end);
	void (*invalidate_range_end)(struct mmu_notifier *mn, struct mm_struct *mm, u64 start,
				     u64 end);
};

/* Owned by whoever registers it; lives until mmu_notifier_unregister() has returned. */
struct mmu_notifier {
	const struct mmu_notifier_ops *ops;
	struct mmu_notifier *next; /* notifier_lock; read under RCU */
	u32 released;		   /* atomic: ->release has been called, or is being called */
	u32 nr_start, nr_end;	   /* atomic: callbacks so far */
};

struct mmu_notifier_mm {
	spinlock_t lock;
	u32 gone;		    /* atomic: mmu_notifier_release() has finished */
	struct mmu_notifier *first; /* under lock; read under RCU */
};

/* Takes mmap_sem for writing. @mm must have users. */
void mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm);

/* The caller holds nothing of mm: the notifier's own reference on the structure is dropped here.
 * Sleeps through a grace period: no callback runs any more when it returns. */
void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm);

/* exit_mmap's first step. Sleeps if anybody is registered. */
void mmu_notifier_release(struct mm_struct *mm);

void mmu_notifier_start_slow(struct mm_struct *mm, u64 start, u64 end);
void mmu_notifier_end_slow(struct mm_struct *mm, u64 start, u64 end);

static inline void mmu_notifier_invalidate_range_start(struct mm_struct *mm, u64 start, u64 end)
{
	atomic_inc(&mm->oracle_notifier_depth);
	if (unlikely(READ_ONCE(mm->notifiers)))
		mmu_notifier_start_slow(mm, start, end);
}

static inline void mmu_notifier_invalidate_range_end(struct mm_struct *mm, u64 start, u64 end)
{
	if (unlikely(READ_ONCE(mm->notifiers)))
		mmu_notifier_end_slow(mm, start, end);
	atomic_dec(&mm->oracle_notifier_depth);
}

#endif
