// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lock validator. For each pair of lock classes it remembers, for the life of the machine, that
 * one was taken while the other was held; a lock whose taking would close a cycle is reported at
 * once, whether or not the deadlock would have happened this time. Also reported: the same class
 * twice, sleeping while atomic, a lock that is taken in interrupts and elsewhere with interrupts
 * enabled, waiting for other CPUs with interrupts off, locks still held at exit or on the way back
 * to user mode.
 *
 * The common case is one load and one test a lock: everything held was held before at this class.
 * A trylock cannot deadlock by waiting: it adds no edge from what is held, but what is taken
 * inside it counts.
 */
#ifndef SMP_LOCKDEP_H
#define SMP_LOCKDEP_H

#include "engine/executor.h"
#include "smp/lock_class.h"
#include "smp/task.h"

/* Where a class was seen taken: bits of lockdep.usage. */
#define LOCK_USED_IRQS_OFF 1u
#define LOCK_USED_IRQS_ON 2u
#define LOCK_USED_IN_IRQ 4u

struct lockdep {
	u64 before[NR_LOCK_CLASSES]; /* classes that were held when this one was taken */
	u32 usage[NR_LOCK_CLASSES];
};

void lockdep_acquire_slow(struct lockdep *ld, enum lock_class class, u32 used);

static __always_inline_fn void lockdep_acquire(enum lock_class class)
{
	struct vcpu *v = this_vcpu();
	struct task_struct *t = v->current_task;
	struct lockdep *ld = v->machine->lockdep;
	u32 used = v->in_interrupt ? LOCK_USED_IN_IRQ
				   : (v->irqs_off ? LOCK_USED_IRQS_OFF : LOCK_USED_IRQS_ON);

	if (unlikely(t->held_locks & ~__atomic_load_n(&ld->before[class], __ATOMIC_RELAXED)) ||
	    unlikely(!(__atomic_load_n(&ld->usage[class], __ATOMIC_RELAXED) & used)) ||
	    unlikely(t->held_locks & (1ULL << class)))
		lockdep_acquire_slow(ld, class, used);
	t->held_locks |= 1ULL << class;
}

static __always_inline_fn void lockdep_acquire_try(enum lock_class class)
{
	this_vcpu()->current_task->held_locks |= 1ULL << class;
}

void lockdep_not_held(enum lock_class class);

static __always_inline_fn void lockdep_release(enum lock_class class)
{
	struct task_struct *t = this_vcpu()->current_task;

	if (unlikely(!(t->held_locks & (1ULL << class))))
		lockdep_not_held(class);
	t->held_locks &= ~(1ULL << class);
}

/* Insists that the running task holds a lock of @class. */
void lockdep_assert_failed(enum lock_class class, const char *where);
#define lockdep_assert_held(class)                                                                 \
	do {                                                                                       \
		if (unlikely(!(this_vcpu()->current_task->held_locks & (1ULL << (class)))))        \
			lockdep_assert_failed((class), __func__);                                  \
	} while (0)

/* The caller may sleep: not with preemption or interrupts off, not in an interrupt. */
void might_sleep_failed(const char *where);
#define might_sleep()                                                                              \
	do {                                                                                       \
		struct vcpu *_ms_v = this_vcpu();                                                  \
		if (unlikely(_ms_v->preempt_count | _ms_v->irqs_off | _ms_v->rcu_nesting))         \
			might_sleep_failed(__func__);                                              \
	} while (0)

/* The caller waits for other vCPUs to take an interrupt. */
void lockdep_wait_irqs_off_failed(const char *where);

#define lockdep_wait_irqs_off_check(where)                                                         \
	do {                                                                                       \
		if (unlikely(irqs_disabled()))                                                     \
			lockdep_wait_irqs_off_failed(where);                                       \
	} while (0)

/* The running task is about to exit or to go back to user mode: it must hold nothing. */
void lockdep_check_none_held(const char *where);

#endif
