// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay: one recorded schedule again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/race_report.h"
#include "stress/explain.h"
#include "stress/explored.h"
#include "stress/run.h"
#include "stress/schedule.h"
#include "stress/trace.h"
#include "stress/verbs.h"

static void report_divergence(struct run *run, const struct replay_state *state)
{
	printf("diverged: step %llu: %s\n", (unsigned long long)state->step, state->reason);
	json_object_set_new(
		record_root(run->record), "diverged",
		json_pack("{s:I, s:s}", "step", (json_int_t)state->step, "reason", state->reason));
}

static void report_lost(struct run *run, const struct error *err)
{
	run->lost = *err;
	progress_wipe(&run->progress);
	fprintf(stderr, "mmtorture: %s\n", err->line);
}

/* Both run the schedule again, on machines of their own. */
static void explain(struct run *run, const struct config *config, const struct schedule *schedule)
{
	struct error err = {0};

	if (explain_schedule(stdout, config, schedule, config->full, &err) ||
	    (config->trace[0] && trace_write(config->trace, config, schedule, &err)))
		report_lost(run, &err);
}

/* @config is the recorded one, with what this command says besides. */
static int replay_world(const struct config *config, const struct schedule *schedule)
{
	struct counter counters[RUN_COUNTERS_MAX];
	struct replay_state state;
	struct run run;
	struct error err = {0};
	enum machine_end end;
	enum verdict verdict;
	struct world *w = explored_world(config, &err);

	if (!w || run_begin(&run, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		world_destroy(w);
		return err.status;
	}
	end = schedule_run(w, schedule, &state, &err);
	if (err.status) {
		report_lost(&run, &err);
		verdict = VERDICT_UNTRUSTWORTHY;
	} else {
		/* What went another way than recorded cannot be explained from the recording. */
		if (state.diverged) {
			run_report_violation(&run, w, config->file);
		} else {
			run_record_violation(&run, w, config->file);
			explain(&run, config, schedule);
		}
		run_report_counters(&run, counters, run_counters(w, counters, RUN_COUNTERS_MAX));
		verdict = state.diverged ? VERDICT_DIVERGED : run_verdict(&run, end);
	}
	world_destroy(w);
	if (verdict == VERDICT_DIVERGED) {
		report_divergence(&run, &state);
	} else if (!err.status) {
		printf("replayed: %" PRIu64 " decision points, history %016" PRIx64
		       ", as recorded\n",
		       schedule->steps, schedule->history);
	}
	return run_end(&run, verdict);
}

/* Makes the recorded configuration that of this command. */
static int adopt_command(struct config *recorded, const struct config *config, struct error *err)
{
	memcpy(recorded->trace, config->trace, sizeof(recorded->trace));
	recorded->full = config->full;
	return config_adopt_command(recorded, config, err);
}

/* What this build cannot see: a line on stderr and a verdict other than VERDICT_CLEAN. */
static enum verdict replay_refused(const struct config *recorded, const struct schedule *schedule)
{
	if (RACE_REPORTS || strcmp(schedule->invariant, inv_data_race.slug))
		return explore_refused(recorded);
	fprintf(stderr,
		"mmtorture: %s: ends in a data race, which only a build with ThreadSanitizer sees; "
		"build with --config=tsan\n",
		recorded->file);
	return VERDICT_SKIPPED;
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
		status = replay_refused(recorded, &schedule);
		if (status == VERDICT_CLEAN)
			status = replay_world(recorded, &schedule);
	}
	schedule_destroy(&schedule);
	config_destroy(recorded);
	free(recorded);
	return status;
}
