// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore: the job again and again under a seeded strategy, each time from another seed, until an
 * invariant breaks or the budget ends. replay: one schedule again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/run.h"
#include "stress/schedule.h"
#include "stress/verbs.h"

/* Operations of a task in one schedule, for mixes: a soak's tasks go on for ever. */
#define EXPLORE_OPS_PER_TASK 8

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
	struct error err = {0};

	if (c->schedule[0])
		snprintf(path, size, "%s", c->schedule);
	else
		snprintf(path, size, "%s%smmtorture-%s-%" PRIu64 ".schedule",
			 directory ? directory : "", directory ? "/" : "",
			 m->violations.ready ? m->violations.first.invariant->slug : "no-progress",
			 x->seed);
	if (schedule_write(path, c, m, x->seed, &err)) {
		x->run.lost = err;
		progress_wipe(&x->run.progress);
		fprintf(stderr, "mmtorture: %s\n", err.line);
		return NULL;
	}
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

/* A world for @config under the explorer, with the strategy; NULL after a line on stderr. */
static struct world *explored_world(const struct config *config, struct strategy **s)
{
	struct world_options options = {
		.config = config,
		.ops_per_task = EXPLORE_OPS_PER_TASK,
	};
	struct error err = {0};
	struct world *w;

	*s = strategy_create(config->strategy);
	if (!*s) {
		fprintf(stderr, "mmtorture: out of host memory\n");
		return NULL;
	}
	w = world_create(&options, &err);
	if (!w) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		strategy_destroy(*s);
	}
	return w;
}

/* What the explorer cannot do is refused before anything is printed. */
static enum verdict refused(const struct config *config)
{
	if (config->cpus > MAX_VCPUS_EXPLORE) {
		fprintf(stderr, "mmtorture: --cpus: explore takes 1 to %d CPUs, not %u\n",
			MAX_VCPUS_EXPLORE, config->cpus);
		return VERDICT_USAGE;
	}
	if (config->memory_model != MEMORY_MODEL_SC) {
		fprintf(stderr, "mmtorture: --memory-model: this version explores under sequential "
				"consistency only; give sc\n");
		return VERDICT_SKIPPED;
	}
	return VERDICT_CLEAN;
}

int verb_explore(const struct config *config)
{
	struct exploration x = {.end = MACHINE_FINISHED};
	struct error err = {0};
	struct strategy *s;
	struct world *w;
	int status = refused(config);

	if (status != VERDICT_CLEAN)
		return status;
	w = explored_world(config, &s);
	if (!w)
		return VERDICT_UNTRUSTWORTHY;
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

/* Does what @w has just done differ from what the file says? */
static bool diverged(struct world *w, const struct schedule *s)
{
	const struct machine *m = world_machine(w);
	const char *slug = m->violations.ready ? m->violations.first.invariant->slug : "-";

	if (m->explored.steps == s->steps && m->explored.history == s->history &&
	    !strcmp(slug, s->invariant))
		return false;
	printf("diverged: %" PRIu64 " decision points, history %016" PRIx64 ", %s; the file says "
	       "%" PRIu64 ", %016" PRIx64 ", %s\n",
	       m->explored.steps, m->explored.history, slug, s->steps, s->history, s->invariant);
	return true;
}

/* @config is the recorded one, with this command's file and --json. */
static int replay_world(const struct config *config, const struct schedule *schedule)
{
	struct counter counters[RUN_COUNTERS_MAX];
	struct run run;
	struct error err = {0};
	struct strategy *s;
	enum machine_end end;
	enum verdict verdict;
	struct world *w = explored_world(config, &s);

	if (!w)
		return VERDICT_UNTRUSTWORTHY;
	if (run_begin(&run, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		world_destroy(w);
		strategy_destroy(s);
		return err.status;
	}
	end = world_run(w, EXECUTOR_EXPLORE, schedule->seed, s);
	run_report_violation(&run, w, config->file);
	run_report_counters(&run, counters, run_counters(w, counters, RUN_COUNTERS_MAX));
	verdict = diverged(w, schedule) ? VERDICT_DIVERGED : run_verdict(&run, end);
	if (verdict != VERDICT_DIVERGED)
		printf("replayed: %" PRIu64 " decision points, history %016" PRIx64
		       ", as recorded\n",
		       schedule->steps, schedule->history);
	world_destroy(w);
	strategy_destroy(s);
	return run_end(&run, verdict);
}

/* Makes the recorded configuration that of this command. */
static int adopt_command(struct config *recorded, const struct config *config, struct error *err)
{
	int argc = 0;

	while (config->command[argc])
		argc++;
	memcpy(recorded->json, config->json, sizeof(recorded->json));
	memcpy(recorded->file, config->file, sizeof(recorded->file));
	/* The job's text is in the schedule file; where it once came from is not known. */
	memcpy(recorded->job_name, config->file, sizeof(recorded->job_name));
	return config_keep_command(recorded, argc, config->command, err);
}

int verb_replay(const struct config *config)
{
	struct config *recorded = calloc(1, sizeof(*recorded));
	struct known_names names = {0};
	struct host_facts host;
	struct schedule schedule = {0};
	struct error err = {0};
	int status;

	if (!recorded) {
		fprintf(stderr, "mmtorture: out of host memory\n");
		return VERDICT_UNTRUSTWORTHY;
	}
	config_init(recorded, VERB_EXPLORE);
	verbs_known_names(&names);
	if (host_facts_read(&host, &err) ||
	    schedule_read(config->file, &schedule, recorded, &names, &host, &err) ||
	    adopt_command(recorded, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		status = err.status;
	} else {
		status = replay_world(recorded, &schedule);
	}
	config_destroy(recorded);
	free(recorded);
	return status;
}

int verb_minimize(const struct config *config)
{
	(void)config;
	fprintf(stderr, "mmtorture: minimize: this version cannot shrink a schedule; replay it\n");
	return VERDICT_SKIPPED;
}
