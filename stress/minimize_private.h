// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the files of the minimiser share (minimize.c, minimize_program.c, minimize_schedule.c);
 * nobody else includes this.
 */
#ifndef STRESS_MINIMIZE_PRIVATE_H
#define STRESS_MINIMIZE_PRIVATE_H

#include "engine/guide.h"
#include "stress/minimize.h"
#include "stress/world.h"

/* Up to the second one a pass over the program is a rough one: large pieces, and on to the next. In
 * the first one the schedule is left alone: a large program's has a hundred thousand decisions, and
 * is another one soon. */
#define MINIMIZE_FIRST_BUDGET 4
#define MINIMIZE_ROUGH_BUDGET 16

/* Strategies that search besides the guides, as far as this version has them. */
#define MINIMIZE_STRATEGIES_MAX 3

/* A schedule that shows the violation. */
struct found {
	uint64_t seed;
	struct recording recorded;
	struct guide guide;
	struct explore_stats stats;
};

/* Who made each step of it: the vCPU, and the operation (job_edit.h; 0: none). */
struct step_owner {
	uint32_t cpu;
	uint32_t operation;
};

struct minimizer {
	struct config
		config; /* as far as we have got; the job is ours, the rest belongs to the caller */
	struct world *world; /* of that */
	char invariant[SCHEDULE_WORD_SIZE], where[SCHEDULE_WORD_SIZE];
	struct found found; /* of that job */
	struct step_owner *owners;
	size_t nr_owners, owners_size;
	struct strategy *strategies[MINIMIZE_STRATEGIES_MAX];
	unsigned int nr_strategies;
	const struct minimize_options *options;
	uint64_t schedules;	   /* run so far */
	double started_s, limit_s; /* 0: none */
	bool over;		   /* the time is, or something has failed: nothing more is tried */
	struct error *err;	   /* of what has failed */
};

/* Runs @job once; does it end in the violation that we are after? What was recorded is the
 * machine's then. */
bool minimize_probe(struct minimizer *m, const struct job *job, uint64_t seed,
		    struct strategy *strategy);

/* Follows @guide on the job at hand. If the violation is met and the schedule has become smaller it
 * is the found one from now on (but for the owners). */
bool minimize_follow(struct minimizer *m, const struct guide *guide);

/* After a probe of the job at hand that met the violation: takes the schedule over. */
bool minimize_take(struct minimizer *m, uint64_t seed);

/* Fills in who made each step of what was found. */
bool minimize_owners(struct minimizer *m);

/* Remembers that something failed that has nothing to do with the schedule. False. */
bool minimize_fail(struct minimizer *m);

void found_destroy(struct found *f);

/* In which way a job differs from the one at hand. */
struct job_change {
	const bool *removed; /* operations, by name - 1; NULL: none */
	int cpu;	     /* the vCPU that was taken away; -1: none */
	uint64_t pages;	     /* what the machine has instead; 0: as it was */
};

/*
 * minimize_program.c: does @job, which is valid, still show the violation? It is looked for along
 * the found schedule, and around it, and anywhere, with so many schedules. If so it is the job at
 * hand, and *job the one before; else nothing has changed.
 */
bool minimize_change_job(struct minimizer *m, struct job *job, const struct job_change *change,
			 uint64_t budget);

/* Tries everything that would make the program smaller, with so many schedules for each. True:
 * something has. */
bool minimize_program(struct minimizer *m, uint64_t budget);

/* minimize_schedule.c: takes away from the found schedule whatever can be, until no single choice
 * can; @roughly: only what can go in large pieces, with few schedules. */
void minimize_decisions(struct minimizer *m, bool roughly);
/* Looks for other schedules of the job at hand that come out with fewer preemptions, or with as
 * many and fewer other decisions. */
void minimize_preemptions(struct minimizer *m);

#endif
