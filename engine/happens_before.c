// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/happens_before.h"

#include <stdlib.h>
#include <string.h>

/* The last accesses to one address. */
struct hb_word {
	u64 address;
	u32 epoch;	  /* of another one: free */
	u32 last_write;	  /* events, or HB_NONE */
	u32 last_taking;  /* HB_LOCK */
	u32 last_release; /* HB_UNLOCK */
};

#define HB_FIRST_SIZE 1024

/* Multiplicative hashing: 2^64 divided by the golden ratio (Knuth, TAOCP vol. 3, 6.4). */
#define HASH_FACTOR 0x9e3779b97f4a7c15ULL

/* --- Memory ----------------------------------------------------------------------------------- */

/* Room for @need elements of @each bytes; false without memory. */
static bool reserve(void **array, u32 *size, u32 need, size_t each)
{
	u32 larger = *size ? *size : HB_FIRST_SIZE;
	void *p;

	if (likely(need <= *size))
		return true;
	while (larger < need)
		larger *= 2;
	p = realloc(*array, (size_t)larger * each);
	if (!p)
		return false;
	*array = p;
	*size = larger;
	return true;
}

void hb_destroy(struct hb_trace *t)
{
	free(t->events);
	free(t->accesses);
	free(t->clocks);
	free(t->last);
	free(t->woken);
	free(t->pending);
	free(t->waiting);
	free(t->words);
	free(t->word_reads);
	free(t->scratch);
	memset(t, 0, sizeof(*t));
}

/* Two clocks of events being looked at, the first events of a race, who raised interrupts, and the
 * clock of the beginning. */
#define SCRATCH_ROWS 5

static bool words_create(struct hb_trace *t, u32 size)
{
	t->words = calloc(size, sizeof(*t->words));
	t->word_reads = malloc((size_t)size * t->nr_cpus * sizeof(u32));
	t->mask = size - 1;
	t->nr_words = 0;
	t->epoch = 0;
	return t->words && t->word_reads;
}

static bool create(struct hb_trace *t, u32 nr_cpus)
{
	hb_destroy(t);
	t->nr_cpus = nr_cpus;
	t->last = malloc(nr_cpus * sizeof(u32));
	t->woken = malloc(nr_cpus * sizeof(u32));
	t->pending = calloc(nr_cpus, sizeof(u64));
	t->waiting = calloc(nr_cpus, sizeof(u64));
	t->scratch = malloc((size_t)SCRATCH_ROWS * nr_cpus * sizeof(u32));
	return words_create(t, HB_FIRST_SIZE) && t->last && t->woken && t->pending && t->waiting &&
	       t->scratch;
}

void hb_reset(struct hb_trace *t, u32 nr_vcpus, bool buffers)
{
	u32 nr_cpus = buffers ? 2 * nr_vcpus : nr_vcpus;

	if (t->nr_cpus != nr_cpus && !create(t, nr_cpus)) {
		hb_destroy(t);
		t->lost = true;
	}
	t->nr_vcpus = nr_vcpus;
	t->nr = 0;
	t->nr_accesses = 0;
	if (t->lost)
		return;
	memset(t->last, 0xff, nr_cpus * sizeof(u32));
	memset(t->woken, 0xff, nr_cpus * sizeof(u32));
}

/* --- Collecting ------------------------------------------------------------------------------- */

struct hb_event *hb_begin(struct hb_trace *t, u32 cpu)
{
	struct hb_event *e;

	if (t->lost || !reserve((void **)&t->events, &t->size, t->nr + 1, sizeof(*t->events))) {
		t->lost = true;
		return NULL;
	}
	e = &t->events[t->nr];
	*e = (struct hb_event){
		.cpu = cpu,
		.previous = t->last[cpu],
		.woken_by = t->woken[cpu],
		.node = HB_NONE,
		.first_access = t->nr_accesses,
	};
	t->last[cpu] = t->nr++;
	t->woken[cpu] = HB_NONE;
	return e;
}

