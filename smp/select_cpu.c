// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/select_cpu.h"

#include "engine/strategy.h"
#include "smp/hotplug.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_fallback, 451, 0, "select_fallback_rq", "pid %llu, no longer affine to CPU%llu");

/* May a task that is to run on @allowed only be put there? Where a CPU ceases to be active a grace
 * period follows: who decides something by this keeps preemption off until it is done. */
static bool cpu_usable(const struct machine *m, const u64 *allowed, u32 cpu)
{
	return cpu_allowed(allowed, cpu) && cpu_active(m, cpu);
}

/* Of the vCPUs in @set (a word of a mask, vCPUs from @base on) the one nearest to @cpu, if it is
 * nearer than @best, which is ~0 at first. */
static u32 nearest_of(const struct machine *m, u64 set, u32 base, u32 cpu, u32 best)
{
	for (; set; set &= set - 1) {
		u32 other = base + (u32)__builtin_ctzll(set);

		if (best == ~0u || cpu_distance(m, cpu, other) < cpu_distance(m, cpu, best))
			best = other;
		if (!cpu_distance(m, cpu, best))
			break;
	}
	return best;
}

/* An idle vCPU for a task that last ran on @cpu: @cpu itself, else one as near to it as can be;
 * @cpu if none is idle. ~0 if no vCPU in @allowed is active. */
static u32 select_cpu(struct machine *m, const u64 *allowed, u32 cpu)
{
	const u64 *idle = m->smp->idle_mask;
	u32 best = ~0u;

	if (cpu_usable(m, allowed, cpu) && test_bit(cpu, idle))
		return cpu;
	for (u32 w = 0; w < (m->nr_vcpus + 63) / 64; w++) {
		u64 set = READ_ONCE(idle[w]) & cpu_active_word(m, w);

		if (allowed)
			set &= allowed[w];
		best = nearest_of(m, set, w * 64, cpu, best);
	}
	if (best != ~0u)
		return best;
	if (cpu_usable(m, allowed, cpu))
		return cpu;
	for (cpu = 0; cpu < m->nr_vcpus && !cpu_usable(m, allowed, cpu); cpu++)
		;
	return cpu < m->nr_vcpus ? cpu : ~0u;
}

u32 select_task_cpu(struct machine *m, struct task_struct *t)
{
	u32 cpu = select_cpu(m, t->cpus_allowed, t->cpu);

	if (likely(cpu != ~0u))
		return cpu;
	event_record(&ev_fallback, t->pid, t->cpu);
	count_vm_event(VMSTAT_nr_affinity_lost);
	t->cpus_allowed = NULL;
	return select_cpu(m, NULL, t->cpu);
}

/* A vCPU that @v, on which the caller stays meanwhile, finds good for a new task. */
static u32 pick_cpu_from(struct machine *m, struct vcpu *v, const u64 *allowed)
{
	u32 cpu = select_cpu(m, allowed, v->id);
	u32 a, b;

	/* None of them is active: wherever it is, it will be bound no longer. */
	if (unlikely(cpu == ~0u))
		cpu = select_cpu(m, NULL, v->id);
	if (cpu != v->id || !READ_ONCE(rq_of(m, cpu)->nr_queued))
		return cpu;
	if (exploring()) {
		a = machine_choose(CHOICE_DATA, m->nr_vcpus);
		return cpu_usable(m, allowed, a) ? a : cpu;
	}
	/* The less loaded of two at random (power of two choices). */
	a = random_below(&v->rng, m->nr_vcpus);
	b = random_below(&v->rng, m->nr_vcpus);
	if (READ_ONCE(rq_of(m, b)->nr_queued) < READ_ONCE(rq_of(m, a)->nr_queued))
		a = b;
	if (cpu_usable(m, allowed, a))
		return a;
	a = select_cpu(m, allowed, a);
	return a != ~0u ? a : cpu;
}

u32 sched_pick_cpu(struct machine *m, const u64 *allowed)
{
	struct vcpu *v = this_vcpu();
	u32 cpu;

	/* Set-up: nothing runs yet. */
	if (!v)
		return select_cpu(m, allowed, 0);
	/* The generator is the vCPU's own: a task that was preempted and moved would share it. */
	preempt_disable();
	cpu = pick_cpu_from(m, this_vcpu(), allowed);
	preempt_enable();
	return cpu;
}
