// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dpor: at least one schedule of each class of schedules that differ only in the order of steps
 * that do not depend on each other, and few more than that.
 *
 * Stateless dynamic partial-order reduction with source sets and sleep sets (Abdulla, Aronis,
 * Jonsson and Sagonas, "Optimal Dynamic Partial Order Reduction", POPL 2014, algorithm 1; after
 * Flanagan and Godefroid, POPL 2005; sleep sets: Godefroid, LNCS 1032). The schedule just run is
 * searched for pairs of steps that happened in one order and could have happened in the other
 * (happens_before.h); for each, the vCPU with which the other order begins is noted at the place
 * where the first of the two was chosen. The next schedule repeats this one up to the last place
 * where something noted is left, and goes another way there. What has been tried at a place sleeps
 * in what follows until a step that depends on it is made; a schedule in which everything that
 * could go on sleeps is equivalent to one that was run, and is run to its end but not searched.
 *
 * An option is what can be chosen at one place: that a vCPU makes its step, or that it takes a
 * pending interrupt instead. So CHOICE_INTERRUPT is not enumerated: interrupts come at every place
 * that makes a difference. All other choices are, each with all its values.
 *
 * A vCPU that stands before a spinlock that is held is not chosen, since all that its attempt does
 * is to wait; unless nobody else can go on. One that spins waits for a store anyway (cpu_relax_on).
 *
 * What steps have in common and is no recorded access is told by explore_touch() in the parts
 * above.
 *
 * What is promised: when the search is exhausted, at least one schedule of each class was run, if
 * no schedule ended in a violation (what would have come after is not searched). `dpor:no-tlb`
 * leaves the choices to evict and to fill TLB entries at their default, which makes far fewer
 * classes.
 *
 * All schedules must be run from one seed (strategy.one_seed). Used by one thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/access.h"
#include "engine/executor.h"
#include "engine/happens_before.h"
#include "engine/machine.h"
#include "engine/strategy_kinds.h"

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
};

/* A place where something could be chosen: an option, or the value of a choice. */
struct node {
	bool is_choice;
	/* A choice: */
	u32 value, n;
	/* Options: */
	struct option chosen;
	struct options enabled, backtrack, done;
	u32 first_event; /* of the option */
	struct sleeper *sleepers;
	u32 nr_sleepers, size_sleepers;
	struct hb_access *own; /* accesses of the chosen option's event, over all its choices */
	u32 nr_own;
};

struct strategy_dpor {
	struct strategy base;
	struct strategy_place place;
	bool with_tlb;

	struct node *nodes;
	u32 nr, size;
	u32 changed; /* the last node to be repeated: at it the schedule leaves its predecessor */

	/* The schedule being run. */
	const struct machine *m;
	u32 nr_cpus;
	u32 at; /* nodes passed */
	struct hb_trace trace;
	u32 changed_event; /* the event in which it leaves its predecessor */
	bool stepped;	   /* the last event has made its access */
	bool armed;	   /* an option of `take` or one that leaves it was just chosen */
	struct option armed_option;
	bool asleep;  /* everything was tried before: redundant from here on */
	u32 searched; /* events before that */

	u64 schedules, redundant;
	u64 fallbacks; /* nothing that could begin the other order could go on there */
	bool lost;     /* no memory */
	bool diverged;
	bool shortened; /* a schedule ended before its program did */
};

/* --- Options ---------------------------------------------------------------------------------- */

static bool in(const struct options *set, struct option o)
{
	return (o.take ? set->take : set->step) & (1ULL << o.cpu);
}

static void insert(struct options *set, struct option o)
{
	*(o.take ? &set->take : &set->step) |= 1ULL << o.cpu;
}

static bool is_asleep(const struct node *n, struct option o)
{
	for (u32 i = 0; i < n->nr_sleepers; i++) {
		if (n->sleepers[i].option.cpu == o.cpu && n->sleepers[i].option.take == o.take)
			return true;
	}
	return false;
}

/* The first of @set that does not sleep at @n: @preferred if it is one; steps before interrupts. */
static bool first_awake(const struct node *n, const struct options *set, u32 preferred,
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

/* --- Nodes ------------------------------------------------------------------------------------ */

static void node_destroy(struct node *n)
{
	for (u32 i = 0; i < n->nr_sleepers; i++) {
		if (!n->sleepers[i].inherited)
			free(n->sleepers[i].accesses);
	}
	free(n->sleepers);
	free(n->own);
}

static void cut(struct strategy_dpor *s, u32 nr)
{
	while (s->nr > nr)
		node_destroy(&s->nodes[--s->nr]);
}

#define DPOR_FIRST_NODES 1024

/* A new node at the end, or NULL. */
static struct node *node_add(struct strategy_dpor *s)
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
	s->nodes[s->nr] = (struct node){0};
	return &s->nodes[s->nr++];
}

