// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore: the job again and again under a seeded strategy, each time from
 * another seed, until an invariant breaks or the budget ends. What was found is
 * made small, written down and explained.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/race_report.h"
#include "stress/campaign.h"
#include "stress/duration.h"
#include "stress/explain.h"
#include "stress/explored.h"
#include "stress/minimize.h"
#include "stress/trace.h"
#include "stress/verbs.h"

/* How often the clock, the terminal and Ctrl-C are looked at. */
#define EXPLORE_LOOK_MS 20

/* A finding that takes longer to be made small is shown as far as it got. */
#define EXPLORE_MINIMIZE_NS (20 * NSEC_PER_SEC)

/* Room for the words of a bound. */
#define BOUND_SIZE 400

struct exploration {
	struct run run;
	struct campaign campaign;
	struct search_state state;
	double searched_s; /* what comes after the campaign is no search */
};

static bool budget_left(struct exploration *x)
{
	const struct config *c = x->run.config;

	if (run_interrupted(&x->run))
		return false;
	return !c->duration_ns || run_elapsed(&x->run) < (double)c->duration_ns * 1e-9;
}

static void show_progress(struct exploration *x)
{
	struct counter counters[RUN_COUNTERS_MAX], rates[2], shown[2];
	struct campaign_totals totals;
	struct progress_sample sample;

	if (!run_progress_due(&x->run))
		return;
	campaign_totals(&x->campaign, &totals);
	rates[0] = (struct counter){"schedules", totals.schedules};
	rates[1] = (struct counter){"steps", totals.steps};
	shown[0] = (struct counter){"distinct", totals.distinct};
	shown[1] = (struct counter){"pairs", totals.pairs};
	sample = (struct progress_sample){
		.iterations = totals.schedules,
		.violations = totals.findings,
		.counters = rates,
		.nr_counters = ARRAY_SIZE(rates),
		.totals = shown,
		.nr_totals = ARRAY_SIZE(shown),
	};
	run_progress_show(&x->run, &sample, counters,
			  campaign_counters(&x->campaign, counters, RUN_COUNTERS_MAX));
}

/* Something is lost that is not the verdict: said, and remembered for it. */
static void lose(struct exploration *x, const struct error *err)
{
	if (!x->run.lost.status)
		x->run.lost = *err;
	progress_wipe(&x->run.progress);
	fprintf(stderr, "mmtorture: %s\n", err->line);
}

/* The file of finding @i. */
static void schedule_path(const struct exploration *x, unsigned int i, char *path, size_t size)
{
	const struct config *c = x->run.config;
	const char *directory = getenv("BUILD_WORKING_DIRECTORY");
	const struct campaign_finding *f = &x->campaign.findings[i];

	if (c->schedule[0] && i == 0)
		snprintf(path, size, "%s", c->schedule);
	else if (c->schedule[0])
		snprintf(path, size, "%s.%u", c->schedule, i + 1);
	else
		snprintf(path, size, "%s%smmtorture-%s-%" PRIu64 ".schedule",
			 directory ? directory : "", directory ? "/" : "", f->schedule.invariant,
			 f->schedule.seed);
}

static void print_sizes(const struct minimize_report *r)
{
	printf("minimised in %" PRIu64 " schedules, %.2f s: operations %" PRIu64 " -> %" PRIu64
	       ", tasks %u -> %u, CPUs %u -> %u, preemptions %" PRIu64 " -> %" PRIu64 "%s\n",
	       r->schedules, r->seconds, r->before.operations, r->after.operations, r->before.tasks,
	       r->after.tasks, r->before.cpus, r->after.cpus, r->before.preemptions,
	       r->after.preemptions, r->minimal ? "" : " (the time was over)");
}

static void make_small(struct exploration *x, struct campaign_finding *f)
{
	struct minimize_options options = {.duration_ns = EXPLORE_MINIMIZE_NS};
	struct minimize_report report = {0};
	struct error err = {0};

	progress_wipe(&x->run.progress);
	race_reports_shown(false);
	if (schedule_minimize(&f->config, &f->schedule, &options, &report, &err))
		fprintf(stderr, "mmtorture: the schedule stays as it was found: %s\n", err.line);
	else
		print_sizes(&report);
	race_reports_shown(true);
}

/* Writes the schedule of finding @i; false if that failed. */
static bool write_schedule(struct exploration *x, struct campaign_finding *f, struct world *w,
			   const char *path)
{
	struct error err = {0};

	if ((!f->schedule.checks && schedule_fill_checks(w, &f->schedule, &err)) ||
	    schedule_write(path, &f->config, &f->schedule, &err)) {
		lose(x, &err);
		return false;
	}
	return true;
}

