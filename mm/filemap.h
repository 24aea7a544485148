// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page cache from the inside: for the files that write pages back and drop them.
 *
 * A page is in the cache of @mapping at @index from the store of its slot to the clearing of it,
 * both under tree_lock with PG_locked held; page->mapping and page->index say so as long. The
 * cache's reference keeps refcount above zero all that time but for the moment in which somebody
 * who holds tree_lock has frozen it (remove_mapping).
 *
 * Lookup takes its reference under tree_lock. v3.14 takes it without, from a page that may be
 * somebody else's by then (page_cache_get_speculative); here a page that the allocator has just
 * handed out has one owner, who may change the count without locked operations (lru_cache_add_new).
 * Only "nothing there" is answered without the lock.
 *
 * Truncation and insertion: size_pages is written under tree_lock, and a page is only inserted,
 * under tree_lock, below it. So once the new size is set no page comes into the cache beyond it.
 */
#ifndef MM_FILEMAP_H
#define MM_FILEMAP_H

#include "mm/file.h"

/* PG_locked held, nothing maps the page any more: it leaves the cache, and with it the cache's
 * reference, which the caller must put. A dirty mark goes with it. */
void delete_from_page_cache(struct page *p);

/*
 * PG_locked held, the caller has one reference: the page leaves the cache if nobody has another one
 * and it is clean. True: the cache's reference is gone, the caller's remains. False: all as before.
 */
bool remove_mapping(struct page *p);

/*
 * PG_locked held: takes the dirty mark off the page, with all dirty bits in page tables, for the
 * page is about to be written. True if it was dirty (v3.14 clear_page_dirty_for_io).
 */
bool clear_page_dirty_for_io(struct page *p);

#endif
