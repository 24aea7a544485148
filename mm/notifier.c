// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/notifier.h"

#include "mm/mm.h"
#include "mm/mm_block.h"
#include "smp/rcu.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_notifier_release, 377, 0, "mmu_notifier_release", "mm%llu%.0llu");

INVARIANT(inv_after_release, "notifier-after-release",
	  "no callback finds an mm after its notifiers have been released");

void mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;

	mm_check_alive(mm, __func__);
	init_once(mn->released, 0);
	init_once(mn->nr_start, 0);
	init_once(mn->nr_end, 0);
	mmgrab(mm);
	/* No munmap, mprotect or MADV_DONTNEED of this mm is between its start and its end. */
	down_write(&mm->mmap_sem);
	spin_lock(&list->lock);
	mn->next = list->first;
	/* Release: who finds it finds it initialised, as who finds the list does. */
	rcu_assign_pointer(list->first, mn);
	smp_store_release(&mm->notifiers, list);
	spin_unlock(&list->lock);
	up_write(&mm->mmap_sem);
}

/* mn->next stays as it is: a reader that stands on mn goes on from there. */
static void list_del_locked(struct mmu_notifier_mm *list, struct mmu_notifier *mn)
{
	struct mmu_notifier **p = &list->first;

	while (*p && *p != mn)
		p = &(*p)->next;
	if (*p)
		WRITE_ONCE(*p, mn->next);
}

/* Once, whoever comes first: the end of the address space or the notifier's owner. */
static void call_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	if (!xchg(&mn->released, 1) && mn->ops->release)
		mn->ops->release(mn, mm);
}

void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;

	spin_lock(&list->lock);
	list_del_locked(list, mn);
	spin_unlock(&list->lock);
	/* Nobody calls it from here on, but who was inside; mmu_notifier_release() is inside too
	 * while it releases what it has taken off the list. */
	synchronize_rcu();
	rcu_read_lock();
	call_release(mn, mm);
	rcu_read_unlock();
	mmdrop(mm);
}

void mmu_notifier_release(struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;
	struct mmu_notifier *mn;

	if (likely(!READ_ONCE(mm->notifiers)))
		return;
	event_record(&ev_notifier_release, mm->context.id, 0);
	do {
		/* One section around taking it off and calling it: its owner may be waiting for the
		 * grace period to free it. */
		rcu_read_lock();
		spin_lock(&list->lock);
		mn = list->first;
		if (mn)
			WRITE_ONCE(list->first, mn->next);
		spin_unlock(&list->lock);
		if (mn)
			call_release(mn, mm);
		rcu_read_unlock();
	} while (mn);
	/* Callbacks that found a notifier before have returned after this. */
	synchronize_rcu();
	WRITE_ONCE(list->gone, 1);
}

/* After the callback: the release must have waited for all of it. */
static void check_not_gone(const struct mmu_notifier_mm *list, const struct mm_struct *mm)
{
	if (unlikely(oracle_read(list->gone)))
		VIOLATION(&inv_after_release, "a range of mm%u finds a notifier after the release",
			  mm->context.id);
}

void mmu_notifier_start_slow(struct mm_struct *mm, u64 start, u64 end)
{
	struct mmu_notifier_mm *list = smp_load_acquire(&mm->notifiers);

	count_vm_event(VMSTAT_notifier_range);
	rcu_read_lock();
	for (struct mmu_notifier *mn = rcu_dereference(list->first); mn;
	     mn = rcu_dereference(mn->next)) {
		atomic_inc(&mn->nr_start);
		if (mn->ops->invalidate_range_start)
			mn->ops->invalidate_range_start(mn, mm, start, end);
		check_not_gone(list, mm);
	}
	rcu_read_unlock();
}

void mmu_notifier_end_slow(struct mm_struct *mm, u64 start, u64 end)
{
	struct mmu_notifier_mm *list = smp_load_acquire(&mm->notifiers);

	rcu_read_lock();
	for (struct mmu_notifier *mn = rcu_dereference(list->first); mn;
	     mn = rcu_dereference(mn->next)) {
		atomic_inc(&mn->nr_end);
		if (mn->ops->invalidate_range_end)
			mn->ops->invalidate_range_end(mn, mm, start, end);
		check_not_gone(list, mm);
	}
	rcu_read_unlock();
}
