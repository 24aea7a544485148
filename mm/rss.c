// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/rss.h"

void sync_mm_rss(struct mm_struct *mm)
{
	struct task_rss_stat *stat = &current->rss_stat;

	for (u32 i = 0; i < NR_MM_COUNTERS; i++) {
		if (stat->count[i]) {
			add_mm_counter(mm, (enum mm_counter)i, stat->count[i]);
			stat->count[i] = 0;
		}
	}
	stat->events = 0;
}

void update_hiwater_rss(struct mm_struct *mm)
{
	u64 rss = (u64)get_mm_rss(mm);

	if (READ_ONCE(mm->hiwater_rss) < rss)
		WRITE_ONCE(mm->hiwater_rss, rss);
}

u64 get_mm_hiwater_rss(struct mm_struct *mm)
{
	u64 mark = READ_ONCE(mm->hiwater_rss), rss = (u64)get_mm_rss(mm);

	return max(mark, rss);
}

void setmax_mm_hiwater_rss(u64 *maxrss, struct mm_struct *mm)
{
	u64 mark = get_mm_hiwater_rss(mm);

	*maxrss = max(*maxrss, mark);
}
