// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RCU, one interface for both executors.
 *
 * A reader runs with preemption off, so a context switch, idle and user mode are quiescent states.
 * Under threads, grace periods are liburcu's (qsbr flavour, one registered reader a vCPU, one
 * callback thread a machine); liburcu's thread only hands ripe callbacks back to the vCPU that
 * queued them. Under the explorer the machine keeps the grace periods itself, from the same
 * quiescent states, so that a run is repeatable; and a vCPU that spins with preemption on is
 * quiescent there, as one whose time slice ends some day.
 *
 * Callbacks run on the vCPU that queued them, in the order in which it queued them, in process
 * context with preemption off, when that vCPU goes idle, switches tasks or returns to user mode
 * (run_softirq()).
 *
 * The happens-before edges that liburcu's code cannot show to ThreadSanitizer (0.13.2 has no
 * annotations) are made here with atomics and annotations, and nowhere else.
 */
#ifndef SMP_RCU_H
#define SMP_RCU_H

#include "engine/access.h"
#include "engine/executor.h"
#include "smp/qsbr.h"

struct task_struct;

struct rcu_head {
	struct qsbr_head liburcu;
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
	struct vcpu *owner;
	u64 call; /* explore: number of the call_rcu(), for the oracle */
};

int rcu_setup(struct machine *m);
void rcu_teardown(struct machine *m);

/* explore: the oracle notes when the vCPU's read section began. */
void rcu_section_begins(struct vcpu *v);

static __always_inline_fn void rcu_read_lock(void)
{
	struct vcpu *v = this_vcpu();

	v->preempt_count++;
	/* Only this vCPU writes it; the check of grace periods reads it (rcu.c). */
	init_once(v->rcu_nesting, v->rcu_nesting + 1);
	if (v->rcu_nesting == 1 && unlikely(exploring()))
		rcu_section_begins(v);
}

static __always_inline_fn void rcu_read_unlock(void)
{
	struct vcpu *v = this_vcpu();

	init_once(v->rcu_nesting, v->rcu_nesting - 1);
	if (!v->rcu_nesting)
		explore_touch(&v->rcu_nesting, true);
	preempt_enable();
}

#define rcu_dereference(p) smp_load_acquire(&(p))
#define rcu_assign_pointer(p, v) smp_store_release(&(p), (v))

/* Is the running code inside a read section (or otherwise unpreemptible)? For checks. */
static inline bool rcu_read_lock_held(void)
{
	return this_vcpu()->rcu_nesting != 0;
}

/* Runs func(head) after a grace period. From any context but interrupts. */
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));

/* Sleeps through a grace period. */
void synchronize_rcu(void);

/* Waits until all callbacks queued so far by anybody have run. Sleeps. Callbacks that are queued
 * meanwhile are not waited for. */
void rcu_barrier(void);

/* The same for what @cpu has queued. */
void rcu_barrier_cpu(u32 cpu);
/* For the oracle: has @cpu callbacks that have not run yet? */
bool rcu_cpu_has_callbacks(const struct machine *m, u32 cpu);

/* Announces a quiescent state of the current vCPU. */
void rcu_note_quiescent(void);

/* Runs the callbacks that are ripe on this vCPU. Process context, nothing held. */
void run_softirq_slow(void);
static __always_inline_fn void run_softirq(void)
{
	if (unlikely(this_vcpu()->softirq))
		run_softirq_slow();
}

/* PENDING_RCU. */
void rcu_interrupt(struct vcpu *v);

/* threads: before the vCPUs start (machine_ops.prepare_threads). */
void rcu_start_threads(struct machine *m);
void rcu_vcpu_online(struct vcpu *v);
void rcu_vcpu_offline(struct vcpu *v);
/* The vCPU's pthread sleeps: an extended quiescent state. */
void rcu_vcpu_sleep(struct vcpu *v);
void rcu_vcpu_wake(struct vcpu *v);

/* Callbacks queued and not yet run; exact when the machine is quiet. */
u64 rcu_callbacks_pending(const struct machine *m);

#endif
