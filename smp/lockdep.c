// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/lockdep.h"

INVARIANT(inv_lock_order, "lock-order", "locks are nested in one order only");
INVARIANT(inv_lock_recursive, "lock-recursive", "a task does not take a class it holds");
INVARIANT(inv_lock_irq, "lock-irq-unsafe",
	  "a lock taken in interrupts is taken elsewhere only with interrupts off");
INVARIANT(inv_lock_not_held, "lock-not-held", "who releases or relies on a lock holds it");
INVARIANT(inv_atomic_sleep, "sleeping-in-atomic",
	  "nothing sleeps with preemption or interrupts off or in an RCU read section");
INVARIANT(inv_wait_irqs_off, "ipi-wait-irqs-off",
	  "who waits for other CPUs' acknowledgements can be interrupted");
INVARIANT(inv_locks_at_exit, "locks-held", "no locks are held on the way to user mode and at exit");

const char *const lock_class_names[NR_LOCK_CLASSES] = {
#define X(name, reason) [LOCK_CLASS_##name] = #name,
	LOCK_CLASSES(X)
#undef X
};

const char *const lock_class_reasons[NR_LOCK_CLASSES] = {
#define X(name, reason) [LOCK_CLASS_##name] = reason,
	LOCK_CLASSES(X)
#undef X
};

static u64 before_of(const struct lockdep *ld, u32 class)
{
	return __atomic_load_n(&ld->before[class], __ATOMIC_SEQ_CST);
}

/* All classes from which @class can be reached: held, directly or through others, before it. */
static u64 all_before(const struct lockdep *ld, u32 class)
{
	u64 seen = 0, todo = before_of(ld, class);

	while (todo & ~seen) {
		u32 next = (u32)__builtin_ctzll(todo & ~seen);

		seen |= 1ULL << next;
		todo |= before_of(ld, next);
	}
	return seen;
}

static const char *name(u64 set)
{
	return lock_class_names[__builtin_ctzll(set)];
}

void lockdep_acquire_slow(struct lockdep *ld, enum lock_class class, u32 used)
{
	struct task_struct *t = current;
	u64 held = t->held_locks, cycle;
	u32 usage;

	if (held & (1ULL << class))
		VIOLATION(&inv_lock_recursive, "pid %u takes %s and holds one already", t->pid,
			  lock_class_names[class]);

	/* First written, then looked for (both sequentially consistent): of two vCPUs that close a
	 * cycle from both ends at once, one sees the other's edge. Nobody looks again later. */
	__atomic_fetch_or(&ld->before[class], held, __ATOMIC_SEQ_CST);
	for (u64 left = held; left; left &= left - 1) {
		u32 h = (u32)__builtin_ctzll(left);

		cycle = all_before(ld, h) & (1ULL << class);
		if (cycle)
			VIOLATION(&inv_lock_order,
				  "pid %u takes %s while it holds %s; elsewhere %s was held when "
				  "%s was taken (possibly through others)",
				  t->pid, lock_class_names[class], lock_class_names[h],
				  lock_class_names[class], lock_class_names[h]);
	}

	usage = __atomic_or_fetch(&ld->usage[class], used, __ATOMIC_SEQ_CST);
	if ((usage & LOCK_USED_IN_IRQ) && (usage & LOCK_USED_IRQS_ON))
		VIOLATION(&inv_lock_irq, "pid %u takes %s %s; it is also taken %s", t->pid,
			  lock_class_names[class],
			  used == LOCK_USED_IN_IRQ ? "in an interrupt" : "with interrupts on",
			  used == LOCK_USED_IN_IRQ ? "with interrupts on" : "in interrupts");
}

void lockdep_not_held(enum lock_class class)
{
	VIOLATION(&inv_lock_not_held, "pid %u releases %s and does not hold it", current->pid,
		  lock_class_names[class]);
}

void lockdep_assert_failed(enum lock_class class, const char *where)
{
	violation_report(&inv_lock_not_held, where, ~0u, "pid %u should hold %s here", current->pid,
			 lock_class_names[class]);
}

void might_sleep_failed(const char *where)
{
	struct vcpu *v = this_vcpu();

	violation_report(
		&inv_atomic_sleep, where, ~0u,
		"pid %u may sleep here: preempt_count %u, interrupts %s, RCU nesting %u%s%s",
		current->pid, v->preempt_count, v->irqs_off ? "off" : "on", v->rcu_nesting,
		current->held_locks ? ", holds " : "",
		current->held_locks ? name(current->held_locks) : "");
}

void lockdep_wait_irqs_off_failed(const char *where)
{
	violation_report(&inv_wait_irqs_off, where, ~0u,
			 "pid %u waits for other CPUs with interrupts off: two that do this to "
			 "each other wait for ever",
			 current->pid);
}

void lockdep_check_none_held(const char *where)
{
	struct task_struct *t = current;

	if (unlikely(t->held_locks))
		violation_report(&inv_locks_at_exit, where, ~0u, "pid %u still holds %s", t->pid,
				 name(t->held_locks));
}
