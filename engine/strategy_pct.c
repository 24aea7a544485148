// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pct:D, probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi and Nagarakatte, "A
 * Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010): the vCPUs have
 * random priorities, the highest runnable one goes on, and at D - 1 random points of the schedule
 * the one that would go on falls below all others. A bug of depth D on n vCPUs in k steps shows in
 * at least one of n * k^(D-1) schedules.
 *
 * What differs from the paper, for this machine:
 * - Only picks count as steps: where one vCPU alone can run there is no choice, and a change of
 *   priorities there would be spent for nothing.
 * - k is learned: the number of picks of the longest of the last schedules, forgotten slowly.
 * - A spinner that yields again and again (YIELD_PATIENCE) loses its priority to all others. Not at
 *   once, as with the paper's yields: here it is not runnable until what it waits for changes, as
 *   if it were blocked, and a change of priorities that no change point paid for hides bugs
 *   (docs/strategies.md). A vCPU that was chosen FAIR_PICKS times in a row loses its priority too:
 *   the kernel has loops that wait without saying so.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/strategy_choice.h"
#include "engine/strategy_kinds.h"

#define DEPTH_MAX 100
/* `pct` alone. Bugs of greater depth are rare (Lu et al., ASPLOS 2008: 96 % of the bugs that they
 * studied depend on the order among at most four accesses). */
#define DEFAULT_DEPTHS "1-4"

/* Picks of a schedule before one was seen: a small program's (see docs/strategies.md). */
#define FIRST_LENGTH 256
/* Of what a long schedule was longer than the ones after it, one in so many is forgotten each. */
#define LENGTH_DECAY 8

/* Several times a whole system call, far below where a schedule counts as without progress
 * (--max-steps). */
#define FAIR_PICKS 4096

/* Waits of a vCPU after which it loses its priority: more than an uncontended program has locks to
 * wait for. */
#define YIELD_PATIENCE 16

#define STREAM_PCT 0x9c7d0001ULL

struct strategy_pct {
	struct strategy base;
	struct rng rng;
	u32 depth, depth_min, depth_max;
	u32 nr_points, next_point;
	u64 length; /* the estimate, picks */
	u64 picks;
	u64 next_event; /* pick at which something other than going on is due */
	u64 best_since; /* pick from which on @best has been chosen */
	u64 runnable;	/* for which @best was found; 0: look again */
	u32 best;
	s32 lowest;			 /* of all priorities so far */
	s32 priority[MAX_VCPUS_EXPLORE]; /* all different */
	u32 yields[MAX_VCPUS_EXPLORE];	 /* since it last lost its priority */
	struct change_point {
		u64 at;
		s32 priority; /* that the vCPU gets */
	} points[DEPTH_MAX];
	struct choice_habits habits;
};

/* A random order of @nr numbers from @from on. */
static void shuffle(struct rng *rng, s32 *to, u32 nr, s32 from)
{
	for (u32 i = 0; i < nr; i++) {
		u32 j = random_below(rng, i + 1);

		to[i] = to[j];
		to[j] = from + (s32)i;
	}
}

static void draw_points(struct strategy_pct *p)
{
	s32 priorities[DEPTH_MAX];

	shuffle(&p->rng, priorities, p->nr_points, 0);
	for (u32 i = 0; i < p->nr_points; i++) {
		struct change_point new = {1 + random_below(&p->rng, p->length), priorities[i]};
		u32 j = i;

		for (; j > 0 && p->points[j - 1].at > new.at; j--)
			p->points[j] = p->points[j - 1];
		p->points[j] = new;
	}
}

static void next_event(struct strategy_pct *p)
{
	p->next_event = p->best_since + FAIR_PICKS;
	if (p->next_point < p->nr_points)
		p->next_event = min(p->next_event, p->points[p->next_point].at);
}

static void pct_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_pct *p = (struct strategy_pct *)s;

	random_seed(&p->rng, seed, STREAM_PCT);
	choice_habits_begin(&p->habits, seed, nr_vcpus);
	memset(p->yields, 0, nr_vcpus * sizeof(p->yields[0]));
	p->nr_points = p->depth - 1;
	p->next_point = 0;
	p->lowest = 0;
	p->picks = 0;
	p->best_since = 0;
	p->runnable = 0;
	p->best = MAX_VCPUS_EXPLORE;
	shuffle(&p->rng, p->priority, nr_vcpus, (s32)p->nr_points);
	draw_points(p);
	next_event(p);
}

