// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/strategy_dpor_nodes.h"

#include <stdlib.h>

static void node_destroy(struct node *n)
{
	for (u32 i = 0; i < n->nr_sleepers; i++) {
		if (!n->sleepers[i].inherited)
			free(n->sleepers[i].accesses);
	}
	free(n->sleepers);
	free(n->own);
}

void nodes_cut(struct node_stack *s, u32 nr)
{
	while (s->nr > nr)
		node_destroy(&s->nodes[--s->nr]);
}

void nodes_destroy(struct node_stack *s)
{
	nodes_cut(s, 0);
	free(s->nodes);
}

#define DPOR_FIRST_NODES 1024

struct node *node_add(struct node_stack *s)
{
	if (s->nr == s->size) {
		u32 size = s->size ? s->size * 2 : DPOR_FIRST_NODES;
		struct node *nodes = realloc(s->nodes, size * sizeof(*nodes));

		if (!nodes) {
			s->lost = true;
			return NULL;
		}
		s->nodes = nodes;
		s->size = size;
	}
	s->nodes[s->nr] = (struct node){.last = HB_NONE};
	if (s->nr)
		s->nodes[s->nr].spent = node_spends(&s->nodes[s->nr - 1]);
	return &s->nodes[s->nr++];
}

u32 nodes_last_options(const struct node_stack *s, u32 before)
{
	while (before && s->nodes[before - 1].is_choice)
		before--;
	return before ? before - 1 : HB_NONE;
}

/* --- Sleep sets ------------------------------------------------------------------------------- */

static bool is_asleep(const struct node *n, struct option o)
{
	for (u32 i = 0; i < n->nr_sleepers; i++) {
		if (n->sleepers[i].option.cpu == o.cpu && n->sleepers[i].option.take == o.take)
			return true;
	}
	return false;
}

bool node_first_awake(const struct node *n, const struct options *set, u32 preferred,
		      struct option *o)
{
	for (u32 take = 0; take < 2; take++) {
		u64 left = take ? set->take : set->step;

		*o = (struct option){preferred, take};
		if ((left & (1ULL << preferred)) && !is_asleep(n, *o))
			return true;
		for (; left; left &= left - 1) {
			*o = (struct option){(u32)__builtin_ctzll(left), take};
			if (!is_asleep(n, *o))
				return true;
		}
	}
	return false;
}

void node_add_sleeper(struct node_stack *s, struct node *n, struct sleeper sleeper)
{
	if (n->nr_sleepers == n->size_sleepers) {
		u32 size = n->size_sleepers ? n->size_sleepers * 2 : 4;
		struct sleeper *more = realloc(n->sleepers, size * sizeof(*more));

		if (!more) {
			/* It may be tried again: more work, nothing missed. */
			if (!sleeper.inherited)
				free(sleeper.accesses);
			s->lost = true;
			return;
		}
		n->sleepers = more;
		n->size_sleepers = size;
	}
	n->sleepers[n->nr_sleepers++] = sleeper;
}

/* Does @sleeper go on sleeping after the events from @event on? */
static bool sleeps_on(const struct hb_trace *t, const struct sleeper *sleeper, u32 event)
{
	for (; event < t->nr; event++) {
		const struct hb_event *e = &t->events[event];

		if (e->cpu == sleeper->option.cpu ||
		    hb_conflict(t->accesses + e->first_access, e->nr_accesses, sleeper->accesses,
				sleeper->nr))
			return false;
	}
	return true;
}

void node_inherit_sleepers(struct node_stack *s, const struct hb_trace *t, u32 parent,
			   struct node *n)
{
	const struct node *from = &s->nodes[parent];

	for (u32 i = 0; i < from->nr_sleepers; i++) {
		struct sleeper sleeper = from->sleepers[i];

		if (!sleeps_on(t, &sleeper, from->first_event))
			continue;
		sleeper.inherited = true;
		node_add_sleeper(s, n, sleeper);
	}
}
