// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The schedules of few deviations that dpor still has to run, those with the fewest first
 * (strategy_dpor.c: Rounds). Of those with equally many what was noted last comes first, if the
 * schedule that noted it has no fewer: all that follows from one deviation is run before another
 * one is made. What schedules with fewer deviations noted waits in a queue. Private to engine/.
 *
 * A schedule is what it answers other than by default, at which of its places; each one is the
 * child of the schedule without its last answer. They form a tree, of which a few words are kept
 * for each. What has been noted once is not noted again.
 *
 * No locks: belongs to one strategy. Out of memory, or of DPOR_ITEMS_MAX: `lost` is set.
 */
#ifndef ENGINE_STRATEGY_DPOR_ROUNDS_H
#define ENGINE_STRATEGY_DPOR_ROUNDS_H

#include "engine/strategy_dpor_nodes.h"

#define DPOR_BOUND_MAX 16

/* 400 MB of them. */
#define DPOR_ITEMS_MAX (1u << 24)

/* A schedule; number 0 is the one without answers. */
struct dpor_item {
	u32 parent;
	u32 at;	  /* place of the last answer: its node's number */
	u32 what; /* the answer, see dpor_answer_option() */
	u32 spent;
	u32 next; /* in its queue; 0: none */
};

struct dpor_rounds {
	struct dpor_item *items;
	u32 nr, size;
	u32 *slots; /* numbers of items, by parent, place and answer; 0: free */
	u32 mask;
	u32 first[DPOR_BOUND_MAX + 1],
		last[DPOR_BOUND_MAX + 1]; /* queues, by deviations; 0: empty */
	/* The schedule being run: the items of its answers, in the order of their places. */
	u32 *chain;
	u32 nr_chain, size_chain;
	u32 passed; /* of them */
	bool lost;
};

/* What @item answers at a place of options. */
static inline struct option dpor_answer_option(const struct dpor_item *item)
{
	return (struct option){item->what >> 1, item->what & 1};
}

/* Begins with the schedule without answers. False without memory. */
bool dpor_rounds_start(struct dpor_rounds *r);
void dpor_rounds_destroy(struct dpor_rounds *r);

/* The answer at place @at of the schedule being run; NULL: the default. */
const struct dpor_item *dpor_rounds_answer(struct dpor_rounds *r, u32 at);

/* Is it the last one? */
static inline bool dpor_rounds_answered(const struct dpor_rounds *r)
{
	return r->passed == r->nr_chain;
}

/* Notes what is to be tried at the places @nodes of the schedule that was run, with at most @bound
 * deviations. True: something had more. */
bool dpor_rounds_note(struct dpor_rounds *r, const struct node_stack *nodes, u32 bound);

/* Takes the next schedule; false: none is left. */
bool dpor_rounds_next(struct dpor_rounds *r);

/* The deviations of the schedule being run. */
static inline u32 dpor_rounds_spent(const struct dpor_rounds *r)
{
	return r->nr_chain ? r->items[r->chain[r->nr_chain - 1]].spent : 0;
}

#endif
