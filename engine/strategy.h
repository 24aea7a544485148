// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A strategy makes all choices of an explored run: which vCPU takes the next step, and every other
 * decision that the emulated machine leaves open. A new strategy is one file that fills in
 * strategy_ops; strategies may wrap each other, and a replay is a strategy that reads its choices
 * from a recording.
 *
 * A strategy is used by one thread. It must draw only on the seed it was given and on what it is
 * told here: no clock, no addresses.
 */
#ifndef ENGINE_STRATEGY_H
#define ENGINE_STRATEGY_H

#include "engine/types.h"

struct site;
struct strategy;

/* Choices other than "which vCPU". Each kind has its own meaning of the @n alternatives; 0 is
 * always the quiet one (do nothing special). */
enum choice {
	CHOICE_INTERRUPT,  /* 1: take the pending interrupt at this decision point */
	CHOICE_TICK,	   /* 1: the running task's time slice ends here */
	CHOICE_WAKE,	   /* which waiter */
	CHOICE_TLB_EVICT,  /* 1: the TLB drops an entry of its own accord */
	CHOICE_TLB_FILL,   /* 1: a speculative walk fills an entry */
	CHOICE_ALLOC_FAIL, /* 1: this allocation fails */
	CHOICE_DATA,	   /* random data of a program */
	NR_CHOICES,
};

/* The decision point at which the running vCPU stands. */
struct decision {
	u64 runnable;		 /* the vCPUs that can take a step; never empty */
	u32 last;		 /* the one that ran last; may not be in runnable */
	u64 step;		 /* decision points so far */
	const struct site *site; /* of the last one; NULL when it ended or was blocked */
	u64 address;		 /* arena offset that it is about to access; 0 for none */
};

struct strategy_ops {
	const char *name;
	/* A new schedule begins. */
	void (*begin)(struct strategy *s, u64 seed, u32 nr_vcpus);
	/* Which vCPU takes the next step; must be in d->runnable. */
	u32 (*pick)(struct strategy *s, const struct decision *d);
	/* A number below @n. */
	u32 (*choose)(struct strategy *s, enum choice kind, u32 cpu, u32 n);
	void (*destroy)(struct strategy *s);
};

struct strategy {
	const struct strategy_ops *ops;
};

static inline void strategy_destroy(struct strategy *s)
{
	if (s)
		s->ops->destroy(s);
}

/* Every runnable vCPU is equally likely at every decision point. NULL without memory. */
struct strategy *strategy_random_create(void);

/* The names that strategy_create() takes, NULL-terminated. */
extern const char *const strategy_names[];

/* NULL for an unknown name or without memory. */
struct strategy *strategy_create(const char *name);

#endif
