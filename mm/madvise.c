// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MADV_DONTNEED (seed_path D8): takes pages away with mmap_sem held for reading only, beside faults
 * and other zaps of the same range.
 */
#include <errno.h>

#include "mm/memory.h"
#include "mm/syscalls.h"
#include "mm/vma.h"

EVENT_DESC(ev_dontneed, 351, 0, "madvise_dontneed", "from %#llx to %#llx");

int sys_madvise_dontneed(u64 addr, u64 len)
{
	struct mm_struct *mm = current->mm;
	u64 end = addr + round_up_to(len, PAGE_SIZE);
	int unmapped = 0, err = 0;

	if (addr & ~PAGE_MASK || (len && end <= addr))
		return -EINVAL;
	if (!len)
		return 0;
	current->in_syscall = "madvise";
	event_record(&ev_dontneed, addr, end);
	down_read(&mm->mmap_sem);
	for (u32 i = find_vma_index(mm, addr); addr < end; i++) {
		struct vm_area_struct *vma = i < mm->nr_vmas ? mm->vmas[i] : NULL;
		u64 next;

		/* A hole: the rest is done all the same. */
		if (!vma || vma->vm_start > addr) {
			unmapped = -ENOMEM;
			if (!vma || vma->vm_start >= end)
				break;
			addr = vma->vm_start;
		}
		if (vma->vm_flags & (VM_LOCKED | VM_PFNMAP)) {
			err = -EINVAL;
			break;
		}
		next = min(vma->vm_end, end);
		zap_page_range(vma, addr, next - addr, NULL);
		addr = next;
	}
	up_read(&mm->mmap_sem);
	current->in_syscall = NULL;
	return err ? err : unmapped;
}
