// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the emulated kernel asks of the executor that runs it. The same calls mean the same under
 * both executors; nothing above engine/ can tell which one it is.
 *
 * Interrupts. vcpu_raise() sets a bit in another vCPU's pending word and wakes it if it sleeps.
 * The target takes it at a safepoint with interrupts enabled: under threads at safepoint(),
 * local_irq_enable(), in every wait below; under the explorer at any decision point. A handler
 * runs on the stack of whatever it interrupted, with interrupts off.
 *
 * Waiting. Nothing spins blindly: a loop that waits for another vCPU calls cpu_relax_on() with the
 * address whose change would end the wait. Under threads this polls interrupts and gives way to
 * other threads after a while; under the explorer the vCPU cannot be chosen again until somebody
 * stores to that address or an interrupt can be delivered, so that spinning costs no steps and a
 * deadlock is seen exactly. So the last access before cpu_relax_on() must be the load of that very
 * address: what is stored between an earlier look and the call is not seen again. A task that spins
 * with preemption on gives way to tasks that wait for its vCPU.
 */
#ifndef ENGINE_EXECUTOR_H
#define ENGINE_EXECUTOR_H

#include "engine/access.h"
#include "engine/machine.h"
#include "engine/types.h"
#include "engine/vcpu.h"

/* Safepoints between two ticks of a vCPU (threads). With a user access a safepoint and 20 to 100 ns
 * an access this is a tick every 0.2 to 1 ms, near the kernel's CONFIG_HZ=1000. */
#define TICK_SAFEPOINTS 10000

/* Takes whatever is pending and allowed; also the tick and preemption. */
void vcpu_take_interrupts(struct vcpu *v);

/* A place where the running code may be interrupted or preempted. */
static __always_inline_fn void safepoint(void)
{
	struct vcpu *v = this_vcpu();

	if (unlikely(exploring()))
		explore_point(NULL, MMT_SITE(ACCESS_EXEC));
	else if (unlikely(__atomic_load_n(&v->pending, __ATOMIC_RELAXED)) ||
		 unlikely(--v->ticks == 0))
		vcpu_take_interrupts(v);
}

/* Sets @bit (enum vcpu_pending) on @target and wakes it. True if the bit was clear before. */
bool vcpu_raise(struct vcpu *target, u32 bit);

struct spin {
	u32 rounds;
};

/* One round of waiting for a change of *@addr. */
void cpu_relax_on(const volatile void *addr, struct spin *s);

/*
 * Idle: enables interrupts, sleeps until one is pending and takes it (sti; hlt). Interrupts must be
 * off from the caller's last look for work on, else the interrupt that brings work may be taken
 * just before the sleep.
 */
void vcpu_halt(void);

/* Interrupt enable state of the current vCPU. local_irq_save really delays interrupts. */
static __always_inline_fn u32 local_irq_save(void)
{
	struct vcpu *v = this_vcpu();
	u32 old = v->irqs_off;

	v->irqs_off = 1;
	return old;
}

static __always_inline_fn void local_irq_restore(u32 old)
{
	struct vcpu *v = this_vcpu();

	v->irqs_off = old;
	if (!old && !exploring() && unlikely(__atomic_load_n(&v->pending, __ATOMIC_RELAXED)))
		vcpu_take_interrupts(v);
}

static __always_inline_fn void local_irq_disable(void)
{
	this_vcpu()->irqs_off = 1;
}

static __always_inline_fn void local_irq_enable(void)
{
	local_irq_restore(0);
}

static __always_inline_fn bool irqs_disabled(void)
{
	return this_vcpu()->irqs_off;
}

static __always_inline_fn void preempt_disable(void)
{
	this_vcpu()->preempt_count++;
}

static __always_inline_fn void preempt_enable_no_resched(void)
{
	this_vcpu()->preempt_count--;
}

static __always_inline_fn void preempt_enable(void)
{
	struct vcpu *v = this_vcpu();

	if (--v->preempt_count == 0 && unlikely(v->need_resched) && !v->irqs_off)
		v->machine->ops.preempt(v);
}

/* Code of the oracle: its accesses are no decision points and no interrupt is taken in it. */
static __always_inline_fn void oracle_enter(void)
{
	this_vcpu()->oracle_depth++;
}

static __always_inline_fn void oracle_exit(void)
{
	this_vcpu()->oracle_depth--;
}

/* Tells the watchdog that this vCPU gets on: a system call or a context switch. */
void vcpu_progress(void);

/* A choice that the machine leaves open, below @n: asks the strategy, or the vCPU's own generator.
 */
u32 machine_choose(u32 kind, u32 n);

/* Mixes @value into the history hash of an explored run; nothing under threads. */
void explore_note(u64 value);

/* The history hash so far; 0 under threads. For observers. */
u64 explore_history(void);

/* Under the explorer: does @v do nothing, and hold nothing, until something makes it go on? It has
 * ended, is idle, or spins where it could be preempted. */
bool explore_rests(const struct vcpu *v);

/*
 * Quiet stretches of an explored run: set-up before the start line and the looking back after the
 * end. Nobody interferes there: each vCPU goes on until it has to wait, interrupts are taken where
 * they can be, and nothing of it is counted or recorded. machine_config.quiet_start says that a run
 * begins so. Nothing under threads.
 */
void explore_quiet(bool quiet);

/*
 * The current step reads, or changes, at @addr (in the arena; it need not be what lies there)
 * something that steps of other vCPUs depend on and that is not the address of its access: what
 * makes two steps dependent that otherwise look independent. Nothing under threads.
 */
void explore_touched(const volatile void *addr, bool write);
static __always_inline_fn void explore_touch(const volatile void *addr, bool write)
{
	if (unlikely(touches_matter()))
		explore_touched(addr, write);
}

#endif