struct hb_event *hb_begin_pending(struct hb_trace *t, u32 cpu)
{
	u32 last = t->last[cpu], woken = t->woken[cpu];
	struct hb_event *e = hb_begin(t, cpu);

	if (e)
		e->pending = true;
	t->last[cpu] = last;
	t->woken[cpu] = woken;
	return e;
}

void hb_add(struct hb_trace *t, u64 address, enum hb_access_kind kind)
{
	struct hb_event *e;

	if (!address || t->lost || !t->nr)
		return;
	e = &t->events[t->nr - 1];
	for (u32 i = 0; i < e->nr_accesses; i++) {
		struct hb_access *a = &t->accesses[e->first_access + i];

		if (a->address == address && (a->kind == kind || kind == HB_READ))
			return;
	}
	if (!reserve((void **)&t->accesses, &t->size_accesses, t->nr_accesses + 1,
		     sizeof(*t->accesses))) {
		t->lost = true;
		return;
	}
	t->accesses[t->nr_accesses++] = (struct hb_access){address, kind};
	e->nr_accesses++;
}

void hb_woken(struct hb_trace *t, u32 cpu)
{
	if (!t->lost && t->nr && t->events[t->nr - 1].cpu != cpu)
		t->woken[cpu] = t->nr - 1;
}

bool hb_conflict(const struct hb_access *a, u32 nr_a, const struct hb_access *b, u32 nr_b)
{
	for (u32 i = 0; i < nr_a; i++) {
		for (u32 k = 0; k < nr_b; k++) {
			if (a[i].address == b[k].address &&
			    (hb_writes(a[i].kind) || hb_writes(b[k].kind)))
				return true;
		}
	}
	return false;
}

/* --- The last accesses, by address ------------------------------------------------------------ */

static u32 word_slot(const struct hb_trace *t, u64 address)
{
	u32 at = (u32)(address * HASH_FACTOR >> 32) & t->mask;

	while (t->words[at].epoch == t->epoch && t->words[at].address != address)
		at = (at + 1) & t->mask;
	return at;
}

static bool words_grow(struct hb_trace *t)
{
	struct hb_word *words = t->words;
	u32 *reads = t->word_reads, size = t->mask + 1, epoch = t->epoch;
	size_t row = t->nr_cpus * sizeof(u32);
	bool ok = words_create(t, size * 2);

	t->epoch = 1;
	for (u32 i = 0; ok && i < size; i++) {
		u32 at;

		if (words[i].epoch != epoch)
			continue;
		at = word_slot(t, words[i].address);
		t->words[at] = words[i];
		t->words[at].epoch = t->epoch;
		memcpy(t->word_reads + (size_t)at * t->nr_cpus, reads + (size_t)i * t->nr_cpus,
		       row);
		t->nr_words++;
	}
	free(words);
	free(reads);
	return ok;
}

/* The word at @address and its reads; NULL without memory. */
static struct hb_word *word_of(struct hb_trace *t, u64 address, u32 **reads)
{
	u32 at;

	if (t->nr_words * 2 > t->mask && !words_grow(t)) {
		t->lost = true;
		return NULL;
	}
	at = word_slot(t, address);
	*reads = t->word_reads + (size_t)at * t->nr_cpus;
	if (t->words[at].epoch != t->epoch) {
		t->words[at] = (struct hb_word){address, t->epoch, HB_NONE, HB_NONE, HB_NONE};
		memset(*reads, 0xff, t->nr_cpus * sizeof(u32));
		t->nr_words++;
	}
	return &t->words[at];
}

static void words_forget(struct hb_trace *t)
{
	t->nr_words = 0;
	if (++t->epoch)
		return;
	memset(t->words, 0, ((size_t)t->mask + 1) * sizeof(*t->words));
	t->epoch = 1;
}

/* --- Clocks ----------------------------------------------------------------------------------- */

static u32 *clock_of(const struct hb_trace *t, u32 event)
{
	return t->clocks + (size_t)event * t->nr_cpus;
}

