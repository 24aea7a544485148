// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/sched.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/strategy.h"
#include "smp/fail_alloc.h"
#include "smp/hotplug.h"
#include "smp/ipi.h"
#include "smp/knobs.h"
#include "smp/rcu.h"
#include "smp/select_cpu.h"
#include "smp/signal.h"
#include "smp/topology.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_switch, 110, 0, "context_switch", "pid %llu -> pid %llu");
EVENT_DESC(ev_wake, 111, 0, "wake_up", "pid %llu on CPU%llu");
EVENT_DESC(ev_preempt, 112, 0, "preempted", "pid %llu%.0llu");
EVENT_DESC(ev_dead, 113, 0, "task dead", "pid %llu%.0llu");
EVENT_DESC(ev_migrated, 450, 0, "migrate_tasks", "pid %llu to CPU%llu");

INVARIANT(inv_sched, "scheduler-state", "schedule() is called with nothing held and irqs on");

static void rq_count(struct machine *m, u32 cpu, s32 delta)
{
	struct rq *rq = rq_of(m, cpu);

	/* Also looked at without the lock: steal_task(), and wherever a tick may come. */
	explore_touch(&rq->nr_queued, true);
	explore_touch(&m->vcpus[cpu].nr_waiting, true);
	__atomic_store_n(&rq->nr_queued, rq->nr_queued + (u32)delta, __ATOMIC_RELAXED);
	__atomic_store_n(&m->vcpus[cpu].nr_waiting, rq->nr_queued, __ATOMIC_RELAXED);
}

/* Under the lock of @cpu's run queue. */
static void enqueue(struct machine *m, u32 cpu, struct task_struct *t)
{
	cds_list_add_tail(&t->run_node, &rq_of(m, cpu)->queue);
	rq_count(m, cpu, 1);
}

static void dequeue(struct machine *m, u32 cpu, struct task_struct *t)
{
	cds_list_del(&t->run_node);
	rq_count(m, cpu, -1);
}

/* A task is gone for good: after the last one the machine finishes, and who waits to be the last
 * one goes on. */
static void one_task_less(struct machine *m)
{
	struct smp_machine *smp = m->smp;
	u32 left = atomic_dec_return(&smp->nr_tasks);
	struct task_struct *waiter;

	if (!left) {
		WRITE_ONCE(smp->finish, true);
		/* Those that are offline end, too. */
		for (u32 i = 0; i < m->nr_vcpus; i++)
			vcpu_raise(&m->vcpus[i], PENDING_RESCHEDULE);
	} else if (left == 1) {
		waiter = READ_ONCE(smp->last_waiter);
		if (waiter)
			wake_up_process(waiter);
	}
}

/* Runs first on the stack of the task that was switched to. */
static void finish_task_switch(void)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	struct rq *rq = v->rq;
	struct mm_struct *mm = rq->prev_mm;
	struct task_struct *dead = rq->prev_task;

	/* Nobody can be chosen in between: a machine that is stopped finds every stack that was not
	 * given back here through all_tasks (smp_teardown). */
	if (dead)
		fiber_release(&dead->own_fiber, m->stacks);
	rq->prev_mm = NULL;
	rq->prev_task = NULL;
	spin_unlock_no_resched(&rq->lock, LOCK_CLASS_rq_lock, MMT_SITE(ACCESS_UNLOCK));
	local_irq_enable();
	if (mm)
		m->smp->ops.finish_switch_mm(mm);
	if (dead) {
		spin_lock(&m->smp->tasklist_lock);
		cds_list_del(&dead->all_node);
		spin_unlock(&m->smp->tasklist_lock);
		put_task_struct(dead);
		one_task_less(m);
	}
}

