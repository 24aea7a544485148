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
 * Rounds. A search that goes deepest first is for long busy with the end of the schedule. So there
 * are rounds before: first only schedules without a deviation from the default, then those with
 * one, then two (what a deviation is: strategy_dfs.c); after them all. In rounds what was noted is
 * not an option of a node that comes again but a schedule of its own (strategy_dpor_rounds.h), and
 * nothing sleeps. What is noted may cost too much at its place: a vCPU that is to come first may
 * come first for nothing where the other one began to run, so it is noted there, too (Coons,
 * Musuvathi and McKinley, "Bounded Partial-Order Reduction", OOPSLA 2013), and so are vain attempts
 * at a lock (happens_before.h), since who tries in vain gives way. If the rounds leave nothing out
 * the search has ended.
 *
 * The end. A schedule may end before all is done (only-operations, an idle CPU). What a vCPU stood
 * before then, and an interrupt that it has not taken, could have come before, and race with what
 * was done (hb_begin_pending()). Who could have gone on is to do so before the end
 * (nodes_note_end()).
 *
 * Store buffers. That a store becomes visible is a choice, enumerated, or part of what makes it so
 * (happens_before.h). An attempt at a held lock is made if the vCPU's buffer is not empty.
 *
 * What is promised: when the search is exhausted, at least one schedule of each class was run, if
 * no schedule ended in a violation (what would have come after is not searched); after a round, at
 * least one of each class that has a schedule with so few deviations. Of a schedule that ends
 * before all is done it may be one that goes on where it has ended.
 *
 * All schedules must be run from one seed (strategy.one_seed). Used by one thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/access.h"
#include "engine/executor.h"
#include "engine/explore.h"
#include "engine/happens_before.h"
#include "engine/machine.h"
#include "engine/strategy_dpor_nodes.h"
#include "engine/strategy_dpor_rounds.h"
#include "engine/strategy_dpor_words.h"
#include "engine/strategy_kinds.h"

/* What fewest deviations show comes first: rounds with 0, 1 and 2 of them, then all. */
#define LAST_ROUND 2u

/* Of a schedule that goes on and on only so many events are searched; some 100 MB. */
#define DPOR_EVENTS_MAX (1u << 20)

/* What lies on a stack or in the host's memory: taken for one address. */
#define OUTSIDE (~0ULL)

struct strategy_dpor {
	struct strategy base;
	struct strategy_place place;
	bool with_tlb;

	bool in_rounds; /* not yet all schedules */
	bool straight;	/* there are no rounds */
	u32 last_bound; /* with more deviations nothing is run; HB_NONE: all is */
	u32 bound;	/* the deviations of the schedules now run, in rounds */
	bool cut_off;	/* some have more than the rounds allow */
	struct dpor_rounds rounds;

	struct node_stack nodes;
	u32 changed; /* the last node to be repeated: at it the schedule leaves its predecessor; in
		      * rounds known when it is reached */

	/* The schedule being run. */
	const struct machine *m;
	bool tso;
	u32 nr_cpus;
	u32 at; /* nodes passed */
	struct hb_trace trace;
	u32 changed_event; /* the event in which it leaves its predecessor */
	bool stepped;	   /* the last event has made its access */
	enum { NO_DRAIN, DRAIN_CHOSEN, DRAIN_BEGUN } drain; /* what the last choice was about */
	u64 waits;  /* vCPUs that stand before a lock that was held since they do */
	bool armed; /* an option of `take` or one that leaves it was just chosen */
	struct option armed_option;
	bool asleep; /* not searched from here on: everything was tried before, or it is too long */
	u32 searched; /* events before that */
	u64 standing; /* vCPUs that could have gone on at the last pick, and have not since */
	struct pending_access stands_before[MAX_VCPUS_EXPLORE];
	u64 raised; /* vCPUs with an interrupt that they have not taken */

	u64 schedules; /* of all rounds */
	u64 in_round, redundant;
	bool diverged;
	bool shortened; /* a schedule ended before its program did */
	bool too_long;	/* not all of a schedule was searched */
};

/* --- The schedule being run ------------------------------------------------------------------- */