static void add_sleeper(struct strategy_dpor *s, struct node *n, struct sleeper sleeper)
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

/* What sleeps at @parent, all that was tried there included, still sleeps at the new node @n. */
static void inherit_sleepers(struct strategy_dpor *s, u32 parent, struct node *n)
{
	const struct node *from = &s->nodes[parent];

	for (u32 i = 0; i < from->nr_sleepers; i++) {
		struct sleeper sleeper = from->sleepers[i];

		if (!sleeps_on(&s->trace, &sleeper, from->first_event))
			continue;
		sleeper.inherited = true;
		add_sleeper(s, n, sleeper);
	}
}

/* --- The schedule being run ------------------------------------------------------------------- */

static void learn_machine(struct strategy_dpor *s)
{
	const struct machine *m = this_vcpu()->machine;

	s->m = m;
	for (u32 i = 0; !s->trace.lost && i < s->nr_cpus; i++) {
		s->trace.pending[i] = arena_offset(&m->arena, &m->vcpus[i].pending);
		s->trace.waiting[i] = arena_offset(&m->arena, &m->vcpus[i].nr_waiting);
	}
}

static void dpor_begin(struct strategy *base, u64 seed, u32 nr_vcpus)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	(void)seed;
	s->m = NULL;
	s->nr_cpus = nr_vcpus;
	s->at = 0;
	s->armed = false;
	s->stepped = false;
	/* One worker does it all: shares would have to know of each other. */
	s->asleep = s->place.worker != 0;
	s->base.exhausted |= s->asleep;
	s->changed_event = 0;
	hb_reset(&s->trace, nr_vcpus);
}

/* The event that @cpu is in: another one than the last, if nobody was asked in between because
 * nobody else could go on. */
static void event_of(struct strategy_dpor *s, u32 cpu)
{
	if (unlikely(!s->m))
		learn_machine(s);
	if (hb_cpu(&s->trace) != cpu) {
		hb_begin(&s->trace, cpu);
		s->stepped = false;
	}
}

/* Is no vCPU but @cpu able to go on? */
static bool is_alone(const struct strategy_dpor *s, u32 cpu)
{
	for (u32 i = 0; i < s->nr_cpus; i++) {
		if (i != cpu && s->m->vcpus[i].run_state == VCPU_RUNNING)
			return false;
	}
	return true;
}

/* Could @cpu take an interrupt where it stands, in place of its step? */
static bool can_take(const struct strategy_dpor *s, u32 cpu, const struct pending_access *pending)
{
	const struct vcpu *v = &s->m->vcpus[cpu];

	return pending->site && !v->spin_addr && !v->irqs_off;
}

/* Does it stand before a lock that is held? */
static bool is_blocked(const struct strategy_dpor *s, const struct pending_access *pending)
{
	if (!pending->site || pending->site->kind != ACCESS_LOCK || !pending->address)
		return false;
	return *(const volatile u32 *)(s->m->arena.base + pending->address) != 0;
}

static void find_enabled(const struct strategy_dpor *s, const struct decision *d,
			 struct options *enabled)
{
	*enabled = (struct options){0};
	for (u64 left = d->runnable; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		if (can_take(s, cpu, &d->pending[cpu]) && s->m->vcpus[cpu].pending)
			enabled->take |= 1ULL << cpu;
		if (!is_blocked(s, &d->pending[cpu]))
			enabled->step |= 1ULL << cpu;
	}
	/* Let them see for themselves. */
	if (!enabled->step && !enabled->take)
		enabled->step = d->runnable;
}

/* The last node of options before number @before, or HB_NONE. */
static u32 last_options(const struct strategy_dpor *s, u32 before)
{
	while (before && s->nodes[before - 1].is_choice)
		before--;
	return before ? before - 1 : HB_NONE;
}

