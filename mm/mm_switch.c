// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who runs on which address space: the context switch, and kernel threads that adopt an mm.
 *
 * task->mm is what a task uses, task->active_mm what its vCPU's root belongs to while it runs. A
 * task without an mm borrows active_mm from the task before it, with one mm_count; the task after
 * it drops that reference, on its own stack, with interrupts on: it may be the last one (seed_path
 * E2).
 */
#include "mm/lazy_mm.h"
#include "mm/rss.h"
#include "smp/sched.h"

EVENT_DESC(ev_use_mm, 372, 0, "use_mm", "pid %llu, mm%llu");
EVENT_DESC(ev_unuse_mm, 373, 0, "unuse_mm", "pid %llu, mm%llu");

INVARIANT(inv_not_lazy, "kernel-thread-not-lazy",
	  "a CPU that runs a task without an mm is lazy on what it has loaded, or has left it");

/* @prev has run until now. */
static void check_lazy(const struct task_struct *prev)
{
	const struct vcpu *v = this_vcpu();
	const struct mm_context *loaded = loaded_context(v);

	if (unlikely(!prev->mm && loaded && loaded_state(v) == TLBSTATE_OK))
		VIOLATION(&inv_not_lazy, "pid %u has no mm, and the CPU uses mm%u", prev->pid,
			  loaded->id);
}

/* The run queue is locked, interrupts are off: nothing here can be interrupted or preempted. */
struct mm_struct *mm_context_switch(struct task_struct *prev, struct task_struct *next)
{
	struct mm_struct *mm = next->mm, *oldmm = prev->active_mm;

	mm_check_alive(oldmm, __func__);
	check_lazy(prev);
	BUG_ON(prev->mm && prev->state == TASK_DEAD, "pid %u is dead and still uses mm%u",
	       prev->pid, prev->mm->context.id);
	if (!mm) {
		next->active_mm = oldmm;
		mmgrab_lazy_tlb(oldmm);
		enter_lazy_tlb(&oldmm->context);
	} else {
		mm_check_alive(mm, __func__);
		switch_mm(&oldmm->context, &mm->context);
	}
	if (prev->mm)
		return NULL;
	/* prev had borrowed oldmm; whoever runs now gives it back in mm_finish_switch(). */
	prev->active_mm = NULL;
	return oldmm;
}

void mm_finish_switch(struct mm_struct *mm)
{
	if (!planted(KNOB_BORROWED_NOT_DROPPED))
		mmdrop_lazy_tlb(mm);
}

void use_mm(struct mm_struct *mm)
{
	struct task_struct *t = current;
	struct mm_struct *active_mm;

	mm_check_alive(mm, __func__);
	event_record(&ev_use_mm, t->pid, mm->context.id);
	spin_lock(&t->alloc_lock);
	/* Interrupts off, so that a shootdown finds the old state or the new one. */
	local_irq_disable();
	active_mm = t->active_mm;
	if (active_mm != mm) {
		if (!planted(KNOB_USE_MM_NOT_PINNED))
			mmgrab_lazy_tlb(mm);
		t->active_mm = mm;
	}
	WRITE_ONCE(t->mm, mm);
	switch_mm(&active_mm->context, &mm->context);
	local_irq_enable();
	spin_unlock(&t->alloc_lock);
	if (active_mm != mm)
		mmdrop_lazy_tlb(active_mm);
}

void unuse_mm(struct mm_struct *mm)
{
	struct task_struct *t = current;

	event_record(&ev_unuse_mm, t->pid, mm->context.id);
	spin_lock(&t->alloc_lock);
	sync_mm_rss(mm);
	WRITE_ONCE(t->mm, NULL);
	/* active_mm is still mm: the reference of use_mm() is now a lazy borrower's. */
	if (!planted(KNOB_UNUSE_MM_NOT_LAZY))
		enter_lazy_tlb(&mm->context);
	spin_unlock(&t->alloc_lock);
}
