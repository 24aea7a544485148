// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a machine does of its own accord: the answers of a strategy to every choice that is not
 * "which vCPU". pct, pos and urw differ in how they pick; what they do about interrupts, ticks, the
 * TLB, failing allocations and store buffers is the same and stands here.
 *
 * No single rarity is right for all bugs: one needs an interrupt that is taken late, another one a
 * time slice that ends in a window of a few steps, a third one a machine that leaves it alone
 * meanwhile. So each schedule draws its own habits, one of a few for each kind (swarm testing:
 * Groce, Zhang, Eide, Chen and Regehr, ISSTA 2012).
 *
 * Interrupts and drained stores can be held back: a number of askings is drawn, on a scale that is
 * drawn too (so that "at once" and "for hundreds of steps" both happen), and only the last of them
 * is answered with yes.
 *
 * Belongs to one strategy and is used by its thread; no errors.
 */
#ifndef ENGINE_STRATEGY_CHOICE_H
#define ENGINE_STRATEGY_CHOICE_H

#include "engine/machine.h"
#include "engine/random.h"
#include "engine/strategy.h"

struct choice_habits {
	struct rng rng;
	u32 rarity[NR_CHOICES]; /* one in so many; 0: another rule */
	u32 interrupt_scale;	/* interrupts are held back for less than 2^so many */
	u32 drain_scale;	/* stores too */
	u32 interrupt_left[MAX_VCPUS_EXPLORE]; /* askings until it is taken, + 1; 0: not drawn */
	u32 drain_left;
};

/* A schedule begins: draws its habits. */
void choice_habits_begin(struct choice_habits *h, u64 seed, u32 nr_vcpus);

/* The answer to strategy_ops.choose. */
u32 choice_habits_answer(struct choice_habits *h, enum choice kind, u32 cpu, u32 n);

#endif
