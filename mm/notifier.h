// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmu_notifier: what a secondary MMU (a device that translates through this mm's page tables) is
 * told about changes, so that it never maps what the page tables no longer do (v3.14
 * include/linux/mmu_notifier.h).
 *
 * A path that weakens entries calls mmu_notifier_invalidate_range_start() before its first change
 * and _end() after its flush; between the two the device must not build new translations of the
 * range. Those are zaps, mprotect, fork, a broken copy-on-write and moving; writeback, which makes
 * entries clean and read-only page by page, calls mmu_notifier_invalidate_page() after each, before
 * it goes on. Granting more tells nobody: the device faults and looks again. exit_mmap() begins
 * with mmu_notifier_release(): the device drops everything, and no callback finds the mm
 * afterwards.
 *
 * Release. ->release is called while the notifier is on the list still (as in v3.10 and later):
 * truncation and writeback, which need no user of the mm, take pages away meanwhile, and the
 * device must hear of it as long as it may have them. Then the list is emptied, and callbacks that
 * are running are waited for. Unregistering does the same for one notifier. The two may race:
 * ->release is called once, by who comes first, and the other one takes nothing off the list before
 * it has returned (v3.13 calls it twice instead).
 *
 * Locking. The list of an mm is changed under notifier_lock and read under RCU (v3.13: SRCU, whose
 * readers may sleep; here callbacks must not). A registered notifier holds mm_count, never
 * mm_users: it may outlive the address space. Its owner unregisters it before its memory goes.
 * Registering waits until no range of the mm is open (mmap_sem for writing, and i_mmap_mutex of all
 * files that it maps, for truncation takes no mmap_sem): who hears an end has heard the start.
 *
 * Oracle. mm->oracle_notifier_depth counts ranges begun and not ended, with or without notifiers:
 * it must be zero when the mm is freed. A range that still finds a notifier after
 * mmu_notifier_release() has returned is a violation, and so is a notifier that has heard of more
 * ends than starts, or is still registered when the address space has been torn down.
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
	/* The entry of one page has been made weaker, under no lock of the page tables any more. */
	void (*invalidate_page)(struct mmu_notifier *mn, struct mm_struct *mm, u64 addr);
	/* The entry at @addr is about to become @pte: within a range that has been started, pte
	 * lock held. */
	void (*change_pte)(struct mmu_notifier *mn, struct mm_struct *mm, u64 addr, pteval_t pte);
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

/* At set-up. 0 or -ENOMEM. */
int mmu_notifiers_setup(struct machine *m);

/* Takes mmap_sem for writing, and i_mmap_mutex of every file of @mm, which must have users. */
void mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm);

/* The caller holds nothing of mm: the notifier's own reference on the structure is dropped here.
 * Sleeps through a grace period: no callback runs any more when it returns. */
void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm);

/* exit_mmap's first step. Sleeps if anybody is registered. */
void mmu_notifier_release(struct mm_struct *mm);

void mmu_notifier_start_slow(struct mm_struct *mm, u64 start, u64 end);
void mmu_notifier_end_slow(struct mm_struct *mm, u64 start, u64 end);
void mmu_notifier_page_slow(struct mm_struct *mm, u64 addr);
void mmu_notifier_change_slow(struct mm_struct *mm, u64 addr, pteval_t pte);

/* The oracle: @mm has been torn down. */
void mmu_notifier_check_released(struct mm_struct *mm);

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

static inline void mmu_notifier_invalidate_page(struct mm_struct *mm, u64 addr)
{
	if (unlikely(READ_ONCE(mm->notifiers)))
		mmu_notifier_page_slow(mm, addr);
}

static inline void mmu_notifier_change_pte(struct mm_struct *mm, u64 addr, pteval_t pte)
{
	if (unlikely(READ_ONCE(mm->notifiers)))
		mmu_notifier_change_slow(mm, addr, pte);
}

#endif
