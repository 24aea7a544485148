// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spinlocks. Taking one disables preemption; the _irqsave forms also disable interrupts, for locks
 * that interrupt handlers take. A waiter polls interrupts if they are enabled and gives way to
 * other host threads: the holder may not be running.
 *
 * A test-and-set lock, not a queue: with more vCPUs than cores a queue hands the lock to threads
 * that are not running. Taking is acquire (a locked instruction, on x86 a full barrier), releasing
 * is release: pairs with each other.
 */
#ifndef SMP_SPINLOCK_H
#define SMP_SPINLOCK_H

#include "engine/access.h"
#include "engine/executor.h"
#include "smp/lockdep.h"
#include "smp/spinlock_types.h"

void spin_lock_slow(spinlock_t *l);

static __always_inline_fn void spin_lock_at(spinlock_t *l, enum lock_class class,
					    const struct site *site)
{
	preempt_disable();
	lockdep_acquire(class);
	if (unlikely(exploring()))
		explore_point(&l->locked, site);
	if (unlikely(__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)))
		spin_lock_slow(l);
	__atomic_store_n(&l->owner, (u16)(smp_processor_id() + 1), __ATOMIC_RELAXED);
}

static __always_inline_fn bool spin_trylock_at(spinlock_t *l, const struct site *site)
{
	preempt_disable();
	if (unlikely(exploring()))
		explore_point(&l->locked, site);
	if (__atomic_load_n(&l->locked, __ATOMIC_RELAXED) ||
	    __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)) {
		preempt_enable();
		return false;
	}
	lockdep_acquire_try((enum lock_class)l->class);
	__atomic_store_n(&l->owner, (u16)(smp_processor_id() + 1), __ATOMIC_RELAXED);
	return true;
}

static __always_inline_fn void spin_unlock_no_resched(spinlock_t *l, enum lock_class class,
						      const struct site *site)
{
	lockdep_release(class);
	if (unlikely(exploring()))
		explore_point(&l->locked, site);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	preempt_enable_no_resched();
}

/* Preempts if that became due while it was not possible. */
static __always_inline_fn void preempt_check(void)
{
	struct vcpu *v = this_vcpu();

	if (unlikely(v->need_resched) && !v->preempt_count && !v->irqs_off)
		v->machine->ops.preempt(v);
}

#define spin_lock(l) spin_lock_at((l), (enum lock_class)(l)->class, MMT_SITE(ACCESS_LOCK))
#define spin_trylock(l) spin_trylock_at((l), MMT_SITE(ACCESS_LOCK))
#define spin_unlock(l) spin_unlock_class((l), (enum lock_class)(l)->class)

/* The inner one of two locks of a class: lockdep knows it under @class_ of its own. */
#define spin_lock_nested(l, class_) spin_lock_at((l), (class_), MMT_SITE(ACCESS_LOCK))
#define spin_unlock_class(l, class_)                                                               \
	do {                                                                                       \
		spin_unlock_no_resched((l), (class_), MMT_SITE(ACCESS_UNLOCK));                    \
		preempt_check();                                                                   \
	} while (0)

#define spin_lock_irqsave(l)                                                                       \
	({                                                                                         \
		u32 _sl_flags = local_irq_save();                                                  \
		spin_lock(l);                                                                      \
		_sl_flags;                                                                         \
	})
#define spin_unlock_irqrestore(l, flags)                                                           \
	do {                                                                                       \
		spin_unlock_no_resched((l), (enum lock_class)(l)->class, MMT_SITE(ACCESS_UNLOCK)); \
		local_irq_restore(flags);                                                          \
		preempt_check();                                                                   \
	} while (0)

/* For checks: does the running vCPU hold this very lock? */
static inline bool spin_held_here(const spinlock_t *l)
{
	return oracle_read(l->locked) && oracle_read(l->owner) == smp_processor_id() + 1;
}

static inline bool spin_is_locked(spinlock_t *l)
{
	return READ_ONCE(l->locked);
}

#endif
