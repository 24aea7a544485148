// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPUs that go offline and come back (seed_path E5), as far as tasks, interrupts and RCU have to do
 * with it.
 */
#include <errno.h>

#include <criterion/criterion.h>

#include "smp/hotplug.h"
#include "smp/ipi.h"
#include "smp/knobs.h"
#include "smp/rcu.h"
#include "smp/vmstat.h"
#include "smp/wait.h"
#include "tests/support/test_machine.h"

#define CPUS 3
#define WORKERS 5
#define ROUNDS 3 /* each CPU goes and comes so often */

struct shared {
	u64 working; /* workers that have not ended; atomic */
	u64 stop;    /* atomic */
	u64 counted; /* atomic */
	u64 ran;     /* RCU callbacks; atomic */
	u64 bound[CPU_WORDS];
};

struct node {
	struct rcu_head rcu;
	struct shared *shared;
};

static bool runs_online(void)
{
	bool yes;

	preempt_disable();
	yes = cpu_online(this_vcpu()->machine, smp_processor_id());
	preempt_enable();
	return yes;
}

/* --- Tasks ------------------------------------------------------------------------------------ */

static void work(void *arg)
{
	struct shared *s = arg;

	while (!atomic_read(&s->stop)) {
		EXPECT(runs_online());
		yield();
	}
	atomic_dec(&s->working);
}

static void take_and_bring(void *arg)
{
	struct shared *s = arg;
	struct machine *m = this_vcpu()->machine;

	for (u32 i = 0; i < ROUNDS * (m->nr_vcpus - 1); i++) {
		u32 cpu = 1 + i % (m->nr_vcpus - 1);

		EXPECT_EQ(cpu_down(cpu), 0);
		EXPECT(!cpu_online(m, cpu));
		EXPECT(oracle_read(rq_of(m, cpu)->curr) == rq_of(m, cpu)->idle);
		EXPECT(runs_online());
		yield();
		EXPECT_EQ(cpu_up(cpu), 0);
		EXPECT(cpu_online(m, cpu) && cpu_active(m, cpu));
	}
	atomic_set(&s->stop, 1);
}

static void tasks_setup(struct test_machine *t)
{
	struct shared *s = test_shared(t, sizeof(*s));

	t->data = s;
	s->working = WORKERS;
	for (u32 i = 0; i < WORKERS; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, work, s);
	/* Where it is itself taken away, too. */
	(void)test_task(t->m, 1, take_and_bring, s);
}

static void tasks_check(const struct test_machine *t)
{
	const struct shared *s = t->data;

	cr_assert_eq(s->working, 0);
	cr_assert_eq(vmstat_sum(t->m, VMSTAT_cpu_offline), ROUNDS * (CPUS - 1));
	cr_assert_eq(vmstat_sum(t->m, VMSTAT_cpu_online), ROUNDS * (CPUS - 1));
	cr_assert_eq(vmstat_sum(t->m, VMSTAT_nr_migrations),
		     vmstat_sum(t->m, VMSTAT_nr_migrations_wakeup) +
			     vmstat_sum(t->m, VMSTAT_nr_migrations_balance) +
			     vmstat_sum(t->m, VMSTAT_nr_migrations_hotplug));
}

static const struct scenario tasks = {.cpus = CPUS, .setup = tasks_setup, .check = tasks_check};

Test(smp_hotplug, tasks_run_on_what_is_online)
{
	run_scenario(&tasks, REPEAT(200), REPEAT(5));
}

Test(smp_hotplug, a_task_that_is_left_behind_is_found)
{
	(void)find_violation(&tasks, KNOB_OFFLINE_LEAVES_TASK, 20, "offline-cpu-queue");
}

/* --- Bound tasks ------------------------------------------------------------------------------ */

static void bound(void *arg)
{
	struct shared *s = arg;

	while (!atomic_read(&s->stop))
		yield();
	atomic_inc(&s->counted);
}

static void unbind(void *arg)
{
	struct shared *s = arg;

	EXPECT_EQ(cpu_down(1), 0);
	atomic_set(&s->stop, 1);
	/* It can only have ended elsewhere. */
	while (!atomic_read(&s->counted))
		yield();
}

static void bound_setup(struct test_machine *t)
{
	struct shared *s = test_shared(t, sizeof(*s));

	t->data = s;
	s->bound[0] = 1u << 1;
	test_task(t->m, 1, bound, s)->cpus_allowed = s->bound;
	(void)test_task(t->m, 0, unbind, s);
}

static void bound_check(const struct test_machine *t)
{
	cr_assert_eq(vmstat_sum(t->m, VMSTAT_nr_affinity_lost), 1);
	cr_assert_eq(vmstat_sum(t->m, VMSTAT_cpu_online), 0);
}

