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

		if (e->cpu == sleeper->option.cpu || sleeper->ends ||
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

/* --- What has to be tried ----------------------------------------------------------------------
 */

static struct option option_of_event(const struct hb_event *e)
{
	return (struct option){e->cpu, e->by_choice};
}

/* @own, or one with which what leads to it can begin, is to be tried at @n: with no bound. */
static void note_source(const struct hb_trace *t, struct node *n, const struct hb_race *race,
			struct option own)
{
	struct option first = {0};
	bool found = false;

	if (race->initial && options_have(&n->enabled, own)) {
		if (options_have(&n->backtrack, own))
			return;
		first = own;
		found = true;
	}
	for (u32 cpu = 0; cpu < t->nr_vcpus; cpu++) {
		struct option o;

		if (race->first[cpu] == HB_NONE)
			continue;
		o = option_of_event(&t->events[race->first[cpu]]);
		if (!options_have(&n->enabled, o))
			continue;
		if (options_have(&n->backtrack, o))
			return;
		if (!found)
			first = o;
		found = true;
	}
	if (found)
		options_add(&n->backtrack, first);
	else
		options_add_all(&n->backtrack, &n->enabled);
}

/* The same with a bound, where what is at hand may cost too much: @own itself, else everything. */
static void note_bounded(struct node *n, struct option own, struct option next)
{
	if (!options_have(&n->enabled, own) && !options_have(&n->enabled, next)) {
		options_add_all(&n->backtrack, &n->enabled);
		return;
	}
	if (options_have(&n->enabled, own))
		options_add(&n->backtrack, own);
	if (options_have(&n->enabled, next))
		options_add(&n->backtrack, next);
}

/* The event with which @event's vCPU began to run without a break. */
static u32 first_of_run(const struct hb_trace *t, u32 event)
{
	u32 cpu = t->events[event].cpu, first = event;

	for (u32 i = event; i && (t->events[i - 1].cpu == cpu || hb_is_drain(t, i - 1)); i--) {
		if (t->events[i - 1].cpu == cpu)
			first = i - 1;
	}
	return first;
}

/* The first event of @later's vCPU behind @earlier. */
static u32 next_of(const struct hb_trace *t, u32 earlier, u32 later)
{
	u32 cpu = t->events[later].cpu;

	for (u32 i = earlier + 1; i < later; i++) {
		if (t->events[i].cpu == cpu)
			return i;
	}
	return later;
}

void nodes_note_race(struct node_stack *s, const struct hb_trace *t, const struct hb_race *race,
		     bool bounded)
{
	const struct hb_event *later = &t->events[race->later];
	struct option own = {later->cpu, race->interrupt ? !later->ticked : later->by_choice};
	u32 node = t->events[race->earlier].node;
	struct option next = own;

	if (!bounded) {
		if (node != HB_NONE)
			note_source(t, &s->nodes[node], race, own);
		return;
	}
	if (!race->interrupt)
		next = option_of_event(&t->events[next_of(t, race->earlier, race->later)]);
	if (node != HB_NONE)
		note_bounded(&s->nodes[node], own, next);
	/* To stop the earlier one's vCPU there is a deviation; not to let it begin may be none. */
	node = t->events[first_of_run(t, race->earlier)].node;
	if (node != HB_NONE)
		note_bounded(&s->nodes[node], own, next);
}

/* @o, which nobody chose to the end, is to be chosen where that last cost nothing. */
static void note_free(struct node_stack *s, u32 last, struct option o)
{
	for (u32 i = last + 1; i--;) {
		struct node *n = &s->nodes[i];

		if (n->is_choice)
			continue;
		if (n->chosen.cpu == o.cpu && i != last)
			return;
		if (options_have(&n->enabled, o) && !option_price(n, o)) {
			options_add(&n->backtrack, o);
			return;
		}
	}
}

void nodes_note_end(struct node_stack *s, u64 standing, u32 nr_cpus, bool bounded)
{
	u32 last = nodes_last_options(s, s->nr);
	struct options left;
	struct node *n;

	if (last == HB_NONE)
		return;
	n = &s->nodes[last];
	left = (struct options){n->enabled.step & standing, n->enabled.take & standing};
	options_add_all(&n->backtrack, &left);
	n->ends |= left.step || left.take;
	for (u32 cpu = 0; bounded && cpu < nr_cpus; cpu++) {
		if (left.step & (1ULL << cpu))
			note_free(s, last, (struct option){cpu, false});
		if (left.take & (1ULL << cpu))
			note_free(s, last, (struct option){cpu, true});
	}
}
