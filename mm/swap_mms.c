// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/swap_mms.h"

#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_swap_use, 327, 0, "swap in use", "by mm%llu%.0llu");
EVENT_DESC(ev_unuse, 328, 0, "try_to_unuse", "mm%llu, %llu VMAs");

static void swap_mms_join(struct mm_struct *mm)
{
	struct mm_machine *mmm = this_mm();

	spin_lock(&mmm->mmlist_lock);
	/* Another thread may have been first. */
	if (!mm->on_swap_list) {
		cds_list_add_tail(&mm->swap_node, &mmm->swap_mms);
		WRITE_ONCE(mm->on_swap_list, 1);
		count_vm_event(VMSTAT_swap_mms);
	}
	spin_unlock(&mmm->mmlist_lock);
}

void swap_mms_fork(struct mm_struct *mm, const struct mm_struct *oldmm)
{
	if (unlikely(READ_ONCE(oldmm->on_swap_list)))
		swap_mms_join(mm);
}

void swap_mms_leave(struct mm_struct *mm)
{
	struct mm_machine *mmm = this_mm();

	if (likely(!READ_ONCE(mm->on_swap_list)) || planted(KNOB_MMLIST_NOT_LEFT))
		return;
	spin_lock(&mmm->mmlist_lock);
	cds_list_del(&mm->swap_node);
	WRITE_ONCE(mm->on_swap_list, 0);
	spin_unlock(&mmm->mmlist_lock);
}

void sys_swap_use(void)
{
	struct mm_struct *mm = current->mm;

	if (READ_ONCE(mm->on_swap_list))
		return;
	event_record(&ev_swap_use, mm->context.id, 0);
	swap_mms_join(mm);
}

/* The VMAs that would have their entries brought back. The caller is a user of @mm. */
static void unuse_vmas(struct mm_struct *mm)
{
	u64 end = 0;

	down_read(&mm->mmap_sem);
	event_record(&ev_unuse, mm->context.id, mm->nr_vmas);
	for (u32 i = 0; i < mm->nr_vmas; i++) {
		BUG_ON(mm->vmas[i]->vm_start < end, "mm%u: VMA %u begins before the last one ends",
		       mm->context.id, i);
		end = mm->vmas[i]->vm_end;
		cond_resched();
	}
	up_read(&mm->mmap_sem);
}

u32 sys_swapoff(void)
{
	struct mm_machine *mmm = this_mm();
	struct mm_struct *prev = NULL, *mm;
	struct cds_list_head *p = &mmm->swap_mms;
	u32 nr = 0;

	current->in_syscall = "swapoff";
	might_sleep();
	spin_lock(&mmm->mmlist_lock);
	while ((p = p->next) != &mmm->swap_mms) {
		mm = caa_container_of(p, struct mm_struct, swap_node);
		if (!mmget_not_zero(mm)) {
			count_vm_event(VMSTAT_swapoff_exiting);
			continue;
		}
		spin_unlock(&mmm->mmlist_lock);
		if (prev)
			mmput(prev);
		prev = mm;
		unuse_vmas(mm);
		nr++;
		spin_lock(&mmm->mmlist_lock);
	}
	spin_unlock(&mmm->mmlist_lock);
	if (prev)
		mmput(prev);
	count_vm_events(VMSTAT_swapoff_visits, nr);
	current->in_syscall = NULL;
	return nr;
}
