// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * portfolio: several strategies, a schedule each in turn. No strategy is best for all bugs; a
 * mixture of m of them needs at most m times the schedules of the best one for any bug, whichever
 * that is, and mostly far fewer than the one that was picked wrong.
 *
 * Wraps: it owns its inner strategies and hands every call of a schedule to the one whose turn it
 * is. What one learns from its schedules stays its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/strategy_kinds.h"

/* `portfolio` alone. The two that need no knowledge of the program, the one with a guarantee for
 * small depths, and the one that learns: docs/strategies.md has what each finds. */
#define DEFAULT_MEMBERS "random,pct:1-4,pos,urw"
#define MEMBERS_MAX 16
/* Where one member wants the same seed for all schedules (strategy.one_seed), the others make their
 * own of it: splitmix64's increment, so that no two are near each other. */
#define SEED_STRIDE 0x9e3779b97f4a7c15ULL
#define MEMBER_SIZE 32

struct strategy_portfolio {
	struct strategy base;
	struct strategy *turn; /* whose schedule this is */
	u32 nr, next;	       /* members; which of them has the turn */
	struct strategy *inner[MEMBERS_MAX];
	u64 schedules[MEMBERS_MAX]; /* of each */
};

static struct strategy *turn_of(struct strategy *s)
{
	return ((struct strategy_portfolio *)s)->turn;
}

static void portfolio_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_portfolio *p = (struct strategy_portfolio *)s;

	if (s->one_seed && !p->turn->one_seed)
		seed += p->schedules[p->next] * SEED_STRIDE;
	p->schedules[p->next]++;
	p->turn->ops->begin(p->turn, seed, nr_vcpus);
}

static u32 portfolio_pick(struct strategy *s, const struct decision *d)
{
	struct strategy *t = turn_of(s);

	return t->ops->pick(t, d);
}

static u32 portfolio_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	struct strategy *t = turn_of(s);

	return t->ops->choose(t, kind, cpu, n);
}

static void portfolio_step(struct strategy *s, u32 cpu, const struct pending_access *access,
			   u64 history)
{
	struct strategy *t = turn_of(s);

	if (t->ops->step)
		t->ops->step(t, cpu, access, history);
}

static void portfolio_touch(struct strategy *s, u32 cpu, u64 address, bool write)
{
	struct strategy *t = turn_of(s);

	if (t->ops->touch)
		t->ops->touch(t, cpu, address, write);
}

static void portfolio_yielded(struct strategy *s, u32 cpu)
{
	struct strategy *t = turn_of(s);

	if (t->ops->yielded)
		t->ops->yielded(t, cpu);
}

static void portfolio_woken(struct strategy *s, u32 cpu)
{
	struct strategy *t = turn_of(s);

	if (t->ops->woken)
		t->ops->woken(t, cpu);
}

static void portfolio_interrupted(struct strategy *s, u32 cpu)
{
	struct strategy *t = turn_of(s);

	if (t->ops->interrupted)
		t->ops->interrupted(t, cpu);
}

static void set_turn(struct strategy_portfolio *p, u32 next);

static void portfolio_end(struct strategy *s, const struct explore_stats *stats)
{
	struct strategy_portfolio *p = (struct strategy_portfolio *)s;

	if (p->turn->ops->end)
		p->turn->ops->end(p->turn, stats);
	set_turn(p, (p->next + 1) % p->nr);
}

static void portfolio_bound(const struct strategy *s, char *text, size_t size)
{
	const struct strategy_portfolio *p = (const struct strategy_portfolio *)s;
	size_t len = 0;

	for (u32 i = 0; i < p->nr && len < size; i++) {
		int n = snprintf(text + len, size - len, "%s%llu schedules of %s", i ? ", " : "",
				 (unsigned long long)p->schedules[i], p->inner[i]->ops->name);

		len += n > 0 ? (size_t)n : 0;
	}
	if (len < size && !s->exhausted)
		snprintf(text + len, size - len, ": samples, nothing is exhausted");
}

