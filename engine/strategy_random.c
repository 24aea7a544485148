// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Uniform random walk: at every decision point each runnable vCPU is equally likely. Says nothing
 * clever and misses nothing in principle; the yardstick for all other strategies.
 */
#include <stdlib.h>

#include "engine/random.h"
#include "engine/strategy.h"

struct strategy_random {
	struct strategy base;
	struct rng rng;
};

/* Stream numbers keep the strategy's draws apart from the tasks' (random_seed). */
#define STREAM_STRATEGY 0x5742a7e9ULL

static void random_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_random *r = (struct strategy_random *)s;

	(void)nr_vcpus;
	random_seed(&r->rng, seed, STREAM_STRATEGY);
}

static u32 random_pick(struct strategy *s, const struct decision *d)
{
	struct strategy_random *r = (struct strategy_random *)s;

	return runnable_nth(d->runnable, random_below(&r->rng, runnable_count(d->runnable)));
}

/* One in this many: events that a real machine sees much more rarely than memory accesses. */
static const u32 rarity[NR_CHOICES] = {
	[CHOICE_INTERRUPT] = 2, /* taken or delayed: both matter */
	[CHOICE_TICK] = 16,	/* some preemptions in a system call, not one at each access */
	[CHOICE_TLB_EVICT] = 32, [CHOICE_TLB_FILL] = 16, [CHOICE_ALLOC_FAIL] = 64,
	[CHOICE_DRAIN] = 8, /* what waits in a buffer for some steps is what shows */
};

static u32 random_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	struct strategy_random *r = (struct strategy_random *)s;

	(void)cpu;
	if (rarity[kind] && random_below(&r->rng, rarity[kind]))
		return 0;
	return rarity[kind] && n == 2 ? 1 : random_below(&r->rng, n);
}

static void random_destroy(struct strategy *s)
{
	free(s);
}

static const struct strategy_ops random_ops = {
	.name = "random",
	.begin = random_begin,
	.pick = random_pick,
	.choose = random_choose,
	.destroy = random_destroy,
};

struct strategy *strategy_random_create(void)
{
	struct strategy_random *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->base.ops = &random_ops;
	return &r->base;
}
