// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Violations: claimed once, reported with the events of all vCPUs; and the other ways in which a
 * machine ends before it has finished.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/engine_machine.h"

EVENT_DESC(ev_told, 93, 0, "told", "CPU%llu%.0llu");
INVARIANT(inv_test, "test-invariant", "nobody says no");

static char *report(const struct machine *m)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	violation_print(out, m, 20);
	fclose(out);
	return text;
}

static void expect_text(const char *text, const char *part)
{
	cr_assert_not_null(strstr(text, part), "expected \"%s\" in:\n%s", part, text);
}

/* --- All at once ------------------------------------------------------------------------------ */

static void all_say_no(struct vcpu *v)
{
	u32 *ready = shared_of(v);
	struct spin spin = {0};

	event_record(&ev_told, v->id, 0);
	atomic_inc(ready);
	while (READ_ONCE(*ready) < v->machine->nr_vcpus)
		cpu_relax_on(ready, &spin);
	VIOLATION_WITH(&inv_test, 1, "CPU%u says no, expected silence", v->id);
}

static int describe_vcpu(const struct vcpu *v, char *buf, size_t size)
{
	return snprintf(buf, size, "a test on CPU number %u", v->id);
}

Test(engine_violation, is_claimed_once_and_reported_with_columns)
{
	static const struct bare_program p = {
		.cpus = 4, .vcpu_main = all_say_no, .shared_bytes = sizeof(u32)};

	for (u64 round = 0; round < 2 * REPEAT(20); round++) {
		bool threads = round % 2;
		struct bare_machine b;
		const struct violation *first;
		char expected[64];
		char *text;

		bare_create(&b, &p, round);
		b.m->ops.describe = describe_vcpu;
		cr_assert_eq(threads ? bare_threads(&b) : bare_explore(&b), MACHINE_VIOLATION);
		first = &b.m->violations.first;
		cr_assert(b.m->violations.nr >= 1 && b.m->violations.nr <= 4);
		cr_assert_eq(b.m->violations.ready, 1);
		cr_assert_str_eq(first->invariant->slug, "test-invariant");
		cr_assert_str_eq(first->where, "all_say_no");
		cr_assert_lt(first->cpu, 4);
		cr_assert_eq(first->other_cpu, 1);
		snprintf(expected, sizeof(expected), "CPU%u says no, expected silence", first->cpu);
		cr_assert_str_eq(first->message, expected);

		text = report(b.m);
		expect_text(text, "BUG: test-invariant on CPU");
		expect_text(text, expected);
		expect_text(text, "rule: nobody says no\n");
		expect_text(text, "CPU3: a test on CPU number 3\n");
		for (u32 i = 0; i < 4; i++) {
			snprintf(expected, sizeof(expected), "told CPU%u\n", i);
			expect_text(text, expected);
		}
		if (b.m->violations.nr > 1)
			expect_text(text, "more were seen while the machine stopped");
		free(text);
		bare_destroy(&b);
	}
}

static void nothing(struct vcpu *v)
{
	(void)v;
}

Test(engine_violation, none_prints_nothing)
{
	static const struct bare_program p = {.cpus = 2, .vcpu_main = nothing};
	struct bare_machine b;
	char *text;

	bare_create(&b, &p, 1);
	bare_expect_finished(&b, bare_explore(&b));
	text = report(b.m);
	cr_assert_str_empty(text);
	free(text);
	bare_destroy(&b);
}

static void assert_something(struct vcpu *v)
{
	BUG_ON(v->id < 100, "CPU number %u, expected at least %d", v->id, 100);
}

Test(engine_violation, bug_on_is_one)
{
	static const struct bare_program p = {.cpus = 1, .vcpu_main = assert_something};

	for (u32 threads = 0; threads < 2; threads++) {
		struct bare_machine b;

		bare_create(&b, &p, 1);
		cr_assert_eq(threads ? bare_threads(&b) : bare_explore(&b), MACHINE_VIOLATION);
		cr_assert_str_eq(b.m->violations.first.invariant->slug, "kernel-bug");
		cr_assert_str_eq(b.m->violations.first.where, "assert_something");
		cr_assert_str_eq(b.m->violations.first.message,
				 "CPU number 0, expected at least 100");
		bare_destroy(&b);
	}
}

static void long_message(struct vcpu *v)
{
	(void)v;
	VIOLATION(&inv_test, "%0*d", 2 * VIOLATION_MESSAGE_SIZE, 7);
}

