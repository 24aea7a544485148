// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * urw, the selectively uniform random walk (Zhao, Wolff, Mathur and Roychoudhury, "Selectively
 * Uniform Concurrency Testing", ASPLOS 2025). Picking each runnable vCPU with equal probability
 * favours interleavings in which one gets through early; picking in proportion to the steps that
 * each has left makes all interleavings equally likely. How many are left is learned from the
 * schedules before.
 *
 * Selectively: most steps don't matter. In most schedules a few addresses are selected, and what is
 * made uniform are the interleavings of the accesses to these alone: the vCPU that makes the next
 * one is drawn in proportion to the selected accesses that each has left, and the others wait when
 * they come to one of theirs. All other steps are a plain random walk. Addresses that may be
 * selected are those that two vCPUs access and one writes; they are learned too.
 *
 * What differs from the paper, for this machine: a drawn vCPU that sleeps, waits in a loop or keeps
 * the others waiting for PATIENCE picks gives up its turn; what was learned is forgotten in time,
 * since the next schedule may be of another program.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/access.h"
#include "engine/strategy_choice.h"
#include "engine/strategy_kinds.h"

#define STREAM_URW 0x59d10001ULL

/* Addresses that are remembered: a few hundred are shared in the programs explored here. A power of
 * two. What finds no place near its own is left out. */
#define SLOTS 1024
#define PROBES 8
/* One schedule in so many looks at all addresses, and so do the first few. */
#define LEARN_EVERY 16
#define LEARN_FIRST 2
/* Schedules in so many of which nothing is selected: plain uniform random walk. */
#define PLAIN_ONE_IN 4
/* Addresses that are selected, at most: an order among few accesses is what most bugs need (Lu et
 * al., ASPLOS 2008: to one variable in two of three cases, or else two). */
#define SELECTED_MAX 2
/* A schedule's facts count for 1/4 in the running averages. */
#define AVERAGE_SHIFT 2
/* Averages are kept in 1/16: small numbers matter. */
#define AVERAGE_ONE 16
/* Picks that others wait for the one whose turn it is: several times a system call. */
#define PATIENCE 2048

struct urw_slot {
	u64 address;	      /* 0: free */
	u64 readers, writers; /* vCPUs */
};

struct strategy_urw {
	struct strategy base;
	struct rng rng;
	u32 nr_vcpus;
	u32 schedules;		    /* of this strategy so far */
	bool learning;		    /* in this schedule */
	u64 selected[SELECTED_MAX]; /* addresses; 0: none */
	u32 turn;		    /* vCPU that makes the next selected access */
	u32 waited;		    /* picks in which somebody waited for it */
	/* Steps of each vCPU: the average of the schedules that were looked at; of the last one of
	 * them; picks in this one. */
	u32 average[MAX_VCPUS_EXPLORE], steps[MAX_VCPUS_EXPLORE], done[MAX_VCPUS_EXPLORE];
	/* Selected accesses that are left, as far as is known. */
	u32 left[MAX_VCPUS_EXPLORE];
	/* The last schedule that was looked at: addresses, and how often each vCPU was there. */
	u32 nr_shared;
	u16 shared[SLOTS]; /* slots that may be selected */
	struct urw_slot slots[SLOTS];
	u16 (*count)[MAX_VCPUS_EXPLORE]; /* [SLOTS] */
	struct choice_habits habits;
};

/* --- Addresses -------------------------------------------------------------------------------- */

/* The place of @address, or of nothing yet; SLOTS if there is none left. */
static u32 slot_of(const struct strategy_urw *u, u64 address)
{
	/* Fibonacci hashing (Knuth, TAOCP 3, 6.4): the high bits of a multiplication. */
	u32 at = (u32)((address * 0x9e3779b97f4a7c15ULL) >> 32) % SLOTS;

	for (u32 i = 0; i < PROBES; i++, at = (at + 1) % SLOTS) {
		if (u->slots[at].address == address || !u->slots[at].address)
			return at;
	}
	return SLOTS;
}

