// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * minimize: a recorded schedule, and its program, made as small as the violation allows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/race_report.h"
#include "stress/explain.h"
#include "stress/explored.h"
#include "stress/minimize.h"
#include "stress/run.h"
#include "stress/schedule.h"
#include "stress/verbs.h"

#define SUFFIX ".schedule"
#define SMALL ".min"

struct minimization {
	struct run run;
	const struct config *command; /* what the command line says */
	struct config *config;	      /* what the file says, of the run */
	struct schedule schedule;
	struct minimize_report report;
	char out[CONFIG_PATH_SIZE + sizeof(SMALL SUFFIX)];
};

/* found.schedule becomes found.min.schedule. */
static void name_result(struct minimization *x)
{
	const char *file = x->command->file;
	size_t length = strlen(file), end = sizeof(SUFFIX) - 1;

	if (length > end && !strcmp(file + length - end, SUFFIX))
		length -= end;
	if (x->command->schedule[0])
		snprintf(x->out, sizeof(x->out), "%s", x->command->schedule);
	else
		snprintf(x->out, sizeof(x->out), "%.*s%s", (int)length, file, SMALL SUFFIX);
}

static void print_row(const char *what, uint64_t before, uint64_t after)
{
	printf("%-16s %10" PRIu64 " %10" PRIu64 "\n", what, before, after);
}

static void print_sizes(const struct minimize_report *r)
{
	printf("%-16s %10s %10s\n", "", "before", "after");
	print_row("operations", r->before.operations, r->after.operations);
	print_row("tasks", r->before.tasks, r->after.tasks);
	print_row("cpus", r->before.cpus, r->after.cpus);
	print_row("decision_points", r->before.steps, r->after.steps);
	print_row("decisions", r->before.decisions, r->after.decisions);
	print_row("preemptions", r->before.preemptions, r->after.preemptions);
	printf("minimised in %" PRIu64 " schedules, %.2f s%s\n\n", r->schedules, r->seconds,
	       r->minimal ? "" : "; ended before it was minimal");
}

static json_t *size_json(const struct minimize_size *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "operations", (json_int_t)s->operations,
			 "tasks", (json_int_t)s->tasks, "cpus", (json_int_t)s->cpus,
			 "decision_points", (json_int_t)s->steps, "decisions",
			 (json_int_t)s->decisions, "preemptions", (json_int_t)s->preemptions);
}

static void record_sizes(struct minimization *x)
{
	const struct minimize_report *r = &x->report;

	json_object_set_new(record_root(x->run.record), "minimize",
			    json_pack("{s:o, s:o, s:I, s:b, s:s}", "before", size_json(&r->before),
				      "after", size_json(&r->after), "schedules",
				      (json_int_t)r->schedules, "minimal", r->minimal, "schedule",
				      x->out));
}

static bool interrupted(void *arg)
{
	return run_interrupted(arg);
}

static enum verdict lose(const struct error *err)
{
	fprintf(stderr, "mmtorture: %s\n", err->line);
	return (enum verdict)err->status;
}

/* The small one once more, for its report. */
static enum verdict show(struct minimization *x)
{
	struct error err = {0};
	struct replay_state state;
	struct world *w = explored_world(x->config, &err);
	enum machine_end end;
	enum verdict verdict;

	if (!w)
		return lose(&err);
	end = schedule_run(w, &x->schedule, &state, &err);
	if (!err.status && state.diverged)
		error_set(&err, VERDICT_DIVERGED, "%s: does not repeat: step %" PRIu64 ": %s",
			  x->out, (uint64_t)state.step, state.reason);
	if (err.status) {
		verdict = lose(&err);
	} else {
		run_record_violation(&x->run, w, x->out);
		verdict = run_verdict(&x->run, end);
	}
	world_destroy(w);
	if (!err.status &&
	    explain_schedule(stdout, x->config, &x->schedule, x->command->full, &err))
		return lose(&err);
	return verdict;
}

static int minimize_run(struct minimization *x)
{
	struct minimize_options options = {
		.duration_ns = x->command->duration_ns,
		.stop = interrupted,
		.stop_arg = &x->run,
	};
	struct error err = {0};
	enum verdict verdict;
	bool failed;

	if (run_begin(&x->run, x->config, &err))
		return (int)lose(&err);
	race_reports_shown(false);
	failed = schedule_minimize(x->config, &x->schedule, &options, &x->report, &err);
	race_reports_shown(true);
	if (failed) {
		struct error named = {0};

		error_set(&named, err.status, "%s: %s", x->command->file, err.line);
		return run_end(&x->run, lose(&named));
	}
	print_sizes(&x->report);
	record_sizes(x);
	if (schedule_write(x->out, x->config, &x->schedule, &err))
		return run_end(&x->run, lose(&err));
	verdict = show(x);
	printf("replay: mmtorture replay %s\n", x->out);
	return run_end(&x->run, verdict);
}

int verb_minimize(const struct config *config)
{
	struct minimization *x = calloc(1, sizeof(*x));
	struct config *recorded = calloc(1, sizeof(*recorded));
	struct known_names names = {0};
	struct host_facts host;
	struct error err = {0};
	int status = VERDICT_UNTRUSTWORTHY;

	if (!x || !recorded) {
		fprintf(stderr, "mmtorture: out of host memory\n");
		goto out;
	}
	x->command = config;
	x->config = recorded;
	name_result(x);
	config_init(recorded, VERB_EXPLORE);
	verbs_known_names(&names);
	if (host_facts_read(&host, &err) ||
	    schedule_read(config->file, &x->schedule, recorded, &names, &host, &err) ||
	    config_adopt_command(recorded, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		status = err.status;
	} else {
		recorded->minimizes = true;
		status = explore_refused(recorded);
		if (status == VERDICT_CLEAN)
			status = minimize_run(x);
	}
	schedule_destroy(&x->schedule);
	config_destroy(recorded);
out:
	free(recorded);
	free(x);
	return status;
}