void wait_for_last_task(void)
{
	struct smp_machine *smp = this_vcpu()->machine->smp;

	WRITE_ONCE(smp->last_waiter, current);
	for (;;) {
		/* Orders the waiter before the look at the number. */
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (READ_ONCE(smp->nr_tasks) == 1)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(smp->last_waiter, NULL);
}

static void context_switch(struct vcpu *v, struct task_struct *prev, struct task_struct *next)
{
	struct machine *m = v->machine;
	struct rq *rq = v->rq;

	event_record(&ev_switch, prev->pid, next->pid);
	count_vm_event(VMSTAT_nr_context_switches);
	rq->curr = next;
	if (m->smp->ops.context_switch_mm)
		rq->prev_mm = m->smp->ops.context_switch_mm(prev, next);
	if (prev->state == TASK_DEAD)
		rq->prev_task = prev;
	prev->preempt_count = v->preempt_count;
	v->preempt_count = next->preempt_count;
	v->current_task = next;
	v->fiber = next->fiber;
	if (prev->state == TASK_DEAD)
		fiber_switch_final(prev->fiber, next->fiber);
	else
		fiber_switch(prev->fiber, next->fiber);
	/* Some vCPU, perhaps another one, has come back to prev. */
	finish_task_switch();
}

enum switch_reason {
	SWITCH_CALLED,	  /* schedule(): goes on if it is TASK_RUNNING, else sleeps */
	SWITCH_PREEMPTED, /* goes on, whatever its state says: it is about to look for itself */
	SWITCH_DEAD,
};

/* Tasks wait here while other vCPUs may be idle: an idle one that is told so comes and takes one
 * (idle_loop). As the kernel's tick kicks an idle CPU to balance. */
static void kick_idle(struct machine *m)
{
	for (u32 w = 0; w < (m->nr_vcpus + 63) / 64; w++) {
		u64 set = oracle_read(m->smp->idle_mask[w]);

		explore_touch(&m->smp->idle_mask[w], false);
		if (set) {
			smp_send_reschedule(w * 64 + (u32)__builtin_ctzll(set));
			return;
		}
	}
}

/* The first in the queue; under the explorer the strategy may prefer another one, as a fair
 * scheduler's clock may. The queue is not empty, its lock is held. */
static struct task_struct *pick_next_task(struct rq *rq)
{
	struct cds_list_head *node = rq->queue.next;

	if (unlikely(exploring()) && rq->nr_queued > 1) {
		for (u32 skip = machine_choose(CHOICE_WAKE, rq->nr_queued); skip; skip--)
			node = node->next;
	}
	return cds_list_entry(node, struct task_struct, run_node);
}

static void __schedule(enum switch_reason why)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	struct rq *rq = v->rq;
	struct task_struct *prev = v->current_task, *next;

	if (unlikely(v->irqs_off || v->in_interrupt || v->rcu_nesting || v->oracle_depth ||
		     v->preempt_count != 1u + task_is_idle(prev)))
		VIOLATION(&inv_sched,
			  "pid %u: preempt_count %u, interrupts %s, in_interrupt %u, RCU %u, "
			  "oracle %u",
			  prev->pid, v->preempt_count - 1, v->irqs_off ? "off" : "on",
			  v->in_interrupt, v->rcu_nesting, v->oracle_depth);
	vcpu_progress();
	run_softirq();
	local_irq_disable();
	spin_lock(&rq->lock);
	v->need_resched = 0;
	rcu_note_quiescent();
	/* Under the lock, so that a waker that looked at the state before it died has written
	 * TASK_RUNNING by now, and does not bring it back. */
	if (why == SWITCH_DEAD)
		WRITE_ONCE(prev->state, TASK_DEAD);
	if (!task_is_idle(prev)) {
		if (why == SWITCH_PREEMPTED || READ_ONCE(prev->state) == TASK_RUNNING)
			enqueue(m, v->id, prev);
		else
			prev->on_rq = 0;
	}
	/* Of a CPU that goes offline the idle task takes care (cpu_play_dead). */
	if (cds_list_empty(&rq->queue) || unlikely(oracle_read(rq->going_down))) {
		next = rq->idle;
	} else {
		next = pick_next_task(rq);
		dequeue(m, v->id, next);
	}
	if (rq->nr_queued)
		kick_idle(m);
	if (next != prev) {
		context_switch(v, prev, next);
		return;
	}
	spin_unlock_no_resched(&rq->lock, LOCK_CLASS_rq_lock, MMT_SITE(ACCESS_UNLOCK));
	local_irq_enable();
}

void schedule(void)
{
	preempt_disable();
	__schedule(SWITCH_CALLED);
	preempt_enable_no_resched();
}

