// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guides: schedules that can be edited.
 *
 * A recording (engine/recording.h) numbers its choices by the calls of the whole run: take one
 * away, and all numbers behind it mean something else. A guide says the same by vCPU: each choice
 * that was not the default one stands at the vCPU that it is about and at the number of steps that
 * this vCPU had made by itself. What other vCPUs do, more or less often, earlier or later, does not
 * move it. So entries can be left out, or moved, and the rest still means what it meant.
 *
 * Two strategies go with it. The one that writes a guide hands every question on to another
 * strategy and notes its answers. The one that follows a guide does so as well as it can: an entry
 * whose place is never reached, or whose answer cannot be given there, is passed over, and
 * everything else is by default. Whatever comes of it is recorded by the explorer as usual, so that
 * it can be replayed exactly.
 *
 * Noise changes what is followed a little, another way for each seed: for the search in the
 * neighbourhood of a schedule, or, with an empty guide, among schedules with few preemptions
 * (Musuvathi and Qadeer, Iterative Context Bounding, PLDI 2007: most bugs need only one or two).
 *
 * Threads: as for all strategies. A guide must not change while a strategy follows it.
 */
#ifndef ENGINE_GUIDE_H
#define ENGINE_GUIDE_H

#include "engine/strategy.h"
#include "engine/types.h"

/* Kinds of a guide's entries besides those of enum choice. */
enum guide_kind {
	GUIDE_PREEMPT = NR_CHOICES, /* the vCPU could go on, and vCPU `value` does */
	GUIDE_HANDOVER,		    /* it cannot, and of the others vCPU `value` does */
	NR_GUIDE_KINDS,
};

struct guide_entry {
	u32 cpu;   /* the choice is about this vCPU; of the last two kinds: the one that ran */
	u32 step;  /* decision points that it had passed by itself */
	u32 value; /* the answer; never the default */
	u16 nth;   /* such questions before this one at that step */
	u16 kind;  /* enum choice, or enum guide_kind */
};

/* In the order of the run that it was noted from. */
struct guide {
	struct guide_entry *entries;
	u32 nr, size;
	u32 picks; /* questions of the kind GUIDE_PREEMPT, those answered by default included */
	bool lost; /* no memory: entries are missing */
};

void guide_destroy(struct guide *g);

/* 0, or -ENOMEM. @to is overwritten, what it had is freed. */
int guide_copy(struct guide *to, const struct guide *from);

/* Hands on to @inner, which stays the caller's, and writes its answers to @g, from the beginning
 * for each schedule. NULL without memory. */
struct strategy *strategy_guide_note_create(struct strategy *inner, struct guide *g);

/* All zero: none. */
struct guide_noise {
	u32 move;	 /* half of the entries are moved by up to so many steps, to or fro */
	u32 drop;	 /* one in so many entries is left out */
	u32 preemptions; /* so many are put in, */
	u32 picks;	 /* at any of the first so many questions for one */
	bool free;	 /* answers to all other questions are drawn where the guide has none */
	u64 salt;	 /* another one, another noise, on the same seed */
};

/* Follows @g, which must outlive it. NULL without memory. */
struct strategy *strategy_guide_create(const struct guide *g);

/* From the next schedule on. More preemptions than GUIDE_NOISE_PREEMPTIONS are not put in. */
#define GUIDE_NOISE_PREEMPTIONS 16
void strategy_guide_noise(struct strategy *s, const struct guide_noise *noise);

#endif
