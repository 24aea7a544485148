// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/target.h"

#include <stdio.h>

#include "stress/world_private.h"

/* The mm of the task with @pid, with a use of it. */
static struct mm_struct *mm_of_pid(u32 pid)
{
	struct task_struct *t = find_get_task(current->machine, pid);
	struct mm_struct *mm;

	if (!t)
		return NULL;
	mm = get_task_mm(t);
	put_task_struct(t);
	return mm;
}

/* Page number *page of the regions that the mm's tasks have in common, with us as its user. */
static struct region *enter_common(struct slot_group *owner, u32 *page)
{
	struct region *regions[] = {&owner->shared, &owner->file};
	u32 pages = 0;

	for (u32 i = 0; i < ARRAY_SIZE(regions); i++)
		pages += region_start(regions[i]) ? regions[i]->pages : 0;
	if (!pages)
		return NULL;
	*page %= pages;
	for (u32 i = 0; i < ARRAY_SIZE(regions); i++) {
		struct region *r = regions[i];

		if (!region_start(r))
			continue;
		if (*page >= r->pages) {
			*page -= r->pages;
			continue;
		}
		region_enter(r);
		if (region_usable(r))
			return r;
		region_leave(r);
		break;
	}
	return NULL;
}

/* The same, if it is @mm's: a process that has started again has another one. */
static struct region *enter_mapped(struct slot_group *owner, const struct mm_struct *mm, u32 *page)
{
	struct region *r = enter_common(owner, page);

	if (!r || owner->mm_domain == mm->domain)
		return r;
	region_leave(r);
	return NULL;
}

/* Describes the first page of the bss; false if there is none. */
static bool describe_bss(struct mm_struct *mm, struct region *r)
{
	u64 start, end;

	down_read(&mm->mmap_sem);
	start = mm->end_data;
	end = mm->start_brk;
	up_read(&mm->mmap_sem);
	if (start == end)
		return false;
	*r = (struct region){
		.kind = REGION_ANON,
		.start = start,
		.pages = 1,
		.domain = mm->domain & 0x7fff,
		.inherited = mm->domain & 0x7fff,
		.unstable = true,
	};
	snprintf(r->name, sizeof(r->name), "bss");
	return true;
}

bool target_enter(struct user_task *u, u32 task, u32 first, struct target *t)
{
	struct slot *s = &u->w->slots[task % u->w->nr_slots];
	struct slot_group *owner = s->group->mm_owner;

	t->mm = mm_of_pid(READ_ONCE(s->pid));
	t->page = first;
	t->r = NULL;
	if (!t->mm)
		return false;
	if (owner)
		t->r = enter_mapped(owner, t->mm, &t->page);
	else if (describe_bss(t->mm, &t->bss))
		t->r = &t->bss;
	if (t->r)
		t->page %= t->r->pages;
	else
		mmput(t->mm);
	return t->r != NULL;
}

void target_leave(struct target *t)
{
	if (t->r != &t->bss)
		region_leave(t->r);
	if (t->mm)
		mmput(t->mm);
}