static void preempt_schedule(struct vcpu *v)
{
	/* The oracle may let go of locks, but is not interrupted: later, then. */
	if (task_is_idle(v->current_task) || v->oracle_depth)
		return;
	event_record(&ev_preempt, v->current_task->pid, 0);
	count_vm_event(VMSTAT_nr_preemptions);
	preempt_disable();
	__schedule(SWITCH_PREEMPTED);
	preempt_enable_no_resched();
}

void yield(void)
{
	schedule();
}

/* Moves @t, which is neither running nor queued, to @cpu. Under the lock of the run queue that it
 * leaves: who has that lock and saw @t belong to it may rely on that. Release: who takes the other
 * queue's lock next finds what was written under this one (task_rq_lock). */
static void set_task_cpu(struct task_struct *t, u32 cpu, enum vmstat_item reason)
{
	if (t->cpu == cpu)
		return;
	smp_store_release(&t->cpu, cpu);
	count_vm_event(VMSTAT_nr_migrations);
	count_vm_event(reason);
}

/* Queues @t, which nobody else can queue now, on its vCPU. */
static void activate_task(struct machine *m, struct task_struct *t)
{
	u32 cpu = t->cpu, pid = t->pid; /* it may run, and exec, before we are through */
	struct rq *rq = rq_of(m, cpu);
	u32 flags = spin_lock_irqsave(&rq->lock);
	bool idle = rq->curr == rq->idle;

	t->on_rq = 1;
	enqueue(m, cpu, t);
	spin_unlock_irqrestore(&rq->lock, flags);
	event_record(&ev_wake, pid, cpu);
	if (idle)
		smp_send_reschedule(cpu);
}

/* Locks the run queue that @t belongs to. */
static struct rq *task_rq_lock(struct machine *m, struct task_struct *t)
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct rq *rq = rq_of(m, cpu);

		spin_lock(&rq->lock);
		if (smp_load_acquire(&t->cpu) == cpu)
			return rq;
		spin_unlock(&rq->lock);
	}
}

bool wake_up_state(struct task_struct *t, u32 states)
{
	struct machine *m = this_vcpu()->machine;
	struct rq *rq;
	u32 flags, state;
	bool queued;

	/* To the end: a vCPU that was chosen stays active. */
	preempt_disable();
	flags = local_irq_save();
	rq = task_rq_lock(m, t);
	state = READ_ONCE(t->state);
	queued = t->on_rq;
	if (!(state & states)) {
		spin_unlock_irqrestore(&rq->lock, flags);
		preempt_enable_no_resched();
		return false;
	}
	WRITE_ONCE(t->state, TASK_RUNNING);
	/* It had not got as far as schedule(): it just goes on. Otherwise it is switched out (we
	 * have its lock), and nobody but us can queue it: its state is TASK_RUNNING already. */
	if (!queued)
		set_task_cpu(t, select_task_cpu(m, t), VMSTAT_nr_migrations_wakeup);
	spin_unlock_irqrestore(&rq->lock, flags);
	count_vm_event(VMSTAT_nr_wakeups);
	if (!queued)
		activate_task(m, t);
	preempt_enable_no_resched();
	return true;
}

bool wake_up_process(struct task_struct *t)
{
	return wake_up_state(t, TASK_ALL_SLEEPS);
}

void wake_up_new_task(struct task_struct *t)
{
	struct vcpu *v = this_vcpu();

	if (v) {
		preempt_disable();
		/* Where it was to start may have gone offline since. Nobody else knows it yet. */
		if (unlikely(!cpu_active(t->machine, t->cpu)))
			set_task_cpu(t, select_task_cpu(t->machine, t),
				     VMSTAT_nr_migrations_wakeup);
		activate_task(t->machine, t);
		preempt_enable_no_resched();
	} else {
		/* Set-up: nothing runs yet. */
		t->on_rq = 1;
		enqueue(t->machine, t->cpu, t);
	}
}

