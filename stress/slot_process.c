// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slots whose tasks are threads of one process. When one of them execs the others are killed. Each
 * leaves its slot vacant on its way out, before it is released; and de_thread() returns when all
 * have been released, so that the one that execs finds all vacant slots. It clones a thread for
 * each as soon as it has the new program's memory. Should its exec have failed when there was no
 * way back it is the last of its process, and a new process begins in one of the slots.
 */
#include "smp/signal.h"
#include "smp/vmstat.h"
#include "stress/world_private.h"

EVENT_DESC(ev_vacant, 440, 0, "slot vacant", "%llu, pid %llu was killed");
EVENT_DESC(ev_restart, 441, 0, "slot starts again", "%llu, by pid %llu");

static bool same_process(const struct slot *a, const struct slot *b)
{
	return a->group->mm_owner == b->group->mm_owner;
}

/* The first vacant slot of @s's process; NULL: there is none. */
static struct slot *vacant_slot(const struct slot *s)
{
	struct world *w = s->w;

	for (u32 i = 0; i < w->nr_slots; i++) {
		if (same_process(&w->slots[i], s) && w->slots[i].vacant)
			return &w->slots[i];
	}
	return NULL;
}

static void leave_vacant(struct slot *s)
{
	event_record(&ev_vacant, s->index, current->pid);
	count_vm_event(VMSTAT_slot_vacant);
	s->vacant = true;
}

void slot_process_restart(struct user_task *u)
{
	struct world *w = u->w;

	/* Threads that are there can't have left vacant slots but for an exec, which is to come. */
	if (READ_ONCE(current->signal->nr_threads) > 1)
		return;
	for (u32 i = 0; i < w->nr_slots; i++) {
		struct slot *s = &w->slots[i];

		if (!same_process(s, u->slot) || !s->vacant)
			continue;
		event_record(&ev_restart, s->index, current->pid);
		s->vacant = false;
		s->generation++;
		slot_clone(s);
	}
}

void slot_process_begin(struct slot *s)
{
	struct slot *next;

	while ((next = vacant_slot(s))) {
		next->vacant = false;
		next->generation++;
		if (!slot_spawn(next))
			return;
		slot_give_up(next);
	}
}

void slot_process_killed(struct user_task *u)
{
	struct slot *s = u->slot;
	bool alone = READ_ONCE(current->signal->nr_threads) == 1;

	if (slot_work_left(s))
		leave_vacant(s);
	else
		slot_give_up(s);
	if (alone)
		slot_process_begin(s);
}