/* Runs it once more, for the report of what is then the schedule. */
static void report_finding(struct exploration *x, unsigned int i)
{
	struct campaign_finding *f = &x->campaign.findings[i];
	const struct config *c = x->run.config;
	char path[CONFIG_PATH_SIZE + 16];
	struct replay_state state;
	struct error err = {0};
	struct world *w;
	bool kept;

	printf("found after %" PRIu64 " schedules, %.2f s%s\n", f->number + 1, f->seconds,
	       f->again ? "; again since" : "");
	if (c->minimize)
		make_small(x, f);
	w = explored_world(&f->config, &err);
	if (!w) {
		lose(x, &err);
		return;
	}
	schedule_path(x, i, path, sizeof(path));
	kept = write_schedule(x, f, w, path);
	(void)schedule_run(w, &f->schedule, &state, &err);
	run_record_violation(&x->run, w, kept ? path : NULL);
	world_destroy(w);
	if (explain_schedule(stdout, &f->config, &f->schedule, c->full, &err))
		lose(x, &err);
	if (c->trace[0] && i == 0 && trace_write(c->trace, &f->config, &f->schedule, &err))
		lose(x, &err);
	if (kept)
		printf("replay: mmtorture replay %s\n", path);
}

static void report_explored(struct exploration *x, const char *bound)
{
	double seconds = x->searched_s;
	const struct search_state *s = &x->state;

	search_state_print(s, stdout);
	printf("%-32s %20.2f\n%-32s %20.0f\n", "decision_points_per_us",
	       (double)s->steps / seconds / 1e6, "schedules_per_s", (double)s->schedules / seconds);
	printf("bound: %s\n", bound);
	record_explore(x->run.record,
		       &(struct record_explore){
			       .schedules = s->schedules,
			       .distinct = search_state_distinct(s),
			       .decision_points = s->steps,
			       .preemptions = s->preemptions,
			       .seconds = seconds,
			       .strategy = x->run.config->strategy,
			       .memory_model = x->run.config->memory_model == MEMORY_MODEL_TSO
						       ? "tso"
						       : "sc",
			       .bound = bound,
		       });
	search_state_record(s, x->run.record);
}

/* After the campaign: everything that is to be said of it. Returns the exit
 * status. */
static int conclude(struct exploration *x, bool complete)
{
	struct campaign *c = &x->campaign;
	struct counter counters[RUN_COUNTERS_MAX];
	enum machine_end end = MACHINE_FINISHED;
	char bound[BOUND_SIZE];

	progress_wipe(&x->run.progress);
	campaign_bound(c, bound, sizeof(bound));
	for (unsigned int i = 0; i < c->nr_findings; i++)
		report_finding(x, i);
	if (c->nr_findings)
		end = c->findings[0].end;
	else if (!complete)
		end = MACHINE_STOPPED;
	run_report_counters(&x->run, counters, campaign_counters(c, counters, RUN_COUNTERS_MAX));
	report_explored(x, bound);
	return run_end(&x->run, run_verdict(&x->run, end));
}

static int explore(struct exploration *x)
{
	struct error err = {0};
	bool complete;

	while (campaign_poll(&x->campaign, EXPLORE_LOOK_MS)) {
		if (!budget_left(x))
			campaign_stop(&x->campaign);
		show_progress(x);
	}
	x->searched_s = run_elapsed(&x->run);
	complete = !campaign_join(&x->campaign, &x->state, &err);
	if (!complete) {
		progress_wipe(&x->run.progress);
		fprintf(stderr, "mmtorture: %s\n", err.line);
	}
	return conclude(x, complete);
}

/* Nothing was printed yet where this fails. */
static int begin(struct exploration *x, const struct config *config, struct error *err)
{
	if (search_state_init(&x->state))
		return error_no_memory(err);
	return run_begin(&x->run, config, err);
}

int verb_explore(const struct config *config)
{
	struct exploration *x = calloc(1, sizeof(*x));
	int status = explore_refused(config);
	struct error err = {0};

	if (status != VERDICT_CLEAN || !x) {
		free(x);
		if (status == VERDICT_CLEAN)
			fprintf(stderr, "mmtorture: out of host memory\n");
		return status == VERDICT_CLEAN ? VERDICT_UNTRUSTWORTHY : status;
	}
	if (begin(x, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		status = err.status;
	} else if (campaign_start(&x->campaign, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		campaign_end(&x->campaign);
		status = run_end(&x->run, (enum verdict)err.status);
	} else {
		status = explore(x);
		campaign_end(&x->campaign);
	}
	search_state_destroy(&x->state);
	free(x);
	return status;
}
