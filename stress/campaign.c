// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/campaign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/explore_coverage.h"
#include "stress/explored.h"

struct campaign_worker {
	struct campaign *c;
	unsigned int index;
	pthread_t thread;
	bool started;
	struct world *w;
	struct strategy *s;
	struct search_state state;
	struct config drawn; /* with the program of the batch */
	uint64_t batch;	     /* its number + 1; 0: none yet */
	struct error err;    /* why it ended early */
	bool exhausted;	     /* its strategy had nothing left to try */

	/* For the thread that looks on: written by the worker alone, atomic. */
	__line_aligned uint64_t schedules;
	uint64_t steps, distinct, pairs;
	uint64_t counters[RUN_COUNTERS_MAX];
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t look(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void show(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* No schedule beyond @number counts any more. */
static void end_after(struct campaign *c, uint64_t number)
{
	uint64_t last = look(&c->last);

	while (number < last && !__atomic_compare_exchange_n(&c->last, &last, number, false,
							     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* The seed of schedule @number. A strategy that goes through the schedules of one program system-
 * atically needs the same program each time. */
static uint64_t seed_of(const struct campaign_worker *w, uint64_t number)
{
	return w->c->config->seed + (w->s->one_seed ? 0 : number);
}

/* Gives the worker's world the program of schedule @number. 0, or -1 with w->err filled. */
static int take_program(struct campaign_worker *w, uint64_t number)
{
	const struct config *config = w->c->config;
	uint64_t batch = w->s->one_seed ? 0 : number / EXPLORED_BATCH;

	if (!explored_draws(config) || w->batch == batch + 1)
		return 0;
	w->batch = batch + 1;
	return explored_draw(&w->drawn, config, config->seed + batch * EXPLORED_BATCH, w->w,
			     &w->err);
}

/* The finding of that kind; c->lock held. */
static struct campaign_finding *same_kind(struct campaign *c, const char *invariant,
					  const char *where)
{
	for (unsigned int i = 0; i < c->nr_findings; i++) {
		const struct schedule *s = &c->findings[i].schedule;

		if (!strcmp(s->invariant, invariant) && !strcmp(s->where, where))
			return &c->findings[i];
	}
	return NULL;
}

/* Fills @f with what the worker's machine has just done. 0, or -1 with w->err
 * filled. */
static int finding_fill(struct campaign_finding *f, struct campaign_worker *w, uint64_t number,
			enum machine_end end)
{
	const struct config *config = explored_draws(w->c->config) ? &w->drawn : w->c->config;

	if (schedule_of_world(&f->schedule, w->w, seed_of(w, number), &w->err))
		return -1;
	job_destroy(&f->config.job);
	f->config = *config;
	if (job_copy(&f->config.job, &config->job)) {
		f->config.job = (struct job){0};
		return error_no_memory(&w->err);
	}
	f->end = end;
	f->number = number;
	f->seconds = now_s() - w->c->started_s;
	return 0;
}

/* Under c->lock. 0, or -1 with w->err filled. */
static int keep(struct campaign_worker *w, uint64_t number, enum machine_end end)
{
	struct campaign *c = w->c;
	const struct violation *v = &world_machine(w->w)->violations.first;
	struct campaign_finding *f = same_kind(c, v->invariant->slug, v->where);
	bool new = !f;

	if (f) {
		f->again++;
		if (number > f->number)
			return 0;
	} else if (c->nr_findings < ARRAY_SIZE(c->findings)) {
		f = &c->findings[c->nr_findings];
	} else {
		return 0;
	}
	if (finding_fill(f, w, number, end))
		return -1;
	c->nr_findings += new;
	/* Of one that is wanted the lowest number counts: those below it go on. */
	if (c->nr_findings >= c->config->findings)
		end_after(c, number);
	return 0;
}

/* A schedule has ended otherwise than by finishing. 0: go on. */
static int found(struct campaign_worker *w, uint64_t number, enum machine_end end)
{
	int ret;

	if (end == MACHINE_STOPPED)
		return error_set(&w->err, VERDICT_UNTRUSTWORTHY,
				 "the machine has no room for the job: give it more --pages or "
				 "the job smaller working sets");
	pthread_mutex_lock(&w->c->lock);
	ret = keep(w, number, end);
	pthread_mutex_unlock(&w->c->lock);
	return ret;
}

static void publish(struct campaign_worker *w)
{
	struct counter counters[RUN_COUNTERS_MAX];
	size_t nr = run_counters(w->w, counters, RUN_COUNTERS_MAX);

	for (size_t i = 0; i < nr; i++)
		show(&w->counters[i], w->counters[i] + counters[i].value);
	show(&w->steps, w->steps + world_machine(w->w)->explored.steps);
	show(&w->distinct, search_state_distinct(&w->state));
	show(&w->pairs, search_state_pairs(&w->state));
	show(&w->schedules, w->schedules + 1);
}

static int one_schedule(struct campaign_worker *w, uint64_t number)
{
	enum machine_end end;

	if (take_program(w, number))
		return -1;
	end = world_run(w->w, EXECUTOR_EXPLORE, seed_of(w, number), w->s);
	search_state_add(&w->state, world_machine(w->w));
	publish(w);
	w->exhausted = w->s->exhausted;
	return end == MACHINE_FINISHED ? 0 : found(w, number, end);
}

static void *work(void *arg)
{
	struct campaign_worker *w = arg;
	struct campaign *c = w->c;

	for (uint64_t number = w->index; number <= look(&c->last); number += c->nr_workers) {
		if (w->s->exhausted)
			break;
		if (one_schedule(w, number)) {
			campaign_stop(c);
			break;
		}
	}
	__atomic_fetch_sub(&c->running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int worker_init(struct campaign_worker *w, struct campaign *c, unsigned int index,
		       struct error *err)
{
	struct strategy_place place = {index, c->nr_workers};

	w->c = c;
	w->index = index;
	w->s = strategy_create_at(c->config->strategy, &place);
	if (!w->s || search_state_init(&w->state))
		return error_no_memory(err);
	w->w = explored_world(c->config, err);
	if (!w->w)
		return -1;
	if (search_state_watch(&w->state, world_machine(w->w)))
		return error_no_memory(err);
	/* Systematic strategies count classes as the oracle can tell them apart. */
	if (w->s->one_seed)
		world_machine(w->w)->coverage->touches = true;
	return 0;
}

int campaign_start(struct campaign *c, const struct config *config, struct error *err)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->config = config;
	c->last = config->iterations ? config->iterations - 1 : UINT64_MAX;
	c->workers = aligned_alloc(CACHE_LINE, config->workers * sizeof(*c->workers));
	if (!c->workers)
		return error_no_memory(err);
	memset(c->workers, 0, config->workers * sizeof(*c->workers));
	c->nr_workers = config->workers;
	for (unsigned int i = 0; i < c->nr_workers; i++) {
		if (worker_init(&c->workers[i], c, i, err))
			return -1;
	}
	c->started_s = now_s();
	for (unsigned int i = 0; i < c->nr_workers; i++) {
		struct campaign_worker *w = &c->workers[i];

		__atomic_fetch_add(&c->running, 1, __ATOMIC_RELAXED);
		if (pthread_create(&w->thread, NULL, work, w)) {
			__atomic_fetch_sub(&c->running, 1, __ATOMIC_RELAXED);
			campaign_stop(c);
			return error_set(err, VERDICT_UNTRUSTWORTHY,
					 "the host gives no thread for worker %u", i);
		}
		w->started = true;
	}
	return 0;
}

bool campaign_poll(struct campaign *c, int ms)
{
	/* Short schedules, short campaigns: looks often at first. */
	struct timespec nap = {0, 1000000};

	for (; ms > 0 && __atomic_load_n(&c->running, __ATOMIC_ACQUIRE); ms--)
		nanosleep(&nap, NULL);
	return __atomic_load_n(&c->running, __ATOMIC_ACQUIRE);
}

void campaign_stop(struct campaign *c)
{
	end_after(c, 0);
}

void campaign_totals(struct campaign *c, struct campaign_totals *totals)
{
	memset(totals, 0, sizeof(*totals));
	for (unsigned int i = 0; i < c->nr_workers; i++) {
		const struct campaign_worker *w = &c->workers[i];

		totals->schedules += look(&w->schedules);
		totals->steps += look(&w->steps);
		totals->distinct += look(&w->distinct);
		totals->pairs = max(totals->pairs, look(&w->pairs));
	}
	pthread_mutex_lock(&c->lock);
	totals->findings = c->nr_findings;
	pthread_mutex_unlock(&c->lock);
}

size_t campaign_counters(const struct campaign *c, struct counter *counters, size_t max)
{
	size_t nr = run_counter_names(counters, max);

	for (size_t n = 0; n < nr; n++) {
		for (unsigned int i = 0; i < c->nr_workers; i++)
			counters[n].value += look(&c->workers[i].counters[n]);
	}
	return nr;
}

static int by_number(const void *pa, const void *pb)
{
	const struct campaign_finding *a = pa, *b = pb;

	return a->number < b->number ? -1 : a->number > b->number;
}

static void finding_destroy(struct campaign_finding *f)
{
	schedule_destroy(&f->schedule);
	job_destroy(&f->config.job);
}

int campaign_join(struct campaign *c, struct search_state *state, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; i < c->nr_workers; i++) {
		struct campaign_worker *w = &c->workers[i];

		if (w->started)
			pthread_join(w->thread, NULL);
		w->started = false;
		if (search_state_merge(state, &w->state) && !ret)
			ret = error_no_memory(err);
		if (w->err.status && !ret) {
			*err = w->err;
			ret = -1;
		}
	}
	qsort(c->findings, c->nr_findings, sizeof(*c->findings), by_number);
	/* Of those that several workers found at once, as many as were asked for. */
	while (c->nr_findings > c->config->findings)
		finding_destroy(&c->findings[--c->nr_findings]);
	return ret;
}

static bool all_exhausted(const struct campaign *c)
{
	for (unsigned int i = 0; i < c->nr_workers; i++) {
		if (!c->workers[i].s->exhausted)
			return false;
	}
	return true;
}

void campaign_bound(const struct campaign *c, char *text, size_t size)
{
	const struct campaign_worker *w = &c->workers[0];
	struct campaign_totals totals;
	size_t used;

	campaign_totals((struct campaign *)c, &totals);
	if (w->s->ops->bound) {
		w->s->ops->bound(w->s, text, size);
		used = strlen(text);
		if (w->s->ops->touch && c->config->memory_model == MEMORY_MODEL_TSO && used < size)
			used += (size_t)snprintf(text + used, size - used,
						 "; under tso no claim: when a store becomes "
						 "visible is not among what it reduces by");
		if (c->nr_workers > 1 && used < size)
			snprintf(text + used, size - used, " (worker 0 of %u%s)", c->nr_workers,
				 all_exhausted(c) ? "; the others have done the same with theirs"
						  : "");
		return;
	}
	snprintf(text, size, "%" PRIu64 " %s schedules of %s: a sample, nothing is exhausted",
		 totals.schedules, c->config->strategy,
		 explored_draws(c->config) ? "drawn programs" : "one program");
}

void campaign_end(struct campaign *c)
{
	for (unsigned int i = 0; i < c->nr_workers; i++) {
		struct campaign_worker *w = &c->workers[i];

		if (w->started)
			pthread_join(w->thread, NULL);
		world_destroy(w->w);
		strategy_destroy(w->s);
		search_state_destroy(&w->state);
		explored_drawn_destroy(&w->drawn);
	}
	for (unsigned int i = 0; i < c->nr_findings; i++)
		finding_destroy(&c->findings[i]);
	free(c->workers);
	pthread_mutex_destroy(&c->lock);
}
