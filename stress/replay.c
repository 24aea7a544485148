// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay: one recorded schedule again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/explored.h"
#include "stress/run.h"
#include "stress/schedule.h"
#include "stress/verbs.h"

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
	struct strategy *s = strategy_create(config->strategy);
	enum machine_end end;
	enum verdict verdict;
	struct world *w = s ? explored_world(config, &err) : NULL;

	if (!w) {
		fprintf(stderr, "mmtorture: %s\n", s ? err.line : "out of host memory");
		strategy_destroy(s);
		return VERDICT_UNTRUSTWORTHY;
	}
	if (run_begin(&run, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		world_destroy(w);
		strategy_destroy(s);
		return err.status;
	}
	end = world_run(w, EXECUTOR_EXPLORE, schedule->seed, s); /* format 1: by seed */
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
