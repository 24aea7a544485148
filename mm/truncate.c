// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking pages out of the page cache: because the file has become shorter, because memory is
 * wanted, because the machine ends (v3.14 mm/truncate.c).
 */
#include <errno.h>

#include "mm/disk.h"
#include "mm/file_private.h"
#include "mm/filemap.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/syscalls.h"
#include "smp/spinlock.h"

EVENT_DESC(ev_truncate, 325, 0, "truncate", "inode %llu to %llu pages");
EVENT_DESC(ev_invalidate, 326, 0, "invalidate", "inode %llu, %llu pages dropped");

INVARIANT(inv_drop_dirty, "drop-dirty-page",
	  "at the end every page has been written before it is dropped");

/* Page @index, whose size the file has lost, goes. */
static void truncate_page(struct address_space *mapping, u64 index)
{
	struct page *p = find_get_page(mapping, index);

	if (!p)
		return;
	lock_page(p);
	if (READ_ONCE(p->mapping) != mapping) {
		/* invalidate_mapping_pages() was faster. */
		unlock_page(p);
		put_page(p);
		return;
	}
	/* The disk's block is to be cleared: nothing may be on its way there. */
	wait_on_page_writeback(p);
	/* A fault that had looked at the size before it changed has mapped it since the first
	 * unmap_mapping_range(). With PG_locked held none can any more. */
	if (page_mapped(p))
		unmap_mapping_range(mapping, index, 1, false);
	delete_from_page_cache(p);
	unlock_page(p);
	put_page(p); /* the cache's */
	put_page(p);
}

/* The file ends at @size now, where no page comes into the cache any more: those of [size, old) go.
 */
static void truncate_pagecache(struct address_space *mapping, u64 size, u64 old)
{
	/* First, so that pages need not be unmapped one by one below. */
	unmap_mapping_range(mapping, size, 0, true);
	if (planted(KNOB_LOCK_INVERSION) && current->mm) {
		mutex_lock(&mapping->i_mmap_mutex);
		down_read(&current->mm->mmap_sem);
		up_read(&current->mm->mmap_sem);
		mutex_unlock(&mapping->i_mmap_mutex);
	}
	for (u64 index = size; index < old; index++) {
		truncate_page(mapping, index);
		cond_resched();
	}
	/*
	 * Again, for correctness: until a page had left the cache, a write fault on a private
	 * mapping could copy it. The copy is an anonymous page, which nothing above looks for;
	 * beyond the end of the file there must be none.
	 */
	unmap_mapping_range(mapping, size, 0, true);
}

int vmtruncate(struct inode *inode, u64 size_pages)
{
	struct address_space *mapping = &inode->mapping;
	u64 old;

	if (size_pages > inode->max_pages)
		return -EINVAL;
	mutex_lock(&inode->i_mutex);
	event_record(&ev_truncate, inode->ino, size_pages);
	old = inode->size_pages;
	/* tree_lock: an insertion that has seen the old size is in the cache when we come to look.
	 */
	spin_lock(&mapping->tree_lock);
	WRITE_ONCE(inode->size_pages, size_pages);
	spin_unlock(&mapping->tree_lock);
	if (size_pages < old) {
		truncate_pagecache(mapping, size_pages, old);
		/* The blocks beyond the end are zero, so that a file which grows has zeros there.
		 */
		disk_clear(inode->disk_block + size_pages, old - size_pages);
	}
	mutex_unlock(&inode->i_mutex);
	return 0;
}

int sys_ftruncate(struct inode *inode, u64 size_pages)
{
	return vmtruncate(inode, size_pages);
}

/* Drops @p, to which the caller has a reference, if nobody needs it. */
static bool invalidate_page(struct address_space *mapping, struct page *p)
{
	bool dropped = false;

	if (!trylock_page(p))
		return false;
	if (READ_ONCE(p->mapping) == mapping && !page_flag(p, PG_dirty) &&
	    !page_flag(p, PG_writeback) && !page_mapped(p))
		dropped = remove_mapping(p);
	unlock_page(p);
	return dropped;
}

u64 invalidate_mapping_pages(struct inode *inode, u64 first, u64 nr)
{
	struct address_space *mapping = &inode->mapping;
	u64 end = min(first + nr < first ? ~0ULL : first + nr, inode->max_pages);
	u64 dropped = 0;

	/* This vCPU's pagevecs hold references; the pages in those of others stay. */
	lru_add_drain();
	for (u64 index = first; index < end; index++) {
		struct page *p = find_get_page(mapping, index);

		if (!p)
			continue;
		dropped += invalidate_page(mapping, p);
		put_page(p);
		cond_resched();
	}
	event_record(&ev_invalidate, inode->ino, dropped);
	return dropped;
}

/* No task uses the file any more: whatever references pagevecs hold, the cache's goes. */
static void drop_page(struct address_space *mapping, u64 index)
{
	struct page *p = find_get_page(mapping, index);

	if (!p)
		return;
	lock_page(p);
	wait_on_page_writeback(p);
	if (unlikely(page_flag(p, PG_dirty)))
		VIOLATION(&inv_drop_dirty, "inode %u index %llu: pfn %llu is dirty",
			  mapping->host->ino, (unsigned long long)index,
			  (unsigned long long)page_to_pfn(p));
	delete_from_page_cache(p);
	unlock_page(p);
	put_page(p); /* the cache's */
	put_page(p);
}

void files_drop_all(struct machine *m)
{
	struct inode *inode;

	lru_add_drain();
	for (inode = m->mm->files->inodes; inode; inode = inode->next) {
		if (!inode->mapping.nr_cached)
			continue;
		writeback_range(inode, 0, inode->max_pages);
		for (u64 index = 0; index < inode->max_pages; index++) {
			drop_page(&inode->mapping, index);
			cond_resched();
		}
	}
}