/* Takes a task that waits on another vCPU. */
static bool steal_task(struct vcpu *v)
{
	struct machine *m = v->machine;

	for (u32 n = 1; n < m->nr_vcpus; n++) {
		u32 cpu = v->id + n < m->nr_vcpus ? v->id + n : v->id + n - m->nr_vcpus;
		struct rq *rq = rq_of(m, cpu);
		struct task_struct *t;
		bool found = false;
		u32 flags;

		/* What a CPU that goes offline still has it moves itself. */
		if (unlikely(!cpu_active(m, cpu)))
			continue;
		explore_touch(&rq->nr_queued, false);
		/* From another package only what has to wait for more than one turn. */
		if (oracle_read(rq->nr_queued) <=
		    (cpu_distance(m, v->id, cpu) == PLACEMENT_OTHER_PACKAGE))
			continue;
		flags = spin_lock_irqsave(&rq->lock);
		cds_list_for_each_entry(t, &rq->queue, run_node) {
			if (cpu_allowed(t->cpus_allowed, v->id)) {
				dequeue(m, cpu, t);
				set_task_cpu(t, v->id, VMSTAT_nr_migrations_balance);
				found = true;
				break;
			}
		}
		spin_unlock_irqrestore(&rq->lock, flags);
		if (found) {
			activate_task(m, t);
			return true;
		}
	}
	return false;
}

void migrate_tasks(struct vcpu *v)
{
	struct machine *m = v->machine;
	struct rq *rq = v->rq;

	for (;;) {
		u32 flags = spin_lock_irqsave(&rq->lock);
		struct task_struct *t;

		if (cds_list_empty(&rq->queue) ||
		    (planted(KNOB_OFFLINE_LEAVES_TASK) && rq->nr_queued == 1)) {
			spin_unlock_irqrestore(&rq->lock, flags);
			return;
		}
		t = cds_list_first_entry(&rq->queue, struct task_struct, run_node);
		dequeue(m, v->id, t);
		set_task_cpu(t, select_task_cpu(m, t), VMSTAT_nr_migrations_hotplug);
		event_record(&ev_migrated, t->pid, t->cpu);
		spin_unlock_irqrestore(&rq->lock, flags);
		activate_task(m, t);
	}
}

/* Runs on the vCPU's main fiber, as its idle task. */
static void idle_loop(struct vcpu *v)
{
	struct machine *m = v->machine;
	struct smp_machine *smp = m->smp;

	local_irq_enable();
	for (;;) {
		run_softirq();
		explore_touch(&v->rq->going_down, false);
		if (unlikely(oracle_read(v->rq->going_down))) {
			if (!cpu_play_dead(v))
				return;
			continue;
		}
		if (v->need_resched || READ_ONCE(v->rq->nr_queued) || steal_task(v)) {
			schedule();
			continue;
		}
		rcu_note_quiescent();
		if (READ_ONCE(smp->finish) && !rcu_callbacks_pending(m))
			return;
		set_bit(v->id, smp->idle_mask);
		local_irq_disable();
		if (v->need_resched || v->softirq)
			local_irq_enable();
		else
			vcpu_halt();
		clear_bit(v->id, smp->idle_mask);
	}
}

static void task_main(void *arg)
{
	struct task_struct *t = arg;

	finish_task_switch();
	preempt_enable();
	t->entry(t->arg);
	do_task_dead();
}

void do_task_dead(void)
{
	lockdep_check_none_held(__func__);
	event_record(&ev_dead, current->pid, 0);
	preempt_disable();
	__schedule(SWITCH_DEAD);
	__builtin_unreachable();
}

static void free_task(struct machine *m, struct task_struct *t)
{
	if (t->sighand)
		put_sighand(m, t->sighand);
	if (t->signal)
		put_signal_struct(m, t->signal);
	kmem_cache_free(m->smp->task_cache, t);
}

static void task_free_rcu(struct rcu_head *head)
{
	struct task_struct *t = container_of(head, struct task_struct, rcu);
	struct machine *m = this_vcpu()->machine;

	if (m->smp->ops.task_free)
		m->smp->ops.task_free(t);
	free_task(m, t);
}

void get_task_struct(struct task_struct *t)
{
	atomic_inc(&t->usage);
}

void put_task_struct(struct task_struct *t)
{
	if (atomic_dec_and_test(&t->usage))
		call_rcu(&t->rcu, task_free_rcu);
}

