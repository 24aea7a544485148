// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scheduler: a run queue a vCPU, round robin, with preemption and idle stealing.
 *
 * Locking. A task's scheduling state belongs to the lock of the run queue of task->cpu. schedule()
 * holds that lock, with interrupts off, across the switch of stacks; the task that goes on
 * releases it in finish_task_switch(). So whoever holds the lock of a task's run queue knows that
 * the task has been switched out completely, and may move it.
 *
 * Sleeping is the kernel's pattern: set_current_state(TASK_...), check the condition, schedule().
 * The state store is a full barrier; wake_up_process() sets the condition before it looks at the
 * state. One of the two sees the other.
 *
 * Lazy TLB and address spaces are not known here: sched_ops.context_switch_mm is called between
 * two tasks, and what it returns is given to finish_switch_mm after the switch, on the new task's
 * stack, as rq->prev_mm is in the kernel.
 */
#ifndef SMP_SCHED_H
#define SMP_SCHED_H

#include <urcu/list.h>

#include "engine/machine.h"
#include "smp/spinlock.h"
#include "smp/task.h"

struct call_single_data;
struct kmem_cache;
struct rcu_state;

struct sched_ops {
	/* With the run queue locked and interrupts off: switches address spaces from @prev to
	 * @next; returns an mm whose borrowed reference is to be dropped after the switch. */
	struct mm_struct *(*context_switch_mm)(struct task_struct *prev, struct task_struct *next);
	void (*finish_switch_mm)(struct mm_struct *mm);
	/* A task_struct is about to be freed. */
	void (*task_free)(struct task_struct *t);
};

struct rq {
	spinlock_t lock;	    /* irq-safe */
	struct cds_list_head queue; /* runnable, not running; under lock */
	u32 nr_queued;		    /* under lock; read without it for balancing */
	struct task_struct *curr;   /* under lock */
	struct task_struct *idle;
	struct mm_struct *prev_mm;     /* from context_switch_mm to finish_task_switch */
	struct task_struct *prev_task; /* the same for a dead task */
} __line_aligned;

struct smp_machine {
	struct sched_ops ops;
	struct kmem_cache *task_cache, *signal_cache, *sighand_cache;
	struct rq *rqs;
	struct call_single_data *csds; /* nr_vcpus squared: sender major (smp/ipi.h) */
	u64 *idle_mask;		       /* CPU_WORDS words: vCPUs that are idle; a hint; atomic */
	spinlock_t tasklist_lock;
	struct cds_list_head all_tasks; /* user tasks and kernel threads, not idle */
	u32 nr_tasks; /* live tasks, without idle; atomic; at zero the machine finishes */
	u32 next_pid; /* atomic */
	struct task_struct *last_waiter; /* who sleeps until it is the only task; atomic */
	struct rcu_state *rcu;
	bool finish; /* set once nr_tasks has reached zero; atomic */
};

/* Set-up. 0 or -ENOMEM. */
int smp_setup(struct machine *m, const struct sched_ops *ops);

/* Releases the stacks of tasks that never ended (after a violation); before machine_reset() or
 * machine_destroy(). */
void smp_teardown(struct machine *m);

/* The machine_ops of this part; the caller may add describe and monitor. */
void smp_machine_ops(struct machine_ops *ops);

/*
 * Creates a task that will run entry(arg); it is not runnable yet. NULL without memory. With
 * PF_KTHREAD it has no mm. @cpu is where it starts.
 */
struct task_struct *task_create(struct machine *m, const char *comm, u32 flags, u32 cpu,
				void (*entry)(void *), void *arg);

/*
 * The same for another thread of the caller's group (CLONE_THREAD). *err says why there is none:
 * -ENOMEM, or -EINTR if SIGKILL is pending for the caller, whose group is coming to an end: who
 * ends it has not counted this one.
 */
struct task_struct *task_create_thread(struct machine *m, const char *comm, u32 flags, u32 cpu,
				       void (*entry)(void *), void *arg, int *err);

/* Makes a new task runnable for the first time. From set-up or from a running task. */
void wake_up_new_task(struct task_struct *t);

/* Makes a sleeping task runnable. True if it was sleeping. From any context. */
bool wake_up_process(struct task_struct *t);

/* The same, but only out of a sleep whose state is one of @states. */
bool wake_up_state(struct task_struct *t, u32 states);

/* Ends the running task. It must hold no locks, and its mm must be gone. */
__attribute__((noreturn)) void do_task_dead(void);

void get_task_struct(struct task_struct *t);
void put_task_struct(struct task_struct *t);

/* Gives the processor to another runnable task; sleeps if the state is not TASK_RUNNING. */
void schedule(void);

/* Sleeps until the caller is the machine's only task. For one task at a time. */
void wait_for_last_task(void);

/* Stays runnable, but lets others go first. */
void yield(void);

/* A point in long loops without locks: reschedules if that is due. */
static __always_inline_fn void cond_resched(void)
{
	safepoint();
	preempt_check();
}

/* xchg: a full barrier between the state and the condition that is checked next. */
#define set_current_state(s) ((void)xchg(&current->state, (u32)(s)))
#define __set_current_state(s) WRITE_ONCE(current->state, (u32)(s))

/* The vCPU a new task should start on: the least loaded allowed one. */
u32 sched_pick_cpu(struct machine *m, const u64 *allowed);

#define rq_of(m, cpu) (&(m)->smp->rqs[cpu])

#endif