Test(engine_violation, message_is_cut_not_overrun)
{
	static const struct bare_program p = {.cpus = 1, .vcpu_main = long_message};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	cr_assert_eq(bare_explore(&b), MACHINE_VIOLATION);
	cr_assert_eq(strlen(b.m->violations.first.message), VIOLATION_MESSAGE_SIZE - 1);
	bare_destroy(&b);
}

Test(engine_violation, from_outside_does_not_replace_one)
{
	static const struct bare_program p = {.cpus = 2, .vcpu_main = assert_something};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	cr_assert_eq(bare_explore(&b), MACHINE_VIOLATION);
	violation_from_outside(b.m, &inv_test, 1, "too late");
	cr_assert_str_eq(b.m->violations.first.invariant->slug, "kernel-bug");
	cr_assert_eq(b.m->violations.nr, 2);
	bare_destroy(&b);
}

/* A new round has forgotten the last one's. */
Test(engine_violation, is_gone_after_reset)
{
	static const struct bare_program p = {.cpus = 2, .vcpu_main = assert_something};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	for (u32 i = 0; i < 3; i++) {
		cr_assert_eq(bare_explore(&b), MACHINE_VIOLATION);
		bare_reset(&b, &p, 2);
		cr_assert_eq(b.m->violations.nr + b.m->violations.ready + b.m->stopping, 0);
	}
	bare_destroy(&b);
}

/* Everybody waits, for good, for CPU 0, which has found something: they leave all the same, from
 * wherever they are. */
static void wait_for_ever(struct vcpu *v)
{
	u32 *never = shared_of(v);
	struct spin spin = {0};

	if (v->id == 0) {
		for (u32 i = 0; i < 50; i++)
			safepoint();
		VIOLATION(&inv_test, "CPU0 has seen enough");
	}
	if (v->id == 1) {
		(void)local_irq_save(); /* stopping is not delayed by that */
		while (!READ_ONCE(*never))
			cpu_relax_on(never, &spin);
	} else if (v->id == 2) {
		local_irq_disable();
		vcpu_halt();
	}
	for (;;)
		safepoint();
}

Test(engine_violation, stops_whoever_waits)
{
	static const struct bare_program p = {
		.cpus = 4, .vcpu_main = wait_for_ever, .shared_bytes = sizeof(u32)};

	for (u64 round = 0; round < 2 * REPEAT(20); round++) {
		struct bare_machine b;

		bare_create(&b, &p, round);
		cr_assert_eq(round % 2 ? bare_threads(&b) : bare_explore(&b), MACHINE_VIOLATION);
		cr_assert_eq(b.m->violations.nr, 1);
		bare_destroy(&b);
	}
}

/* --- Stopped by the owner ----------------------------------------------------------------------
 */

static void run_for_ever(struct vcpu *v)
{
	u64 *rounds = shared_of(v);

	for (;;) {
		safepoint();
		atomic_inc(rounds);
	}
}

struct stopper {
	struct machine *m;
	u64 *rounds;
};

/* Stops the machine once it has got somewhere. */
static void *stop_from_outside(void *arg)
{
	struct stopper *s = arg;

	while (__atomic_load_n(s->rounds, __ATOMIC_RELAXED) < 1000)
		usleep(1000);
	machine_stop(s->m, MACHINE_STOPPED);
	machine_stop(s->m, MACHINE_NO_PROGRESS); /* the first reason stays */
	return NULL;
}

Test(engine_violation, owner_stops_the_machine_from_another_thread)
{
	static const struct bare_program p = {.cpus = 3,
					      .vcpu_main = run_for_ever,
					      .shared_bytes = sizeof(u64),
					      .max_steps = ~0ULL};

	for (u32 threads = 0; threads < 2; threads++) {
		struct bare_machine b;
		struct stopper s;
		pthread_t thread;

		bare_create(&b, &p, 1);
		s = (struct stopper){b.m, b.shared};
		cr_assert_eq(pthread_create(&thread, NULL, stop_from_outside, &s), 0);
		cr_assert_eq(threads ? bare_threads(&b) : bare_explore(&b), MACHINE_STOPPED);
		pthread_join(thread, NULL);
		cr_assert_eq(b.m->violations.nr, 0);
		bare_destroy(&b);
	}
}

