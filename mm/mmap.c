// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls that make and remove VMAs: mmap, munmap, brk, and the mapping of the driver's
 * frames.
 */
#include <errno.h>

#include "mm/device.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/mlock.h"
#include "mm/rss.h"
#include "mm/syscalls.h"
#include "mm/uprobes.h"
#include "mm/vma.h"

EVENT_DESC(ev_mmap, 340, 0, "sys_mmap", "at %#llx, %llu pages");
EVENT_DESC(ev_munmap, 341, 0, "sys_munmap", "at %#llx, %llu pages");
EVENT_DESC(ev_brk, 342, 0, "sys_brk", "%#llx, was %#llx");
EVENT_DESC(ev_mmap_device, 347, 0, "sys_mmap_device", "at %#llx, %llu pages");

/* What a program may ask for. */
#define MMAP_FLAGS                                                                                 \
	(VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_GROWSDOWN | VM_LOCKED | VM_SEQ_READ)

static inline u64 page_align(u64 bytes)
{
	return round_up_to(bytes, PAGE_SIZE);
}

/* --- munmap ----------------------------------------------------------------------------------- */

/* What was mapped by VMAs that are in the array no longer (v3.14 unmap_region): @at is where they
 * were. */
static void unmap_region(struct mm_struct *mm, struct vm_area_struct **vmas, u32 nr, u32 at,
			 u64 start, u64 end)
{
	u64 floor = at ? mm->vmas[at - 1]->vm_end : FIRST_USER_ADDRESS;
	u64 ceiling = at < mm->nr_vmas ? mm->vmas[at]->vm_start : 0;
	struct mmu_gather tlb;

	if (planted(KNOB_TABLE_BOUNDS_IGNORED)) {
		floor = FIRST_USER_ADDRESS;
		ceiling = 0;
	}
	lru_add_drain();
	tlb_gather_mmu(&tlb, mm, start, end);
	update_hiwater_rss(mm);
	unmap_vmas(&tlb, vmas, nr, start, end);
	free_pgtables(&tlb, vmas, nr, floor, ceiling);
	tlb_finish_mmu(&tlb);
}

int do_munmap(struct mm_struct *mm, u64 start, u64 len)
{
	struct vm_area_struct **gone;
	u64 end, accounted = 0;
	u32 first, nr = 0;

	if (start & ~PAGE_MASK || !len || start > TASK_SIZE || len > TASK_SIZE - start)
		return -EINVAL;
	end = start + page_align(len);
	first = find_vma_index(mm, start);
	if (first == mm->nr_vmas || mm->vmas[first]->vm_start >= end)
		return 0;
	if (mm->vmas[first]->vm_start < start) {
		if (split_vma(mm, mm->vmas[first], start))
			return -ENOMEM;
		first++;
	}
	for (; first + nr < mm->nr_vmas && mm->vmas[first + nr]->vm_start < end; nr++) {
		struct vm_area_struct *vma = mm->vmas[first + nr];

		if (vma->vm_end > end && split_vma(mm, vma, end))
			return -ENOMEM;
	}
	for (u32 i = first; mm->locked_vm && i < first + nr; i++) {
		struct vm_area_struct *vma = mm->vmas[i];

		if (vma->vm_flags & VM_LOCKED) {
			mm->locked_vm -= vma_pages(vma);
			munlock_vma_pages_all(vma);
		}
	}
	gone = detach_vmas(mm, first, nr);
	unmap_region(mm, gone, nr, first, start, end);
	/* Nobody can reach them any more, by address, file or page. */
	for (u32 i = 0; i < nr; i++) {
		if (gone[i]->vm_flags & VM_ACCOUNT)
			accounted += vma_pages(gone[i]);
		remove_vma(gone[i]);
	}
	vm_unacct_memory(accounted);
	return 0;
}

int sys_munmap(u64 addr, u64 len)
{
	struct mm_struct *mm = current->mm;
	int err;

	current->in_syscall = "munmap";
	event_record(&ev_munmap, addr, len >> PAGE_SHIFT);
	down_write(&mm->mmap_sem);
	err = do_munmap(mm, addr, len);
	up_write(&mm->mmap_sem);
	current->in_syscall = NULL;
	return err;
}

/* --- mmap ------------------------------------------------------------------------------------- */

/* A new VMA at [addr, addr + len), where nothing is, merged with its neighbours. */
static int map_region(struct mm_struct *mm, u64 addr, u64 len, u32 vm_flags, struct file *file,
		      u64 pgoff)
{
	u64 accounted = vma_accountable(vm_flags) ? len >> PAGE_SHIFT : 0;
	struct vm_area_struct *vma;

	if (accounted) {
		if (security_vm_enough_memory(mm, accounted))
			return -ENOMEM;
		vm_flags |= VM_ACCOUNT;
	}
	vma = vma_alloc(mm, addr, addr + len, vm_flags, file, pgoff);
	if (vma && !insert_vma(mm, vma)) {
		vma = vma_merge_neighbours(mm, vma);
		if (file)
			uprobe_mmap(vma);
		return 0;
	}
	if (vma)
		remove_vma(vma);
	vm_unacct_memory(accounted);
	return -ENOMEM;
}