static void task_init(struct task_struct *t, const char *comm, u32 flags, u32 cpu)
{
	memset(t, 0, sizeof(*t));
	t->flags = flags;
	t->cpu = cpu;
	init_once(t->usage, 1);
	memcpy(t->comm, comm, strnlen(comm, sizeof(t->comm) - 1));
	spin_lock_init(&t->alloc_lock, LOCK_CLASS_task_lock);
	CDS_INIT_LIST_HEAD(&t->children);
	CDS_INIT_LIST_HEAD(&t->sibling);
	t->fiber = &t->own_fiber;
	t->thread.addr_limit = ~0ULL; /* the kernel's own, until it execs or is a program's copy */
}

/* What a task's stack looks like to the scheduler before it has run: as if it had been switched out
 * in __schedule(), with the run queue locked. */
#define NEW_TASK_PREEMPT_COUNT 2

/* A task in nobody's sight yet, and in no group; NULL without memory. */
static struct task_struct *task_alloc(struct machine *m, const char *comm, u32 flags, u32 cpu,
				      void (*entry)(void *), void *arg)
{
	bool fails = this_vcpu() && should_fail_alloc(ALLOC_SITE_task);
	struct task_struct *t = fails ? NULL : kmem_cache_alloc(m->smp->task_cache);

	if (!t)
		return NULL;
	task_init(t, comm, flags, cpu);
	t->machine = m;
	t->entry = entry;
	t->arg = arg;
	t->preempt_count = NEW_TASK_PREEMPT_COUNT;
	t->held_locks = 1ULL << LOCK_CLASS_rq_lock;
	t->pid = atomic_inc_return(&m->smp->next_pid);
	t->tgid = t->pid;
	random_seed(&t->rng, m->config.seed, 0x100000000ULL + t->pid);
	/* Before it is in the list, where others look at its rights. */
	if (this_vcpu() && !(flags & PF_KTHREAD))
		t->euid = current->euid;
	return t;
}

/* Its stack, and its place in the list of all tasks. tasklist_lock held, unless the machine does
 * not run yet. Nobody can be chosen between the two: whoever has a stack is in the list
 * (smp_teardown). */
static int task_begin(struct machine *m, struct task_struct *t)
{
	int err = fiber_create(&t->own_fiber, m->stacks, task_main, t);

	if (!err)
		cds_list_add_tail(&t->all_node, &m->smp->all_tasks);
	return err;
}

struct task_struct *task_create(struct machine *m, const char *comm, u32 flags, u32 cpu,
				void (*entry)(void *), void *arg)
{
	struct task_struct *t = task_alloc(m, comm, flags, cpu, entry, arg);
	int err;

	if (!t)
		return NULL;
	if (signal_create(m, t)) {
		free_task(m, t);
		return NULL;
	}
	atomic_inc(&m->smp->nr_tasks);
	if (this_vcpu())
		spin_lock(&m->smp->tasklist_lock);
	err = task_begin(m, t);
	if (this_vcpu())
		spin_unlock(&m->smp->tasklist_lock);
	if (err) {
		/* The caller is a task itself, or the machine does not run yet: not the last. */
		atomic_dec(&m->smp->nr_tasks);
		free_task(m, t);
		return NULL;
	}
	return t;
}

struct task_struct *task_create_clone(struct machine *m, const char *comm, u32 flags, u32 cpu,
				      void (*entry)(void *), void *arg, struct mm_struct *mm,
				      bool thread, int *err)
{
	struct task_struct *t = task_alloc(m, comm, flags, cpu, entry, arg), *self = current;

	*err = -ENOMEM;
	if (!t)
		return NULL;
	if (!thread && signal_create(m, t)) {
		free_task(m, t);
		return NULL;
	}
	t->mm = t->active_mm = mm;
	atomic_inc(&m->smp->nr_tasks);
	spin_lock(&m->smp->tasklist_lock);
	spin_lock(&self->sighand->siglock);
	/* Whoever ends the group, or stops all that use the mm, goes through the tasks under these
	 * locks and kills us: it finds this one there, or we find out here. */
	if (fatal_signal_pending(self) && !planted(KNOB_CLONE_ESCAPES_KILL))
		*err = -EINTR;
	else
		*err = task_begin(m, t);
	if (!*err && thread)
		signal_join(t, self);
	spin_unlock(&self->sighand->siglock);
	spin_unlock(&m->smp->tasklist_lock);
	if (*err) {
		atomic_dec(&m->smp->nr_tasks);
		free_task(m, t);
		return NULL;
	}
	return t;
}