/* The vCPUs have store buffers: at most one event has begun. */
static void learn_buffers(struct strategy_dpor *s)
{
	struct hb_event first = {0}, *e;
	bool begun = s->trace.nr != 0;

	s->tso = true;
	if (begun)
		first = s->trace.events[0];
	hb_reset(&s->trace, s->nr_cpus, true);
	e = begun ? hb_begin(&s->trace, first.cpu) : NULL;
	if (e)
		*e = first;
}

static void learn_machine(struct strategy_dpor *s)
{
	const struct machine *m = this_vcpu()->machine;

	s->m = m;
	if (m->config.tso && !s->tso)
		learn_buffers(s);
	for (u32 i = 0; !s->trace.lost && i < s->nr_cpus; i++) {
		s->trace.pending[i] = arena_offset(&m->arena, &m->vcpus[i].pending);
		s->trace.waiting[i] = arena_offset(&m->arena, &m->vcpus[i].nr_waiting);
		if (m->vcpus[i].pending)
			s->raised |= 1ULL << i;
	}
}

static void dpor_begin(struct strategy *base, u64 seed, u32 nr_vcpus)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	(void)seed;
	s->m = NULL;
	s->nr_cpus = nr_vcpus;
	s->waits = 0;
	s->at = 0;
	s->armed = false;
	s->stepped = false;
	/* One worker does it all: shares would have to know of each other. */
	s->asleep = s->place.worker != 0;
	s->base.exhausted |= s->asleep;
	s->changed_event = 0;
	s->standing = 0;
	s->raised = 0;
	s->drain = NO_DRAIN;
	hb_reset(&s->trace, nr_vcpus, s->tso);
	s->trace.in_vain = s->in_rounds;
	if (s->in_rounds) {
		nodes_cut(&s->nodes, 0);
		s->changed = s->rounds.nr_chain ? HB_NONE : 0;
	}
}

/* What follows is neither searched nor recorded. */
static void stop_searching(struct strategy_dpor *s)
{
	s->asleep = true;
	s->searched = s->trace.nr;
}

/* The event that @cpu is in: another one than the last, if nobody was asked in between because
 * nobody else could go on. */
