// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing guides and following them. See engine/guide.h.
 */
#include "engine/guide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/machine.h"
#include "engine/random.h"

#define GUIDE_FIRST 256

/* Where every vCPU stands: its own steps, and the questions of each kind since the last one. */
struct place {
	u32 steps[MAX_VCPUS_EXPLORE];
	u16 asked[MAX_VCPUS_EXPLORE][NR_GUIDE_KINDS];
};

static void place_begin(struct place *p)
{
	memset(p, 0, sizeof(*p));
}

static void place_step(struct place *p, u32 cpu)
{
	p->steps[cpu]++;
	memset(p->asked[cpu], 0, sizeof(p->asked[cpu]));
}

static u32 pick_kind(const struct decision *d)
{
	return d->runnable & (1ULL << d->last) ? GUIDE_PREEMPT : GUIDE_HANDOVER;
}

void guide_destroy(struct guide *g)
{
	free(g->entries);
	*g = (struct guide){0};
}

int guide_copy(struct guide *to, const struct guide *from)
{
	struct guide_entry *entries = malloc((from->nr + 1) * sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	if (from->nr)
		memcpy(entries, from->entries, from->nr * sizeof(*entries));
	free(to->entries);
	*to = *from;
	to->entries = entries;
	to->size = from->nr + 1;
	return 0;
}

/* ---- writing ---- */

struct guide_note {
	struct strategy base;
	struct strategy *inner;
	struct guide *g;
	struct place place;
};

static void note_add(struct guide_note *n, u32 cpu, u32 kind, u32 value, bool is_default)
{
	struct guide *g = n->g;
	u16 nth = n->place.asked[cpu][kind]++;

	if (kind == GUIDE_PREEMPT)
		g->picks++;
	if (is_default)
		return;
	if (g->nr == g->size) {
		u32 size = g->size ? g->size * 2 : GUIDE_FIRST;
		struct guide_entry *entries = realloc(g->entries, size * sizeof(*entries));

		if (!entries) {
			g->lost = true;
			return;
		}
		g->entries = entries;
		g->size = size;
	}
	g->entries[g->nr++] = (struct guide_entry){.cpu = cpu,
						   .step = n->place.steps[cpu],
						   .value = value,
						   .nth = nth,
						   .kind = (u16)kind};
}

static void note_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct guide_note *n = (struct guide_note *)s;

	n->g->nr = 0;
	n->g->picks = 0;
	n->g->lost = false;
	place_begin(&n->place);
	n->inner->ops->begin(n->inner, seed, nr_vcpus);
}

static u32 note_pick(struct strategy *s, const struct decision *d)
{
	struct guide_note *n = (struct guide_note *)s;
	u32 next = n->inner->ops->pick(n->inner, d);

	note_add(n, d->last, pick_kind(d), next, next == decision_default(d));
	return next;
}

static u32 note_choose(struct strategy *s, enum choice kind, u32 cpu, u32 nr)
{
	struct guide_note *n = (struct guide_note *)s;
	u32 value = n->inner->ops->choose(n->inner, kind, cpu, nr);

	note_add(n, cpu, kind, value, !value);
	return value;
}

static void note_step(struct strategy *s, u32 cpu, const struct pending_access *access, u64 history)
{
	struct guide_note *n = (struct guide_note *)s;

	place_step(&n->place, cpu);
	if (n->inner->ops->step)
		n->inner->ops->step(n->inner, cpu, access, history);
}

static void note_touch(struct strategy *s, u32 cpu, u64 address, bool write)
{
	struct guide_note *n = (struct guide_note *)s;

	if (n->inner->ops->touch)
		n->inner->ops->touch(n->inner, cpu, address, write);
}

static void note_yielded(struct strategy *s, u32 cpu)
{
	struct guide_note *n = (struct guide_note *)s;

	if (n->inner->ops->yielded)
		n->inner->ops->yielded(n->inner, cpu);
}

static void note_end(struct strategy *s, const struct explore_stats *stats)
{
	struct guide_note *n = (struct guide_note *)s;

	if (n->inner->ops->end)
		n->inner->ops->end(n->inner, stats);
	s->exhausted = n->inner->exhausted;
}

static void guide_strategy_destroy(struct strategy *s)
{
	free(s);
}

static const struct strategy_ops note_ops = {
	.name = "note",
	.begin = note_begin,
	.pick = note_pick,
	.choose = note_choose,
	.step = note_step,
	.touch = note_touch,
	.yielded = note_yielded,
	.end = note_end,
	.destroy = guide_strategy_destroy,
};

struct strategy *strategy_guide_note_create(struct strategy *inner, struct guide *g)
{
	struct guide_note *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->base.ops = &note_ops;
	n->inner = inner;
	n->g = g;
	return &n->base;
}

/* ---- following ---- */

struct strategy_guide {
	struct strategy base;
	const struct guide *g;
	struct guide_noise noise;
	struct rng rng;
	struct place place;
	/* What is followed in this schedule: by vCPU, then by step. */
	struct guide_entry *entries;
	u32 nr, size;
	u32 next[MAX_VCPUS_EXPLORE], end[MAX_VCPUS_EXPLORE];
	u32 picks;
	u32 preempt_at[GUIDE_NOISE_PREEMPTIONS]; /* of picks */
	u32 nr_preempt_at;
};

/* Stream numbers keep the draws of one seed apart (random_seed). */
#define STREAM_GUIDE 0x6d1d3e0fULL

