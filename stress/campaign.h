// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An exploration campaign: one configuration, schedule after schedule, on several workers side by
 * side, until enough was found or the budget has ended.
 *
 * Workers. Each is a host thread with a machine, a strategy and a state of the search of its own;
 * they share nothing but a few atomic words (what to stop at, how far everybody is). Schedule
 * number k begins from seed + k and belongs to worker k modulo their number. So with a strategy
 * that learns nothing from one schedule for the next (random, pos) the campaign finds the same
 * thing whatever the number of workers: of one finding that was asked for, the lowest k counts, and
 * those below it are still finished.
 *
 * Programs. A job with weights, or `programs = random`, is turned into fixed programs: a new one
 * every EXPLORED_BATCH schedules, drawn from the seed of the first of them.
 *
 * Findings are told apart by invariant and place (function): a second one of the same kind is
 * counted, not kept.
 *
 * Threads: a campaign belongs to the thread that made it; campaign_poll() and the totals may be
 * used while the workers run. Errors: see error.h.
 */
#ifndef STRESS_CAMPAIGN_H
#define STRESS_CAMPAIGN_H

#include <pthread.h>

#include "stress/counter.h"
#include "stress/run.h"
#include "stress/schedule.h"
#include "stress/search_state.h"

struct campaign_finding {
	struct config config; /* of this schedule: the campaign's, with the program that was drawn;
				 owns nothing but its job */
	struct schedule schedule;
	enum machine_end end;
	uint64_t number; /* of the schedule in the campaign */
	double seconds;	 /* into the campaign */
	uint64_t again;	 /* further ones of this kind */
};

struct campaign_worker;

struct campaign {
	const struct config *config;
	struct campaign_worker *workers;
	unsigned int nr_workers;
	double started_s;

	pthread_mutex_t lock; /* guards the findings while the workers run */
	struct campaign_finding findings[EXPLORE_FINDINGS_MAX];
	unsigned int nr_findings;

	uint64_t last;	      /* no schedule beyond this number is begun; atomic */
	unsigned int running; /* workers; atomic */
};

/* What the workers have done so far, all together. */
struct campaign_totals {
	uint64_t schedules;
	uint64_t steps;
	uint64_t distinct, pairs; /* of each worker the own ones, added up: at most so many */
	uint64_t findings;
};

/* Makes the workers' machines and starts the workers. 0, or -1 with @err filled; campaign_end() is
 * due in any case. @config must be resolved and outlive the campaign. */
int campaign_start(struct campaign *c, const struct config *config, struct error *err);

/* Do workers run? Waits up to @ms for the last one to end. */
bool campaign_poll(struct campaign *c, int ms);

/* Tells the workers to stop after the schedule that they are in. */
void campaign_stop(struct campaign *c);

void campaign_totals(struct campaign *c, struct campaign_totals *totals);

/* The counters of all schedules so far (run_counters()); returns how many. */
size_t campaign_counters(const struct campaign *c, struct counter *counters, size_t max);

/*
 * Waits for the workers. The findings are in the order of their schedules then, and @state (which
 * must be initialised) has the state of the whole search. 0, or -1 with @err filled: something else
 * than a violation ended a worker.
 */
int campaign_join(struct campaign *c, struct search_state *state, struct error *err);

/* After campaign_join(): what was searched, in words. */
void campaign_bound(const struct campaign *c, char *text, size_t size);

/* Frees everything. */
void campaign_end(struct campaign *c);

#endif