static void event_of(struct strategy_dpor *s, u32 cpu)
{
	if (unlikely(!s->m))
		learn_machine(s);
	if (hb_cpu(&s->trace) != cpu && !s->asleep) {
		hb_begin(&s->trace, cpu);
		s->stepped = false;
	}
	if (unlikely(s->trace.nr == DPOR_EVENTS_MAX) && !s->asleep) {
		s->too_long = true;
		stop_searching(s);
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

/* Does it stand before a lock that is held? With stores in its buffer it does not only wait: the
 * attempt makes them visible. */
static bool is_blocked(const struct strategy_dpor *s, u32 cpu, const struct pending_access *pending)
{
	if (!pending->site || pending->site->kind != ACCESS_LOCK || !pending->address)
		return false;
	if (s->m->vcpus[cpu].explorer->buffered & (1ULL << cpu))
		return false;
	return *(const volatile u32 *)(s->m->arena.base + pending->address) != 0;
}

static void find_enabled(struct strategy_dpor *s, const struct decision *d, struct options *enabled)
{
	*enabled = (struct options){0};
	for (u64 left = d->runnable; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		if (can_take(s, cpu, &d->pending[cpu]) && s->m->vcpus[cpu].pending)
			enabled->take |= 1ULL << cpu;
		if (!is_blocked(s, cpu, &d->pending[cpu]))
			enabled->step |= 1ULL << cpu;
		else
			s->waits |= 1ULL << cpu;
	}
	/* Let them see for themselves. */
	if (!enabled->step && !enabled->take)
		enabled->step = d->runnable;
}

/* The event that the option chosen at node number @node begins. */
static void begin_chosen(struct strategy_dpor *s, u32 node, bool open)
{
	struct node *n = &s->nodes.nodes[node];
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

/* In rounds: the answer at the place @at, if there is one. */
static const struct dpor_item *answer_at(struct strategy_dpor *s, u32 at)
{
	const struct dpor_item *item = dpor_rounds_answer(&s->rounds, at);

	if (item && dpor_rounds_answered(&s->rounds))
		s->changed = at;
	return item;
}

static void answer_option(struct strategy_dpor *s, u32 at, const struct options *enabled,
			  struct option *chosen)
{
	const struct dpor_item *item = answer_at(s, at);

	if (!item)
		return;
	if (options_have(enabled, dpor_answer_option(item)))
		*chosen = dpor_answer_option(item);
	else
		s->diverged = true;
}

static u32 answer_value(struct strategy_dpor *s, u32 at, u32 n)
{
	const struct dpor_item *item = answer_at(s, at);

	if (!item)
		return 0;
	if (s->changed == at)
		s->changed_event = s->trace.nr ? s->trace.nr - 1 : 0;
	if (item->what < n)
		return item->what;
	s->diverged = true;
	return 0;
}

/* A place where one of @enabled can be chosen; @by_default could go on. @last ran and could, too,
 * or is HB_NONE. */
static struct option choose_option(struct strategy_dpor *s, const struct options *enabled,
				   u32 by_default, u32 last)
{
	struct option fallback = {by_default, false}, chosen;
	u32 at = s->at, parent;
	struct node *n;

	if (s->asleep)
		return fallback;
	if (at < s->nodes.nr) {
		n = &s->nodes.nodes[at];
		if (!n->is_choice && options_have(enabled, n->chosen)) {
			s->at++;
			return n->chosen;
		}
		s->diverged = true;
		nodes_cut(&s->nodes, at);
	}
	n = node_add(&s->nodes);
	if (!n)
		return fallback;
	n->enabled = *enabled;
	n->waits = s->waits;
	n->last = last;
	parent = nodes_last_options(&s->nodes, at);
	if (parent != HB_NONE && !s->in_rounds)
		node_inherit_sleepers(&s->nodes, &s->trace, parent, n);
	/* One that has come to a lock that is held tries in vain and takes its interrupt. */
	if (s->in_rounds && last != HB_NONE && !(enabled->step & (1ULL << last)))
		chosen = (struct option){last, true};
	else if (!node_first_awake(n, enabled, by_default, &chosen)) {
		stop_searching(s);
		nodes_cut(&s->nodes, at);
		return fallback;
	}
	n->by_default = chosen;
	if (s->in_rounds)
		answer_option(s, at, enabled, &chosen);
	n->chosen = chosen;
	options_add(&n->backtrack, chosen);
	s->at++;
	return chosen;
}

/* What @access is to the search. */
static struct hb_access searched_access(const struct pending_access *access)
{
	static const enum hb_access_kind kinds[] = {
		[ACCESS_LOAD] = HB_READ,  [ACCESS_STORE] = HB_WRITE, [ACCESS_RMW] = HB_WRITE,
		[ACCESS_FENCE] = HB_READ, [ACCESS_LOCK] = HB_LOCK,   [ACCESS_UNLOCK] = HB_UNLOCK,
		[ACCESS_EXEC] = HB_READ,
	};
	enum hb_access_kind kind = kinds[access->site->kind];

	if (access->address || access->site->kind == ACCESS_FENCE ||
	    access->site->kind == ACCESS_EXEC)
		return (struct hb_access){access->address, kind};
	/* Outside of the arena all places look alike. */
	return (struct hb_access){OUTSIDE, kind == HB_READ ? HB_READ : HB_WRITE};
}

/* Chooses, and begins the event. */
static struct option choose_and_begin(struct strategy_dpor *s, const struct options *enabled,
				      u32 by_default, u32 last, const bool *open)
{
	u32 at = s->at;
	struct option o = choose_option(s, enabled, by_default, last);

	s->stepped = false;

	if (s->at > at)
		begin_chosen(s, at, open[o.cpu]);
	else if (!s->asleep)
		hb_begin(&s->trace, o.cpu);
	return o;
}

static void remember_standing(struct strategy_dpor *s, const struct decision *d)
{
	s->standing = d->runnable;
	memcpy(s->stands_before, d->pending, s->nr_cpus * sizeof(*s->stands_before));
}

/* The schedule has ended: the next step of who stands could have come earlier, and so could an
 * interrupt that was not taken. */
static void add_pending(struct strategy_dpor *s)
{
	for (u64 left = s->standing; left && !s->trace.lost; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);
		struct hb_access access;

		if (!s->stands_before[cpu].site)
			continue;
		access = searched_access(&s->stands_before[cpu]);
		hb_begin_pending(&s->trace, cpu);
		hb_add(&s->trace, access.address, access.kind);
	}
	for (u64 left = s->raised; left && !s->trace.lost; left &= left - 1) {
		struct hb_event *e = hb_begin_pending(&s->trace, (u32)__builtin_ctzll(left));

		if (e)
			e->by_choice = e->takes = true;
	}
}

static u32 dpor_pick(struct strategy *base, const struct decision *d)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	bool open[MAX_VCPUS_EXPLORE];
	struct options enabled;
	u32 by_default = decision_default(d);
	struct option o;

	s->drain = NO_DRAIN;
	/* The first one is made before any vCPU runs. */
	if (unlikely(!s->m) && !this_vcpu()) {
		struct options all = {d->runnable, 0};

		memset(open, 0, sizeof(open));
		o = choose_and_begin(s, &all, by_default, HB_NONE, open);
		return o.cpu;
	}
	if (unlikely(!s->m))
		learn_machine(s);
	find_enabled(s, d, &enabled);
	remember_standing(s, d);
	for (u32 i = 0; i < s->nr_cpus; i++)
		open[i] = (d->runnable & (1ULL << i)) && can_take(s, i, &d->pending[i]);
	if (!(enabled.step & (1ULL << by_default)))
		by_default = (u32)__builtin_ctzll(enabled.step ? enabled.step : enabled.take);
	o = choose_and_begin(s, &enabled, by_default,
			     (enabled.step | enabled.take) & (1ULL << d->last) ? d->last : HB_NONE,
			     open);
	s->standing &= ~(1ULL << o.cpu);
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
	return choose_and_begin(s, &enabled, cpu, cpu, open).take;
}

static u32 enumerate(struct strategy_dpor *s, u32 n)
{
	struct node *node;

	if (s->asleep)
		return 0;
	if (s->at < s->nodes.nr) {
		node = &s->nodes.nodes[s->at];
		if (node->is_choice && node->n == n) {
			if (s->at == s->changed)
				s->changed_event = s->trace.nr ? s->trace.nr - 1 : 0;
			s->at++;
			return node->value;
		}
		s->diverged = true;
		nodes_cut(&s->nodes, s->at);
	}
	node = node_add(&s->nodes);
	if (!node)
		return 0;
	node->is_choice = true;
	node->n = n;
	if (s->in_rounds)
		node->value = answer_value(s, s->at, n);
	s->at++;
	return node->value;
}

static u32 dpor_choose(struct strategy *base, enum choice kind, u32 cpu, u32 n)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	bool armed = s->armed && s->armed_option.cpu == cpu;
	u32 value;

	s->armed = false;
	s->drain = NO_DRAIN;
	if (kind == CHOICE_INTERRUPT)
		return armed ? s->armed_option.take : interrupt_alone(s, cpu);
	if (kind != CHOICE_DRAIN)
		event_of(s, cpu);
	if ((kind == CHOICE_TLB_EVICT || kind == CHOICE_TLB_FILL) && !s->with_tlb)
		return 0;
	value = enumerate(s, n);
	if (kind == CHOICE_TICK && value && !s->trace.lost && !s->asleep)
		s->trace.events[s->trace.nr - 1].ticked = true;
	if (kind == CHOICE_DRAIN && value)
		s->drain = DRAIN_CHOSEN;
	return value;
}

