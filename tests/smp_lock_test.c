// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spinlocks, mutexes and rwsems: mutual exclusion, sharing, order of the queue.
 *
 * What the locks guard is plain memory here, so that in a ThreadSanitizer build a lock that does
 * not order its holders is reported as a race, under both executors.
 */
#include <criterion/criterion.h>

#include "smp/ipi.h"
#include "smp/knobs.h"
#include "smp/mutex.h"
#include "smp/rwsem.h"
#include "smp/vmstat.h"
#include "smp/wait.h"
#include "tests/support/test_machine.h"

#define TASKS 4
#define ROUNDS 8

struct shared {
	spinlock_t spin;
	struct mutex mutex;
	struct rw_semaphore sem;
	u64 a, b; /* equal whenever the lock is free */
	u32 inside;
	u32 together; /* atomic: readers that are inside now */

	/* The order in which tasks got the lock. */
	struct task_struct *waiter[TASKS];
	u32 order[TASKS];
	u32 nr_got;
};

static void init_locks(struct test_machine *t)
{
	struct shared *s = test_shared(t, sizeof(*s));
	void *slots = test_shared(t, rwsem_slots_bytes(t->m->nr_vcpus));

	t->data = s;
	spin_lock_init(&s->spin, LOCK_CLASS_test_a);
	mutex_init(&s->mutex, LOCK_CLASS_inode_mutex);
	init_rwsem(&s->sem, slots, t->m->nr_vcpus, LOCK_CLASS_mmap_sem);
}

static void start_tasks(struct test_machine *t, void (*entry)(void *))
{
	for (u32 i = 0; i < TASKS; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, entry, t->data);
}

/* Alone in here; with a decision point, and a chance to be preempted or migrated, inside. */
static void exclusive(struct shared *s, bool may_yield)
{
	EXPECT_EQ(s->inside, 0);
	s->inside++;
	EXPECT_EQ(s->a, s->b);
	s->a++;
	if (may_yield && random_below(&current->rng, 2))
		yield();
	else
		safepoint();
	s->b++;
	s->inside--;
}

static void all_counted(const struct test_machine *t)
{
	const struct shared *s = t->data;

	cr_assert_eq(s->a, TASKS * ROUNDS);
	cr_assert_eq(s->b, TASKS * ROUNDS);
}

/* --- Spinlocks -------------------------------------------------------------------------------- */

static void spin_task(void *arg)
{
	struct shared *s = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		if (i % 4 == 3) {
			while (!spin_trylock(&s->spin))
				yield();
		} else {
			spin_lock(&s->spin);
		}
		EXPECT(spin_held_here(&s->spin));
		exclusive(s, false);
		spin_unlock(&s->spin);
	}
}

static void spin_setup(struct test_machine *t)
{
	init_locks(t);
	start_tasks(t, spin_task);
}

Test(smp_lock, spinlock_excludes)
{
	static const struct scenario s = {.cpus = 3, .setup = spin_setup, .check = all_counted};

	run_scenario(&s, REPEAT(500), REPEAT(30));
}

static void count_in_handler(const struct call_args *args)
{
	struct shared *s = (struct shared *)args->v[0];

	/* Interrupts are off in a handler. */
	spin_lock(&s->spin);
	exclusive(s, false);
	spin_unlock(&s->spin);
}

static void irqsave_task(void *arg)
{
	struct shared *s = arg;
	struct call_args args = {{(u64)s}};
	u64 everybody[CPU_WORDS] = {(1ULL << this_vcpu()->machine->nr_vcpus) - 1};

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 flags = spin_lock_irqsave(&s->spin);

		EXPECT(irqs_disabled());
		exclusive(s, false);
		spin_unlock_irqrestore(&s->spin, flags);
		EXPECT(!irqs_disabled());
		preempt_disable();
		smp_call_function_many(everybody, count_in_handler, &args);
		preempt_enable();
	}
}

static void irqsave_setup(struct test_machine *t)
{
	init_locks(t);
	start_tasks(t, irqsave_task);
}

static void handlers_counted(const struct test_machine *t)
{
	const struct shared *s = t->data;

	/* Each round once in the task and once in the handler of each other vCPU. */
	cr_assert_eq(s->a, TASKS * ROUNDS * t->m->nr_vcpus);
}

Test(smp_lock, irqsave_keeps_the_handler_out)
{
	static const struct scenario s = {
		.cpus = 2, .setup = irqsave_setup, .check = handlers_counted};

	run_scenario(&s, REPEAT(500), REPEAT(30));
}

