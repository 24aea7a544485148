// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Schedules and schedule files: what is needed to make one explored run again, exactly, in any
 * build of the same version.
 *
 * A schedule belongs to a configuration (which has the job, with a program for each task): its seed
 * and its recorded choices decide everything. Steps, history and the invariant that broke say what
 * came of it.
 *
 * No state, no locks. Errors: see error.h.
 */
#ifndef STRESS_SCHEDULE_H
#define STRESS_SCHEDULE_H

#include "engine/machine.h"
#include "engine/recording.h"
#include "stress/config.h"
#include "stress/world.h"

#define SCHEDULE_FORMAT 2
#define SCHEDULE_WORD_SIZE 64

struct schedule {
	uint64_t seed;
	uint64_t steps;	      /* decision points */
	uint64_t preemptions; /* machine.h, explore_stats */
	uint64_t history;
	char invariant[SCHEDULE_WORD_SIZE]; /* "-": none was broken */
	char where[SCHEDULE_WORD_SIZE];	    /* function that noticed; "-" */
	struct recording recorded;
	uint16_t *checks; /* the low bits of the history after each step; NULL: not known yet */
	uint64_t nr_checks;
};

void schedule_destroy(struct schedule *s);

/* What @w has just done, from @seed; without checks. 0, or -1 with @err filled. @s is overwritten,
 * what it had is freed. */
int schedule_of_world(struct schedule *s, struct world *w, uint64_t seed, struct error *err);

/*
 * Does it again on @w, whose job must be that of the schedule. *state says whether, and where, it
 * went another way than recorded: steps by the checks if there are any, at the end by steps,
 * history and invariant.
 */
enum machine_end schedule_run(struct world *w, const struct schedule *s, struct replay_state *state,
			      struct error *err);

/* Fills in the checks by doing it again; a divergence is an error. 0, or -1 with @err filled. */
int schedule_fill_checks(struct world *w, struct schedule *s, struct error *err);

/* Writes @s, which has its checks, under @config to @path. 0, or -1 with @err filled. */
int schedule_write(const char *path, const struct config *config, const struct schedule *s,
		   struct error *err);

/*
 * Reads @path: fills @s (schedule_destroy() is due), and @config (which must be fresh from
 * config_init(VERB_EXPLORE)) with the configuration of that run, resolved. 0, or -1 with @err
 * filled.
 */
int schedule_read(const char *path, struct schedule *s, struct config *config,
		  const struct known_names *names, const struct host_facts *host,
		  struct error *err);

#endif