static void dpor_step(struct strategy *base, u32 cpu, const struct pending_access *access,
		      u64 history)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	struct hb_access searched = searched_access(access);

	(void)history;
	s->armed = false;
	s->waits &= ~(1ULL << cpu);
	s->standing &= ~(1ULL << cpu);
	s->drain = NO_DRAIN;
	event_of(s, cpu);
	if (s->asleep)
		return;
	/* An event for each access, though nobody was asked. The access behind which an interrupt
	 * came belongs to the last one of the handler: nobody can come between. */
	if (s->stepped && is_alone(s, cpu))
		hb_begin(&s->trace, cpu);
	s->stepped = true;
	hb_add(&s->trace, searched.address, searched.kind);
}

static void dpor_touch(struct strategy *base, u32 cpu, u64 address, bool write)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	/* What becomes visible is @cpu's; who makes it so is the one that runs. */
	if (s->drain == NO_DRAIN)
		event_of(s, this_vcpu()->id);
	if (s->asleep)
		return;
	if (s->drain == DRAIN_CHOSEN) {
		hb_begin_drain(&s->trace, cpu);
		s->drain = DRAIN_BEGUN;
	}
	hb_add(&s->trace, address, write ? HB_WRITE : HB_READ);
	for (u32 i = 0; write && !s->trace.lost && i < s->nr_cpus; i++) {
		if (address == s->trace.pending[i])
			s->raised |= 1ULL << i;
	}
}