static void join(const struct hb_trace *t, u32 *clock, u32 event)
{
	const u32 *other;

	if (event == HB_NONE)
		return;
	other = clock_of(t, event);
	for (u32 i = 0; i < t->nr_cpus; i++)
		clock[i] = max(clock[i], other[i]);
}

static bool knows(const struct hb_trace *t, const u32 *clock, u32 event)
{
	return clock[t->events[event].cpu] > event;
}

/* --- Races ------------------------------------------------------------------------------------ */

struct race_search {
	struct hb_trace *t;
	hb_race_fn *found;
	void *arg;
	u32 *pre;     /* what the event knows before its accesses */
	u32 *rest;    /* and with all of them but one */
	u32 *first;   /* struct hb_race */
	u32 *raised;  /* of each vCPU: the first time its pending interrupt was raised */
	u32 *nothing; /* what is known before the first event */
	u32 *candidates;
	u32 nr_candidates, size_candidates;
};

static void candidate(struct race_search *s, u32 cpu, u32 event)
{
	if (event == HB_NONE || s->t->events[event].cpu == cpu || hb_is_drain(s->t, event) ||
	    knows(s->t, s->pre, event))
		return;
	for (u32 i = 0; i < s->nr_candidates; i++) {
		if (s->candidates[i] == event)
			return;
	}
	if (!reserve((void **)&s->candidates, &s->size_candidates, s->nr_candidates + 1,
		     sizeof(u32))) {
		s->t->lost = true;
		return;
	}
	s->candidates[s->nr_candidates++] = event;
}

/* What must have come before the access @a of @cpu. */
static void find_candidates(struct race_search *s, u32 cpu, const struct hb_access *a)
{
	struct hb_trace *t = s->t;
	u32 *reads;
	const struct hb_word *w = word_of(t, a->address, &reads);

	if (!w)
		return;
	/* What released the lock comes before its taking in any order. */
	if (a->kind == HB_LOCK && w->last_write == w->last_release)
		candidate(s, cpu, w->last_taking);
	else
		candidate(s, cpu, w->last_write);
	for (u32 i = 0; hb_writes(a->kind) && i < t->nr_cpus; i++)
		candidate(s, cpu, reads[i]);
}

/* s->first for the events between @earlier and @later. */
static void find_first(struct race_search *s, u32 earlier, u32 later)
{
	const struct hb_trace *t = s->t;

	memset(s->first, 0xff, t->nr_cpus * sizeof(u32));
	for (u32 k = earlier + 1; k < later && !t->events[k].pending; k++) {
		u32 cpu = t->events[k].cpu;

		if (!knows(t, clock_of(t, k), earlier) && s->first[cpu] == HB_NONE)
			s->first[cpu] = k;
	}
}

/* Does none of s->first, but those of @cpu itself, come before what has @clock? */
static bool precedes_all(const struct race_search *s, const u32 *clock, u32 self)
{
	for (u32 cpu = 0; cpu < s->t->nr_cpus; cpu++) {
		if (s->first[cpu] != HB_NONE && s->first[cpu] != self &&
		    knows(s->t, clock, s->first[cpu]))
			return false;
	}
	return true;
}

/* @clock: what @later knows without @earlier. */
static void report(struct race_search *s, u32 earlier, u32 later, const u32 *clock, bool interrupt)
{
	const struct hb_trace *t = s->t;
	struct hb_race race = {.earlier = earlier, .later = later, .interrupt = interrupt};
	u64 kept[2] = {0};

	find_first(s, earlier, later);
	race.initial = precedes_all(s, clock, HB_NONE);
	for (u32 cpu = 0; cpu < t->nr_cpus; cpu++) {
		if (s->first[cpu] != HB_NONE &&
		    precedes_all(s, clock_of(t, s->first[cpu]), s->first[cpu]))
			kept[cpu / 64] |= 1ULL << cpu % 64;
	}
	for (u32 cpu = 0; cpu < t->nr_cpus; cpu++) {
		if (!(kept[cpu / 64] & (1ULL << cpu % 64)))
			s->first[cpu] = HB_NONE;
	}
	race.first = s->first;
	s->found(s->arg, &race);
}

