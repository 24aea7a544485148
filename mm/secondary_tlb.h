// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A secondary TLB: a device that translates addresses of an mm by itself, as an IOMMU with PASIDs
 * or KVM's shadow page tables do, and is kept in step by mmu_notifier (v3.13 virt/kvm/kvm_main.c,
 * drivers/iommu/amd_iommu_v2.c).
 *
 * Structure. A secondary TLB is for one mm and has SECONDARY_TLB_ENTRIES translations. It holds
 * mm_count, by its notifier, and no page references: that the mm maps a page is what keeps the
 * page, so an entry must be gone before the mm's is. Its accesses are a device thread's: they go
 * through the entries, never through the CPU's TLB. Where there is none the fault takes the mm if
 * it has users still, finds the page as get_user_pages() does, and enters it, unless an
 * invalidation has begun or ended since before it looked: then it looks again. (A) fault: read
 * notifier_seq (acquire) ... find the page ... under lock: notifier_count is zero and notifier_seq
 * as it was	pairs with (B) invalidation: under lock: notifier_count up, entries dropped ... the
 * page table changes
 *       ... under lock: notifier_seq up, notifier_count down
 * An entry that was written to marks its page dirty when it is dropped, while the page is mapped
 * still.
 *
 * Locking. `lock` (class secondary_tlb) guards all members but the constant ones; it is taken
 * inside everything, the pte locks included, and an access holds it: who has dropped an entry knows
 * that no access through it is under way. The list of all secondary TLBs has a lock of that class.
 * Errors: negative errnos as of mm/gup.h, and -ESRCH when the mm has no users any more.
 *
 * Oracle. A secondary TLB is looked at as a CPU's is: when a frame is freed, when it is handed out,
 * when a page is declared clean, when an invalidation ends, in a quiet machine (explorer), and when
 * an entry is used (both executors; the page table is compared in the explorer).
 */
#ifndef MM_SECONDARY_TLB_H
#define MM_SECONDARY_TLB_H

#include <urcu/list.h>

#include "mm/notifier.h"
#include "smp/rcu.h"

#define SECONDARY_TLB_ENTRIES 4

struct secondary_entry {
	u64 va; /* of the page */
	struct frame *frame;
	u32 generation; /* of the frame when it was entered */
	bool valid;
	bool writable;
	bool dirty; /* written to since it was entered */
};

struct secondary_tlb {
	struct mmu_notifier mn;
	struct mm_struct *mm; /* constant */
	u32 magic;	      /* atomic; for the oracle */
	spinlock_t lock;
	u32 notifier_count; /* ranges begun and not ended; atomic: waited for without the lock */
	u32 notifier_seq;   /* invalidations that have ended; atomic: read without the lock */
	u32 victim;	    /* entry that is replaced next */
	bool released;	    /* the mm has no pages any more */
	struct secondary_entry entries[SECONDARY_TLB_ENTRIES];
	struct cds_list_head node; /* secondary_tlbs.lock */
	struct rcu_head rcu;
};

/* All of a machine. */
struct secondary_tlbs {
	struct kmem_cache *cache;
	spinlock_t lock;
	struct cds_list_head list; /* under lock; the oracle reads it in the explorer */
};

/* At set-up. 0 or -ENOMEM. */
int secondary_tlbs_setup(struct machine *m);

/* A device begins to work on @mm, which has users. Sleeps. NULL without memory. */
struct secondary_tlb *secondary_tlb_create(struct mm_struct *mm);

/* It ends; nothing of @st is used afterwards. Sleeps. */
void secondary_tlb_destroy(struct secondary_tlb *st);

/*
 * The device reads a word into *value, or writes it. seen(arg, *value), if there is one, is called
 * with the lock held in the same step as the access (which the explorer does not divide). Sleeps.
 */
int secondary_tlb_access(struct secondary_tlb *st, u64 va, bool write, u64 *value,
			 void (*seen)(void *arg, u64 value), void *arg);

/* The oracle; explorer only, the audit in a quiet machine. A frame is about to be freed or has been
 * handed out; a page has been made clean. */
void secondary_tlb_frame_freed(struct machine *m, u64 pfn);
void secondary_tlb_frame_taken(struct machine *m, u64 pfn);
void secondary_tlb_frame_clean(struct machine *m, u64 pfn);
void secondary_tlb_audit(struct machine *m);

#endif
