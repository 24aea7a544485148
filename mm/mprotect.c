// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "mm/memory.h"
#include "mm/syscalls.h"
#include "mm/vma.h"

EVENT_DESC(ev_mprotect, 343, 0, "sys_mprotect", "from %#llx to %#llx");

#define VM_ACCESS_FLAGS (VM_READ | VM_WRITE | VM_EXEC)

/* Cuts out [start, end) of mm->vmas[at]; returns its number, or -ENOMEM. */
static s64 isolate(struct mm_struct *mm, u32 at, u64 start, u64 end)
{
	if (start > mm->vmas[at]->vm_start) {
		if (split_vma(mm, mm->vmas[at], start))
			return -ENOMEM;
		at++;
	}
	if (end < mm->vmas[at]->vm_end && split_vma(mm, mm->vmas[at], end))
		return -ENOMEM;
	return at;
}

/* [start, end) lies in mm->vmas[at] (v3.14 mprotect_fixup). */
static int mprotect_fixup(struct mm_struct *mm, u32 at, u64 start, u64 end, u32 access)
{
	struct vm_area_struct *vma = mm->vmas[at];
	u32 old = vma->vm_flags, new = (old & ~VM_ACCESS_FLAGS) | access;
	u64 charged = 0;
	s64 piece;

	if (new == old)
		return 0;
	/* Private memory that becomes writable counts from now on, for ever: its pages may have
	 * been copied when the permission is taken away again. */
	if (!(old & (VM_ACCOUNT | VM_WRITE)) && vma_accountable(new)) {
		charged = (end - start) >> PAGE_SHIFT;
		if (security_vm_enough_memory(mm, charged))
			return -ENOMEM;
		new |= VM_ACCOUNT;
	}
	piece = isolate(mm, at, start, end);
	if (piece < 0) {
		vm_unacct_memory(charged);
		return -ENOMEM;
	}
	vma = mm->vmas[piece];
	vma_set_flags(vma, new);
	change_protection(vma, start, end);
	vma_merge_neighbours(mm, vma);
	return 0;
}

static int do_mprotect(struct mm_struct *mm, u64 start, u64 end, u32 access)
{
	while (start < end) {
		u32 at = find_vma_index(mm, start);
		u64 piece;
		int err;

		if (at == mm->nr_vmas || mm->vmas[at]->vm_start > start)
			return -ENOMEM;
		piece = min(mm->vmas[at]->vm_end, end);
		err = mprotect_fixup(mm, at, start, piece, access);
		if (err)
			return err;
		start = piece;
	}
	return 0;
}

int sys_mprotect(u64 addr, u64 len, u32 vm_flags)
{
	struct mm_struct *mm = current->mm;
	int err;

	if (addr & ~PAGE_MASK || vm_flags & ~VM_ACCESS_FLAGS)
		return -EINVAL;
	if (!len)
		return 0;
	if (addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -ENOMEM;
	len = round_up_to(len, PAGE_SIZE);
	current->in_syscall = "mprotect";
	event_record(&ev_mprotect, addr, addr + len);
	down_write(&mm->mmap_sem);
	err = do_mprotect(mm, addr, addr + len, vm_flags);
	up_write(&mm->mmap_sem);
	current->in_syscall = NULL;
	return err;
}