/* --- Mutexes ---------------------------------------------------------------------------------- */

static void mutex_task(void *arg)
{
	struct shared *s = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		if (i % 4 == 3) {
			while (!mutex_trylock(&s->mutex))
				yield();
		} else {
			mutex_lock(&s->mutex);
		}
		exclusive(s, true);
		mutex_unlock(&s->mutex);
	}
}

static void mutex_setup(struct test_machine *t)
{
	init_locks(t);
	start_tasks(t, mutex_task);
}

Test(smp_lock, mutex_excludes)
{
	static const struct scenario s = {.cpus = 3, .setup = mutex_setup, .check = all_counted};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

/* --- Reader-writer semaphores ------------------------------------------------------------------
 */

static void look_inside(struct shared *s)
{
	u64 a = s->a, b = s->b;

	EXPECT_EQ(s->inside, 0);
	EXPECT_EQ(a, b);
	if (random_below(&current->rng, 2))
		yield();
	/* No writer since. */
	EXPECT_EQ(s->a, a);
	EXPECT_EQ(s->b, b);
}

static void rwsem_task(void *arg)
{
	struct shared *s = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		down_write(&s->sem);
		exclusive(s, true);
		up_write(&s->sem);
		for (u32 j = random_below(&current->rng, 3); j; j--) {
			if (random_below(&current->rng, 2)) {
				down_read(&s->sem);
			} else if (!down_read_trylock(&s->sem)) {
				safepoint();
				continue;
			}
			look_inside(s);
			up_read(&s->sem);
		}
	}
}

static void rwsem_setup(struct test_machine *t)
{
	init_locks(t);
	start_tasks(t, rwsem_task);
}

static void rwsem_is_free(const struct test_machine *t)
{
	struct shared *s = t->data;

	all_counted(t);
	cr_assert_not(rwsem_is_locked(&s->sem));
	cr_assert(cds_list_empty(&s->sem.waiters));
	cr_assert_eq(s->sem.slow, 0);
}

Test(smp_lock, rwsem_excludes_writers)
{
	static const struct scenario s = {.cpus = 3, .setup = rwsem_setup, .check = rwsem_is_free};

	run_scenario(&s, REPEAT(2000), REPEAT(30));
}

/* More vCPUs than slots: some share one, and tasks leave by another slot than they came. */
Test(smp_lock, rwsem_with_shared_slots)
{
	static const struct scenario s = {
		.cpus = RWSEM_MAX_SLOTS + 16, .setup = rwsem_setup, .check = rwsem_is_free};

	run_scenario(&s, REPEAT(50), REPEAT(20));
}

/* The writers' data must be seen by the next readers though these take nothing but their own
 * slot: one task writes, then says so by a flag that orders nothing. */
static void write_once_task(void *arg)
{
	struct shared *s = arg;

	down_write(&s->sem);
	s->a = s->b = ROUNDS;
	up_write(&s->sem);
}

static void read_twice_task(void *arg)
{
	struct shared *s = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		down_read(&s->sem);
		look_inside(s);
		up_read(&s->sem);
		safepoint();
	}
}

static void one_writer_setup(struct test_machine *t)
{
	init_locks(t);
	start_tasks(t, read_twice_task);
	(void)test_task(t->m, t->m->nr_vcpus - 1, write_once_task, t->data);
}

