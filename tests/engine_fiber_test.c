// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fibers by themselves: no machine, no vCPU.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "engine/fiber.h"

#define STACK_BYTES (64u << 10)
#define ROUND_TRIPS 1000

/* A fiber that counts and goes back to its caller each time it is resumed. */
struct counter {
	struct fiber fiber, host;
	u64 count;
	u64 start;
};

static void count_up(void *arg)
{
	struct counter *c = arg;
	u64 local = c->start; /* must survive the switches */

	for (;;) {
		c->count = ++local;
		fiber_switch(&c->fiber, &c->host);
	}
}

static void count_create(struct counter *c, struct fiber_stack_pool *pool, u64 start)
{
	c->start = start;
	cr_assert_eq(fiber_create(&c->fiber, pool, count_up, c), 0);
}

static void resume(struct counter *c)
{
	fiber_init_host(&c->host);
	fiber_switch(&c->host, &c->fiber);
}

Test(engine_fiber, keeps_its_stack_across_switches)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter c = {0};

	count_create(&c, pool, 0);
	for (u64 i = 1; i <= ROUND_TRIPS; i++) {
		resume(&c);
		cr_assert_eq(c.count, i);
	}
	fiber_release(&c.fiber, pool);
	fiber_stack_pool_destroy(pool);
}

#define MANY 200

Test(engine_fiber, many_do_not_mix)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter c[MANY];

	memset(c, 0, sizeof(c));
	for (u64 i = 0; i < MANY; i++)
		count_create(&c[i], pool, i * ROUND_TRIPS);
	for (u64 round = 1; round <= 10; round++) {
		for (u64 i = 0; i < MANY; i++) {
			resume(&c[i]);
			cr_assert_eq(c[i].count, i * ROUND_TRIPS + round);
		}
	}
	for (u64 i = 0; i < MANY; i++)
		fiber_release(&c[i].fiber, pool);
	fiber_stack_pool_destroy(pool);
}

Test(engine_fiber, starts_over)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter c = {0};

	count_create(&c, pool, 10);
	resume(&c);
	resume(&c);
	cr_assert_eq(c.count, 12);
	c.start = 100;
	fiber_restart(&c.fiber, count_up, &c);
	resume(&c);
	cr_assert_eq(c.count, 101);
	fiber_release(&c.fiber, pool);
	fiber_stack_pool_destroy(pool);
}

/* A stack that is given back is the next to be used, and its fiber starts afresh. */
Test(engine_fiber, stacks_are_reused)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter a = {0}, b = {0};
	void *stack;

	count_create(&a, pool, 0);
	resume(&a);
	stack = a.fiber.stack;
	fiber_release(&a.fiber, pool);
	cr_assert_null(a.fiber.stack);
	fiber_release(&a.fiber, pool); /* nothing left to give back */
	count_create(&b, pool, 50);
	cr_assert_eq(b.fiber.stack, stack);
	resume(&b);
	cr_assert_eq(b.count, 51);
	fiber_release(&b.fiber, pool);
	fiber_stack_pool_destroy(pool);
}

/* Can the host's kernel read the byte at @p? */
static bool readable(const char *p)
{
	int ends[2];
	bool yes;

	cr_assert_eq(pipe(ends), 0);
	yes = write(ends[1], p, 1) == 1;
	cr_assert(yes || errno == EFAULT);
	close(ends[0]);
	close(ends[1]);
	return yes;
}

Test(engine_fiber, stack_ends_in_a_guard)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter c = {0};
	const char *stack;

	count_create(&c, pool, 0);
	stack = c.fiber.stack;
	cr_assert_geq(c.fiber.stack_size, STACK_BYTES);
	cr_assert(readable(stack));
	cr_assert(readable(stack + c.fiber.stack_size - 1));
	cr_assert_not(readable(stack - 1));
	fiber_release(&c.fiber, pool);
	fiber_stack_pool_destroy(pool);
}

