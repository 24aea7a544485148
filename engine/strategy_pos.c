// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pos, partial order sampling (Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling", CAV
 * 2018): every pending access has a random priority and the highest one is made. It draws anew for
 * the access that comes next on that vCPU, and for those that race with the one made (the same
 * address, at least one a write), which makes both orders of the next race equally likely, whatever
 * came before. Accesses that nothing depends on don't use up luck: orders of dependent accesses are
 * sampled rather than schedules.
 *
 * A vCPU whose access has drawn low stays where it is for as long as the others' draws are higher:
 * long delays at a single place come by themselves.
 */
#include <stdlib.h>

#include "engine/access.h"
#include "engine/strategy_choice.h"
#include "engine/strategy_kinds.h"

#define STREAM_POS 0x905a0001ULL

struct strategy_pos {
	struct strategy base;
	struct rng rng;
	u64 priority[MAX_VCPUS_EXPLORE]; /* of the access that the vCPU makes next */
	struct choice_habits habits;
};

static void pos_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_pos *p = (struct strategy_pos *)s;

	random_seed(&p->rng, seed, STREAM_POS);
	choice_habits_begin(&p->habits, seed, nr_vcpus);
	for (u32 i = 0; i < nr_vcpus; i++)
		p->priority[i] = random_u64(&p->rng);
}

static inline bool writes(const struct pending_access *a)
{
	return a->site && a->site->kind != ACCESS_LOAD;
}

/* @best goes on: the others' accesses to the same place race with its own. */
static inline void redraw_races(struct strategy_pos *p, const struct decision *d, u32 best)
{
	const struct pending_access *made = &d->pending[best];

	if (!made->address)
		return;
	for (u64 left = d->runnable & ~(1ULL << best); left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);
		const struct pending_access *other = &d->pending[cpu];

		if (unlikely(other->address == made->address) && (writes(made) || writes(other)))
			p->priority[cpu] = random_u64(&p->rng);
	}
}

static u32 pos_pick(struct strategy *s, const struct decision *d)
{
	struct strategy_pos *p = (struct strategy_pos *)s;
	u32 best = (u32)__builtin_ctzll(d->runnable);

	/* Whoever ran last stands before a new access. */
	p->priority[d->last] = random_u64(&p->rng);
	for (u64 left = d->runnable & (d->runnable - 1); left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		best = p->priority[cpu] > p->priority[best] ? cpu : best;
	}
	redraw_races(p, d, best);
	return best;
}

static u32 pos_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	return choice_habits_answer(&((struct strategy_pos *)s)->habits, kind, cpu, n);
}

static void pos_destroy(struct strategy *s)
{
	free(s);
}

static const struct strategy_ops pos_ops = {
	.name = "pos",
	.begin = pos_begin,
	.pick = pos_pick,
	.choose = pos_choose,
	.destroy = pos_destroy,
};

struct strategy *strategy_pos_create(const char *parameter, const struct strategy_place *place)
{
	struct strategy_pos *p = calloc(1, sizeof(*p));

	(void)parameter;
	(void)place;
	if (!p)
		return NULL;
	p->base.ops = &pos_ops;
	return &p->base;
}
