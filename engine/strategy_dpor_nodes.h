// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The places of one schedule at which dpor could have gone another way, from the first to the last:
 * what was chosen there, what could have been, what still has to be, and what sleeps
 * (strategy_dpor.c). Private to engine/.
 *
 * Sources: source sets and sleep sets as in Abdulla, Aronis, Jonsson and Sagonas, "Optimal Dynamic
 * Partial Order Reduction" (POPL 2014).
 *
 * No locks: a stack belongs to one strategy. Out of memory: `lost` is set.
 */
#ifndef ENGINE_STRATEGY_DPOR_NODES_H
#define ENGINE_STRATEGY_DPOR_NODES_H

#include "engine/happens_before.h"
#include "engine/types.h"

/* What can be chosen: a vCPU's step, or that it takes its pending interrupt. Sets of them. */
struct options {
	u64 step, take;
};

struct option {
	u32 cpu;
	bool take;
};

/* An option that was tried, and what its event accessed. */
struct sleeper {
	struct option option;
	struct hb_access *accesses;
	u32 nr;
	bool inherited; /* the accesses belong to a node below */
	bool ends;	/* the schedule ended with it: it depends on everything */
};

/* A place where something could be chosen: an option, or the value of a choice. */
struct node {
	bool is_choice;
	u32 spent; /* deviations before it */
	/* A choice: */
	u32 value, n;
	/* Options: */
	struct option chosen, by_default;
	struct options enabled, backtrack, done;
	u64 waits;	 /* vCPUs that may have tried in vain to take a lock */
	u32 last;	 /* who could have gone on, or HB_NONE */
	u32 first_event; /* of the option */
	struct sleeper *sleepers;
	u32 nr_sleepers, size_sleepers;
	struct hb_access *own; /* accesses of the chosen option's event, over all its choices */
	u32 nr_own;
	bool ends; /* the schedule, with that event */
};

struct node_stack {
	struct node *nodes;
	u32 nr, size;
	bool lost; /* no memory */
};

static inline bool options_have(const struct options *set, struct option o)
{
	return (o.take ? set->take : set->step) & (1ULL << o.cpu);
}

static inline void options_add(struct options *set, struct option o)
{
	*(o.take ? &set->take : &set->step) |= 1ULL << o.cpu;
}

static inline void options_remove(struct options *set, struct option o)
{
	*(o.take ? &set->take : &set->step) &= ~(1ULL << o.cpu);
}

static inline void options_add_all(struct options *set, const struct options *more)
{
	set->step |= more->step;
	set->take |= more->take;
}

/* The deviations in choosing @o at @n: another vCPU than the one that could have gone on, and an
 * interrupt that could have waited; one that waits for a lock takes it anyway. */
static inline u32 option_price(const struct node *n, struct option o)
{
	bool waits = n->waits & (1ULL << o.cpu);

	return (n->last != HB_NONE && o.cpu != n->last) + (o.take && !waits);
}

/* The deviations up to and with what is chosen at @n. */
static inline u32 node_spends(const struct node *n)
{
	if (n->is_choice)
		return n->spent + !!n->value;
	return n->spent + option_price(n, n->chosen);
}

/* A new node at the end, or NULL; it has what was spent before it. */
struct node *node_add(struct node_stack *s);

/* All nodes from number @nr on go. */
void nodes_cut(struct node_stack *s, u32 nr);
void nodes_destroy(struct node_stack *s);

/* The last node of options before number @before, or HB_NONE. */
u32 nodes_last_options(const struct node_stack *s, u32 before);

/* @n's sleepers have one more; if there is no memory it may be tried again. */
void node_add_sleeper(struct node_stack *s, struct node *n, struct sleeper sleeper);

/* What sleeps at node @parent, all that was tried there included, still sleeps at the new node @n
 * if nothing in @t since depends on it. */
void node_inherit_sleepers(struct node_stack *s, const struct hb_trace *t, u32 parent,
			   struct node *n);

/* The first of @set that does not sleep at @n: @preferred's if it has one; steps before interrupts.
 * False: there is none. */
bool node_first_awake(const struct node *n, const struct options *set, u32 preferred,
		      struct option *o);

/* @race->later is to come before @race->earlier in some schedule: one of those with which that can
 * begin must be tried where the earlier one was chosen. @bounded: it may cost too much there, so it
 * is also noted where the earlier one's vCPU began to run. */
void nodes_note_race(struct node_stack *s, const struct hb_trace *t, const struct hb_race *race,
		     bool bounded);

/* The end of a schedule depends on everything: those of @standing, who could have gone on at the
 * last node and have not, are to do so before it, in some schedule. @bounded: that may cost too
 * much at the end, so it is also noted where it last cost nothing. */
void nodes_note_end(struct node_stack *s, u64 standing, u32 nr_cpus, bool bounded);

#endif