#define DEEP_FRAME 4096

static u64 descend(u64 depth)
{
	volatile char frame[DEEP_FRAME];

	frame[0] = (char)depth;
	frame[DEEP_FRAME - 1] = (char)depth;
	if (depth == 0)
		return 0;
	return descend(depth - 1) + 1 + (u64)(frame[0] - frame[DEEP_FRAME - 1]);
}

static void use_stack(void *arg)
{
	struct counter *c = arg;

	/* Half of it: sanitizers make frames larger. */
	c->count = descend(STACK_BYTES / DEEP_FRAME / 2);
	fiber_switch_final(&c->fiber, &c->host);
}

Test(engine_fiber, stack_is_as_deep_as_asked)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter c = {0};

	/* Twice: the second time on a stack that has been used. */
	for (u32 i = 0; i < 2; i++) {
		cr_assert_eq(fiber_create(&c.fiber, pool, use_stack, &c), 0);
		resume(&c);
		cr_assert_eq(c.count, STACK_BYTES / DEEP_FRAME / 2);
		fiber_release(&c.fiber, pool);
	}
	fiber_stack_pool_destroy(pool);
}

static void *resume_on_thread(void *arg)
{
	resume(arg);
	return NULL;
}

/* A fiber goes on on another thread than the one that left it. */
Test(engine_fiber, moves_between_threads)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct counter c = {0};

	count_create(&c, pool, 0);
	for (u64 i = 1; i <= 20; i += 2) {
		pthread_t thread;

		resume(&c);
		cr_assert_eq(c.count, i);
		cr_assert_eq(pthread_create(&thread, NULL, resume_on_thread, &c), 0);
		pthread_join(thread, NULL);
		cr_assert_eq(c.count, i + 1);
	}
	fiber_release(&c.fiber, pool);
	fiber_stack_pool_destroy(pool);
}

/* Two fibers that hand over to each other, not to the host. */
struct pair {
	struct fiber a, b, host;
	u64 turns;
	u64 out_of_turn;
};

static void ping(void *arg)
{
	struct pair *p = arg;

	while (p->turns < ROUND_TRIPS) {
		p->out_of_turn += p->turns++ % 2 != 0;
		fiber_switch(&p->a, &p->b);
	}
	fiber_switch_final(&p->a, &p->host);
}

static void pong(void *arg)
{
	struct pair *p = arg;

	for (;;) {
		p->out_of_turn += p->turns++ % 2 != 1;
		fiber_switch(&p->b, &p->a);
	}
}

Test(engine_fiber, hand_over_to_each_other)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);
	struct pair p = {0};

	cr_assert_eq(fiber_create(&p.a, pool, ping, &p), 0);
	cr_assert_eq(fiber_create(&p.b, pool, pong, &p), 0);
	fiber_init_host(&p.host);
	fiber_switch(&p.host, &p.a);
	cr_assert_eq(p.turns, ROUND_TRIPS);
	cr_assert_eq(p.out_of_turn, 0);
	/* b stands in the middle of its loop, and is simply given back. */
	fiber_release(&p.a, pool);
	fiber_release(&p.b, pool);
	fiber_stack_pool_destroy(pool);
}

/* Twice as many stacks at once, a hundred times: pool and sanitizers forget nothing. */
Test(engine_fiber, abandoned_fibers_cost_nothing)
{
	struct fiber_stack_pool *pool = fiber_stack_pool_create(STACK_BYTES);

	for (u32 round = 0; round < 100; round++) {
		struct counter c[2];

		memset(c, 0, sizeof(c));
		for (u64 i = 0; i < 2; i++) {
			count_create(&c[i], pool, i);
			resume(&c[i]);
			fiber_restart(&c[i].fiber, count_up, &c[i]);
			resume(&c[i]);
			cr_assert_eq(c[i].count, i + 1);
			fiber_release(&c[i].fiber, pool);
		}
	}
	fiber_stack_pool_destroy(pool);
}