static void dpor_woken(struct strategy *base, u32 cpu)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	if (!s->asleep)
		hb_woken(&s->trace, cpu);
}

static void dpor_interrupted(struct strategy *base, u32 cpu)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	event_of(s, cpu);
	s->raised &= ~(1ULL << cpu);
	s->standing &= ~(1ULL << cpu);
	if (!s->trace.lost && !s->asleep)
		s->trace.events[s->trace.nr - 1].takes = true;
}

/* --- The search ------------------------------------------------------------------------------- */

static void note_race(void *arg, const struct hb_race *race)
{
	struct strategy_dpor *s = arg;

	nodes_note_race(&s->nodes, &s->trace, race, s->in_rounds);
}

/* Adds the accesses of the event that @n's option began to what is known of the option. */
static void gather_own(struct strategy_dpor *s, struct node *n)
{
	const struct hb_event *e = &s->trace.events[n->first_event];
	struct hb_access *own = realloc(n->own, (n->nr_own + e->nr_accesses + 1) * sizeof(*own));

	if (!own) {
		s->nodes.lost = true;
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

	options_add(&n->done, n->chosen);
	node_add_sleeper(&s->nodes, n,
			 (struct sleeper){n->chosen, n->own, n->nr_own, false, n->ends});
	/* Its interrupt could come later, too. */
	if (n->chosen.take)
		n->backtrack.step |= n->enabled.step & (1ULL << n->chosen.cpu);
	n->own = NULL;
	n->nr_own = 0;
	n->ends = false;
	left = (struct options){n->backtrack.step & ~n->done.step,
				n->backtrack.take & ~n->done.take};
	return node_first_awake(n, &left, n->chosen.cpu, &n->chosen);
}

/* Goes back to the last node at which something is left; false: nothing is. */
static bool go_back(struct strategy_dpor *s)
{
	while (s->nodes.nr) {
		struct node *n = &s->nodes.nodes[s->nodes.nr - 1];

		if (n->is_choice ? ++n->value < n->n : next_option(s, n)) {
			s->changed = s->nodes.nr - 1;
			return true;
		}
		nodes_cut(&s->nodes, s->nodes.nr - 1);
	}
	return false;
}

/* The next schedule of few deviations. When there is none all schedules are next, unless these were
 * all or no more are wanted. */
static void next_in_rounds(struct strategy_dpor *s)
{
	u32 most = s->last_bound == HB_NONE ? LAST_ROUND : s->last_bound;

	s->cut_off |= dpor_rounds_note(&s->rounds, &s->nodes, most);
	if (dpor_rounds_next(&s->rounds)) {
		if (dpor_rounds_spent(&s->rounds) > s->bound) {
			s->bound = dpor_rounds_spent(&s->rounds);
			s->in_round = 0;
		}
		return;
	}
	s->nodes.lost |= s->rounds.lost;
	if (!s->cut_off || s->last_bound != HB_NONE) {
		s->base.exhausted = true;
		return;
	}
	dpor_rounds_destroy(&s->rounds);
	nodes_cut(&s->nodes, 0);
	s->in_rounds = false;
	s->cut_off = false;
	s->in_round = 0;
	s->changed = 0;
}

static void dpor_end(struct strategy *base, const struct explore_stats *stats)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;
	u32 first;

	(void)stats;
	if (s->base.exhausted)
		return;
	s->schedules++;
	s->in_round++;
	s->redundant += s->asleep;
	if (s->at < s->nodes.nr) {
		s->diverged = true;
		nodes_cut(&s->nodes, s->at);
	}
	if (s->m && machine_stopping(s->m))
		s->shortened = true;
	if (s->changed == HB_NONE) {
		/* It did not come to its last answer. */
		s->diverged = true;
		s->changed = 0;
	}
	if (!s->asleep) {
		nodes_note_end(&s->nodes, s->standing, s->nr_cpus, s->in_rounds);
		add_pending(s);
	}
	hb_races(&s->trace, s->changed_event, s->asleep ? s->searched : s->trace.nr, note_race, s);
	if (s->trace.lost) {
		s->nodes.lost = true;
		s->base.exhausted = true;
		return;
	}
	if (s->in_rounds) {
		next_in_rounds(s);
		return;
	}
	first = nodes_last_options(&s->nodes, min(s->changed + 1, s->nodes.nr));
	for (u32 i = first == HB_NONE ? 0 : first; i < s->nodes.nr; i++) {
		if (!s->nodes.nodes[i].is_choice)
			gather_own(s, &s->nodes.nodes[i]);
	}
	s->base.exhausted = !go_back(s);
}

