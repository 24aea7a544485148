// SPDX-License-Identifier: GPL-2.0-or-later
/* The page cache: lookup, insertion, removal, the fault handler (mm/filemap.h). */
#include "mm/filemap.h"

#include <errno.h>

#include "mm/disk.h"
#include "mm/file_private.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/mm_owner.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/secondary_tlb.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlb_oracle.h"

EVENT_DESC(ev_read, 320, 0, "page read", "inode %llu index %llu");
EVENT_DESC(ev_remove, 321, 0, "page leaves the cache", "inode %llu index %llu");

INVARIANT(inv_cache_mapped, "page-cache-mapped",
	  "a page leaves the page cache when no page-table entry maps it any more");
INVARIANT(inv_cache_slot, "page-cache-slot",
	  "a page in the cache stands in the slot that its mapping and index name");
INVARIANT(inv_not_uptodate, "page-not-uptodate",
	  "a page of the cache that is not locked has the file's content");

/* References of a page that only the cache and the caller hold. */
#define CACHE_AND_CALLER 2

struct page *find_get_page(struct address_space *mapping, u64 index)
{
	struct page *p;

	if (index >= mapping->host->max_pages)
		return NULL;
	if (!READ_ONCE(mapping->pages[index]))
		return NULL;
	spin_lock(&mapping->tree_lock);
	p = READ_ONCE(mapping->pages[index]);
	if (p)
		get_page(p);
	spin_unlock(&mapping->tree_lock);
	return p;
}

/* Under tree_lock and PG_locked. */
static void clear_slot(struct address_space *mapping, struct page *p)
{
	struct page **slot = &mapping->pages[p->index];

	if (unlikely(READ_ONCE(*slot) != p))
		VIOLATION(&inv_cache_slot,
			  "inode %u index %llu: pfn %llu is to go and is not there",
			  mapping->host->ino, (unsigned long long)p->index,
			  (unsigned long long)page_to_pfn(p));
	WRITE_ONCE(*slot, NULL);
	WRITE_ONCE(p->mapping, NULL);
	mapping->nr_cached--;
}

/* After the page has left: its charge is the cache's, and goes now. */
static void left_cache(struct address_space *mapping, struct page *p)
{
	mem_cgroup_uncharge(p);
	if (exploring())
		event_record(&ev_remove, mapping->host->ino, p->index);
}

void delete_from_page_cache(struct page *p)
{
	struct address_space *mapping = p->mapping;

	lockdep_assert_held(LOCK_CLASS_page_lock);
	if (unlikely(page_mapped(p)))
		VIOLATION(&inv_cache_mapped,
			  "pfn %llu, inode %u index %llu: mapped %d times, expected none",
			  (unsigned long long)page_to_pfn(p), mapping->host->ino,
			  (unsigned long long)p->index, page_mapcount(p));
	/* What was not written yet is meant to be gone (v3.14 cancel_dirty_page). */
	page_flag_clear(p, PG_dirty);
	spin_lock(&mapping->tree_lock);
	clear_slot(mapping, p);
	spin_unlock(&mapping->tree_lock);
	left_cache(mapping, p);
}

bool remove_mapping(struct page *p)
{
	struct address_space *mapping = p->mapping;

	lockdep_assert_held(LOCK_CLASS_page_lock);
	spin_lock(&mapping->tree_lock);
	/* Frozen at zero, so that no lookup can take a reference from here on; every page-table
	 * entry and every pagevec holds one, so there are none. */
	if (cmpxchg(&p->refcount, CACHE_AND_CALLER, 0) != CACHE_AND_CALLER) {
		spin_unlock(&mapping->tree_lock);
		return false;
	}
	/* Looked at after the freeze: who unmapped the page marked it dirty and then dropped his
	 * reference, perhaps after our caller had looked. */
	if (unlikely(page_flag(p, PG_dirty))) {
		atomic_set(&p->refcount, CACHE_AND_CALLER);
		spin_unlock(&mapping->tree_lock);
		return false;
	}
	clear_slot(mapping, p);
	atomic_set(&p->refcount, 1);
	spin_unlock(&mapping->tree_lock);
	left_cache(mapping, p);
	return true;
}

/* Puts the new, locked page @p into the cache. 0; -EEXIST if another one is there; -ERANGE beyond
 * the end of the file. */
static int add_to_page_cache(struct inode *inode, u64 index, struct page *p)
{
	struct address_space *mapping = &inode->mapping;
	int err = 0;

	spin_lock(&mapping->tree_lock);
	if (index >= READ_ONCE(inode->size_pages)) {
		err = -ERANGE;
	} else if (READ_ONCE(mapping->pages[index])) {
		err = -EEXIST;
	} else {
		get_page(p);
		p->index = index;
		init_once(p->mapping, mapping);
		WRITE_ONCE(mapping->pages[index], p);
		mapping->nr_cached++;
	}
	spin_unlock(&mapping->tree_lock);
	return err;
}