static void stop_from_within(struct vcpu *v)
{
	u64 *rounds = shared_of(v);

	for (;;) {
		safepoint();
		if (atomic_inc_return(rounds) == 500)
			machine_stop(v->machine, MACHINE_STOPPED);
	}
}

Test(engine_violation, a_vcpu_stops_the_machine)
{
	static const struct bare_program p = {
		.cpus = 3, .vcpu_main = stop_from_within, .shared_bytes = sizeof(u64)};

	for (u32 threads = 0; threads < 2; threads++) {
		struct bare_machine b;

		bare_create(&b, &p, 1);
		cr_assert_eq(threads ? bare_threads(&b) : bare_explore(&b), MACHINE_STOPPED);
		bare_destroy(&b);
	}
}

/* What is found after the machine was asked to stop is not lost. */
static void stop_then_fail(struct vcpu *v)
{
	machine_stop(v->machine, MACHINE_STOPPED);
	VIOLATION(&inv_test, "found on the way out");
}

Test(engine_violation, a_violation_outweighs_a_stop)
{
	static const struct bare_program p = {.cpus = 1, .vcpu_main = stop_then_fail};

	for (u32 threads = 0; threads < 2; threads++) {
		struct bare_machine b;

		bare_create(&b, &p, 1);
		cr_assert_eq(threads ? bare_threads(&b) : bare_explore(&b), MACHINE_VIOLATION);
		bare_destroy(&b);
	}
}

/* --- The watchdog (threads) --------------------------------------------------------------------
 */

/* CPU 0 gets nowhere; CPU 1 gets on and its main function may even have returned. */
static void one_is_stuck(struct vcpu *v)
{
	u32 *never = shared_of(v);
	struct spin spin = {0};

	if (v->id == 0) {
		while (!READ_ONCE(*never))
			cpu_relax_on(never, &spin);
	}
	for (u32 i = 0; i < 100; i++) {
		vcpu_progress();
		safepoint();
	}
}

static void short_patience(struct bare_machine *b)
{
	b->m->config.stall_seconds = 1;
}

Test(engine_violation, watchdog_sees_the_vcpu_that_is_stuck)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = one_is_stuck, .shared_bytes = sizeof(u32)};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	short_patience(&b);
	cr_assert_eq(bare_threads(&b), MACHINE_NO_PROGRESS);
	cr_assert_str_eq(b.m->violations.first.invariant->slug, "soft-lockup");
	cr_assert_eq(b.m->violations.first.cpu, 0);
	cr_assert_str_eq(b.m->violations.first.where, "watchdog");
	bare_destroy(&b);
}

static void sleep_for_ever(struct vcpu *v)
{
	(void)v;
	for (;;) {
		local_irq_disable();
		vcpu_halt();
	}
}

Test(engine_violation, watchdog_sees_a_machine_that_sleeps_for_ever)
{
	static const struct bare_program p = {.cpus = 3, .vcpu_main = sleep_for_ever};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	short_patience(&b);
	cr_assert_eq(bare_threads(&b), MACHINE_DEADLOCK);
	cr_assert_str_eq(b.m->violations.first.invariant->slug, "hung-tasks");
	bare_destroy(&b);
}

/* CPU 0 works for longer than the watchdog waits, with progress; CPU 1 has ended long before:
 * neither is stuck. */
#define WORK_MS 2500

static void works_for_long(struct vcpu *v)
{
	if (v->id != 0)
		return;
	for (u32 ms = 0; ms < WORK_MS; ms += 50) {
		usleep(50000);
		vcpu_progress();
		safepoint();
	}
}

Test(engine_violation, watchdog_leaves_alone_who_works_or_has_ended)
{
	static const struct bare_program p = {.cpus = 2, .vcpu_main = works_for_long};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	short_patience(&b);
	bare_expect_finished(&b, bare_threads(&b));
	bare_destroy(&b);
}

/* CPU 0 sleeps in the host for longer than the watchdog waits: it was given no processor time, so
 * it is not to blame. */
static void starves(struct vcpu *v)
{
	if (v->id == 0)
		usleep(WORK_MS * 1000);
}

Test(engine_violation, watchdog_leaves_alone_who_was_not_run)
{
	static const struct bare_program p = {.cpus = 1, .vcpu_main = starves};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	short_patience(&b);
	bare_expect_finished(&b, bare_threads(&b));
	bare_destroy(&b);
}
