// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing dirty pages to the disk (v3.14 mm/page-writeback.c write_cache_pages).
 *
 * PG_locked is held while the page is made clean and PG_writeback is set, and dropped before the
 * words are copied, as the kernel does before it submits the I/O: faults may dirty the page again
 * meanwhile; it is then written again. Two writers of one page take turns by PG_writeback. When
 * writeback_range() returns, all that was stored before the call is on the disk, whoever wrote it.
 */
#include <errno.h>

#include "mm/disk.h"
#include "mm/file_private.h"
#include "mm/filemap.h"
#include "mm/lru.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_page, 322, 0, "page written", "inode %llu index %llu");
EVENT_DESC(ev_range, 323, 0, "writeback", "inode %llu, %llu pages");
EVENT_DESC(ev_msync, 324, 0, "msync", "from %#llx to %#llx");

/* Where dirty pages are not accounted, entries may be the only ones to know. To be looked at before
 * PG_dirty: a zap marks the page and then takes it off the mapcount (acquire, pairs with the locked
 * operation in page_remove_rmap). */
static bool only_entries_know(const struct address_space *mapping, const struct page *p)
{
	return !mapping->account_dirty && smp_load_acquire(&p->mapcount) >= 0;
}

/*
 * On the disk as it is in memory? In one look at all flags: who writes the page out takes PG_dirty
 * off before PG_writeback is set, with PG_locked held all the while; two looks might see neither.
 */
static bool is_written(const struct address_space *mapping, const struct page *p)
{
	const u32 pending = 1u << PG_dirty | 1u << PG_writeback | 1u << PG_locked;

	return !only_entries_know(mapping, p) && !(READ_ONCE(p->flags) & pending);
}

/* Writes @p, to which the caller has a reference, if it is a dirty page of @mapping at @index. */
static bool write_page(struct address_space *mapping, u64 index, struct page *p)
{
	lock_page(p);
	if (READ_ONCE(p->mapping) != mapping) {
		unlock_page(p);
		return false;
	}
	/* What is on its way to the disk may be older than what we are to write. */
	wait_on_page_writeback(p);
	if (!(only_entries_know(mapping, p) || page_flag(p, PG_dirty)) ||
	    !clear_page_dirty_for_io(p)) {
		unlock_page(p);
		return false;
	}
	set_page_writeback(p);
	unlock_page(p);
	cond_resched();
	disk_write(mapping->host->disk_block + index, page_frame(p));
	end_page_writeback(p);
	count_vm_event(VMSTAT_pgwriteback);
	if (exploring())
		event_record(&ev_page, mapping->host->ino, index);
	return true;
}

u64 writeback_range(struct inode *inode, u64 first, u64 nr)
{
	struct address_space *mapping = &inode->mapping;
	u64 end = min(first + nr < first ? ~0ULL : first + nr, inode->max_pages);
	u64 written = 0;

	might_sleep();
	for (u64 index = first; index < end; index++) {
		struct page *p = find_get_page(mapping, index);

		if (!p)
			continue;
		/* A page that somebody else writes out is waited for too. */
		if (!is_written(mapping, p))
			written += write_page(mapping, index, p);
		put_page(p);
		cond_resched();
	}
	event_record(&ev_range, inode->ino, written);
	return written;
}

/* The part of [addr, end) that lies in the first VMA at or above addr. Returns its file with a
 * reference (NULL: nothing to write there) and where to go on; *hole when something was not mapped.
 */
static struct file *msync_part(struct mm_struct *mm, u64 addr, u64 end, u64 *next, u64 *first,
			       bool *hole)
{
	struct vm_area_struct *vma = find_vma(mm, addr);
	struct file *file = NULL;

	*next = end;
	if (!vma || vma->vm_start >= end) {
		*hole = true;
		return NULL;
	}
	if (vma->vm_start > addr) {
		*hole = true;
		*next = vma->vm_start;
		return NULL;
	}
	*next = min(end, vma->vm_end);
	if (vma->vm_file && (vma->vm_flags & VM_SHARED)) {
		file = vma->vm_file;
		get_file(file);
		*first = linear_page_index(vma, addr);
	}
	return file;
}

int sys_msync(u64 addr, u64 len)
{
	struct mm_struct *mm = current->mm;
	u64 end = addr + round_up_to(len, PAGE_SIZE);
	bool hole = false;

	if ((addr & ~PAGE_MASK) || end < addr)
		return -EINVAL;
	event_record(&ev_msync, addr, end);
	while (addr < end) {
		u64 next, first = 0;
		struct file *file;

		down_read(&mm->mmap_sem);
		file = msync_part(mm, addr, end, &next, &first, &hole);
		up_read(&mm->mmap_sem);
		/* Without mmap_sem, which comes after i_mutex and before PG_locked: the disk is
		 * slow. */
		if (file) {
			writeback_range(file->inode, first, (next - addr) >> PAGE_SHIFT);
			fput(file);
		}
		addr = next;
	}
	return hole ? -ENOMEM : 0;
}
