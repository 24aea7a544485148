// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/notifier.h"

#include <errno.h>

#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/mm_block.h"
#include "mm/mm_machine.h"
#include "smp/rcu.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_notifier_release, 377, 0, "mmu_notifier_release", "mm%llu%.0llu");
EVENT_DESC(ev_register, 466, 0, "mmu_notifier_register", "mm%llu%.0llu");
EVENT_DESC(ev_unregister, 467, 0, "mmu_notifier_unregister", "mm%llu%.0llu");
EVENT_DESC(ev_page, 468, 0, "mmu_notifier_invalidate_page", "mm%llu, at %#llx");

INVARIANT(inv_after_release, "notifier-after-release",
	  "no callback finds an mm after its notifiers have been released");
INVARIANT(inv_pairs, "notifier-range-unpaired",
	  "a notifier that hears of a range's end has heard of its start");
INVARIANT(inv_released, "notifier-not-released",
	  "an mm that has been torn down has released its notifiers");

int mmu_notifiers_setup(struct machine *m)
{
	struct mutex *mutex = arena_alloc(&m->arena, sizeof(*mutex), CACHE_LINE);

	if (!mutex)
		return -ENOMEM;
	mutex_init(mutex, LOCK_CLASS_mm_all_locks);
	m->mm->all_locks_mutex = mutex;
	return 0;
}

/* --- Coming and going ------------------------------------------------------------------------- */

/* Are we through with this file? Many areas may map it. */
static bool holds_i_mmap(const struct vm_area_struct *vma)
{
	return READ_ONCE(vma->vm_file->inode->mapping.i_mmap_mutex.owner) == current;
}

/*
 * Nobody changes the page tables of @mm until mm_drop_all_locks(): not by its areas, whose lock is
 * held for writing, nor by its files (v3.14 mm_take_all_locks). The locks of anon_vmas, which v3.13
 * takes too, keep nobody out here: who walks them weakens nothing.
 */
static void mm_take_all_locks(struct mm_struct *mm)
{
	mutex_lock(this_mm()->all_locks_mutex);
	for (u32 i = 0; i < mm->nr_vmas; i++) {
		struct vm_area_struct *vma = mm->vmas[i];

		if (vma->vm_file && !holds_i_mmap(vma))
			mutex_lock_nest_lock(&vma->vm_file->inode->mapping.i_mmap_mutex,
					     LOCK_CLASS_mm_all_locks);
	}
}

static void mm_drop_all_locks(struct mm_struct *mm)
{
	for (u32 i = 0; i < mm->nr_vmas; i++) {
		struct vm_area_struct *vma = mm->vmas[i];

		if (vma->vm_file && holds_i_mmap(vma))
			mutex_unlock_nest_lock(&vma->vm_file->inode->mapping.i_mmap_mutex);
	}
	mutex_unlock(this_mm()->all_locks_mutex);
}

void mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;
	bool alone = !planted(KNOB_NOTIFIER_IN_MID_RANGE);

	mm_check_alive(mm, __func__);
	init_once(mn->released, 0);
	init_once(mn->nr_start, 0);
	init_once(mn->nr_end, 0);
	mmgrab(mm);
	/* No range of this mm is between its start and its end. */
	down_write(&mm->mmap_sem);
	if (alone)
		mm_take_all_locks(mm);
	spin_lock(&list->lock);
	mn->next = list->first;
	/* Release: who finds it finds it initialised, as who finds the list does. */
	rcu_assign_pointer(list->first, mn);
	smp_store_release(&mm->notifiers, list);
	spin_unlock(&list->lock);
	if (alone)
		mm_drop_all_locks(mm);
	up_write(&mm->mmap_sem);
	event_record(&ev_register, mm->context.id, 0);
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

/* Once, whoever comes first: the end of the address space or the notifier's owner. In an RCU read
 * section. False: somebody else has called it, and may not be through yet. */
static bool call_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	if (xchg(&mn->released, 1))
		return false;
	count_vm_event(VMSTAT_notifier_release);
	if (mn->ops->release)
		mn->ops->release(mn, mm);
	return true;
}

