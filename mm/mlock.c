// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/mlock.h"

#include <errno.h>

#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/spinlock.h"

EVENT_DESC(ev_mlock, 344, 0, "sys_mlock", "from %#llx to %#llx");
EVENT_DESC(ev_munlock, 345, 0, "sys_munlock", "from %#llx to %#llx");
EVENT_DESC(ev_munlock_vma, 346, 0, "munlock_vma_pages_range", "from %#llx to %#llx");

/* --- Faulting in ------------------------------------------------------------------------------ */

/* True if @addr has a page that allows what the lock is for; it is mlocked then. A special entry
 * (the driver's, the zero page) needs nothing. */
static bool mlock_present(struct vm_area_struct *vma, u64 addr, bool write)
{
	spinlock_t *ptl;
	pteval_t *pte = pte_find_lock(vma->vm_mm, addr, &ptl), value;
	struct page *page;
	bool found;

	if (!pte)
		return false;
	value = READ_ONCE(*pte);
	found = pte_present(value) && (!write || value & PTE_RW);
	page = found ? vm_normal_page(vma, addr, value) : NULL;
	if (page)
		mlock_vma_page(page);
	spin_unlock(ptl);
	return found;
}

/* [start, end) of a locked VMA. mmap_sem for reading (v3.14 __mlock_vma_pages_range). */
static int mlock_vma_pages_range(struct vm_area_struct *vma, u64 start, u64 end)
{
	/* Private pages are copied now: a write later must not need memory. Shared ones are not
	 * made dirty. */
	bool write = (vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;

	if (!(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
		return -ENOMEM;
	for (u64 addr = start; addr < end; addr += PAGE_SIZE) {
		while (!mlock_present(vma, addr, write)) {
			u32 fault;

			if (READ_ONCE(current->killed))
				return -EAGAIN;
			fault = handle_mm_fault(vma->vm_mm, vma, addr,
						write ? FAULT_FLAG_WRITE : 0);
			if (fault & VM_FAULT_OOM)
				return -EAGAIN;
			if (fault & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV))
				return -ENOMEM;
			cond_resched();
		}
	}
	return 0;
}

int mm_populate(u64 start, u64 len)
{
	struct mm_struct *mm = current->mm;
	u64 end = start + len;
	int err = 0;

	down_read(&mm->mmap_sem);
	for (u32 i = find_vma_index(mm, start); !err && start < end; i++) {
		struct vm_area_struct *vma = i < mm->nr_vmas ? mm->vmas[i] : NULL;
		u64 next;

		if (!vma || vma->vm_start > start) {
			err = -ENOMEM;
			break;
		}
		next = min(vma->vm_end, end);
		/* Somebody may have munlocked it since. */
		if (vma->vm_flags & VM_LOCKED)
			err = mlock_vma_pages_range(vma, start, next);
		start = next;
	}
	up_read(&mm->mmap_sem);
	return err;
}

/* --- munlock ---------------------------------------------------------------------------------- */

/* Pages of one page table, with references, so that the pte lock is not held over LRU work. */
struct munlock_batch {
	u32 nr;
	struct page *pages[PAGEVEC_SIZE];
};

/* Does a locked VMA map the page at @addr? Then it is mlocked again, and that's it. */
static bool relock_one(struct page *page, struct vm_area_struct *vma, u64 addr, void *unused)
{
	spinlock_t *ptl;
	pteval_t *pte, value;
	bool maps;

	(void)unused;
	if (!(vma->vm_flags & VM_LOCKED))
		return true;
	pte = pte_find_lock(vma->vm_mm, addr, &ptl);
	if (!pte)
		return true;
	value = READ_ONCE(*pte);
	maps = pte_present(value) && pte_pfn(value) == page_to_pfn(page);
	if (maps)
		mlock_vma_page(page);
	spin_unlock(ptl);
	return !maps;
}

/* Others may have locked the same page (v3.14 try_to_munlock). A VMA that is being locked now is
 * seen here, or finds the page munlocked when it comes to it: VM_LOCKED is set first. */
static void munlock_pages(struct munlock_batch *batch)
{
	for (u32 i = 0; i < batch->nr; i++) {
		munlock_vma_page(batch->pages[i]);
		if (page_mapcount(batch->pages[i]) > 1)
			rmap_walk(batch->pages[i], relock_one, NULL);
	}
	release_pages(batch->pages, batch->nr);
	batch->nr = 0;
}

/* Collects mlocked pages from @addr on until the batch is full; @end is in the same page table.
 * Returns where it stopped. */
static u64 munlock_collect(struct vm_area_struct *vma, u64 addr, u64 end,
			   struct munlock_batch *batch)
{
	spinlock_t *ptl;
	pteval_t *pte = pte_find_lock(vma->vm_mm, addr, &ptl);

	if (!pte)
		return end;
	for (; addr < end && batch->nr < PAGEVEC_SIZE; addr += PAGE_SIZE, pte++) {
		pteval_t value = READ_ONCE(*pte);
		struct page *page;

		if (!pte_present(value))
			continue;
		page = vm_normal_page(vma, addr, value);
		if (page && page_flag(page, PG_mlocked)) {
			get_page(page);
			batch->pages[batch->nr++] = page;
		}
	}
	spin_unlock(ptl);
	return addr;
}

void munlock_vma_pages_range(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct munlock_batch batch = {.nr = 0};

	event_record(&ev_munlock_vma, start, end);
	vma_set_flags(vma, vma->vm_flags & ~VM_LOCKED);
	while (start < end) {
		u64 table_end = (start & PMD_MASK) + PMD_SIZE;

		start = munlock_collect(vma, start, min(table_end, end), &batch);
		munlock_pages(&batch);
		cond_resched();
	}
}

void munlock_vma_pages_all(struct vm_area_struct *vma)
{
	munlock_vma_pages_range(vma, vma->vm_start, vma->vm_end);
}

/* --- The system calls ------------------------------------------------------------------------- */

/* [start, end) lies in mm->vmas[at] (v3.14 mlock_fixup). */
static int mlock_fixup(struct mm_struct *mm, u32 at, u64 start, u64 end, bool lock)
{
	struct vm_area_struct *vma = mm->vmas[at];

	if (!!(vma->vm_flags & VM_LOCKED) == lock || vma->vm_flags & VM_PFNMAP)
		return 0;
	if (start > vma->vm_start) {
		if (split_vma(mm, vma, start))
			return -ENOMEM;
		vma = mm->vmas[++at];
	}
	if (end < vma->vm_end && split_vma(mm, vma, end))
		return -ENOMEM;
	if (lock) {
		mm->locked_vm += vma_pages(vma);
		vma_set_flags(vma, vma->vm_flags | VM_LOCKED);
	} else {
		mm->locked_vm -= vma_pages(vma);
		munlock_vma_pages_range(vma, start, end);
	}
	vma_merge_neighbours(mm, vma);
	return 0;
}

static int do_mlock(u64 start, u64 end, bool lock)
{
	struct mm_struct *mm = current->mm;
	int err = 0;

	down_write(&mm->mmap_sem);
	while (!err && start < end) {
		u32 at = find_vma_index(mm, start);
		u64 next;

		if (at == mm->nr_vmas || mm->vmas[at]->vm_start > start) {
			err = -ENOMEM;
			break;
		}
		next = min(mm->vmas[at]->vm_end, end);
		err = mlock_fixup(mm, at, start, next, lock);
		start = next;
	}
	up_write(&mm->mmap_sem);
	return err;
}

/* Widens to whole pages. False for a range that is none. */
static bool page_range(u64 addr, u64 len, u64 *start, u64 *end)
{
	if (addr > TASK_SIZE || len > TASK_SIZE - addr)
		return false;
	*start = addr & PAGE_MASK;
	*end = round_up_to(addr + len, PAGE_SIZE);
	return true;
}

int sys_mlock(u64 addr, u64 len)
{
	u64 start, end;
	int err;

	if (!page_range(addr, len, &start, &end))
		return -ENOMEM;
	current->in_syscall = "mlock";
	event_record(&ev_mlock, start, end);
	/* Pages in this CPU's pagevec would not be found on a list. */
	lru_add_drain();
	err = do_mlock(start, end, true);
	if (!err && start < end)
		err = mm_populate(start, end - start);
	current->in_syscall = NULL;
	return err;
}

int sys_munlock(u64 addr, u64 len)
{
	u64 start, end;
	int err;

	if (!page_range(addr, len, &start, &end))
		return -ENOMEM;
	current->in_syscall = "munlock";
	event_record(&ev_munlock, start, end);
	err = do_mlock(start, end, false);
	current->in_syscall = NULL;
	return err;
}
