// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/hotplug.h"

#include <assert.h>
#include <errno.h>

#include "engine/violation.h"
#include "smp/ipi.h"
#include "smp/knobs.h"
#include "smp/mutex.h"
#include "smp/rcu.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

EVENT_DESC(ev_down, 452, EVENT_SYNC, "cpu_down", "CPU%llu, by pid %llu");
EVENT_DESC(ev_dying, 453, EVENT_SYNC, "cpu dying", "CPU%llu%.0llu");
EVENT_DESC(ev_dead, 454, EVENT_SYNC, "cpu dead", "CPU%llu%.0llu");
EVENT_DESC(ev_up, 455, EVENT_SYNC, "cpu_up", "CPU%llu, by pid %llu");
EVENT_DESC(ev_starting, 456, EVENT_SYNC, "cpu starting", "CPU%llu%.0llu");

INVARIANT(inv_interrupt, "ipi-to-offline-cpu", "an offline CPU is sent no interrupt");
INVARIANT(inv_left, "offline-cpu-queue",
	  "an offline CPU has no tasks, no call-function requests and no RCU callbacks");

#define CPU_NOTIFIERS_MAX 4

enum cpu_state {
	CPU_UP,
	CPU_PARKED,    /* not online any more */
	CPU_COMING_UP, /* cpu_up() has called it */
};

/* One CPU's. */
struct cpu_hotplug_cpu {
	u32 state; /* enum cpu_state; atomic; written by the one whose turn it is */
	struct completion done;
} __line_aligned;

struct cpu_hotplug {
	struct mutex lock;
	struct cpu_hotplug_cpu *cpus;
	cpu_notifier_t notifiers[CPU_NOTIFIERS_MAX]; /* constant once the machine runs */
	u32 nr_notifiers;
};

int cpu_hotplug_setup(struct machine *m)
{
	struct cpu_hotplug *h = arena_alloc(&m->arena, sizeof(*h), CACHE_LINE);
	struct cpu_masks *masks = arena_alloc(&m->arena, sizeof(*masks), CACHE_LINE);

	if (!h || !masks)
		return -ENOMEM;
	h->cpus = arena_alloc(&m->arena, m->nr_vcpus * sizeof(*h->cpus), CACHE_LINE);
	if (!h->cpus)
		return -ENOMEM;
	mutex_init(&h->lock, LOCK_CLASS_cpu_hotplug);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		masks->active[i / 64] |= 1ULL << (i % 64);
		masks->online[i / 64] |= 1ULL << (i % 64);
	}
	m->smp->hotplug = h;
	m->smp->cpu_masks = masks;
	return 0;
}

void register_cpu_notifier(struct machine *m, cpu_notifier_t call)
{
	struct cpu_hotplug *h = m->smp->hotplug;

	assert(h->nr_notifiers < CPU_NOTIFIERS_MAX);
	h->notifiers[h->nr_notifiers++] = call;
}

static void notify(struct machine *m, enum cpu_event event, u32 cpu)
{
	const struct cpu_hotplug *h = m->smp->hotplug;

	for (u32 i = 0; i < h->nr_notifiers; i++)
		h->notifiers[i](m, event, cpu);
}

/* ---- the oracle ---- */

static bool cpu_dead(const struct machine *m, u32 cpu)
{
	return oracle_read(m->smp->cpu_masks->dead[cpu / 64]) & (1ULL << (cpu % 64));
}

void check_cpu_alive(const struct vcpu *target, const char *where)
{
	if (unlikely(cpu_dead(target->machine, target->id)))
		violation_report(&inv_interrupt, where, target->id,
				 "CPU%u is sent an interrupt and is offline", target->id);
}

static void look(struct machine *m, u32 cpu)
{
	const struct rq *rq = rq_of(m, cpu);
	u32 queued = oracle_read(rq->nr_queued);

	if (queued || oracle_read(m->vcpus[cpu].call_queue) || rcu_cpu_has_callbacks(m, cpu))
		VIOLATION_WITH(&inv_left, cpu,
			       "CPU%u is offline with %u tasks in its run queue, %s call-function "
			       "requests and %s RCU callbacks; expected none",
			       cpu, queued, oracle_read(m->vcpus[cpu].call_queue) ? "some" : "no",
			       rcu_cpu_has_callbacks(m, cpu) ? "some" : "no");
	notify(m, CPU_LOOK, cpu);
}

void cpu_hotplug_audit(struct machine *m)
{
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		if (cpu_dead(m, i))
			look(m, i);
	}
}

/* ---- the CPU itself ---- */

/* Has everybody gone, and is nothing left to be done? */
static bool machine_finished(const struct machine *m)
{
	return READ_ONCE(m->smp->finish) && !rcu_callbacks_pending(m);
}