/* strategy_ops.step, in the schedules that are looked at. */
static void urw_step(struct strategy *s, u32 cpu, const struct pending_access *a, u64 history)
{
	struct strategy_urw *u = (struct strategy_urw *)s;
	u32 at = a->address ? slot_of(u, a->address) : SLOTS;

	(void)history;
	u->steps[cpu]++;
	if (at == SLOTS)
		return;
	u->slots[at].address = a->address;
	if (a->site->kind == ACCESS_LOAD)
		u->slots[at].readers |= 1ULL << cpu;
	else
		u->slots[at].writers |= 1ULL << cpu;
	if (u->count[at][cpu] < UINT16_MAX)
		u->count[at][cpu]++;
}

static void begin_learning(struct strategy_urw *u)
{
	memset(u->slots, 0, sizeof(u->slots));
	memset(u->count, 0, SLOTS * sizeof(u->count[0]));
	memset(u->steps, 0, sizeof(u->steps));
}

static void end_learning(struct strategy_urw *u)
{
	u->nr_shared = 0;
	for (u32 at = 0; at < SLOTS; at++) {
		const struct urw_slot *slot = &u->slots[at];
		u64 all = slot->readers | slot->writers;

		if (slot->writers && (all & (all - 1)))
			u->shared[u->nr_shared++] = (u16)at;
	}
	for (u32 cpu = 0; cpu < u->nr_vcpus; cpu++) {
		u32 steps = u->steps[cpu] * AVERAGE_ONE;

		u->average[cpu] = u->schedules
					  ? u->average[cpu] - (u->average[cpu] >> AVERAGE_SHIFT) +
						    (steps >> AVERAGE_SHIFT)
					  : steps;
	}
}

/* --- Turns -------------------------------------------------------------------------------------
 */

static void select_addresses(struct strategy_urw *u)
{
	u32 nr = 1 + random_below(&u->rng, SELECTED_MAX);

	memset(u->selected, 0, sizeof(u->selected));
	memset(u->left, 0, u->nr_vcpus * sizeof(u->left[0]));
	if (u->learning || !u->nr_shared || !random_below(&u->rng, PLAIN_ONE_IN))
		return;
	for (u32 i = 0; i < nr; i++) {
		u32 at = u->shared[random_below(&u->rng, u->nr_shared)];

		if (i && u->slots[at].address == u->selected[0])
			break;
		u->selected[i] = u->slots[at].address;
		for (u32 cpu = 0; cpu < u->nr_vcpus; cpu++)
			u->left[cpu] += u->count[at][cpu];
	}
}

static inline bool is_selected(const struct strategy_urw *u, const struct pending_access *a)
{
	return a->address && (a->address == u->selected[0] || a->address == u->selected[1]);
}

/* One of @among, in proportion to the selected accesses that each has left, if any has. */
static u32 draw_turn(struct strategy_urw *u, u64 among)
{
	u64 sum = 0, drawn;
	u32 cpu = 0;

	u->waited = 0;
	for (u64 left = among; left; left &= left - 1)
		sum += u->left[__builtin_ctzll(left)];
	if (!sum)
		return runnable_nth(among, random_below(&u->rng, runnable_count(among)));
	drawn = random_below(&u->rng, sum);
	for (u64 left = among; left; left &= left - 1) {
		cpu = (u32)__builtin_ctzll(left);
		if (drawn < u->left[cpu])
			break;
		drawn -= u->left[cpu];
	}
	return cpu;
}

static u64 everybody(const struct strategy_urw *u)
{
	return u->nr_vcpus < 64 ? (1ULL << u->nr_vcpus) - 1 : ~0ULL;
}

/* --- Picking -----------------------------------------------------------------------------------
 */

static u32 pick_selectively(struct strategy_urw *u, const struct decision *d)
{
	u64 held = 0, free;
	u32 next;

	for (u64 left = d->runnable; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		if (unlikely(is_selected(u, &d->pending[cpu])) && cpu != u->turn)
			held |= 1ULL << cpu;
	}
	free = d->runnable & ~held;
	if (unlikely(!free || (held && ++u->waited > PATIENCE)))
		next = u->turn = draw_turn(u, held);
	else
		next = runnable_nth(free, random_below(&u->rng, runnable_count(free)));
	if (unlikely(next == u->turn) && is_selected(u, &d->pending[next])) {
		u->left[next] -= u->left[next] > 0;
		u->turn = draw_turn(u, everybody(u));
	}
	return next;
}