static s64 do_mmap(struct mm_struct *mm, u64 addr, u64 len, u32 vm_flags, struct file *file,
		   u64 pgoff)
{
	int err;

	/* Leaves room for the two splits of an unmap in the middle. */
	if (mm->nr_vmas + 2 > MAX_MAP_COUNT)
		return -ENOMEM;
	if (addr) {
		err = do_munmap(mm, addr, len);
		if (err)
			return err;
	} else {
		addr = get_unmapped_area(mm, len, PAGE_SIZE);
		if (!addr)
			return -ENOMEM;
	}
	err = map_region(mm, addr, len, vm_flags, file, pgoff);
	return err ? err : (s64)addr;
}

s64 sys_mmap(u64 addr, u64 len, u32 vm_flags, struct file *file, u64 pgoff)
{
	struct mm_struct *mm = current->mm;
	s64 ret;

	if (!len || addr & ~PAGE_MASK || vm_flags & ~MMAP_FLAGS)
		return -EINVAL;
	/* Shared anonymous memory would be a file of tmpfs. */
	if ((vm_flags & VM_SHARED && !file) || (vm_flags & VM_GROWSDOWN && file))
		return -EINVAL;
	if (len > TASK_SIZE || addr > TASK_SIZE - page_align(len))
		return -ENOMEM;
	len = page_align(len);
	if (addr && addr < MMAP_MIN_ADDR)
		return -EPERM;
	if (file && pgoff + (len >> PAGE_SHIFT) < pgoff)
		return -EOVERFLOW;

	current->in_syscall = "mmap";
	down_write(&mm->mmap_sem);
	ret = do_mmap(mm, addr, len, vm_flags, file, pgoff);
	up_write(&mm->mmap_sem);
	event_record(&ev_mmap, (u64)ret, len >> PAGE_SHIFT);
	/* What can't be had now will be faulted in later, or not: mmap has succeeded. */
	if (ret > 0 && vm_flags & VM_LOCKED)
		mm_populate((u64)ret, len);
	current->in_syscall = NULL;
	return ret;
}

/* --- brk -------------------------------------------------------------------------------------- */

/* The heap ends at @brk from now on; page aligned. */
static int move_break(struct mm_struct *mm, u64 old, u64 new)
{
	u32 next = find_vma_index(mm, old);

	if (new <= old)
		return new < old ? do_munmap(mm, new, old - new) : 0;
	/* A page between the heap and what comes after it stays free. */
	if (new > TASK_SIZE - PAGE_SIZE ||
	    (next < mm->nr_vmas && mm->vmas[next]->vm_start < new + PAGE_SIZE))
		return -ENOMEM;
	return map_region(mm, old, new - old, VM_READ | VM_WRITE, NULL, 0);
}

s64 sys_brk(u64 brk)
{
	struct mm_struct *mm = current->mm;
	s64 ret;

	current->in_syscall = "brk";
	down_write(&mm->mmap_sem);
	event_record(&ev_brk, brk, mm->brk);
	if (brk >= mm->start_brk && brk <= TASK_SIZE &&
	    !move_break(mm, page_align(mm->brk), page_align(brk)))
		mm->brk = brk;
	ret = (s64)mm->brk;
	up_write(&mm->mmap_sem);
	current->in_syscall = NULL;
	return ret;
}

/* --- The driver's frames ---------------------------------------------------------------------- */

/* The driver's mmap method: the frames are there from the beginning, nothing is faulted in. */
static int map_device(struct mm_struct *mm, u64 addr, struct device_map *map)
{
	struct vm_area_struct *vma = vma_alloc(mm, addr, addr + map->nr * PAGE_SIZE,
					       VM_READ | VM_WRITE | VM_SHARED | VM_PFNMAP, NULL, 0);
	int err = -ENOMEM;

	if (!vma) {
		device_map_close(map);
		return err;
	}
	vma->vm_private = map;
	if (insert_vma(mm, vma)) {
		remove_vma(vma);
		return err;
	}
	for (u32 i = 0; i < map->nr; i++) {
		err = vm_insert_pfn(vma, addr + i * PAGE_SIZE, map->pfns[i]);
		if (err) {
			/* Part of it may be in TLBs by now: the way out is an unmap. A whole VMA
			 * goes, so it can't fail. */
			do_munmap(mm, addr, map->nr * PAGE_SIZE);
			return err;
		}
	}
	return 0;
}

s64 sys_mmap_device(u64 nr)
{
	struct mm_struct *mm = current->mm;
	struct device_map *map;
	s64 ret;

	if (!nr || nr > DEVICE_MAX_FRAMES)
		return -EINVAL;
	map = device_map_create((u32)nr);
	if (!map)
		return -ENOMEM;
	current->in_syscall = "mmap_device";
	down_write(&mm->mmap_sem);
	ret = (s64)get_unmapped_area(mm, nr * PAGE_SIZE, PAGE_SIZE);
	if (!ret || mm->nr_vmas >= MAX_MAP_COUNT) {
		device_map_close(map);
		ret = -ENOMEM;
	} else {
		int err = map_device(mm, (u64)ret, map);

		if (err)
			ret = err;
	}
	up_write(&mm->mmap_sem);
	event_record(&ev_mmap_device, (u64)ret, nr);
	current->in_syscall = NULL;
	return ret;
}
