// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lock validator: each kind of misuse is reported under its slug, also where this run would not
 * have come to harm, and what is right is not.
 */
#include <criterion/criterion.h>

#include "smp/ipi.h"
#include "smp/mutex.h"
#include "smp/rwsem.h"
#include "smp/wait.h"
#include "tests/support/test_machine.h"

struct locks {
	spinlock_t a, b, c, a2;
	struct mutex mutex;
	struct rw_semaphore sem, sem2;
	u32 turn; /* atomic */
};

static struct locks *make_locks(struct test_machine *t)
{
	struct locks *l = test_shared(t, sizeof(*l));
	u32 bytes = rwsem_slots_bytes(t->m->nr_vcpus);

	spin_lock_init(&l->a, LOCK_CLASS_test_a);
	spin_lock_init(&l->a2, LOCK_CLASS_test_a);
	spin_lock_init(&l->b, LOCK_CLASS_test_b);
	spin_lock_init(&l->c, LOCK_CLASS_test_c);
	mutex_init(&l->mutex, LOCK_CLASS_inode_mutex);
	init_rwsem(&l->sem, test_shared(t, bytes), t->m->nr_vcpus, LOCK_CLASS_mmap_sem);
	init_rwsem(&l->sem2, test_shared(t, bytes), t->m->nr_vcpus, LOCK_CLASS_mmap_sem);
	t->data = l;
	return l;
}

/* One task after the other: nothing is ever contended here. */
static void wait_for_turn(struct locks *l, u32 turn)
{
	while (READ_ONCE(l->turn) != turn)
		yield();
}

static void nest(spinlock_t *outer, spinlock_t *inner)
{
	spin_lock(outer);
	spin_lock(inner);
	spin_unlock(inner);
	spin_unlock(outer);
}