/* Steps that @cpu has left, in 1/AVERAGE_ONE; nobody has none. */
static inline u32 steps_left(const struct strategy_urw *u, u32 cpu)
{
	u32 done = u->done[cpu] * AVERAGE_ONE, average = u->average[cpu];

	return average > done + AVERAGE_ONE ? average - done : AVERAGE_ONE;
}

static u32 pick_uniformly(struct strategy_urw *u, const struct decision *d)
{
	u64 sum = 0, drawn;
	u32 cpu = 0;

	for (u64 left = d->runnable; left; left &= left - 1)
		sum += steps_left(u, (u32)__builtin_ctzll(left));
	drawn = random_below(&u->rng, sum);
	for (u64 left = d->runnable; left; left &= left - 1) {
		u32 own;

		cpu = (u32)__builtin_ctzll(left);
		own = steps_left(u, cpu);
		if (drawn < own)
			break;
		drawn -= own;
	}
	return cpu;
}

static u32 urw_pick(struct strategy *s, const struct decision *d)
{
	struct strategy_urw *u = (struct strategy_urw *)s;
	u32 next = u->selected[0] ? pick_selectively(u, d) : pick_uniformly(u, d);

	u->done[next]++;
	return next;
}

static void urw_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_urw *u = (struct strategy_urw *)s;

	random_seed(&u->rng, seed, STREAM_URW);
	choice_habits_begin(&u->habits, seed, nr_vcpus);
	u->nr_vcpus = nr_vcpus;
	memset(u->done, 0, nr_vcpus * sizeof(u->done[0]));
	if (u->learning)
		begin_learning(u);
	select_addresses(u);
	u->turn = draw_turn(u, everybody(u));
}

static void set_learning(struct strategy_urw *u, bool learning);

static void urw_end(struct strategy *s, const struct explore_stats *stats)
{
	struct strategy_urw *u = (struct strategy_urw *)s;

	(void)stats;
	if (u->learning)
		end_learning(u);
	u->schedules++;
	set_learning(u, u->schedules < LEARN_FIRST || u->schedules % LEARN_EVERY == 0);
}

static u32 urw_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	return choice_habits_answer(&((struct strategy_urw *)s)->habits, kind, cpu, n);
}

/* Who waits for another one in a loop must not keep that one waiting. */
static void urw_yielded(struct strategy *s, u32 cpu)
{
	struct strategy_urw *u = (struct strategy_urw *)s;

	if (u->turn == cpu)
		u->turn = MAX_VCPUS_EXPLORE;
}

static void urw_destroy(struct strategy *s)
{
	struct strategy_urw *u = (struct strategy_urw *)s;

	free(u->count);
	free(u);
}

#define URW_OPS                                                                                    \
	.name = "urw", .begin = urw_begin, .pick = urw_pick, .choose = urw_choose,                 \
	.yielded = urw_yielded, .end = urw_end, .destroy = urw_destroy

static const struct strategy_ops urw_ops = {URW_OPS};

/* To be told of every step costs time: only in the schedules that are looked at. */
static const struct strategy_ops urw_learning_ops = {URW_OPS, .step = urw_step};

static void set_learning(struct strategy_urw *u, bool learning)
{
	u->learning = learning;
	u->base.ops = learning ? &urw_learning_ops : &urw_ops;
}

struct strategy *strategy_urw_create(const char *parameter, const struct strategy_place *place)
{
	struct strategy_urw *u = calloc(1, sizeof(*u));

	(void)parameter;
	(void)place;
	if (!u)
		return NULL;
	set_learning(u, true);
	u->count = calloc(SLOTS, sizeof(u->count[0]));
	if (!u->count) {
		free(u);
		return NULL;
	}
	return &u->base;
}
