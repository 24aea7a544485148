// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/test_machine.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

/* Room for the call-function requests of 256 vCPUs and their event rings. */
#define TEST_ARENA_BYTES (256ULL << 20)

/* Events of all vCPUs in the report of a failure. */
#define REPORT_EVENTS 60

static struct machine_config config_of(const struct scenario *s, u32 knob, u64 seed)
{
	struct machine_config config = {
		.nr_vcpus = s->cpus,
		.seed = seed,
		.arena_bytes = TEST_ARENA_BYTES,
		.max_steps = s->max_steps ? s->max_steps : TEST_MAX_STEPS,
		.stall_seconds = TEST_STALL_SECONDS,
	};

	if (knob != NO_KNOB)
		knob_set(config.knobs, knob);
	return config;
}

static void set_up(struct test_machine *t, const struct scenario *s)
{
	static const struct sched_ops no_address_spaces;

	t->data = NULL;
	cr_assert_eq(smp_setup(t->m, &no_address_spaces), 0);
	s->setup(t);
}

static void create(struct test_machine *t, const struct scenario *s, u32 knob, u64 seed)
{
	struct machine_config config = config_of(s, knob, seed);
	struct machine_ops ops = {0};

	smp_machine_ops(&ops);
	t->m = machine_create(&config, &ops);
	t->strategy = strategy_random_create();
	cr_assert_not_null(t->m);
	cr_assert_not_null(t->strategy);
	set_up(t, s);
}

static void start_over(struct test_machine *t, const struct scenario *s, u32 knob, u64 seed)
{
	struct machine_config config = config_of(s, knob, seed);

	smp_teardown(t->m);
	cr_assert_eq(machine_reset(t->m, &config), 0);
	set_up(t, s);
}

static void destroy(struct test_machine *t)
{
	smp_teardown(t->m);
	machine_destroy(t->m);
	strategy_destroy(t->strategy);
}

void *test_shared(struct test_machine *t, u64 size)
{
	void *p = arena_alloc(&t->m->arena, size, CACHE_LINE);

	cr_assert_not_null(p);
	return p;
}

struct task_struct *test_task(struct machine *m, u32 cpu, void (*entry)(void *), void *arg)
{
	struct task_struct *t = task_create(m, "test", PF_KTHREAD, cpu, entry, arg);

	if (t)
		wake_up_new_task(t);
	return t;
}

static void fail(const struct test_machine *t, enum machine_end end, const char *expected)
{
	violation_print(stderr, t->m, REPORT_EVENTS);
	cr_assert_fail("seed %llu: the machine ended with %s (end %d), expected %s",
		       (unsigned long long)t->m->config.seed,
		       t->m->violations.ready ? t->m->violations.first.invariant->slug
					      : "no violation",
		       end, expected);
}

static void expect_finished(const struct test_machine *t, const struct scenario *s,
			    enum machine_end end)
{
	s64 left;

	if (end != MACHINE_FINISHED || t->m->violations.nr)
		fail(t, end, "a finished machine");
	left = kmem_cache_in_use(t->m->smp->task_cache);
	cr_assert_eq(left, 0, "seed %llu: %lld task_structs were not freed",
		     (unsigned long long)t->m->config.seed, (long long)left);
	if (s->check)
		s->check(t);
}

static bool ended_with(const struct test_machine *t, const char *slug)
{
	return t->m->violations.ready && !strcmp(t->m->violations.first.invariant->slug, slug);
}

u64 explore_scenario(const struct scenario *s, u64 seeds)
{
	struct test_machine t;
	u64 steps = 0;

	create(&t, s, NO_KNOB, 1);
	for (u64 seed = 1;; seed++) {
		expect_finished(&t, s, machine_run(t.m, EXECUTOR_EXPLORE, t.strategy));
		steps += t.m->explored.steps;
		if (seed >= seeds)
			break;
		start_over(&t, s, NO_KNOB, seed + 1);
	}
	destroy(&t);
	return steps;
}

void thread_scenario(const struct scenario *s, u64 rounds)
{
	struct test_machine t;

	create(&t, s, NO_KNOB, 1);
	for (u64 round = 1;; round++) {
		expect_finished(&t, s, machine_run(t.m, EXECUTOR_THREADS, NULL));
		if (round >= rounds)
			break;
		start_over(&t, s, NO_KNOB, round + 1);
	}
	destroy(&t);
}

void run_scenario(const struct scenario *s, u64 seeds, u64 rounds)
{
	(void)explore_scenario(s, seeds);
	thread_scenario(s, rounds);
}

u64 find_violation(const struct scenario *s, u32 knob, u64 seeds, const char *slug)
{
	struct test_machine t;
	u64 seed = 1;

	create(&t, s, knob, seed);
	for (;;) {
		enum machine_end end = machine_run(t.m, EXECUTOR_EXPLORE, t.strategy);

		if (ended_with(&t, slug))
			break;
		if (end != MACHINE_FINISHED)
			fail(&t, end, slug);
		cr_assert_lt(seed, seeds, "%s was not found within %llu seeds", slug,
			     (unsigned long long)seeds);
		start_over(&t, s, knob, ++seed);
	}
	destroy(&t);
	if (knob != NO_KNOB)
		(void)explore_scenario(s, seeds);
	return seed;
}

void always_violation(const struct scenario *s, const char *slug, u64 seeds, u64 rounds)
{
	struct test_machine t;

	create(&t, s, NO_KNOB, 1);
	for (u64 i = 0; i < seeds + rounds; i++) {
		enum executor executor = i < seeds ? EXECUTOR_EXPLORE : EXECUTOR_THREADS;
		enum machine_end end = machine_run(t.m, executor, t.strategy);

		if (!ended_with(&t, slug))
			fail(&t, end, slug);
		start_over(&t, s, NO_KNOB, i + 2);
	}
	destroy(&t);
}

void expect_violation(const struct scenario *s, const char *slug)
{
	always_violation(s, slug, 1, 1);
}