/* Candidates that nothing else puts in order with @event. */
static void report_candidates(struct race_search *s, u32 event)
{
	const struct hb_trace *t = s->t;

	for (u32 i = 0; i < s->nr_candidates; i++) {
		u32 earlier = s->candidates[i];

		memcpy(s->rest, s->pre, t->nr_cpus * sizeof(u32));
		for (u32 k = 0; k < s->nr_candidates; k++) {
			if (k != i)
				join(t, s->rest, s->candidates[k]);
		}
		if (!knows(t, s->rest, earlier))
			report(s, earlier, event, s->rest, false);
	}
}

/* @event takes the lock @w: an attempt before its last release would have been in vain, and one
 * before any taking would not. */
static void report_in_vain(struct race_search *s, const struct hb_word *w, u32 event)
{
	const struct hb_trace *t = s->t;
	u32 taking = w->last_taking;

	if (w->last_release != HB_NONE && w->last_write == w->last_release &&
	    t->events[w->last_release].cpu != t->events[event].cpu &&
	    !knows(t, s->pre, w->last_release))
		report(s, w->last_release, event, s->pre, false);
	for (; taking != HB_NONE; taking = t->events[taking].taken_before) {
		if (t->events[taking].cpu != t->events[event].cpu && !knows(t, s->pre, taking))
			report(s, taking, event, s->pre, false);
	}
}

/*
 * What @event's accesses race with. What stands behind the taking of a lock in the same event is
 * ordered by the lock: so it comes second, with all that the last holder knew.
 */
static void report_accesses(struct race_search *s, u32 event)
{
	struct hb_trace *t = s->t;
	const struct hb_event *e = &t->events[event];

	s->nr_candidates = 0;
	for (u32 i = 0; i < e->nr_accesses; i++) {
		const struct hb_access *a = &t->accesses[e->first_access + i];
		const struct hb_word *w;
		u32 *reads;

		find_candidates(s, e->cpu, a);
		if (a->kind != HB_LOCK)
			continue;
		report_candidates(s, event);
		w = word_of(t, a->address, &reads);
		if (w && t->in_vain)
			report_in_vain(s, w, event);
		for (u32 k = 0; k < s->nr_candidates; k++)
			join(t, s->pre, s->candidates[k]);
		if (w)
			join(t, s->pre, w->last_write);
		s->nr_candidates = 0;
	}
	report_candidates(s, event);
}

/*
 * @event takes an interrupt, or preempts by a tick, which was made possible by the event @cause of
 * the same trace: it could have done so before an earlier event of its vCPU.
 */
static void report_interrupt(struct race_search *s, u32 event, u32 cause, bool tick)
{
	const struct hb_trace *t = s->t;
	u32 earlier = tick || t->events[event].by_choice ? t->events[event].previous : event;

	/* Raised before the schedule began it could have come anywhere; a tick is asked for
	 * wherever it can be. */
	if (tick && cause == HB_NONE)
		return;
	/* Not before the last interrupt, and not where there was nothing to choose. */
	while (earlier != HB_NONE &&
	       !(t->events[earlier].open && t->events[earlier].node != HB_NONE)) {
		if (t->events[earlier].takes && earlier != event)
			return;
		earlier = t->events[earlier].previous;
	}
	if (earlier == HB_NONE || (t->events[earlier].takes && earlier != event) ||
	    (cause != HB_NONE && knows(t, clock_of(t, cause), earlier)))
		return;
	if (tick && cause < earlier)
		return;
	report(s, earlier, event, cause == HB_NONE ? s->nothing : clock_of(t, cause), true);
}

/* Access @i of @e and what is known of its word; NULL without memory. */
static const struct hb_access *access_of(struct hb_trace *t, const struct hb_event *e, u32 i,
					 struct hb_word **w, u32 **reads)
{
	const struct hb_access *a = &t->accesses[e->first_access + i];

	*w = word_of(t, a->address, reads);
	return *w ? a : NULL;
}