/* The event that the option chosen at node number @node begins. */
static void begin_chosen(struct strategy_dpor *s, u32 node, bool open)
{
	struct node *n = &s->nodes[node];
	struct hb_event *e = hb_begin(&s->trace, n->chosen.cpu);

	n->first_event = s->trace.nr - 1;
	if (!e)
		return;
	e->node = node;
	e->open = open;
	e->by_choice = e->takes = n->chosen.take;
	if (node == s->changed)
		s->changed_event = n->first_event;
}

/* A place where one of @enabled can be chosen; @by_default could go on. */
static struct option choose_option(struct strategy_dpor *s, const struct options *enabled,
				   u32 by_default)
{
	struct option fallback = {by_default, false}, chosen;
	u32 at = s->at, parent;
	struct node *n;

	if (s->asleep)
		return fallback;
	if (at < s->nr) {
		n = &s->nodes[at];
		if (!n->is_choice && in(enabled, n->chosen)) {
			s->at++;
			return n->chosen;
		}
		s->diverged = true;
		cut(s, at);
	}
	n = node_add(s);
	if (!n)
		return fallback;
	n->enabled = *enabled;
	parent = last_options(s, at);
	if (parent != HB_NONE)
		inherit_sleepers(s, parent, n);
	if (!first_awake(n, enabled, by_default, &chosen)) {
		s->asleep = true;
		s->searched = s->trace.nr;
		cut(s, at);
		return fallback;
	}
	n->chosen = chosen;
	insert(&n->backtrack, chosen);
	s->at++;
	return chosen;
}

/* Chooses, and begins the event. */
static struct option choose_and_begin(struct strategy_dpor *s, const struct options *enabled,
				      u32 by_default, const bool *open)
{
	u32 at = s->at;
	struct option o = choose_option(s, enabled, by_default);

	s->stepped = false;

	if (s->at > at)
		begin_chosen(s, at, open[o.cpu]);
	else
		hb_begin(&s->trace, o.cpu);
	return o;
}

static u32 dpor_pick(struct strategy *base, const struct decision *d)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	bool open[MAX_VCPUS_EXPLORE];
	struct options enabled;
	u32 by_default = decision_default(d);
	struct option o;

	/* The first one is made before any vCPU runs. */
	if (unlikely(!s->m) && !this_vcpu()) {
		struct options all = {d->runnable, 0};

		memset(open, 0, sizeof(open));
		o = choose_and_begin(s, &all, by_default, open);
		return o.cpu;
	}
	if (unlikely(!s->m))
		learn_machine(s);
	find_enabled(s, d, &enabled);
	for (u32 i = 0; i < s->nr_cpus; i++)
		open[i] = (d->runnable & (1ULL << i)) && can_take(s, i, &d->pending[i]);
	if (!(enabled.step & (1ULL << by_default)))
		by_default = (u32)__builtin_ctzll(enabled.step ? enabled.step : enabled.take);
	o = choose_and_begin(s, &enabled, by_default, open);
	/* Whether it takes its interrupt is asked at once. */
	s->armed = open[o.cpu] && s->m->vcpus[o.cpu].pending;
	s->armed_option = o;
	if (s->asleep && !(enabled.step & (1ULL << o.cpu)))
		s->armed_option.take = true;
	return o.cpu;
}

/* Asked of a vCPU which is the only one that could go on: an option, too. */
static u32 interrupt_alone(struct strategy_dpor *s, u32 cpu)
{
	struct options enabled = {1ULL << cpu, 1ULL << cpu};
	bool open[MAX_VCPUS_EXPLORE] = {false};

	if (unlikely(!s->m))
		learn_machine(s);
	open[cpu] = true;
	return choose_and_begin(s, &enabled, cpu, open).take;
}

static u32 enumerate(struct strategy_dpor *s, u32 n)
{
	struct node *node;

	if (s->asleep)
		return 0;
	if (s->at < s->nr) {
		node = &s->nodes[s->at];
		if (node->is_choice && node->n == n) {
			if (s->at == s->changed)
				s->changed_event = s->trace.nr ? s->trace.nr - 1 : 0;
			s->at++;
			return node->value;
		}
		s->diverged = true;
		cut(s, s->at);
	}
	node = node_add(s);
	if (!node)
		return 0;
	node->is_choice = true;
	node->n = n;
	s->at++;
	return 0;
}