Test(smp_lock, rwsem_fast_readers_see_the_last_writer)
{
	static const struct scenario s = {.cpus = 3, .setup = one_writer_setup};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

/* Each reader stays until all are inside. */
static void meet_readers(void *arg)
{
	struct shared *s = arg;

	down_read(&s->sem);
	atomic_inc(&s->together);
	while (READ_ONCE(s->together) < TASKS)
		yield();
	up_read(&s->sem);
}

static void meeting_setup(struct test_machine *t)
{
	init_locks(t);
	start_tasks(t, meet_readers);
}

Test(smp_lock, rwsem_readers_are_inside_together)
{
	static const struct scenario s = {.cpus = 2, .setup = meeting_setup};

	run_scenario(&s, REPEAT(200), REPEAT(30));
}

/* --- The order of the queue --------------------------------------------------------------------
 */

static void got_it(struct shared *s)
{
	for (u32 i = 0; i < TASKS; i++) {
		if (s->waiter[i] == current)
			s->order[s->nr_got++] = i;
	}
}

static void wait_for_mutex(void *arg)
{
	struct shared *s = arg;

	mutex_lock(&s->mutex);
	got_it(s);
	mutex_unlock(&s->mutex);
}

static void wait_to_write(void *arg)
{
	struct shared *s = arg;

	down_write(&s->sem);
	got_it(s);
	up_write(&s->sem);
}

static void wait_to_read(void *arg)
{
	struct shared *s = arg;

	down_read(&s->sem);
	spin_lock(&s->spin);
	got_it(s);
	spin_unlock(&s->spin);
	up_read(&s->sem);
}

/* Starts @entry as task number @i and returns when it sleeps. */
static void start_sleeper(struct shared *s, u32 i, void (*entry)(void *))
{
	struct machine *m = this_vcpu()->machine;
	struct task_struct *t = task_create(m, "waiter", PF_KTHREAD, i % m->nr_vcpus, entry, s);

	EXPECT(t);
	get_task_struct(t);
	s->waiter[i] = t;
	wake_up_new_task(t);
	while (READ_ONCE(t->state) != TASK_UNINTERRUPTIBLE)
		yield();
	put_task_struct(t);
}

static void hold_mutex(void *arg)
{
	struct shared *s = arg;

	mutex_lock(&s->mutex);
	for (u32 i = 0; i < TASKS; i++)
		start_sleeper(s, i, wait_for_mutex);
	mutex_unlock(&s->mutex);
}

static void mutex_order_setup(struct test_machine *t)
{
	init_locks(t);
	(void)test_task(t->m, 0, hold_mutex, t->data);
}

static void first_come_first_served(const struct test_machine *t)
{
	const struct shared *s = t->data;

	cr_assert_eq(s->nr_got, TASKS);
	for (u32 i = 0; i < TASKS; i++)
		cr_assert_eq(s->order[i], i, "waiter %u got it as number %u", s->order[i], i);
}

Test(smp_lock, mutex_waiters_are_served_in_order)
{
	static const struct scenario s = {
		.cpus = 2, .setup = mutex_order_setup, .check = first_come_first_served};

	run_scenario(&s, REPEAT(300), REPEAT(30));
}

static void hold_for_write(void *arg)
{
	struct shared *s = arg;

	down_write(&s->sem);
	for (u32 i = 0; i < TASKS; i++)
		start_sleeper(s, i, wait_to_write);
	EXPECT(!down_read_trylock(&s->sem));
	up_write(&s->sem);
}

static void writers_order_setup(struct test_machine *t)
{
	init_locks(t);
	(void)test_task(t->m, 0, hold_for_write, t->data);
}

Test(smp_lock, rwsem_writers_are_served_in_order)
{
	static const struct scenario s = {
		.cpus = 2, .setup = writers_order_setup, .check = first_come_first_served};

	run_scenario(&s, REPEAT(300), REPEAT(30));
}

/* A reader that comes after a waiting writer waits behind it, though a reader is inside. */
static void hold_for_read(void *arg)
{
	struct shared *s = arg;

	down_read(&s->sem);
	start_sleeper(s, 0, wait_to_write);
	start_sleeper(s, 1, wait_to_read);
	EXPECT(!down_read_trylock(&s->sem));
	start_sleeper(s, 2, wait_to_write);
	start_sleeper(s, 3, wait_to_read);
	EXPECT_EQ(s->nr_got, 0);
	up_read(&s->sem);
}

static void fair_setup(struct test_machine *t)
{
	init_locks(t);
	(void)test_task(t->m, 0, hold_for_read, t->data);
}

Test(smp_lock, rwsem_is_fair_to_writers)
{
	static const struct scenario s = {
		.cpus = 2, .setup = fair_setup, .check = first_come_first_served};

	run_scenario(&s, REPEAT(300), REPEAT(30));
}

/* --- Planted ---------------------------------------------------------------------------------- */

static void read_once_task(void *arg)
{
	struct shared *s = arg;

	down_read(&s->sem);
	look_inside(s);
	up_read(&s->sem);
}

/* Whoever comes to the semaphore later would wake the writer, too: nobody does. */
static void last_reader_setup(struct test_machine *t)
{
	init_locks(t);
	(void)test_task(t->m, 0, read_once_task, t->data);
	(void)test_task(t->m, 1, write_once_task, t->data);
}

Test(smp_lock, lost_wakeup_of_a_writer_is_found)
{
	static const struct scenario s = {.cpus = 2, .setup = last_reader_setup};

	(void)find_violation(&s, KNOB_RWSEM_LOST_WAKEUP, 200, "deadlock");
}