void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;
	bool ours;

	event_record(&ev_unregister, mm->context.id, 0);
	rcu_read_lock();
	ours = call_release(mn, mm);
	rcu_read_unlock();
	/* It must be found as long as its device may have pages. */
	if (!ours && !planted(KNOB_NOTIFIER_NO_WAIT))
		synchronize_rcu();
	spin_lock(&list->lock);
	list_del_locked(list, mn);
	spin_unlock(&list->lock);
	/* Nobody calls it from here on but who was inside, mmu_notifier_release() included. */
	if (!planted(KNOB_NOTIFIER_NO_WAIT))
		synchronize_rcu();
	mmdrop(mm);
}

/* Planted: off the list, then released (v3.9), so that for a moment nobody tells the device what
 * becomes of the pages that it still has. */
static __cold_path void release_unlinked(struct mmu_notifier_mm *list, struct mm_struct *mm)
{
	struct mmu_notifier *mn;

	do {
		rcu_read_lock();
		spin_lock(&list->lock);
		mn = list->first;
		if (mn)
			WRITE_ONCE(list->first, mn->next);
		spin_unlock(&list->lock);
		if (mn)
			(void)call_release(mn, mm);
		rcu_read_unlock();
	} while (mn);
}

void mmu_notifier_release(struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;
	bool all_ours = true;

	if (likely(!READ_ONCE(mm->notifiers)))
		return;
	event_record(&ev_notifier_release, mm->context.id, 0);
	if (planted(KNOB_NOTIFIER_UNLINKED_EARLY))
		release_unlinked(list, mm);
	rcu_read_lock();
	for (struct mmu_notifier *mn = rcu_dereference(list->first); mn;
	     mn = rcu_dereference(mn->next))
		all_ours &= call_release(mn, mm);
	rcu_read_unlock();
	/* Their owners are at it: their devices may have pages still, and must be found. */
	if (!all_ours)
		synchronize_rcu();
	/* Nobody has any page of this mm any more, or can get one: it has no users. */
	spin_lock(&list->lock);
	WRITE_ONCE(list->first, NULL);
	spin_unlock(&list->lock);
	/* Callbacks that found a notifier before have returned after this, and so has a release by
	 * its owner. */
	synchronize_rcu();
	WRITE_ONCE(list->gone, 1);
}

void mmu_notifier_check_released(struct mm_struct *mm)
{
	struct mmu_notifier_mm *list = &mm_block_of(mm)->notifiers;

	explore_touch(&list->first, false);
	if (unlikely(oracle_read(list->first)))
		VIOLATION(&inv_released, "mm%u has been torn down and has a notifier",
			  mm->context.id);
}

/* --- Telling them ----------------------------------------------------------------------------- */

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
		u32 ends = atomic_inc_return(&mn->nr_end);

		/* Starts only grow: what is read now is at least what they were then. */
		if (unlikely((s32)(atomic_read(&mn->nr_start) - ends) < 0))
			VIOLATION(&inv_pairs, "mm%u: end %u of [%#llx, %#llx) after %u starts",
				  mm->context.id, ends, (unsigned long long)start,
				  (unsigned long long)end, oracle_read(mn->nr_start));
		if (mn->ops->invalidate_range_end)
			mn->ops->invalidate_range_end(mn, mm, start, end);
		check_not_gone(list, mm);
	}
	rcu_read_unlock();
}

void mmu_notifier_page_slow(struct mm_struct *mm, u64 addr)
{
	struct mmu_notifier_mm *list = smp_load_acquire(&mm->notifiers);

	count_vm_event(VMSTAT_notifier_page);
	event_record(&ev_page, mm->context.id, addr);
	rcu_read_lock();
	for (struct mmu_notifier *mn = rcu_dereference(list->first); mn;
	     mn = rcu_dereference(mn->next)) {
		if (mn->ops->invalidate_page)
			mn->ops->invalidate_page(mn, mm, addr);
		check_not_gone(list, mm);
	}
	rcu_read_unlock();
}

void mmu_notifier_change_slow(struct mm_struct *mm, u64 addr, pteval_t pte)
{
	struct mmu_notifier_mm *list = smp_load_acquire(&mm->notifiers);

	count_vm_event(VMSTAT_notifier_change_pte);
	rcu_read_lock();
	for (struct mmu_notifier *mn = rcu_dereference(list->first); mn;
	     mn = rcu_dereference(mn->next)) {
		if (mn->ops->change_pte)
			mn->ops->change_pte(mn, mm, addr, pte);
		check_not_gone(list, mm);
	}
	rcu_read_unlock();
}
