// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A strategy makes all choices of an explored run: which vCPU takes the next step, and every other
 * decision that the emulated machine leaves open. A new strategy is one file (strategy_NAME.c) that
 * fills in strategy_ops, and a row of the table in strategy.c; strategies may wrap each other, and
 * a replay is a strategy that reads its choices from a recording (engine/recording.h).
 *
 * A strategy is used by one thread, for one schedule after the other. It must draw only on the
 * seeds it was given and on what it is told here: no clock, no addresses of the host. It may learn
 * from one schedule for the next: what was chosen is recorded by the explorer, so a replay does not
 * need it.
 *
 * The default. decision_default() and 0 are the choices of somebody who never interferes: the vCPU
 * that ran goes on until it has to wait, nothing is preempted, nothing special happens. A schedule
 * is what differs from that.
 */
#ifndef ENGINE_STRATEGY_H
#define ENGINE_STRATEGY_H

#include "engine/types.h"

struct site;
struct strategy;
struct explore_stats;

/* Choices other than "which vCPU". Each kind has its own meaning of the @n alternatives; 0 is
 * always the quiet one (do nothing special). The numbers stand in schedule files. */
enum choice {
	CHOICE_INTERRUPT,  /* 1: take the pending interrupt at this decision point */
	CHOICE_TICK,	   /* 1: the running task's time slice ends here */
	CHOICE_WAKE,	   /* which of the tasks that wait for the CPU runs next; 0: the first */
	CHOICE_TLB_EVICT,  /* 1: the TLB drops an entry of its own accord */
	CHOICE_TLB_FILL,   /* 1: a speculative walk fills an entry */
	CHOICE_ALLOC_FAIL, /* 1: this allocation fails */
	CHOICE_DATA,	   /* random data: a program's, or where a new task is placed */
	CHOICE_DRAIN,	   /* TSO: i + 1: the oldest store of the i-th vCPU that has any becomes
			      visible here; asked again until 0 */
	NR_CHOICES,
};

/* What a vCPU does as soon as it is picked. */
struct pending_access {
	const struct site *site; /* NULL: unknown: it has not run yet, has ended, or was idle */
	u64 address;		 /* arena offset; 0 for none (fences, user instructions, stacks) */
};

/* The decision point at which the machine stands. */
struct decision {
	u64 runnable;			      /* the vCPUs that can take a step; never empty */
	u32 last;			      /* the one that ran last; may not be in runnable */
	u64 step;			      /* decision points so far */
	const struct pending_access *pending; /* of each vCPU; true for those in runnable */
};

/* How many vCPUs are in @runnable. (popcnt is not in the base of x86-64.) */
static inline u32 runnable_count(u64 runnable)
{
	/* Bits set in each number below 16, a nibble each. */
	return likely(runnable < 16) ? (u32)(0x4332322132212110ULL >> (runnable * 4)) & 7
				     : (u32)__builtin_popcountll(runnable);
}

/* The @n-th of them, from 0. No branches: what is asked here no branch predictor can know. */
static inline u32 runnable_nth(u64 runnable, u32 n)
{
	/* For each number below 16 the places of its bits, lowest first, two bits each. */
	static const u8 places[16] = {0x00, 0x00, 0x01, 0x04, 0x02, 0x08, 0x09, 0x24,
				      0x03, 0x0c, 0x0d, 0x34, 0x0e, 0x38, 0x39, 0xe4};

	if (likely(runnable < 16))
		return (u32)places[runnable] >> (2 * n) & 3;
	for (; n; n--)
		runnable &= runnable - 1;
	return (u32)__builtin_ctzll(runnable);
}

/* Whoever ran last goes on while it can, then the next by number. */
static inline u32 decision_default(const struct decision *d)
{
	u64 above = d->last < 63 ? d->runnable & (~0ULL << (d->last + 1)) : 0;

	if (d->runnable & (1ULL << d->last))
		return d->last;
	return (u32)__builtin_ctzll(above ? above : d->runnable);
}

struct strategy_ops {
	const char *name;
	/* A new schedule begins. */
	void (*begin)(struct strategy *s, u64 seed, u32 nr_vcpus);
	/* Which vCPU takes the next step; must be in d->runnable. Asked only where there are two or
	 * more. */
	u32 (*pick)(struct strategy *s, const struct decision *d);
	/* A number below @n, for what happens on @cpu, or to it. */
	u32 (*choose)(struct strategy *s, enum choice kind, u32 cpu, u32 n);
	/* The rest may be NULL. A strategy may change its ops in end(), for the next schedule:
	 * being told of every step costs time. */

	/* @cpu makes this access now: every step of the schedule, also where there was no choice.
	 * @history: the hash of everything up to here (struct explore_stats). */
	void (*step)(struct strategy *s, u32 cpu, const struct pending_access *access, u64 history);
	/* Part of @cpu's current step too: it reads, or changes, at @address something that other
	 * vCPUs' steps depend on (explore_touch()). */
	void (*touch)(struct strategy *s, u32 cpu, u64 address, bool write);
	/* @cpu waits for another one in a loop: it is not runnable until what it waits for changes,
	 * unless it has other tasks to go on with. */
	void (*yielded)(struct strategy *s, u32 cpu);
	/* The current step makes @cpu, which could not go on, runnable. */
	void (*woken)(struct strategy *s, u32 cpu);
	/* @cpu takes its pending interrupts: asked for by CHOICE_INTERRUPT, or because it waits. */
	void (*interrupted)(struct strategy *s, u32 cpu);
	/* The schedule has ended (@stats are its facts). */
	void (*end)(struct strategy *s, const struct explore_stats *stats);
	/* One sentence, without its full stop: what was searched so far, and what was not. */
	void (*bound)(const struct strategy *s, char *text, size_t size);
	void (*destroy)(struct strategy *s);
};

struct strategy {
	const struct strategy_ops *ops;
	bool exhausted; /* set in end() or begin(): no schedule is left to try */
	bool one_seed;	/* set at creation: run all schedules from the same seed, since each repeats
			 * the beginning of an earlier one */
};

static inline void strategy_destroy(struct strategy *s)
{
	if (s)
		s->ops->destroy(s);
}

/* Who asks for a strategy: a campaign of several workers gives each its own, and a strategy may
 * divide its work among them. */
struct strategy_place {
	u32 worker, nr_workers; /* 0 of 1 when alone */
};

/* Every runnable vCPU is equally likely at every decision point. NULL without memory. */
struct strategy *strategy_random_create(void);

/*
 * A strategy made of @nr others, from 1 to 16: a schedule of each in turn, beginning with number
 * @first modulo @nr; exhausted members are left out. It owns them from here on, also when it
 * returns NULL: without memory, or if one of them is NULL.
 */
struct strategy *strategy_portfolio_of(struct strategy *const *inner, u32 nr, u32 first);

/* The names that strategy_create() takes, without parameters, NULL-terminated. */
extern const char *const strategy_names[];
size_t strategy_count(void);

/*
 * Is @text ("random", "pct:3", "dfs:2") a strategy with a parameter it takes? NULL if so, else what
 * is wrong, for an error message: "takes a depth from 1 to 100, as in pct:3".
 */
const char *strategy_refusal(const char *text);

/* NULL for what strategy_refusal() refuses, or without memory. */
struct strategy *strategy_create_at(const char *text, const struct strategy_place *place);
struct strategy *strategy_create(const char *text);

#endif