/* What the later events have to know of @event. */
static void remember(struct race_search *s, u32 event)
{
	struct hb_trace *t = s->t;
	struct hb_event *e = &t->events[event];
	u32 *clock = clock_of(t, event);

	memcpy(clock, s->pre, t->nr_cpus * sizeof(u32));
	for (u32 i = 0; i < e->nr_accesses; i++) {
		u32 *reads;
		struct hb_word *w;
		const struct hb_access *a = access_of(t, e, i, &w, &reads);

		if (!a)
			return;
		join(t, clock, w->last_write);
		for (u32 cpu = 0; hb_writes(a->kind) && cpu < t->nr_cpus; cpu++)
			join(t, clock, reads[cpu]);
	}
	clock[e->cpu] = event + 1;
	for (u32 i = 0; i < e->nr_accesses; i++) {
		u32 *reads;
		struct hb_word *w;
		const struct hb_access *a = access_of(t, e, i, &w, &reads);

		if (!a)
			return;
		if (!hb_writes(a->kind)) {
			reads[e->cpu] = event;
			continue;
		}
		w->last_write = event;
		if (a->kind == HB_LOCK) {
			e->taken_before = w->last_taking;
			w->last_taking = event;
		}
		if (a->kind == HB_UNLOCK)
			w->last_release = event;
		memset(reads, 0xff, t->nr_cpus * sizeof(u32));
	}
}

/* Who raised what, and who took it. */
static void note_raised(struct race_search *s, u32 event)
{
	const struct hb_trace *t = s->t;
	const struct hb_event *e = &t->events[event];

	for (u32 i = 0; i < e->nr_accesses; i++) {
		const struct hb_access *a = &t->accesses[e->first_access + i];

		for (u32 cpu = 0; hb_writes(a->kind) && cpu < t->nr_cpus; cpu++) {
			if (a->address == t->pending[cpu] && s->raised[cpu] == HB_NONE &&
			    !(e->takes && e->cpu == cpu))
				s->raised[cpu] = event;
		}
	}
	if (e->takes)
		s->raised[e->cpu] = HB_NONE;
}

/* The last event that queued a task on @cpu. */
static u32 last_queued(struct hb_trace *t, u32 cpu)
{
	u32 *reads;
	const struct hb_word *w = word_of(t, t->waiting[cpu], &reads);

	return w ? w->last_write : HB_NONE;
}

static void look_at(struct race_search *s, u32 event, bool wanted)
{
	struct hb_trace *t = s->t;
	const struct hb_event *e = &t->events[event];

	memset(s->pre, 0, t->nr_cpus * sizeof(u32));
	join(t, s->pre, e->previous);
	join(t, s->pre, e->woken_by);
	/* One that waits takes what is there; else there must be something to take. */
	if (e->by_choice)
		join(t, s->pre, s->raised[e->cpu]);
	if (wanted && !hb_is_drain(t, event)) {
		report_accesses(s, event);
		if (e->takes)
			report_interrupt(s, event, s->raised[e->cpu], false);
		if (e->ticked)
			report_interrupt(s, event, last_queued(t, e->cpu), true);
	}
	if (e->pending)
		return;
	remember(s, event);
	note_raised(s, event);
}

void hb_races(struct hb_trace *t, u32 from, u32 to, hb_race_fn *found, void *arg)
{
	struct race_search s = {.t = t, .found = found, .arg = arg};

	if (t->lost ||
	    !reserve((void **)&t->clocks, &t->size_clocks, t->nr * t->nr_cpus + 1, sizeof(u32))) {
		t->lost = true;
		return;
	}
	words_forget(t);
	s.pre = t->scratch;
	s.rest = s.pre + t->nr_cpus;
	s.first = s.rest + t->nr_cpus;
	s.raised = s.first + t->nr_cpus;
	s.nothing = s.raised + t->nr_cpus;
	memset(s.raised, 0xff, t->nr_cpus * sizeof(u32));
	memset(s.nothing, 0, t->nr_cpus * sizeof(u32));
	for (u32 i = 0; i < t->nr && i < to && !t->lost; i++)
		look_at(&s, i, i >= from);
	free(s.candidates);
}