/* The scenario of a single task. */
#define ONE_TASK(name, ...)                                                                        \
	static void name##_task(void *arg)                                                         \
	{                                                                                          \
		struct locks *l = arg;                                                             \
                                                                                                   \
		(void)l;                                                                           \
		__VA_ARGS__                                                                        \
	}                                                                                          \
	static void name##_setup(struct test_machine *t)                                           \
	{                                                                                          \
		(void)test_task(t->m, 0, name##_task, make_locks(t));                              \
	}                                                                                          \
	static const struct scenario name = {.cpus = 2, .setup = name##_setup}

/* --- Order -------------------------------------------------------------------------------------
 */

ONE_TASK(inversion, nest(&l->a, &l->b); nest(&l->b, &l->a););

Test(smp_lockdep, inversion_is_reported)
{
	expect_violation(&inversion, "lock-order");
}

/* a before b in one task, b before c in another, c before a in a third: no two of them are wrong.
 */
static void first_turn(void *arg)
{
	struct locks *l = arg;

	nest(&l->a, &l->b);
	WRITE_ONCE(l->turn, 1);
}

static void second_turn(void *arg)
{
	struct locks *l = arg;

	wait_for_turn(l, 1);
	nest(&l->b, &l->c);
	WRITE_ONCE(l->turn, 2);
}

static void third_turn(void *arg)
{
	struct locks *l = arg;

	wait_for_turn(l, 2);
	nest(&l->c, &l->a);
}

static void cycle_setup(struct test_machine *t)
{
	struct locks *l = make_locks(t);

	(void)test_task(t->m, 0, first_turn, l);
	(void)test_task(t->m, 1, second_turn, l);
	(void)test_task(t->m, 0, third_turn, l);
}

Test(smp_lockdep, cycle_of_three_tasks_is_reported)
{
	static const struct scenario s = {.cpus = 2, .setup = cycle_setup};

	expect_violation(&s, "lock-order");
}

ONE_TASK(sleeping_inversion, mutex_lock(&l->mutex); down_read(&l->sem); up_read(&l->sem);
	 mutex_unlock(&l->mutex); down_write(&l->sem); mutex_lock(&l->mutex););

Test(smp_lockdep, inversion_of_sleeping_locks_is_reported)
{
	expect_violation(&sleeping_inversion, "lock-order");
}

/* A trylock cannot wait: it may come in any order. What is taken inside it cannot. */
ONE_TASK(try_backwards, nest(&l->a, &l->b); spin_lock(&l->b); EXPECT(spin_trylock(&l->a));
	 spin_unlock(&l->a); spin_unlock(&l->b););

Test(smp_lockdep, trylock_against_the_order_is_silent)
{
	run_scenario(&try_backwards, 20, 2);
}

ONE_TASK(inside_try, nest(&l->a, &l->b); EXPECT(spin_trylock(&l->b)); spin_lock(&l->a););

Test(smp_lockdep, order_inside_a_trylock_counts)
{
	expect_violation(&inside_try, "lock-order");
}

/* --- Recursion -----------------------------------------------------------------------------------
 */

ONE_TASK(twice, spin_lock(&l->a); spin_lock(&l->a2););

Test(smp_lockdep, one_class_twice_is_reported)
{
	expect_violation(&twice, "lock-recursive");
}

/* Even for reading: a writer that comes in between would wait for us, and we for it. */
ONE_TASK(read_twice, down_read(&l->sem); down_read(&l->sem););

Test(smp_lockdep, reading_twice_is_reported)
{
	expect_violation(&read_twice, "lock-recursive");
}

ONE_TASK(nested, spin_lock(&l->a); spin_lock_nested(&l->a2, LOCK_CLASS_test_b);
	 spin_unlock_class(&l->a2, LOCK_CLASS_test_b); spin_unlock(&l->a); down_write(&l->sem);
	 down_write_nested(&l->sem2, LOCK_CLASS_mmap_sem_nested);
	 up_write_nested(&l->sem2, LOCK_CLASS_mmap_sem_nested); up_write(&l->sem););

Test(smp_lockdep, nested_class_is_silent)
{
	run_scenario(&nested, 20, 2);
}

/* --- Interrupts ----------------------------------------------------------------------------------
 */

static void take_in_handler(const struct call_args *args)
{
	struct locks *l = (struct locks *)args->v[0];

	spin_lock(&l->a);
	spin_unlock(&l->a);
}

static void interrupt_others(struct locks *l)
{
	struct call_args args = {{(u64)l}};
	u64 mask[CPU_WORDS] = {(1ULL << this_vcpu()->machine->nr_vcpus) - 1};

	preempt_disable();
	EXPECT_EQ(smp_call_function_many(mask, take_in_handler, &args),
		  this_vcpu()->machine->nr_vcpus - 1);
	preempt_enable();
}

ONE_TASK(irq_unsafe, spin_lock(&l->a); spin_unlock(&l->a); interrupt_others(l););

Test(smp_lockdep, irq_unsafe_lock_is_reported)
{
	expect_violation(&irq_unsafe, "lock-irq-unsafe");
}

ONE_TASK(irq_unsafe_later, interrupt_others(l); spin_lock(&l->a););

Test(smp_lockdep, irq_unsafe_lock_is_reported_in_the_other_order)
{
	expect_violation(&irq_unsafe_later, "lock-irq-unsafe");
}

static void take_irqsave(struct locks *l)
{
	u32 flags = spin_lock_irqsave(&l->a);

	spin_unlock_irqrestore(&l->a, flags);
}

ONE_TASK(irq_safe, take_irqsave(l); interrupt_others(l); take_irqsave(l););

Test(smp_lockdep, irq_safe_lock_is_silent)
{
	run_scenario(&irq_safe, 50, 5);
}

/* --- Sleeping while atomic
 * ------------------------------------------------------------------------ */

ONE_TASK(sleep_under_spinlock, spin_lock(&l->a); mutex_lock(&l->mutex););
ONE_TASK(sleep_without_preemption, preempt_disable(); down_read(&l->sem););
ONE_TASK(sleep_with_irqs_off, local_irq_disable(); down_write(&l->sem););
ONE_TASK(sleep_in_rcu, rcu_read_lock(); mutex_lock(&l->mutex););
ONE_TASK(wait_under_spinlock, struct completion c; init_completion(&c); complete(&c);
	 spin_lock(&l->a); wait_for_completion(&c););

Test(smp_lockdep, sleeping_in_atomic_is_reported)
{
	/* Even though the lock is free, or the completion done. */
	expect_violation(&sleep_under_spinlock, "sleeping-in-atomic");
	expect_violation(&sleep_without_preemption, "sleeping-in-atomic");
	expect_violation(&sleep_with_irqs_off, "sleeping-in-atomic");
	expect_violation(&sleep_in_rcu, "sleeping-in-atomic");
	expect_violation(&wait_under_spinlock, "sleeping-in-atomic");
}

ONE_TASK(schedule_under_spinlock, spin_lock(&l->a); schedule(););
ONE_TASK(schedule_in_oracle, oracle_enter(); schedule(););

Test(smp_lockdep, schedule_while_atomic_is_reported)
{
	expect_violation(&schedule_under_spinlock, "scheduler-state");
	expect_violation(&schedule_in_oracle, "scheduler-state");
}

ONE_TASK(spin_in_sleeping, mutex_lock(&l->mutex); down_read(&l->sem); spin_lock(&l->a);
	 rcu_read_lock(); rcu_read_unlock(); spin_unlock(&l->a); up_read(&l->sem); yield();
	 mutex_unlock(&l->mutex););

Test(smp_lockdep, spinlock_inside_sleeping_locks_is_silent)
{
	run_scenario(&spin_in_sleeping, 20, 2);
}

/* --- Held and not held
 * ----------------------------------------------------------------------------- */

ONE_TASK(exit_with_lock, mutex_lock(&l->mutex););
ONE_TASK(user_mode_with_lock, down_read(&l->sem); lockdep_check_none_held(__func__););

Test(smp_lockdep, locks_held_at_exit_are_reported)
{
	expect_violation(&exit_with_lock, "locks-held");
	expect_violation(&user_mode_with_lock, "locks-held");
}

ONE_TASK(release_spin, spin_lock(&l->a); spin_unlock(&l->b););
ONE_TASK(release_mutex, mutex_unlock(&l->mutex););
ONE_TASK(release_rwsem, up_read(&l->sem););
ONE_TASK(assert_not_held, lockdep_assert_held(LOCK_CLASS_test_a););

Test(smp_lockdep, releasing_what_is_not_held_is_reported)
{
	expect_violation(&release_spin, "lock-not-held");
	expect_violation(&release_mutex, "lock-not-held");
	expect_violation(&release_rwsem, "lock-not-held");
	expect_violation(&assert_not_held, "lock-not-held");
}

/* The class is held, the lock is another's. */
ONE_TASK(release_anothers_mutex, struct mutex mine; mutex_init(&mine, LOCK_CLASS_inode_mutex);
	 mutex_lock(&mine); mutex_unlock(&l->mutex););
ONE_TASK(write_release_of_reader, down_read(&l->sem); up_write(&l->sem););

Test(smp_lockdep, releasing_another_lock_of_the_class_is_reported)
{
	expect_violation(&release_anothers_mutex, "kernel-bug");
	expect_violation(&write_release_of_reader, "kernel-bug");
}

ONE_TASK(assert_held, spin_lock(&l->a); lockdep_assert_held(LOCK_CLASS_test_a);
	 EXPECT(spin_held_here(&l->a)); EXPECT(!spin_held_here(&l->b)); spin_unlock(&l->a);
	 EXPECT(!spin_held_here(&l->a)); lockdep_check_none_held(__func__););

Test(smp_lockdep, holding_what_is_asked_for_is_silent)
{
	run_scenario(&assert_held, 20, 2);
}

/* --- What a task holds goes with the task
 * ----------------------------------------------------------- */

static void hold_across_switches(void *arg)
{
	struct locks *l = arg;

	for (u32 i = 0; i < 10; i++) {
		down_read(&l->sem);
		yield();
		EXPECT(current->held_locks == 1ULL << LOCK_CLASS_mmap_sem);
		up_read(&l->sem);
		EXPECT(current->held_locks == 0);
		nest(&l->a, &l->b);
	}
}

static void holders_setup(struct test_machine *t)
{
	struct locks *l = make_locks(t);

	for (u32 i = 0; i < 5; i++)
		(void)test_task(t->m, i % 2, hold_across_switches, l);
}

Test(smp_lockdep, held_locks_belong_to_the_task)
{
	static const struct scenario s = {.cpus = 2, .setup = holders_setup};

	run_scenario(&s, REPEAT(200), REPEAT(30));
}

/* --- Two CPUs close a cycle from both ends at once
 * --------------------------------------------------- */

static void take_ab(void *arg)
{
	struct locks *l = arg;

	nest(&l->a, &l->b);
}

static void take_ba(void *arg)
{
	struct locks *l = arg;

	nest(&l->b, &l->a);
}

static void both_ends_setup(struct test_machine *t)
{
	struct locks *l = make_locks(t);

	(void)test_task(t->m, 0, take_ab, l);
	(void)test_task(t->m, 1, take_ba, l);
}

Test(smp_lockdep, inversion_is_reported_in_every_run)
{
	static const struct scenario s = {.cpus = 2, .setup = both_ends_setup};

	always_violation(&s, "lock-order", REPEAT(1000), REPEAT(50));
}
