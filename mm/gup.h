// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * get_user_pages: the page behind an address of some address space, faulted in as the program's own
 * access would, with a reference (v3.14 mm/memory.c follow_page_mask, __get_user_pages).
 *
 * Structure. Looking and faulting in a loop: what a fault has brought may be gone again before it
 * is looked at, as long as nothing but mmap_sem for reading is held. A page that is to be written
 * is taken only through an entry that lets write; FOLL_FORCE (a debugger's) writes to private areas
 * that are read-only as well, but only to a copy: the entry stays read-only, and the page says that
 * it is this mm's alone (PG_anon_exclusive, as since v5.19). v3.13 went on as if to read when a
 * copy-on-write had been broken, and could be given the original (mended in v4.9, 19be0eaffa3a).
 * The reference keeps the page from being freed, not from being unmapped.
 *
 * Units: addresses in bytes. Locking: mmap_sem of the mm for reading, which stays held; the mm has
 * users. Sleeps. The pte lock is taken inside.
 * Errors: -EFAULT where nothing is mapped or the access is not allowed (also the driver's frames,
 * which have no struct page to hold), -EIO beyond the end of a file, -ENOMEM, -EINTR when the
 * caller has been killed.
 */
#ifndef MM_GUP_H
#define MM_GUP_H

#include "mm/mm_types.h"

/* v3.14 include/linux/mm.h. */
#define FOLL_WRITE 0x01u /* the page is to be written */
#define FOLL_FORCE 0x10u /* whatever the protection is */

/* The page that @mm has at @addr, in *page with a reference that put_user_page() gives back. 0 or
 * an error as above. */
int get_user_page(struct mm_struct *mm, u64 addr, u32 flags, struct page **page);
void put_user_page(struct page *p);

/*
 * The caller, who has a reference, has written to @p in a way that no page-table entry knows of:
 * the page of a file is dirty. Sleeps for PG_locked, which keeps the file from letting go of the
 * page meanwhile (v3.14 mm/page-writeback.c).
 */
void set_page_dirty_lock(struct page *p);

#endif
