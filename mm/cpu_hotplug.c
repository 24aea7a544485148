// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/cpu_hotplug.h"

#include "mm/knobs.h"
#include "mm/lazy_mm.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "smp/hotplug.h"
#include "smp/spinlock.h"
#include "tlbshoot/cpu_offline.h"

EVENT_DESC(ev_idle_exit, 459, 0, "idle_task_exit", "mm%llu%.0llu");
EVENT_DESC(ev_drained, 460, 0, "drained", "CPU%llu: %llu pages");

INVARIANT(inv_in_mask, "offline-cpu-in-mask", "an offline CPU is in no CPU mask and borrows no mm");
INVARIANT(inv_pages, "offline-cpu-pages",
	  "an offline CPU keeps no pages: its pagevecs, page lists and charged stock are empty");

/* What the TLB knows as the kernel's context is init_mm's: the switch and the reference belong
 * together, as in a context switch. */
static void idle_task_exit(void)
{
	struct task_struct *idle = current;
	struct mm_struct *mm = idle->active_mm, *init_mm = this_mm()->init_mm;

	event_record(&ev_idle_exit, mm->context.id, 0);
	if (mm != init_mm) {
		mmgrab_lazy_tlb(init_mm);
		idle->active_mm = init_mm;
	}
	tlb_cpu_offline(&mm->context);
	if (mm != init_mm)
		mmdrop_lazy_tlb(mm);
}

static void drain_cpu(struct machine *m, u32 cpu)
{
	event_record(&ev_drained, cpu, lru_nr_waiting(m, cpu) + pcp_nr_pages(m, cpu));
	if (!planted(KNOB_OFFLINE_KEEPS_PAGEVEC))
		lru_add_drain_cpu(cpu);
	memcg_drain_stock_cpu(cpu);
	drain_pages(cpu);
}

static void look_at_masks(struct machine *m, u32 cpu)
{
	struct mm_machine *mms = m->mm;
	const struct mm_struct *mm, *found = NULL;
	u32 id = 0;

	spin_lock(&mms->mmlist_lock);
	cds_list_for_each_entry(mm, &mms->mmlist, mmlist) {
		if (oracle_read(mm->context.cpumask[cpu / 64]) & (1ULL << (cpu % 64))) {
			found = mm;
			id = mm->context.id;
		}
	}
	spin_unlock(&mms->mmlist_lock);
	if (found)
		VIOLATION_WITH(&inv_in_mask, cpu, "CPU%u is offline and in the mask of mm%u", cpu,
			       id);
	if (m->vcpus[cpu].current_task->active_mm != mms->init_mm)
		VIOLATION_WITH(&inv_in_mask, cpu,
			       "CPU%u is offline and borrows another than init_mm", cpu);
}

static void look_at_pages(const struct machine *m, u32 cpu)
{
	u32 waiting = lru_nr_waiting(m, cpu), listed = pcp_nr_pages(m, cpu);
	u32 stock = memcg_stock_of(m, cpu);

	if (waiting || listed || stock)
		VIOLATION_WITH(
			&inv_pages, cpu,
			"CPU%u is offline with %u pages in its pagevecs, %u in its page list "
			"and %u in stock; expected none",
			cpu, waiting, listed, stock);
}

static void mm_cpu_event(struct machine *m, enum cpu_event event, u32 cpu)
{
	switch (event) {
	case CPU_DYING:
		idle_task_exit();
		break;
	case CPU_DEAD:
		drain_cpu(m, cpu);
		break;
	case CPU_STARTING:
		tlb_cpu_starting();
		break;
	case CPU_LOOK:
		tlb_oracle_cpu_offline(&m->vcpus[cpu]);
		look_at_masks(m, cpu);
		look_at_pages(m, cpu);
		break;
	}
}

void mm_cpu_hotplug_setup(struct machine *m)
{
	register_cpu_notifier(m, mm_cpu_event);
}