Test(smp_hotplug, a_task_bound_to_an_offline_cpu_is_bound_no_longer)
{
	static const struct scenario s = {.cpus = 2, .setup = bound_setup, .check = bound_check};

	run_scenario(&s, REPEAT(200), REPEAT(5));
}

/* --- What is refused -------------------------------------------------------------------------- */

static void ask_for_nonsense(void *arg)
{
	(void)arg;
	EXPECT_EQ(cpu_down(0), -EBUSY);
	EXPECT_EQ(cpu_down(CPUS), -EINVAL);
	EXPECT_EQ(cpu_up(CPUS), -EINVAL);
	EXPECT_EQ(cpu_up(1), -EINVAL);
	EXPECT_EQ(cpu_down(1), 0);
	EXPECT_EQ(cpu_down(1), -EINVAL);
	EXPECT_EQ(cpu_down(2), 0);
	EXPECT_EQ(cpu_up(1), 0);
	EXPECT_EQ(cpu_up(0), -EINVAL);
}

static void nonsense_setup(struct test_machine *t)
{
	(void)test_task(t->m, 2, ask_for_nonsense, NULL);
}

Test(smp_hotplug, refuses_what_cannot_be)
{
	static const struct scenario s = {.cpus = CPUS, .setup = nonsense_setup};

	run_scenario(&s, REPEAT(50), REPEAT(5));
}

/* --- Interrupts ------------------------------------------------------------------------------- */

static void count(const struct call_args *args)
{
	struct shared *s = (struct shared *)args->v[0];

	EXPECT(this_vcpu()->in_interrupt);
	atomic_inc(&s->counted);
}

static void interrupt_all(void *arg)
{
	struct shared *s = arg;
	struct call_args args = {{(u64)s}};
	u64 all[CPU_WORDS], sent = 0;

	for (u32 w = 0; w < CPU_WORDS; w++)
		all[w] = w ? 0 : (1u << CPUS) - 1;
	while (!atomic_read(&s->stop)) {
		preempt_disable();
		sent += smp_call_function_many(all, count, &args);
		preempt_enable();
		yield();
	}
	/* All that were sent have been acknowledged. */
	EXPECT_EQ(atomic_sub_return(sent, &s->counted), 0);
}

static void interrupts_setup(struct test_machine *t)
{
	struct shared *s = test_shared(t, sizeof(*s));

	(void)test_task(t->m, 0, interrupt_all, s);
	(void)test_task(t->m, 1, take_and_bring, s);
}

static const struct scenario interrupts = {.cpus = CPUS, .setup = interrupts_setup};

Test(smp_hotplug, interrupts_go_to_who_is_online)
{
	run_scenario(&interrupts, REPEAT(200), REPEAT(5));
}

/* --- RCU -------------------------------------------------------------------------------------- */

static void callback(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu);

	atomic_inc(&node->shared->ran);
}

/* What a CPU has queued has run when it is offline, and those that stay do not wait for it. */
static void queue_and_go(void *arg)
{
	struct node *nodes = arg;
	struct shared *s = nodes[0].shared;

	call_rcu(&nodes[0].rcu, callback);
	EXPECT_EQ(cpu_down(1), 0);
	EXPECT_EQ(atomic_read(&s->ran), 1);
	synchronize_rcu();
	call_rcu(&nodes[1].rcu, callback);
	rcu_barrier();
	EXPECT_EQ(atomic_read(&s->ran), 2);
	EXPECT_EQ(cpu_up(1), 0);
	synchronize_rcu();
}

static void rcu_setup_nodes(struct test_machine *t)
{
	struct shared *s = test_shared(t, sizeof(*s));
	struct node *nodes = test_shared(t, 2 * sizeof(*nodes));

	nodes[0].shared = s;
	nodes[1].shared = s;
	test_task(t->m, 1, queue_and_go, nodes);
}

static const struct scenario rcu = {.cpus = 2, .setup = rcu_setup_nodes};

Test(smp_hotplug, grace_periods_do_without_offline_cpus)
{
	run_scenario(&rcu, REPEAT(200), REPEAT(5));
}

static void to_the_end_offline(void *arg)
{
	(void)arg;
	EXPECT_EQ(cpu_down(1), 0);
}

static void end_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, to_the_end_offline, NULL);
}

Test(smp_hotplug, a_machine_ends_with_cpus_offline)
{
	static const struct scenario s = {.cpus = CPUS, .setup = end_setup};

	run_scenario(&s, REPEAT(50), REPEAT(5));
}

Test(smp_hotplug, a_forgotten_quiescent_state_is_found)
{
	(void)find_violation(&rcu, KNOB_OFFLINE_NOT_QUIESCENT, 5, "deadlock");
}