/* Noise draws answers as rarely as strategy_random does: one in so many. */
static const u32 rarity[NR_CHOICES] = {
	[CHOICE_INTERRUPT] = 2, [CHOICE_TICK] = 16,	  [CHOICE_TLB_EVICT] = 32,
	[CHOICE_TLB_FILL] = 16, [CHOICE_ALLOC_FAIL] = 64,
};

static int by_place(const void *a, const void *b)
{
	const struct guide_entry *x = a, *y = b;

	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	if (x->step != y->step)
		return x->step < y->step ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static void take_entry(struct strategy_guide *f, struct guide_entry e)
{
	const struct guide_noise *noise = &f->noise;

	if (e.cpu >= MAX_VCPUS_EXPLORE)
		return;
	if (noise->drop && !random_below(&f->rng, noise->drop))
		return;
	if (noise->move && random_below(&f->rng, 2)) {
		u32 by = random_below(&f->rng, noise->move) + 1;

		if (random_below(&f->rng, 2))
			e.step += by;
		else
			e.step -= min(by, e.step);
		e.nth = 0;
	}
	f->entries[f->nr++] = e;
}

static void draw_preemptions(struct strategy_guide *f)
{
	f->nr_preempt_at = min(f->noise.preemptions, (u32)GUIDE_NOISE_PREEMPTIONS);
	for (u32 i = 0; i < f->nr_preempt_at; i++)
		f->preempt_at[i] = random_below(&f->rng, f->noise.picks + 1ULL);
}

static void follow_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_guide *f = (struct strategy_guide *)s;

	(void)nr_vcpus;
	random_seed(&f->rng, seed ^ f->noise.salt, STREAM_GUIDE);
	place_begin(&f->place);
	f->nr = 0;
	f->picks = 0;
	if (f->g->nr > f->size) {
		struct guide_entry *entries = realloc(f->entries, f->g->nr * sizeof(*entries));

		if (entries) {
			f->entries = entries;
			f->size = f->g->nr;
		}
	}
	/* Without memory less is followed: a schedule is what comes of it in any case. */
	for (u32 i = 0; i < min(f->g->nr, f->size); i++)
		take_entry(f, f->g->entries[i]);
	if (f->nr)
		qsort(f->entries, f->nr, sizeof(*f->entries), by_place);
	memset(f->next, 0, sizeof(f->next));
	memset(f->end, 0, sizeof(f->end));
	for (u32 i = f->nr; i-- > 0;) {
		f->next[f->entries[i].cpu] = i;
		f->end[f->entries[i].cpu] = max(f->end[f->entries[i].cpu], i + 1);
	}
	draw_preemptions(f);
}

/* The entry for this question, or NULL. */
static const struct guide_entry *entry_for(struct strategy_guide *f, u32 cpu, u32 kind)
{
	u32 step = f->place.steps[cpu];
	u16 nth = f->place.asked[cpu][kind]++;

	while (f->next[cpu] < f->end[cpu] && f->entries[f->next[cpu]].step < step)
		f->next[cpu]++;
	for (u32 i = f->next[cpu]; i < f->end[cpu] && f->entries[i].step == step; i++) {
		if (f->entries[i].kind == kind && f->entries[i].nth == nth)
			return &f->entries[i];
	}
	return NULL;
}

static bool noise_preempts(struct strategy_guide *f)
{
	u32 at = f->picks++;

	for (u32 i = 0; i < f->nr_preempt_at; i++) {
		if (f->preempt_at[i] == at)
			return true;
	}
	return false;
}

static u32 follow_pick(struct strategy *s, const struct decision *d)
{
	struct strategy_guide *f = (struct strategy_guide *)s;
	u32 kind = pick_kind(d);
	const struct guide_entry *e = entry_for(f, d->last, kind);
	u64 others = d->runnable & ~(1ULL << d->last);

	if (e && e->value < MAX_VCPUS_EXPLORE && d->runnable & (1ULL << e->value))
		return e->value;
	if (kind == GUIDE_PREEMPT ? noise_preempts(f) : f->noise.free)
		return runnable_nth(others, random_below(&f->rng, runnable_count(others)));
	return decision_default(d);
}

static u32 follow_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	struct strategy_guide *f = (struct strategy_guide *)s;
	const struct guide_entry *e = entry_for(f, cpu, kind);

	if (e && e->value < n)
		return e->value;
	if (!f->noise.free || (rarity[kind] && random_below(&f->rng, rarity[kind])))
		return 0;
	return rarity[kind] && n == 2 ? 1 : random_below(&f->rng, n);
}

static void follow_step(struct strategy *s, u32 cpu, const struct pending_access *access,
			u64 history)
{
	struct strategy_guide *f = (struct strategy_guide *)s;

	(void)access;
	(void)history;
	place_step(&f->place, cpu);
}

static void follow_destroy(struct strategy *s)
{
	free(((struct strategy_guide *)s)->entries);
	free(s);
}

static const struct strategy_ops follow_ops = {
	.name = "guide",
	.begin = follow_begin,
	.pick = follow_pick,
	.choose = follow_choose,
	.step = follow_step,
	.destroy = follow_destroy,
};

struct strategy *strategy_guide_create(const struct guide *g)
{
	struct strategy_guide *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base.ops = &follow_ops;
	f->g = g;
	return &f->base;
}

void strategy_guide_noise(struct strategy *s, const struct guide_noise *noise)
{
	((struct strategy_guide *)s)->noise = *noise;
}
