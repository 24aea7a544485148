// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPUs that go offline and come back (seed_path E5; v3.14 kernel/cpu.c _cpu_down and _cpu_up).
 *
 * Who does what. A task, in process context, takes the CPU down under the lock cpu_hotplug; the
 * CPU's own idle task does the part that nobody else can.
 *
 *   the task				the CPU
 *   (A) not active any more
 *   (B) a grace period
 *   (C) going_down, interrupt		only the idle task runs; what waits is moved elsewhere
 *					CPU_DYING: it leaves the mm that it has borrowed
 *					(D) not online any more; parked
 *   (E) a grace period; its RCU callbacks have run
 *   (F) dead; CPU_DEAD: its pagevecs and page lists are emptied
 *
 * Active: tasks may be put there. Online: interrupts may be sent there. Who relies on either bit
 * keeps preemption off from its look to the end of what it does: then (B), and (E), wait for it
 * (the synchronize_sched() of v3.13's _cpu_down). For (E) the kernel has stop_machine(). Here
 * nothing is stopped, so the CPU leaves its mm before it leaves the online mask, where v3.14's
 * idle_task_exit() comes after: a flush either has it interrupted or has no need to.
 *
 * A parked CPU sleeps (vcpu_halt()), which is an extended quiescent state; under threads its
 * pthread sleeps. cpu_up() wakes it, and it tells with CPU_STARTING that it begins. CPU 0 stays.
 *
 * Locking. cpu_hotplug is a mutex and outermost. The masks change under it and are read by anybody.
 * What a CPU owns alone belongs to whoever holds cpu_hotplug while the CPU is dead: the CPU's last
 * access comes before `done`, or before its last callback, and it looks at nothing before cpu_up().
 *
 * This part knows nothing of memory: parts above register a notifier. Errors are negative errnos.
 */
#ifndef SMP_HOTPLUG_H
#define SMP_HOTPLUG_H

#include "engine/access.h"
#include "engine/machine.h"
#include "smp/sched.h"

enum cpu_event {
	CPU_DYING,    /* on the CPU, as its idle task: it is about to leave the online mask */
	CPU_DEAD,     /* on the caller of cpu_down(), which may sleep */
	CPU_STARTING, /* on the CPU, as its idle task: it is about to be online again */
	CPU_LOOK,     /* the oracle: @cpu is dead; report what it should not have */
};

typedef void (*cpu_notifier_t)(struct machine *m, enum cpu_event event, u32 cpu);

/* The masks, CPU_WORDS words each: atomic, changed under the lock cpu_hotplug (online: by the CPU
 * itself, while that is held). What is read of them on paths that everybody takes is no decision
 * point. */
struct cpu_masks {
	u64 active[CPU_WORDS];
	u64 online[CPU_WORDS];
	u64 dead[CPU_WORDS]; /* past (F); for the oracle */
};

/* All CPUs are online. 0 or -ENOMEM. */
int cpu_hotplug_setup(struct machine *m);

/* Set-up. Notifiers are called in the order in which they were registered. */
void register_cpu_notifier(struct machine *m, cpu_notifier_t call);

/* Takes @cpu offline / online again. Sleeps. -EINVAL: no such CPU, or it is so already; -EBUSY:
 * CPU 0. */
int cpu_down(u32 cpu);
int cpu_up(u32 cpu);

/* The idle task of @v, whose rq->going_down is set: returns true when @v is online again, false
 * when the machine has finished. */
bool cpu_play_dead(struct vcpu *v);

/* Oracle, quiet machine: what is offline has nothing. */
void cpu_hotplug_audit(struct machine *m);

/* Reports @target if it is dead: @where is about to send it an interrupt. */
void check_cpu_alive(const struct vcpu *target, const char *where);

static inline u64 cpu_active_word(const struct machine *m, u32 word)
{
	const u64 *active = &m->smp->cpu_masks->active[word];

	explore_touch(active, false);
	return oracle_read(*active);
}

static inline u64 cpu_online_word(const struct machine *m, u32 word)
{
	const u64 *online = &m->smp->cpu_masks->online[word];

	explore_touch(online, false);
	return oracle_read(*online);
}

static inline bool cpu_active(const struct machine *m, u32 cpu)
{
	return cpu_active_word(m, cpu / 64) & (1ULL << (cpu % 64));
}

static inline bool cpu_online(const struct machine *m, u32 cpu)
{
	return cpu_online_word(m, cpu / 64) & (1ULL << (cpu % 64));
}

#endif
