// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dfs:B: all schedules with at most B deviations, those with none first, then those with one, and
 * so on: iterative context bounding (Musuvathi and Qadeer, "Iterative Context Bounding for
 * Systematic Testing of Multithreaded Programs", PLDI 2007).
 *
 * What a deviation is. The default schedule lets each vCPU go on until it has to wait. Taking the
 * CPU from one that could go on is a deviation, and so is every choice against its default: an
 * interrupt taken at a decision point, a tick, another task than the first one that waits for the
 * CPU, an entry that the TLB drops or fills, an allocation that fails, a store that is drained, a
 * value of random data. Free is what somebody has to decide: which vCPU begins, and which goes on
 * when the last one had to wait. Of these all alternatives are tried.
 *
 * The search. A schedule is the list of its answers other than the default ones; each schedule is
 * the child of the one without its last answer, so each is run once. A branch is a schedule whose
 * children of one kind, free or costly, are being run one by one: the n-th alternative after its
 * last answer. Free children have the bound of their parent and are run next (a stack); the branch
 * of the costly ones waits for the next bound (a queue). So what has to be kept is a few words for
 * each schedule below the last bound, and nothing of the machine: each run begins anew.
 *
 * All schedules must be run from one seed (strategy.one_seed). Used by one thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/strategy.h"
#include "engine/strategy_kinds.h"

/* The more deviations, the more schedules: about (decision points)^B. With five the smallest
 * program has more than anybody can wait for. */
#define DFS_BOUND_MAX 16

/* An answer other than the default: alternative number @value (from 1) at call number @at. */
struct answer {
	u32 at, value;
};

enum price { FREE, COSTLY, NR_PRICES };

/* The children of one schedule: alternatives number next, next + stride, ... of @nr after its last
 * answer, counted over those of its kind. */
struct branch {
	struct branch *below; /* in the stack, or the queue */
	enum price price;
	u64 next, nr, stride;
	u32 nr_answers;
	struct answer answers[];
};

struct strategy_dfs {
	struct strategy base;
	struct strategy_place place;
	u32 max_bound;

	/* The search. */
	bool started;			   /* the default schedule has been run */
	u32 bound;			   /* deviations of the schedules now being run */
	struct branch *stack;		   /* of this bound */
	struct branch *later, **later_end; /* of the next one, a queue */
	u64 tried[DFS_BOUND_MAX + 1];	   /* schedules run, by their deviations */
	bool lost;			   /* no memory: branches are missing */
	bool diverged;			   /* a schedule did not repeat its parent's beginning */

	/* The schedule being run. */
	u32 calls;
	u32 answered;	      /* answers given of the branch's schedule */
	u64 skip;	      /* alternatives still to be passed by before the child's own answer */
	bool own;	      /* the child's own answer has been given */
	struct answer answer; /* which */
	u64 after[NR_PRICES]; /* alternatives after it */
};

/* The answer to this call, which has @n alternatives: 0 is the default. */
static u32 answer(struct strategy_dfs *s, enum price price, u32 n)
{
	const struct branch *b = s->stack;
	u32 at = s->calls++;

	if (s->own) {
		s->after[price] += n - 1;
		return 0;
	}
	if (s->answered < b->nr_answers) {
		const struct answer *a = &b->answers[s->answered];

		if (a->at != at)
			return 0;
		s->answered++;
		if (a->value < n)
			return a->value;
		s->diverged = true;
		return 0;
	}
	if (price != b->price)
		return 0;
	if (s->skip >= n - 1) {
		s->skip -= n - 1;
		return 0;
	}
	s->own = true;
	s->answer = (struct answer){at, (u32)s->skip + 1};
	return s->answer.value;
}

static void dfs_begin(struct strategy *base, u64 seed, u32 nr_vcpus)
{
	struct strategy_dfs *s = (struct strategy_dfs *)base;

	(void)seed;
	(void)nr_vcpus;
	s->calls = 0;
	s->answered = 0;
	s->after[FREE] = s->after[COSTLY] = 0;
	/* After the last schedule, or for the first one: the default. */
	s->own = !s->stack;
	s->skip = s->stack ? s->stack->next : 0;
}

/* The n-th of the runnable vCPUs, the default one first, then by number. */
static u32 dfs_pick(struct strategy *base, const struct decision *d)
{
	struct strategy_dfs *s = (struct strategy_dfs *)base;
	u32 by_default = decision_default(d);
	/* Nobody has run before the first step. */
	enum price price = d->step && d->runnable & (1ULL << d->last) ? COSTLY : FREE;
	u32 value = answer(s, price, runnable_count(d->runnable));

	if (!value)
		return by_default;
	return runnable_nth(d->runnable & ~(1ULL << by_default), value - 1);
}

static u32 dfs_choose(struct strategy *base, enum choice kind, u32 cpu, u32 n)
{
	(void)kind;
	(void)cpu;
	return answer((struct strategy_dfs *)base, COSTLY, n);
}

/* The children of the schedule that has just been run, from @first on. */
static struct branch *branch_of(struct strategy_dfs *s, enum price price, u64 first, u64 stride)
{
	const struct branch *parent = s->stack;
	u32 nr = parent ? parent->nr_answers + 1 : 0;
	struct branch *b;

	if (s->after[price] <= first)
		return NULL;
	b = malloc(sizeof(*b) + nr * sizeof(b->answers[0]));
	if (!b) {
		s->lost = true;
		return NULL;
	}
	b->below = NULL;
	b->price = price;
	b->next = first;
	b->nr = s->after[price];
	b->stride = stride;
	b->nr_answers = nr;
	if (parent) {
		memcpy(b->answers, parent->answers, parent->nr_answers * sizeof(b->answers[0]));
		b->answers[nr - 1] = s->answer;
	}
	return b;
}

static void pop(struct strategy_dfs *s)
{
	struct branch *b = s->stack;

	s->stack = b->below;
	free(b);
}

/* On to the next bound, if this one is done. */
static void next_bound(struct strategy_dfs *s)
{
	if (s->stack)
		return;
	if (!s->later) {
		s->base.exhausted = true;
		return;
	}
	s->bound++;
	s->stack = s->later;
	s->later = NULL;
	s->later_end = &s->later;
}

static void dfs_end(struct strategy *base, const struct explore_stats *stats)
{
	struct strategy_dfs *s = (struct strategy_dfs *)base;
	struct branch *parent = s->stack, *free_children, *costly_children = NULL;
	u64 first = parent ? 0 : s->place.worker, stride = parent ? 1 : s->place.nr_workers;

	(void)stats;
	if (s->base.exhausted)
		return;
	if (!s->own || s->answered < (parent ? parent->nr_answers : 0)) {
		/* Not the child that it was to be. */
		s->diverged = true;
		pop(s);
		next_bound(s);
		return;
	}
	/* All workers run the default schedule, since their shares begin with it. One counts it. */
	if (parent || !s->place.worker)
		s->tried[s->bound]++;
	free_children = branch_of(s, FREE, first, stride);
	if (s->bound < s->max_bound)
		costly_children = branch_of(s, COSTLY, first, stride);
	if (costly_children) {
		*s->later_end = costly_children;
		s->later_end = &costly_children->below;
	}
	if (parent) {
		parent->next += parent->stride;
		if (parent->next >= parent->nr)
			pop(s);
	}
	if (free_children) {
		free_children->below = s->stack;
		s->stack = free_children;
	}
	next_bound(s);
}

static void dfs_bound(const struct strategy *base, char *text, size_t size)
{
	const struct strategy_dfs *s = (const struct strategy_dfs *)base;
	const char *share = s->place.nr_workers > 1 ? " of this worker's share" : "";
	const char *doubt = s->diverged ? "; not all of them could be repeated, so some are missing"
			    : s->lost	? "; memory ran out, so some are missing"
					: "";

	if (s->base.exhausted && s->bound < s->max_bound)
		snprintf(
			text, size,
			"all schedules%s with any number of deviations: no more than %u are possible%s",
			share, s->bound, doubt);
	else if (s->base.exhausted)
		snprintf(text, size,
			 "all schedules%s with at most %u deviations, the last %" PRIu64
			 " of them with %u; none with more%s",
			 share, s->bound, s->tried[s->bound], s->bound, doubt);
	else if (s->bound)
		snprintf(text, size,
			 "all schedules%s with at most %u deviations, and %" PRIu64
			 " of those with %u, which are not exhausted%s",
			 share, s->bound - 1, s->tried[s->bound], s->bound, doubt);
	else
		snprintf(text, size,
			 "%" PRIu64 " schedules%s without a deviation, which are not exhausted%s",
			 s->tried[0], share, doubt);
}

static void free_branches(struct branch *b)
{
	while (b) {
		struct branch *below = b->below;

		free(b);
		b = below;
	}
}

static void dfs_destroy(struct strategy *base)
{
	struct strategy_dfs *s = (struct strategy_dfs *)base;

	free_branches(s->stack);
	free_branches(s->later);
	free(s);
}

static const struct strategy_ops dfs_ops = {
	.name = "dfs",
	.begin = dfs_begin,
	.pick = dfs_pick,
	.choose = dfs_choose,
	.end = dfs_end,
	.bound = dfs_bound,
	.destroy = dfs_destroy,
};

/* Deviations when none are named: most bugs take no more than two (Musuvathi and Qadeer). */
#define DFS_BOUND_DEFAULT 2

/* The bound that @parameter names, or -1. */
static int parse_bound(const char *parameter)
{
	int bound = 0;

	if (!*parameter)
		return DFS_BOUND_DEFAULT;
	for (; *parameter; parameter++) {
		if (*parameter < '0' || *parameter > '9')
			return -1;
		bound = bound * 10 + (*parameter - '0');
		if (bound > DFS_BOUND_MAX)
			return -1;
	}
	return bound;
}

_Static_assert(DFS_BOUND_MAX == 16, "the message below has it");

const char *strategy_dfs_refusal(const char *parameter)
{
	return parse_bound(parameter) < 0 ? "takes a bound from 0 to 16, as in dfs:2" : NULL;
}

struct strategy *strategy_dfs_create(const char *parameter, const struct strategy_place *place)
{
	struct strategy_dfs *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.ops = &dfs_ops;
	s->base.one_seed = true;
	s->place = *place;
	s->max_bound = (u32)parse_bound(parameter);
	s->later_end = &s->later;
	return &s->base;
}
