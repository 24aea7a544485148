// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who has used which page, asked by frame number: the reader of rmap that comes from nowhere. It
 * knows no mm and holds no mmap_sem; what it finds may be unmapped, freed and handed out again at
 * any moment until it has its reference, and its address spaces may go while it walks them.
 */
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/syscalls.h"
#include "smp/sched.h"

EVENT_DESC(ev_age, 396, 0, "age pages", "from pfn %llu, %llu entries were young");

/* A page that somebody maps, with a reference; NULL if the frame is none. */
static struct page *page_idle_get_page(u64 pfn)
{
	struct page *p = pfn_to_page(pfn);

	/* A hint that costs nothing: most frames are none of ours. Frames of drivers have no
	 * mapcount.
	 */
	if (oracle_read(p->mapcount) < 0 || !get_page_unless_zero(p))
		return NULL;
	/* It may have become another page before we had the reference. */
	if (page_mapped(p))
		return p;
	put_page(p);
	return NULL;
}

u64 sys_age_pages(u64 pfn, u64 nr)
{
	u64 nr_pages = this_mm()->nr_pages, young = 0;

	might_sleep();
	current->in_syscall = "age_pages";
	for (u64 i = 0; i < min(nr, nr_pages); i++) {
		struct page *p = page_idle_get_page((pfn + i) % nr_pages);

		if (!p)
			continue;
		young += page_referenced(p);
		put_page(p);
		cond_resched();
	}
	event_record(&ev_age, pfn, young);
	current->in_syscall = NULL;
	return young;
}