static u32 dpor_choose(struct strategy *base, enum choice kind, u32 cpu, u32 n)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	bool armed = s->armed && s->armed_option.cpu == cpu;
	u32 value;

	s->armed = false;
	if (kind == CHOICE_INTERRUPT)
		return armed ? s->armed_option.take : interrupt_alone(s, cpu);
	event_of(s, cpu);
	if ((kind == CHOICE_TLB_EVICT || kind == CHOICE_TLB_FILL) && !s->with_tlb)
		return 0;
	value = enumerate(s, n);
	if (kind == CHOICE_TICK && value && !s->trace.lost)
		s->trace.events[s->trace.nr - 1].ticked = true;
	return value;
}

/* What lies on a stack or in the host's memory: taken for one address. */
#define OUTSIDE (~0ULL)

static void dpor_step(struct strategy *base, u32 cpu, const struct pending_access *access,
		      u64 history)
{
	static const enum hb_access_kind kinds[] = {
		[ACCESS_LOAD] = HB_READ,  [ACCESS_STORE] = HB_WRITE, [ACCESS_RMW] = HB_WRITE,
		[ACCESS_FENCE] = HB_READ, [ACCESS_LOCK] = HB_LOCK,   [ACCESS_UNLOCK] = HB_UNLOCK,
		[ACCESS_EXEC] = HB_READ,
	};
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	enum hb_access_kind kind = kinds[access->site->kind];
	u64 address = access->address;

	(void)history;
	/* Outside of the arena all places look alike. */
	if (!address && access->site->kind != ACCESS_FENCE && access->site->kind != ACCESS_EXEC) {
		address = OUTSIDE;
		kind = kind == HB_READ ? HB_READ : HB_WRITE;
	}
	s->armed = false;
	event_of(s, cpu);
	/* An event for each access, though nobody was asked. The access behind which an interrupt
	 * came belongs to the last one of the handler: nobody can come between. */
	if (s->stepped && is_alone(s, cpu))
		hb_begin(&s->trace, cpu);
	s->stepped = true;
	hb_add(&s->trace, address, kind);
}

static void dpor_touch(struct strategy *base, u32 cpu, u64 address, bool write)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	event_of(s, cpu);
	hb_add(&s->trace, address, write ? HB_WRITE : HB_READ);
}

static void dpor_woken(struct strategy *base, u32 cpu)
{
	hb_woken(&((struct strategy_dpor *)base)->trace, cpu);
}

static void dpor_interrupted(struct strategy *base, u32 cpu)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	event_of(s, cpu);
	if (!s->trace.lost)
		s->trace.events[s->trace.nr - 1].takes = true;
}

/* --- The search ------------------------------------------------------------------------------- */

static struct option option_of_event(const struct hb_event *e)
{
	return (struct option){e->cpu, e->by_choice};
}

/* @race->later is to come before @race->earlier in some schedule: one of those with which that can
 * begin must be tried where the earlier one was chosen. */
static void note_race(void *arg, const struct hb_race *race)
{
	struct strategy_dpor *s = arg;
	const struct hb_event *events = s->trace.events;
	const struct hb_event *later = &events[race->later];
	struct option own = {later->cpu, race->interrupt ? !later->ticked : later->by_choice};
	u32 node = events[race->earlier].node;
	struct option first = {0};
	bool found = false;
	struct node *n;

	if (node == HB_NONE)
		return;
	n = &s->nodes[node];
	if (race->initial && in(&n->enabled, own)) {
		if (in(&n->backtrack, own))
			return;
		first = own;
		found = true;
	}
	for (u32 cpu = 0; cpu < s->nr_cpus; cpu++) {
		struct option o;

		if (race->first[cpu] == HB_NONE)
			continue;
		o = option_of_event(&events[race->first[cpu]]);
		if (!in(&n->enabled, o))
			continue;
		if (in(&n->backtrack, o))
			return;
		if (!found)
			first = o;
		found = true;
	}
	if (found) {
		insert(&n->backtrack, first);
		return;
	}
	s->fallbacks++;
	n->backtrack.step |= n->enabled.step;
	n->backtrack.take |= n->enabled.take;
}

/* Adds the accesses of the event that @n's option began to what is known of the option. */
static void gather_own(struct strategy_dpor *s, struct node *n)
{
	const struct hb_event *e = &s->trace.events[n->first_event];
	struct hb_access *own = realloc(n->own, (n->nr_own + e->nr_accesses + 1) * sizeof(*own));

	if (!own) {
		s->lost = true;
		return;
	}
	n->own = own;
	for (u32 i = 0; i < e->nr_accesses; i++) {
		const struct hb_access *a = &s->trace.accesses[e->first_access + i];
		bool known = false;

		for (u32 k = 0; k < n->nr_own && !known; k++)
			known = own[k].address == a->address &&
				hb_writes(own[k].kind) >= hb_writes(a->kind);
		if (!known)
			own[n->nr_own++] = *a;
	}
}

