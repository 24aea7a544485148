// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Advice that becomes part of a VMA (v3.14 mm/madvise.c madvise_behavior): MADV_MERGEABLE and
 * MADV_HUGEPAGE, which register the mm with a scanner, and what takes them back. mmap_sem is held
 * for writing: areas are split and merged.
 *
 * What is registered stays registered when the advice is taken back: the scanner comes by and finds
 * nothing, until the last mmput().
 */
#include <errno.h>

#include "mm/mm_slots.h"
#include "mm/syscalls.h"
#include "mm/vma.h"

EVENT_DESC(ev_madvise, 405, 0, "madvise", "scanner %llu, on %llu");

/* v3.14 ksm_madvise() and hugepage_madvise(): where the advice means nothing. */
static bool is_excluded(const struct vm_area_struct *vma, enum mm_scanner which)
{
	if (vma->vm_flags & (VM_SHARED | VM_PFNMAP))
		return true;
	return which == MM_SCANNER_KHUGEPAGED && vma->vm_file;
}

/* [start, end) of mm->vmas[at] gets @flags. 0, or -EAGAIN without memory. */
static int set_flags_of(struct mm_struct *mm, u32 at, u64 start, u64 end, u32 flags)
{
	if (start > mm->vmas[at]->vm_start) {
		if (split_vma(mm, mm->vmas[at], start))
			return -EAGAIN;
		at++;
	}
	if (end < mm->vmas[at]->vm_end && split_vma(mm, mm->vmas[at], end))
		return -EAGAIN;
	vma_set_flags(mm->vmas[at], flags);
	vma_merge_neighbours(mm, mm->vmas[at]);
	return 0;
}

static int advise_vma(struct mm_struct *mm, u32 at, u64 start, u64 end, enum mm_scanner which,
		      bool on)
{
	u32 old = mm->vmas[at]->vm_flags, flag = mm_slots_vm_flag(which);
	u32 new = on ? old | flag : old & ~flag;

	if (is_excluded(mm->vmas[at], which) || new == old)
		return 0;
	if (on && mm_slots_enter(mm, which))
		return -EAGAIN;
	return set_flags_of(mm, at, start, end, new);
}

/* Holes give -ENOMEM when the rest is done. */
static int advise_range(struct mm_struct *mm, u64 start, u64 end, enum mm_scanner which, bool on)
{
	int unmapped = 0, err = 0;

	while (start < end && !err) {
		u32 at = find_vma_index(mm, start);
		struct vm_area_struct *vma = at < mm->nr_vmas ? mm->vmas[at] : NULL;
		u64 next;

		if (!vma || vma->vm_start >= end)
			return -ENOMEM;
		if (vma->vm_start > start) {
			unmapped = -ENOMEM;
			start = vma->vm_start;
		}
		next = min(vma->vm_end, end);
		err = advise_vma(mm, at, start, next, which, on);
		start = next;
	}
	return err ? err : unmapped;
}

int sys_madvise_scan(u64 addr, u64 len, enum mm_scanner which, bool on)
{
	struct mm_struct *mm = current->mm;
	u64 end = addr + round_up_to(len, PAGE_SIZE);
	int err;

	if (addr & ~PAGE_MASK || (len && end <= addr))
		return -EINVAL;
	if (!len)
		return 0;
	current->in_syscall = "madvise";
	event_record(&ev_madvise, which, on);
	down_write(&mm->mmap_sem);
	err = advise_range(mm, addr, end, which, on);
	up_write(&mm->mmap_sem);
	current->in_syscall = NULL;
	return err;
}