/* What was exhausted, and how much of the rest was run. */
static int describe_search(const struct strategy_dpor *s, char *text, size_t size)
{
	bool ended = s->base.exhausted && !s->nodes.lost;
	char done[96] = "", round[96] = "any number of deviations";
	/* The bound below which nothing is left, plus one. */
	u32 below = s->straight ? 0 : !s->in_rounds ? LAST_ROUND + 1 : s->bound + ended;

	if (ended && !s->cut_off)
		return snprintf(text, size,
				"at least one schedule of each class, all classes exhausted: "
				"%" PRIu64 " schedules, the last %" PRIu64 " of them with %" PRIu64
				" equivalent to one before",
				s->schedules, s->in_round, s->redundant);
	if (below)
		snprintf(done, sizeof(done),
			 "at least one schedule of each class that %u deviation%s reach%s",
			 below - 1, below == 2 ? "" : "s", below == 2 ? "es" : "");
	if (s->in_rounds)
		snprintf(round, sizeof(round), "%u", s->bound);
	if (ended)
		return snprintf(text, size, "%s, exhausted: %" PRIu64 " schedules; not the others",
				done, s->schedules);
	return snprintf(text, size,
			"%s%s%" PRIu64 " schedules with %s, not exhausted, %" PRIu64
			" of them equivalent to one before",
			done, below ? ", and " : "", s->in_round, round, s->redundant);
}

static void dpor_bound(const struct strategy *base, char *text, size_t size)
{
	const struct strategy_dpor *s = (const struct strategy_dpor *)base;
	int n;

	if (s->place.worker) {
		snprintf(text, size, "nothing: dpor is done by the first worker alone");
		return;
	}
	n = describe_search(s, text, size);
	if (n < 0 || (size_t)n >= size)
		return;
	snprintf(text + n, size - (size_t)n, "; TLB evictions and fills %s%s%s%s%s",
		 s->with_tlb ? "included" : "left out",
		 s->diverged ? "; a schedule did not repeat its beginning, so some are missing"
			     : "",
		 s->shortened ? "; what comes after a violation is not searched" : "",
		 s->too_long ? "; the end of a very long schedule is not searched" : "",
		 s->nodes.lost ? "; memory ran out" : "");
}

static void dpor_destroy(struct strategy *base)
{
	struct strategy_dpor *s = (struct strategy_dpor *)base;

	dpor_rounds_destroy(&s->rounds);
	nodes_destroy(&s->nodes);
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

struct strategy *strategy_dpor_create(const char *parameter, const struct strategy_place *place)
{
	struct strategy_dpor *s = calloc(1, sizeof(*s));
	struct dpor_words words;

	if (!s)
		return NULL;
	dpor_words_read(&words, parameter);
	s->base.ops = &dpor_ops;
	s->base.one_seed = true;
	s->place = *place;
	s->with_tlb = !words.no_tlb;
	s->straight = words.all;
	s->in_rounds = !words.all;
	s->last_bound = words.bounded ? words.bound : HB_NONE;
	if (s->in_rounds && !dpor_rounds_start(&s->rounds)) {
		dpor_destroy(&s->base);
		return NULL;
	}
	return &s->base;
}