static void lose_priority(struct strategy_pct *p, u32 cpu)
{
	p->priority[cpu] = --p->lowest;
	p->yields[cpu] = 0;
	p->runnable = 0;
}

static u32 highest(const struct strategy_pct *p, u64 runnable)
{
	u32 best = (u32)__builtin_ctzll(runnable);

	for (u64 left = runnable & (runnable - 1); left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		best = p->priority[cpu] > p->priority[best] ? cpu : best;
	}
	return best;
}

static void find_best(struct strategy_pct *p, u64 runnable)
{
	u32 best = highest(p, runnable);

	if (best != p->best)
		p->best_since = p->picks;
	p->best = best;
	p->runnable = runnable;
}

/* A change point has been reached, or somebody has gone on for too long. */
static __noinline void pct_event(struct strategy_pct *p, u64 runnable)
{
	find_best(p, runnable);
	if (p->picks >= p->best_since + FAIR_PICKS) {
		lose_priority(p, p->best);
		find_best(p, runnable);
	}
	while (p->next_point < p->nr_points && p->points[p->next_point].at <= p->picks) {
		p->priority[p->best] = p->points[p->next_point++].priority;
		find_best(p, runnable);
	}
	next_event(p);
}

static u32 pct_pick(struct strategy *s, const struct decision *d)
{
	struct strategy_pct *p = (struct strategy_pct *)s;

	p->picks++;
	if (unlikely(p->picks >= p->next_event))
		pct_event(p, d->runnable);
	else if (d->runnable != p->runnable)
		find_best(p, d->runnable);
	return p->best;
}

static u32 pct_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	return choice_habits_answer(&((struct strategy_pct *)s)->habits, kind, cpu, n);
}

static void pct_yielded(struct strategy *s, u32 cpu)
{
	struct strategy_pct *p = (struct strategy_pct *)s;

	if (++p->yields[cpu] == YIELD_PATIENCE)
		lose_priority(p, cpu);
}

static void pct_end(struct strategy *s, const struct explore_stats *stats)
{
	struct strategy_pct *p = (struct strategy_pct *)s;

	(void)stats;
	p->length = max(p->picks, p->length - p->length / LENGTH_DECAY);
	p->length = max(p->length, 1ULL);
	p->depth = p->depth < p->depth_max ? p->depth + 1 : p->depth_min;
}

static void pct_destroy(struct strategy *s)
{
	free(s);
}

static const struct strategy_ops pct_ops = {
	.name = "pct",
	.begin = pct_begin,
	.pick = pct_pick,
	.choose = pct_choose,
	.yielded = pct_yielded,
	.end = pct_end,
	.destroy = pct_destroy,
};

/* "D" or "D-E"; false for anything else. */
static bool read_depths(const char *text, u32 *from, u32 *to)
{
	u32 number[2] = {0, 0};
	u32 nr = 0;

	for (const char *c = text; nr < 2; c++) {
		if (*c >= '0' && *c <= '9') {
			number[nr] = number[nr] * 10 + (u32)(*c - '0');
			if (number[nr] > DEPTH_MAX)
				return false;
			continue;
		}
		/* 0 is no depth, and stands for no digit at all too. */
		if (!number[nr++] || (*c && (*c != '-' || nr == 2)))
			return false;
		if (!*c)
			break;
	}
	*from = number[0];
	*to = number[nr - 1];
	return *from <= *to;
}

const char *strategy_pct_refusal(const char *parameter)
{
	u32 from, to;

	if (!*parameter || read_depths(parameter, &from, &to))
		return NULL;
	return "takes a depth from 1 to 100, as in pct:3, or several in turn, as in pct:1-4";
}

struct strategy *strategy_pct_create(const char *parameter, const struct strategy_place *place)
{
	struct strategy_pct *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->base.ops = &pct_ops;
	(void)read_depths(*parameter ? parameter : DEFAULT_DEPTHS, &p->depth_min, &p->depth_max);
	/* Workers begin with different depths. */
	p->depth = p->depth_min + place->worker % (p->depth_max - p->depth_min + 1);
	p->length = FIRST_LENGTH;
	return &p->base;
}