static void portfolio_destroy(struct strategy *s)
{
	struct strategy_portfolio *p = (struct strategy_portfolio *)s;

	for (u32 i = 0; i < p->nr; i++)
		strategy_destroy(p->inner[i]);
	free(p);
}

#define PORTFOLIO_OPS                                                                              \
	.name = "portfolio", .begin = portfolio_begin, .pick = portfolio_pick,                     \
	.choose = portfolio_choose, .yielded = portfolio_yielded, .woken = portfolio_woken,        \
	.interrupted = portfolio_interrupted, .end = portfolio_end, .bound = portfolio_bound,      \
	.destroy = portfolio_destroy

static const struct strategy_ops portfolio_ops = {PORTFOLIO_OPS};

/* For the schedules of members that want to see every step, which costs time. */
static const struct strategy_ops portfolio_watching_ops = {
	PORTFOLIO_OPS,
	.step = portfolio_step,
	.touch = portfolio_touch,
};

/* The next schedule is for member @next, or the first one from there on that has any left. */
static void set_turn(struct strategy_portfolio *p, u32 next)
{
	u32 skipped = 0;

	while (skipped < p->nr && p->inner[next]->exhausted) {
		next = (next + 1) % p->nr;
		skipped++;
	}
	p->base.exhausted = skipped == p->nr;
	p->next = next;
	p->turn = p->inner[next];
	p->base.ops = p->turn->ops->step || p->turn->ops->touch ? &portfolio_watching_ops
								: &portfolio_ops;
}

struct strategy *strategy_portfolio_of(struct strategy *const *inner, u32 nr, u32 first)
{
	struct strategy_portfolio *p = NULL;
	bool complete = nr > 0 && nr <= MEMBERS_MAX;

	for (u32 i = 0; i < nr; i++)
		complete &= inner[i] != NULL;
	if (complete)
		p = calloc(1, sizeof(*p));
	if (!p) {
		for (u32 i = 0; i < nr; i++)
			strategy_destroy(inner[i]);
		return NULL;
	}
	memcpy(p->inner, inner, nr * sizeof(inner[0]));
	p->nr = nr;
	for (u32 i = 0; i < nr; i++)
		p->base.one_seed |= inner[i]->one_seed;
	set_turn(p, first % nr);
	return &p->base;
}

/* --- From text ---------------------------------------------------------------------------------
 */

/* Copies the first member of *@list and moves on behind it; false if it is too long. */
static bool next_member(const char **list, char member[MEMBER_SIZE])
{
	size_t length = strcspn(*list, ",");

	if (length >= MEMBER_SIZE)
		return false;
	memcpy(member, *list, length);
	member[length] = '\0';
	*list += length + ((*list)[length] == ',' && (*list)[length + 1]);
	return true;
}

const char *strategy_portfolio_refusal(const char *parameter)
{
	const char *wrong = "takes up to 16 other strategies, as in portfolio:random,pct:1-4,pos";
	char member[MEMBER_SIZE];

	for (u32 nr = 0; *parameter; nr++) {
		if (nr == MEMBERS_MAX || !next_member(&parameter, member) ||
		    strategy_refusal(member) || !strncmp(member, "portfolio", strlen("portfolio")))
			return wrong;
		if (*parameter == ',')
			return wrong;
	}
	return NULL;
}

struct strategy *strategy_portfolio_create(const char *parameter,
					   const struct strategy_place *place)
{
	struct strategy *inner[MEMBERS_MAX];
	char member[MEMBER_SIZE];
	u32 nr = 0;

	if (!*parameter)
		parameter = DEFAULT_MEMBERS;
	while (*parameter && nr < MEMBERS_MAX && next_member(&parameter, member))
		inner[nr++] = strategy_create_at(member, place);
	/* Workers begin with different members, so that few schedules of many workers mix too. */
	return strategy_portfolio_of(inner, nr, place->worker);
}