/* Sleeps until there is an interrupt. */
static void park(struct vcpu *v, struct cpu_hotplug_cpu *c)
{
	struct spin spin = {0};

	if (planted(KNOB_OFFLINE_NOT_QUIESCENT)) {
		cpu_relax_on(&c->state, &spin);
		return;
	}
	rcu_note_quiescent();
	local_irq_disable();
	if (v->softirq || READ_ONCE(c->state) == CPU_COMING_UP)
		local_irq_enable();
	else
		vcpu_halt();
}

static void start(struct vcpu *v, struct cpu_hotplug_cpu *c)
{
	struct machine *m = v->machine;
	u32 flags;

	event_record(&ev_starting, v->id, 0);
	notify(m, CPU_STARTING, v->id);
	flags = spin_lock_irqsave(&v->rq->lock);
	init_once(v->rq->going_down, 0);
	spin_unlock_irqrestore(&v->rq->lock, flags);
	set_bit(v->id, m->smp->cpu_masks->online);
	set_bit(v->id, m->smp->cpu_masks->active);
	smp_store_release(&c->state, CPU_UP);
	complete(&c->done);
}

bool cpu_play_dead(struct vcpu *v)
{
	struct machine *m = v->machine;
	struct cpu_hotplug_cpu *c = &m->smp->hotplug->cpus[v->id];

	event_record(&ev_dying, v->id, 0);
	migrate_tasks(v);
	notify(m, CPU_DYING, v->id);
	clear_bit(v->id, m->smp->cpu_masks->online); /* (D) */
	smp_store_release(&c->state, CPU_PARKED);
	complete(&c->done);
	while (smp_load_acquire(&c->state) != CPU_COMING_UP) {
		run_softirq();
		if (machine_finished(m))
			return false;
		park(v, c);
	}
	start(v, c);
	return true;
}

/* ---- who sends it away, and calls it back ---- */

/* (A) and (B): nobody puts a task there any more. */
static void deactivate(struct machine *m, u32 cpu)
{
	clear_bit(cpu, m->smp->cpu_masks->active);
	synchronize_rcu();
}

/* (C): waits until the CPU is parked. */
static void send_away(struct machine *m, u32 cpu)
{
	struct cpu_hotplug_cpu *c = &m->smp->hotplug->cpus[cpu];
	struct rq *rq = rq_of(m, cpu);
	u32 flags;

	init_completion(&c->done);
	flags = spin_lock_irqsave(&rq->lock);
	init_once(rq->going_down, 1);
	spin_unlock_irqrestore(&rq->lock, flags);
	smp_send_reschedule(cpu);
	wait_for_completion(&c->done);
}

/* (E) and (F): nobody knows it any more. */
static void bury(struct machine *m, u32 cpu)
{
	if (!planted(KNOB_OFFLINE_NO_GRACE))
		synchronize_rcu();
	rcu_barrier_cpu(cpu);
	set_bit(cpu, m->smp->cpu_masks->dead);
	notify(m, CPU_DEAD, cpu);
	event_record(&ev_dead, cpu, 0);
	look(m, cpu);
}

int cpu_down(u32 cpu)
{
	struct machine *m = this_vcpu()->machine;
	struct cpu_hotplug *h = m->smp->hotplug;

	if (cpu >= m->nr_vcpus)
		return -EINVAL;
	if (!cpu)
		return -EBUSY;
	mutex_lock(&h->lock);
	if (!cpu_online(m, cpu)) {
		mutex_unlock(&h->lock);
		return -EINVAL;
	}
	event_record(&ev_down, cpu, current->pid);
	deactivate(m, cpu);
	send_away(m, cpu);
	bury(m, cpu);
	count_vm_event(VMSTAT_cpu_offline);
	mutex_unlock(&h->lock);
	return 0;
}

int cpu_up(u32 cpu)
{
	struct machine *m = this_vcpu()->machine;
	struct cpu_hotplug *h = m->smp->hotplug;
	struct cpu_hotplug_cpu *c;

	if (cpu >= m->nr_vcpus)
		return -EINVAL;
	mutex_lock(&h->lock);
	if (cpu_online(m, cpu)) {
		mutex_unlock(&h->lock);
		return -EINVAL;
	}
	c = &h->cpus[cpu];
	event_record(&ev_up, cpu, current->pid);
	init_completion(&c->done);
	clear_bit(cpu, m->smp->cpu_masks->dead);
	smp_store_release(&c->state, CPU_COMING_UP);
	vcpu_raise(&m->vcpus[cpu], PENDING_RESCHEDULE);
	wait_for_completion(&c->done);
	count_vm_event(VMSTAT_cpu_online);
	mutex_unlock(&h->lock);
	return 0;
}