static void smp_vcpu_main(struct vcpu *v)
{
	idle_loop(v); /* as the idle task that idle_setup() has made current */
}

static void smp_interrupt(struct vcpu *v, u32 bits)
{
	if (bits & PENDING_CALL_FUNCTION)
		generic_smp_call_function_interrupt();
	if (bits & PENDING_RCU)
		rcu_interrupt(v);
	if (bits & PENDING_RESCHEDULE)
		v->need_resched = 1;
}

void smp_machine_ops(struct machine_ops *ops)
{
	ops->vcpu_main = smp_vcpu_main;
	ops->interrupt = smp_interrupt;
	ops->preempt = preempt_schedule;
	ops->threads_prepare = rcu_start_threads;
	ops->vcpu_online = rcu_vcpu_online;
	ops->vcpu_offline = rcu_vcpu_offline;
	ops->vcpu_sleep = rcu_vcpu_sleep;
	ops->vcpu_wake = rcu_vcpu_wake;
}

static int idle_setup(struct machine *m, u32 cpu)
{
	struct task_struct *idle = arena_alloc_dirty(&m->arena, sizeof(*idle), CACHE_LINE);
	struct rq *rq = rq_of(m, cpu);
	struct vcpu *v = &m->vcpus[cpu];

	if (!idle)
		return -ENOMEM;
	task_init(idle, "swapper", PF_KTHREAD | PF_IDLE, cpu);
	idle->machine = m;
	idle->fiber = &v->main_fiber;
	spin_lock_init(&rq->lock, LOCK_CLASS_rq_lock);
	CDS_INIT_LIST_HEAD(&rq->queue);
	rq->nr_queued = 0;
	rq->prev_mm = NULL;
	rq->prev_task = NULL;
	init_once(rq->going_down, 0);
	rq->idle = idle;
	rq->curr = idle;
	v->rq = rq;
	v->current_task = idle;
	return 0;
}

int smp_setup(struct machine *m, const struct sched_ops *ops)
{
	u64 n = m->nr_vcpus;
	struct smp_machine *smp = arena_alloc(&m->arena, sizeof(*smp), CACHE_LINE);

	if (!smp)
		return -ENOMEM;
	m->smp = smp;
	CDS_INIT_LIST_HEAD(&smp->all_tasks);
	smp->ops = *ops;
	smp->rqs = arena_alloc(&m->arena, n * sizeof(*smp->rqs), CACHE_LINE);
	smp->csds = arena_alloc(&m->arena, n * n * sizeof(*smp->csds), CACHE_LINE);
	smp->idle_mask = arena_alloc(&m->arena, CPU_WORDS * sizeof(u64), CACHE_LINE);
	smp->task_cache =
		kmem_cache_create(m, "task_struct", sizeof(struct task_struct), CACHE_LINE);
	m->lockdep = arena_alloc(&m->arena, sizeof(*m->lockdep), CACHE_LINE);
	if (!smp->rqs || !smp->csds || !smp->idle_mask || !smp->task_cache || !m->lockdep ||
	    signal_setup(m))
		return -ENOMEM;
	spin_lock_init(&smp->tasklist_lock, LOCK_CLASS_task_list);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		m->vcpus[i].counters =
			arena_alloc(&m->arena, NR_VMSTAT_ITEMS * sizeof(u64), CACHE_LINE);
		if (!m->vcpus[i].counters || idle_setup(m, i))
			return -ENOMEM;
	}
	return cpu_hotplug_setup(m) ? -ENOMEM : rcu_setup(m);
}

void smp_teardown(struct machine *m)
{
	struct task_struct *t;

	if (!m->smp)
		return;
	rcu_teardown(m);
	cds_list_for_each_entry(t, &m->smp->all_tasks, all_node)
		fiber_release(&t->own_fiber, m->stacks);
}