/* The group that pays for a page which the running task reads. */
static struct mem_cgroup *current_memcg(void)
{
	struct mm_struct *mm = current->mm;

	return mm ? mem_cgroup_from_mm(mm) : memcg_get(this_vcpu()->machine, 0);
}

/* Reads a page that is not in the cache. 0 with *page locked and a reference of the caller's;
 * -ENOMEM; or as add_to_page_cache(). Sleeps. */
static int page_cache_read(struct inode *inode, u64 index, struct page **page)
{
	struct page *p = alloc_page_at(PAGE_USER, ALLOC_SITE_page_cache);
	int err;

	if (!p)
		return -ENOMEM;
	if (mem_cgroup_charge(current_memcg(), p)) {
		put_page(p);
		return -ENOMEM;
	}
	/* Nobody knows it, so this cannot fail; from the moment that others find it, it is locked.
	 */
	BUG_ON(!trylock_page(p), "a page fresh from the allocator is locked: pfn %llu",
	       (unsigned long long)page_to_pfn(p));
	err = add_to_page_cache(inode, index, p);
	if (err) {
		mem_cgroup_uncharge(p);
		unlock_page(p);
		put_page(p);
		return err;
	}
	lru_cache_add(p);
	/* Where the kernel waits for the disk: others get on. */
	cond_resched();
	disk_read(inode->disk_block + index, page_frame(p));
	page_flag_set(p, PG_uptodate);
	count_vm_event(VMSTAT_pgpgin);
	if (exploring())
		event_record(&ev_read, inode->ino, index);
	*page = p;
	return 0;
}

/* Finds or reads the page: as page_cache_read(), and *read says which. -EAGAIN: it left the cache
 * before we had it locked. */
static int find_lock_or_read(struct inode *inode, u64 index, struct page **page, bool *read)
{
	struct page *p = find_get_page(&inode->mapping, index);

	if (!p) {
		int err = page_cache_read(inode, index, page);

		*read = !err;
		return err == -EEXIST ? -EAGAIN : err;
	}
	lock_page(p);
	if (unlikely(READ_ONCE(p->mapping) != &inode->mapping)) {
		unlock_page(p);
		put_page(p);
		return -EAGAIN;
	}
	if (unlikely(!page_flag(p, PG_uptodate)))
		VIOLATION(&inv_not_uptodate, "inode %u index %llu: pfn %llu", inode->ino,
			  (unsigned long long)index, (unsigned long long)page_to_pfn(p));
	*page = p;
	return 0;
}

u32 filemap_fault(struct vm_area_struct *vma, u64 index, struct page **page)
{
	struct inode *inode = vma->vm_file->inode;
	bool read = false;
	int err;

	might_sleep();
	do {
		if (index >= READ_ONCE(inode->size_pages))
			return VM_FAULT_SIGBUS;
		err = find_lock_or_read(inode, index, page, &read);
	} while (err == -EAGAIN);
	if (err)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	/* Truncation sets the size before it takes the page's lock: what it has not come to yet, it
	 * will still find mapped; what lies beyond already must not be mapped any more. */
	if (unlikely(index >= READ_ONCE(inode->size_pages))) {
		unlock_page(*page);
		put_page(*page);
		return VM_FAULT_SIGBUS;
	}
	if (!read)
		return 0;
	count_vm_event(VMSTAT_pgmajfault);
	return VM_FAULT_MAJOR;
}

void page_mkwrite(struct page *p)
{
	const struct address_space *mapping = READ_ONCE(p->mapping);

	lockdep_assert_held(LOCK_CLASS_page_lock);
	if (mapping->account_dirty)
		set_page_dirty(p);
}

void set_page_dirty(struct page *p)
{
	/*
	 * Dirty already: the one who takes the mark off reads the page's words after that (a locked
	 * operation between), and so sees the stores that our caller speaks of: they were made
	 * before the entry was changed with a locked operation, or are held up by the pte lock
	 * until flushed.
	 */
	if (!page_flag(p, PG_dirty))
		page_flag_set(p, PG_dirty);
}

bool clear_page_dirty_for_io(struct page *p)
{
	lockdep_assert_held(LOCK_CLASS_page_lock);
	/*
	 * First the entries become clean and read-only everywhere, with their TLBs flushed: what
	 * was stored before goes into PG_dirty, whoever stores after that faults, waits for
	 * PG_locked and sets PG_dirty again. Only then the mark is taken off.
	 */
	if (page_mkclean(p))
		set_page_dirty(p);
	tlb_oracle_frame_clean(this_vcpu()->machine, page_to_pfn(p));
	if (unlikely(exploring()))
		secondary_tlb_frame_clean(this_vcpu()->machine, page_to_pfn(p));
	return page_flag_test_clear(p, PG_dirty);
}
