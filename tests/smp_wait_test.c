// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wait queues and completions.
 */
#include <criterion/criterion.h>

#include "smp/ipi.h"
#include "smp/wait.h"
#include "tests/support/test_machine.h"

#define WAITERS 4
#define ROUNDS 5

struct queue {
	struct wait_queue_head head;
	struct completion done;
	u64 tickets;  /* atomic */
	u64 consumed; /* atomic */
	u32 waiting;  /* atomic */
	u64 letter;   /* plain: written before complete(), read after wait_for_completion() */
};

static struct queue *make_queue(struct test_machine *t)
{
	struct queue *q = test_shared(t, sizeof(*q));

	init_waitqueue_head(&q->head);
	init_completion(&q->done);
	t->data = q;
	return q;
}

static bool take_ticket(struct queue *q)
{
	u64 n = READ_ONCE(q->tickets);

	while (n) {
		u64 seen = cmpxchg(&q->tickets, n, n - 1);

		if (seen == n)
			return true;
		n = seen;
	}
	return false;
}

/* --- wait_event, wake_up -------------------------------------------------------------------------
 */

static void consume(void *arg)
{
	struct queue *q = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		wait_event(&q->head, take_ticket(q));
		EXPECT_EQ(current->state, TASK_RUNNING);
		atomic_inc(&q->consumed);
		/* The wake-up for the next one may have been spent on us. */
		if (READ_ONCE(q->tickets))
			wake_up_one(&q->head);
	}
}

/* One wake-up for each ticket: if one is lost, somebody waits for ever. */
static void produce_one_by_one(void *arg)
{
	struct queue *q = arg;

	for (u32 i = 0; i < WAITERS / 2 * ROUNDS; i++) {
		atomic_inc(&q->tickets);
		wake_up_one(&q->head);
	}
}

static void produce_in_heaps(void *arg)
{
	struct queue *q = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		atomic_add(WAITERS / 2, &q->tickets);
		wake_up_all(&q->head);
	}
}

static void queue_setup(struct test_machine *t, void (*produce)(void *))
{
	struct queue *q = make_queue(t);

	for (u32 i = 0; i < WAITERS; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, consume, q);
	for (u32 i = 0; i < 2; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, produce, q);
}

static void one_by_one_setup(struct test_machine *t)
{
	queue_setup(t, produce_one_by_one);
}

static void heaps_setup(struct test_machine *t)
{
	queue_setup(t, produce_in_heaps);
}

static void all_consumed(const struct test_machine *t)
{
	struct queue *q = t->data;

	cr_assert_eq(q->consumed, WAITERS * ROUNDS);
	cr_assert_eq(q->tickets, 0);
	cr_assert(cds_list_empty(&q->head.waiters));
}

Test(smp_wait, wake_up_one_wakes_one_for_each_ticket)
{
	static const struct scenario s = {
		.cpus = 3, .setup = one_by_one_setup, .check = all_consumed};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

Test(smp_wait, wake_up_all_wakes_everybody)
{
	static const struct scenario s = {.cpus = 3, .setup = heaps_setup, .check = all_consumed};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

/* --- Completions ---------------------------------------------------------------------------------
 */

/* The completion lives on the waiter's stack, which is gone as soon as it has been let through. */
struct errand {
	struct completion *done;
	u64 letter;
};

static void do_errand(void *arg)
{
	struct errand *e = arg;
	struct completion *done = e->done;

	e->letter = 42;
	complete(done);
}

static void send_errands(void *arg)
{
	struct machine *m = this_vcpu()->machine;

	(void)arg;
	for (u32 i = 0; i < ROUNDS; i++) {
		struct completion done;
		struct errand e = {.done = &done};

		init_completion(&done);
		EXPECT(!completion_done(&done));
		EXPECT(test_task(m, sched_pick_cpu(m, NULL), do_errand, &e));
		wait_for_completion(&done);
		EXPECT_EQ(e.letter, 42);
		/* Whoever still touched it would see this. */
		done = (struct completion){0};
	}
}

static void errands_setup(struct test_machine *t)
{
	for (u32 i = 0; i < 3; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, send_errands, NULL);
}

Test(smp_wait, completion_on_the_stack)
{
	static const struct scenario s = {.cpus = 3, .setup = errands_setup};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

static void wait_once(void *arg)
{
	struct queue *q = arg;

	wait_for_completion(&q->done);
	EXPECT_EQ(q->letter, 7);
	atomic_inc(&q->consumed);
}

static void complete_each(void *arg)
{
	struct queue *q = arg;

	q->letter = 7;
	for (u32 i = 0; i < WAITERS; i++)
		complete(&q->done);
}

static void each_setup(struct test_machine *t)
{
	struct queue *q = make_queue(t);

	for (u32 i = 0; i < WAITERS; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, wait_once, q);
	(void)test_task(t->m, 0, complete_each, q);
}

static void nothing_left(const struct test_machine *t)
{
	struct queue *q = t->data;

	cr_assert_eq(q->consumed, WAITERS);
	cr_assert_eq(q->done.done, 0);
	cr_assert(cds_list_empty(&q->done.wait.waiters));
}

Test(smp_wait, each_complete_lets_one_through)
{
	static const struct scenario s = {.cpus = 3, .setup = each_setup, .check = nothing_left};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

static void complete_for_all(void *arg)
{
	struct queue *q = arg;

	q->letter = 7;
	complete_all(&q->done);
	/* Everybody is let through already: one more changes nothing. */
	complete(&q->done);
	EXPECT(completion_done(&q->done));
}

static void for_all_setup(struct test_machine *t)
{
	struct queue *q = make_queue(t);

	for (u32 i = 0; i < WAITERS; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, wait_once, q);
	(void)test_task(t->m, 0, complete_for_all, q);
}

static void open_for_ever(const struct test_machine *t)
{
	struct queue *q = t->data;

	cr_assert_eq(q->consumed, WAITERS);
	cr_assert_eq(q->done.done, ~0u);
}

Test(smp_wait, complete_all_lets_everybody_through_for_ever)
{
	static const struct scenario s = {
		.cpus = 3, .setup = for_all_setup, .check = open_for_ever};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

/* --- From an interrupt handler
 * --------------------------------------------------------------------- */

static void complete_in_handler(const struct call_args *args)
{
	complete((struct completion *)args->v[0]);
}

static void complete_by_interrupt(void *arg)
{
	struct queue *q = arg;
	u64 others[CPU_WORDS];
	struct call_args args = {{(u64)&q->done}};

	q->letter = 7;
	for (u32 i = 0; i < WAITERS; i++) {
		others[0] = 0;
		preempt_disable();
		others[0] = 1ULL << (1 - smp_processor_id());
		EXPECT_EQ(smp_call_function_many(others, complete_in_handler, &args), 1);
		preempt_enable();
	}
}

static void by_interrupt_setup(struct test_machine *t)
{
	struct queue *q = make_queue(t);

	for (u32 i = 0; i < WAITERS; i++)
		(void)test_task(t->m, i % 2, wait_once, q);
	(void)test_task(t->m, 0, complete_by_interrupt, q);
}

Test(smp_wait, handlers_may_complete)
{
	static const struct scenario s = {
		.cpus = 2, .setup = by_interrupt_setup, .check = nothing_left};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}