/* The option chosen at @n is done with: the next one that was noted. False: none is left. */
static bool next_option(struct strategy_dpor *s, struct node *n)
{
	struct options left;

	insert(&n->done, n->chosen);
	add_sleeper(s, n, (struct sleeper){n->chosen, n->own, n->nr_own, false});
	/* Its interrupt could come later, too. */
	if (n->chosen.take)
		n->backtrack.step |= n->enabled.step & (1ULL << n->chosen.cpu);
	n->own = NULL;
	n->nr_own = 0;
	left = (struct options){n->backtrack.step & ~n->done.step,
				n->backtrack.take & ~n->done.take};
	return first_awake(n, &left, n->chosen.cpu, &n->chosen);
}

/* Goes back to the last node at which something is left; false: nothing is. */
static bool go_back(struct strategy_dpor *s)
{
	while (s->nr) {
		struct node *n = &s->nodes[s->nr - 1];

		if (n->is_choice ? ++n->value < n->n : next_option(s, n)) {
			s->changed = s->nr - 1;
			return true;
		}
		cut(s, s->nr - 1);
	}
	return false;
}

static void dpor_end(struct strategy *base, const struct explore_stats *stats)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	u32 first;

	(void)stats;
	if (s->base.exhausted)
		return;
	s->schedules++;
	s->redundant += s->asleep;
	s->lost |= s->trace.lost;
	if (s->at < s->nr) {
		s->diverged = true;
		cut(s, s->at);
	}
	if (s->trace.lost) {
		s->base.exhausted = true;
		return;
	}
	if (s->m && machine_stopping(s->m))
		s->shortened = true;
	hb_races(&s->trace, s->changed_event, s->asleep ? s->searched : s->trace.nr, note_race, s);
	first = last_options(s, min(s->changed + 1, s->nr));
	for (u32 i = first == HB_NONE ? 0 : first; i < s->nr; i++) {
		if (!s->nodes[i].is_choice)
			gather_own(s, &s->nodes[i]);
	}
	if (!go_back(s))
		s->base.exhausted = true;
}

static void dpor_bound(const struct strategy *base, char *text, size_t size)
{
	const struct strategy_dpor *s = (const struct strategy_dpor *)base;
	int n;

	if (s->place.worker) {
		snprintf(text, size, "nothing: dpor is done by the first worker alone");
		return;
	}
	n = snprintf(text, size,
		     "%s: %" PRIu64 " schedules, %" PRIu64
		     " of them equivalent to one before; TLB evictions and fills %s",
		     s->base.exhausted && !s->lost
			     ? "at least one schedule of each class, all classes exhausted"
			     : "classes of schedules, not exhausted",
		     s->schedules, s->redundant, s->with_tlb ? "included" : "left out");
	if (n < 0 || (size_t)n >= size)
		return;
	snprintf(text + n, size - (size_t)n, "%s%s%s",
		 s->diverged ? "; a schedule did not repeat its beginning, so some are missing"
			     : "",
		 s->shortened ? "; what comes after a violation is not searched" : "",
		 s->lost ? "; memory ran out" : "");
}

static void dpor_destroy(struct strategy *base)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	cut(s, 0);
	free(s->nodes);
	hb_destroy(&s->trace);
	free(s);
}

static const struct strategy_ops dpor_ops = {
	.name = "dpor",
	.begin = dpor_begin,
	.pick = dpor_pick,
	.choose = dpor_choose,
	.step = dpor_step,
	.touch = dpor_touch,
	.woken = dpor_woken,
	.interrupted = dpor_interrupted,
	.end = dpor_end,
	.bound = dpor_bound,
	.destroy = dpor_destroy,
};

#define WITHOUT_TLB "no-tlb"

const char *strategy_dpor_refusal(const char *parameter)
{
	if (!*parameter || !strcmp(parameter, WITHOUT_TLB))
		return NULL;
	return "takes no-tlb or nothing, as in dpor:no-tlb";
}

struct strategy *strategy_dpor_create(const char *parameter, const struct strategy_place *place)
{
	struct strategy_dpor *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.ops = &dpor_ops;
	s->base.one_seed = true;
	s->place = *place;
	s->with_tlb = !*parameter;
	return &s->base;
}
