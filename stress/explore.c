// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore: the job again and again under a seeded strategy, each time from another seed, until an
 * invariant breaks or the budget ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/explored.h"
#include "stress/run.h"
#include "stress/schedule.h"
#include "stress/verbs.h"

/* The clock and the terminal are looked at once in so many schedules. */
#define EXPLORE_LOOK_INTERVAL 16

struct exploration {
	struct run run;
	uint64_t schedules;
	struct explore_stats sum;
	enum machine_end end;
	uint64_t seed; /* of the last schedule */
};

static bool budget_left(struct exploration *x)
{
	const struct config *c = x->run.config;

	if (c->iterations && x->schedules >= c->iterations)
		return false;
	if (x->schedules % EXPLORE_LOOK_INTERVAL)
		return true;
	if (run_interrupted(&x->run))
		return false;
	return !c->duration_ns || run_elapsed(&x->run) < (double)c->duration_ns * 1e-9;
}

static void one_schedule(struct exploration *x, struct world *w, struct strategy *s)
{
	const struct explore_stats *e = &world_machine(w)->explored;

	x->seed = x->run.config->seed + x->schedules;
	x->end = world_run(w, EXECUTOR_EXPLORE, x->seed, s);
	x->schedules++;
	x->sum.steps += e->steps;
	x->sum.switches += e->switches;
	x->sum.preemptions += e->preemptions;
	if (x->schedules % EXPLORE_LOOK_INTERVAL == 0)
		run_progress(&x->run, w, x->schedules, world_machine(w)->violations.nr);
}

static void report_explored(struct exploration *x)
{
	double seconds = run_elapsed(&x->run);
	char bound[160];

	snprintf(bound, sizeof(bound),
		 "%" PRIu64 " random schedules of one program: a sample, nothing is exhausted",
		 x->schedules);
	printf("%-32s %20" PRIu64 "\n%-32s %20" PRIu64 "\n%-32s %20" PRIu64 "\n", "schedules",
	       x->schedules, "decision_points", x->sum.steps, "preemptions", x->sum.preemptions);
	printf("%-32s %20.2f\n%-32s %20.0f\n", "decision_points_per_us",
	       (double)x->sum.steps / seconds / 1e6, "schedules_per_s",
	       (double)x->schedules / seconds);
	printf("bound: %s\n", bound);
	record_explore(x->run.record, &(struct record_explore){
					      .schedules = x->schedules,
					      .distinct = x->schedules,
					      .decision_points = x->sum.steps,
					      .preemptions = x->sum.preemptions,
					      .seconds = seconds,
					      .strategy = x->run.config->strategy,
					      .memory_model = "sc",
					      .bound = bound,
				      });
}

/* Writes the schedule of what was found; the path, or NULL. */
static const char *keep_schedule(struct exploration *x, struct world *w, char *path, size_t size)
{
	const struct config *c = x->run.config;
	const char *directory = getenv("BUILD_WORKING_DIRECTORY");
	const struct machine *m = world_machine(w);
	struct schedule found = {0};
	struct error err = {0};

	if (c->schedule[0])
		snprintf(path, size, "%s", c->schedule);
	else
		snprintf(path, size, "%s%smmtorture-%s-%" PRIu64 ".schedule",
			 directory ? directory : "", directory ? "/" : "",
			 m->violations.ready ? m->violations.first.invariant->slug : "no-progress",
			 x->seed);
	if (schedule_of_world(&found, w, x->seed, &err) || schedule_fill_checks(w, &found, &err) ||
	    schedule_write(path, c, &found, &err)) {
		schedule_destroy(&found);
		x->run.lost = err;
		progress_wipe(&x->run.progress);
		fprintf(stderr, "mmtorture: %s\n", err.line);
		return NULL;
	}
	schedule_destroy(&found);
	return path;
}

static int explore_world(struct exploration *x, struct world *w, struct strategy *s)
{
	struct counter counters[RUN_COUNTERS_MAX];
	char path[CONFIG_PATH_SIZE];
	const char *kept = NULL;

	while (budget_left(x) && x->end == MACHINE_FINISHED)
		one_schedule(x, w, s);
	progress_wipe(&x->run.progress);
	if (x->end != MACHINE_FINISHED && x->end != MACHINE_STOPPED)
		kept = keep_schedule(x, w, path, sizeof(path));
	if (x->end == MACHINE_STOPPED)
		fprintf(stderr,
			"mmtorture: the machine has no room for the job: give it more --pages "
			"or the job smaller working sets\n");
	run_report_violation(&x->run, w, kept);
	run_report_counters(&x->run, counters, run_counters(w, counters, RUN_COUNTERS_MAX));
	report_explored(x);
	if (kept)
		printf("replay: mmtorture replay %s\n", kept);
	return run_end(&x->run, run_verdict(&x->run, x->end));
}

int verb_explore(const struct config *config)
{
	struct exploration x = {.end = MACHINE_FINISHED};
	struct error err = {0};
	struct strategy *s;
	struct world *w;
	int status = explore_refused(config);

	if (status != VERDICT_CLEAN)
		return status;
	s = strategy_create(config->strategy);
	w = s ? explored_world(config, &err) : NULL;
	if (!w) {
		fprintf(stderr, "mmtorture: %s\n", s ? err.line : "out of host memory");
		strategy_destroy(s);
		return VERDICT_UNTRUSTWORTHY;
	}
	if (run_begin(&x.run, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		status = err.status;
	} else {
		status = explore_world(&x, w, s);
	}
	world_destroy(w);
	strategy_destroy(s);
	return status;
}
