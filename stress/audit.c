// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Looking at the whole machine while nobody moves: during a run with everybody frozen, and at its
 * end.
 */
#include "mm/audit.h"
#include "mm/mm_machine.h"
#include "smp/hotplug.h"
#include "smp/rcu.h"
#include "smp/vmstat.h"
#include "stress/world_private.h"

EVENT_DESC(ev_audit, 403, EVENT_SYNC, "audit", "number %llu, %llu slots frozen");

/* Is every vCPU but ours idle, or offline? Acquire: pairs with set_bit() in the idle loop, so that
 * what those vCPUs did before is seen. */
static bool others_idle(struct machine *m)
{
	u32 self = smp_processor_id();

	for (u32 w = 0; w < (m->nr_vcpus + 63) / 64; w++) {
		u64 all = cpu_online_word(m, w);

		if (self / 64 == w)
			all &= ~(1ULL << (self & 63));
		if ((smp_load_acquire(&m->smp->idle_mask[w]) & all) != all)
			return false;
	}
	return true;
}

/* The tasks that can move: all but init and those that have stopped. */
static bool all_still(struct world *w)
{
	return READ_ONCE(w->m->smp->nr_tasks) == READ_ONCE(w->frozen) + 1 && others_idle(w->m) &&
	       !rcu_callbacks_pending(w->m);
}

static void look_at_everything(struct world *w)
{
	event_record(&ev_audit, w->audits, READ_ONCE(w->frozen));
	oracle_enter();
	mm_audit(w->m);
	cpu_hotplug_audit(w->m);
	oracle_exit();
	w->audits++;
	count_vm_event(VMSTAT_audits);
}

void world_freeze_and_audit(struct world *w)
{
	u32 signal = atomic_fetch_and(~(u32)WORLD_AUDIT, &w->signal);

	if (!(signal & WORLD_AUDIT) || (signal & WORLD_STOP))
		return;
	(void)atomic_fetch_or(WORLD_FREEZE, &w->signal);
	/* Children, dying tasks and CPUs on their way to idle do not tell us: look again after
	 * every other task's turn. */
	while (!all_still(w) && READ_ONCE(w->shared->slots_left)) {
		rcu_barrier();
		yield();
	}
	if (all_still(w))
		look_at_everything(w);
	(void)atomic_fetch_and(~(u32)WORLD_FREEZE, &w->signal);
	wake_up_all(&w->shared->thaw);
}

void world_audit_end(struct world *w)
{
	/* Whoever has left its slot is still on its way out, and may need a grace period for that:
	 * this CPU must not be in everybody's way. */
	wait_for_last_task();
	explore_quiet(true);
	while (!all_still(w)) {
		rcu_barrier();
		yield();
	}
	look_at_everything(w);
	/* Everything is given back now: what is missing has leaked. */
	files_drop_all(w->m);
	while (!all_still(w)) {
		rcu_barrier();
		yield();
	}
	oracle_enter();
	mm_audit_leaks(w->m, w->free_pages_at_start);
	oracle_exit();
}
