// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resident set size: counted in the task first, folded into the mm every TASK_RSS_EVENTS_THRESH
 * events, at exec, at exit and before it is read exactly (v3.14 mm/memory.c SPLIT_RSS_COUNTING). A
 * task that changes an mm other than its own goes to the mm's counter directly.
 */
#ifndef MM_RSS_H
#define MM_RSS_H

#include "mm/mm_types.h"

#define TASK_RSS_EVENTS_THRESH 64

/* Folds the running task's cached counts into @mm, its mm. */
void sync_mm_rss(struct mm_struct *mm);

static inline void add_mm_counter(struct mm_struct *mm, enum mm_counter c, s64 n)
{
	atomic_add(n, &mm->rss[c]);
}

/* Hot: one event of the running task on @mm. */
static __always_inline_fn void add_mm_counter_fast(struct mm_struct *mm, enum mm_counter c, s32 n)
{
	struct task_struct *t = current;

	if (likely(t->mm == mm))
		t->rss_stat.count[c] += n;
	else
		add_mm_counter(mm, c, n);
}

/* Once a fault: folds when enough events have come together. */
static __always_inline_fn void check_sync_rss_stat(struct task_struct *t)
{
	if (unlikely(t->rss_stat.events++ > TASK_RSS_EVENTS_THRESH))
		sync_mm_rss(t->mm);
}

static inline s64 get_mm_counter(struct mm_struct *mm, enum mm_counter c)
{
	s64 v = atomic_read(&mm->rss[c]);

	/* Caches of other tasks may make it negative for a while. */
	return v < 0 ? 0 : v;
}

static inline s64 get_mm_rss(struct mm_struct *mm)
{
	return get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_ANONPAGES);
}

/* High-water mark of the rss: remembered before pages go (unmap, exec, exit), so that it need not
 * be kept at each fault. A hint: two unmaps under mmap_sem for reading may overwrite each other. */
void update_hiwater_rss(struct mm_struct *mm);
u64 get_mm_hiwater_rss(struct mm_struct *mm);

/* *maxrss is raised to the mark of @mm. */
void setmax_mm_hiwater_rss(u64 *maxrss, struct mm_struct *mm);

#endif
