// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/rwsem.h"

#include "smp/knobs.h"
#include "smp/vmstat.h"

struct rwsem_waiter {
	struct task_struct *task;
	u32 granted; /* atomic */
	bool write;
	struct cds_list_head node;
};

static u32 slots_for(u32 nr_vcpus)
{
	u32 n = 1;

	while (n < nr_vcpus && n < RWSEM_MAX_SLOTS)
		n *= 2;
	return n;
}

u32 rwsem_slots_bytes(u32 nr_vcpus)
{
	return slots_for(nr_vcpus) * (u32)sizeof(struct rwsem_slot);
}

void init_rwsem(struct rw_semaphore *s, void *slots, u32 nr_vcpus, enum lock_class class)
{
	s->slots = slots;
	s->slot_mask = slots_for(nr_vcpus) - 1;
	for (u32 i = 0; i <= s->slot_mask; i++)
		init_once(s->slots[i].readers, 0);
	init_once(s->slow, 0);
	s->class = (u16) class;
	s->writer = NULL;
	spin_lock_init(&s->lock, LOCK_CLASS_rwsem_wait);
	CDS_INIT_LIST_HEAD(&s->waiters);
}

static __always_inline_fn u32 *own_slot(struct rw_semaphore *s)
{
	return &s->slots[smp_processor_id() & s->slot_mask].readers;
}

/* Readers inside; only meaningful for zero, and with slow set. Slots wrap, their sum does not.
 * Acquire (C): the writer comes after everything that the readers who have left did. */
static u32 readers_inside(struct rw_semaphore *s)
{
	u32 sum = 0;

	for (u32 i = 0; i <= s->slot_mask; i++)
		sum += smp_load_acquire(&s->slots[i].readers);
	return sum;
}

/* Hands the lock to whoever is first in the queue and can have it. Under s->lock. */
static void grant_waiters(struct rw_semaphore *s)
{
	struct rwsem_waiter *w;
	struct task_struct *task;
	bool write;

	while (!s->writer && !cds_list_empty(&s->waiters)) {
		w = cds_list_first_entry(&s->waiters, struct rwsem_waiter, node);
		write = w->write;
		if (write && readers_inside(s))
			return;
		task = w->task;
		cds_list_del(&w->node);
		if (write)
			s->writer = task;
		else
			atomic_inc(own_slot(s));
		get_task_struct(task);
		smp_store_release(&w->granted, 1);
		wake_up_process(task);
		put_task_struct(task);
	}
	if (!s->writer && cds_list_empty(&s->waiters))
		smp_store_release(&s->slow, 0); /* (D) */
}

static void wait_for_grant(struct rw_semaphore *s, struct rwsem_waiter *w)
{
	cds_list_add_tail(&w->node, &s->waiters);
	spin_unlock(&s->lock);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (smp_load_acquire(&w->granted))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static void down_read_slow(struct rw_semaphore *s)
{
	struct rwsem_waiter w = {.task = current};

	count_vm_event(VMSTAT_rwsem_read_slow);
	/* Our count in the slot may have kept a writer waiting: take it back under the lock, and
	 * look for that writer. */
	spin_lock(&s->lock);
	atomic_dec(own_slot(s));
	grant_waiters(s);
	if (!READ_ONCE(s->slow)) {
		atomic_inc(own_slot(s));
		spin_unlock(&s->lock);
		return;
	}
	wait_for_grant(s, &w);
}

void down_read(struct rw_semaphore *s)
{
	might_sleep();
	lockdep_acquire((enum lock_class)s->class);
	/* On one vCPU from here: down_read_slow takes back what was counted here. */
	preempt_disable();
	atomic_inc(own_slot(s));		   /* (A) */
	if (likely(!smp_load_acquire(&s->slow))) { /* (D) */
		preempt_enable();
		return;
	}
	preempt_enable_no_resched();
	down_read_slow(s);
}

bool down_read_trylock(struct rw_semaphore *s)
{
	bool got;

	preempt_disable();
	atomic_inc(own_slot(s));	   /* (A) */
	got = !smp_load_acquire(&s->slow); /* (D) */
	if (got) {
		lockdep_acquire_try((enum lock_class)s->class);
		preempt_enable();
		return true;
	}
	spin_lock(&s->lock);
	atomic_dec(own_slot(s));
	grant_waiters(s);
	spin_unlock(&s->lock);
	preempt_enable();
	return false;
}

void up_read(struct rw_semaphore *s)
{
	lockdep_release((enum lock_class)s->class);
	atomic_dec(own_slot(s)); /* (C) */
	if (likely(!READ_ONCE(s->slow)))
		return;
	if (planted(KNOB_RWSEM_LOST_WAKEUP))
		return;
	spin_lock(&s->lock);
	grant_waiters(s);
	spin_unlock(&s->lock);
}

static void down_write_class(struct rw_semaphore *s, enum lock_class class)
{
	struct rwsem_waiter w = {.task = current, .write = true};

	might_sleep();
	lockdep_acquire(class);
	spin_lock(&s->lock);
	if (!s->writer && cds_list_empty(&s->waiters)) {
		(void)xchg(&s->slow, 1); /* (B) */
		if (!readers_inside(s)) {
			s->writer = w.task;
			spin_unlock(&s->lock);
			return;
		}
	}
	count_vm_event(VMSTAT_rwsem_write_slow);
	wait_for_grant(s, &w);
}

void down_write(struct rw_semaphore *s)
{
	down_write_class(s, (enum lock_class)s->class);
}

void down_write_nested(struct rw_semaphore *s, enum lock_class class)
{
	down_write_class(s, class);
}

static void up_write_class(struct rw_semaphore *s, enum lock_class class)
{
	lockdep_release(class);
	spin_lock(&s->lock);
	BUG_ON(s->writer != current, "pid %u releases %s for writing, which %s%u has", current->pid,
	       lock_class_names[class], s->writer ? "pid " : "nobody, pid ",
	       s->writer ? s->writer->pid : 0);
	s->writer = NULL;
	grant_waiters(s);
	spin_unlock(&s->lock);
}

void up_write(struct rw_semaphore *s)
{
	up_write_class(s, (enum lock_class)s->class);
}

void up_write_nested(struct rw_semaphore *s, enum lock_class class)
{
	up_write_class(s, class);
}

bool rwsem_is_locked(const struct rw_semaphore *s)
{
	u32 sum = 0;

	for (u32 i = 0; i <= s->slot_mask; i++)
		sum += oracle_read(s->slots[i].readers);
	return sum || oracle_read(s->writer);
}
