// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The soak: a job on real threads, until its time is over, something is found, or Ctrl-C.
 */
#include <stdio.h>

#include "smp/topology.h"
#include "stress/run.h"
#include "stress/verbs.h"

/* A vCPU that gets nowhere for so long is a soft lockup: the kernel's watchdog_thresh is 10 s and
 * it reports at twice that; ten times more, since many vCPUs share a host core here. */
#define SOAK_STALL_SECONDS 120

struct soak {
	struct run run;
	double next_audit_s;
	bool stopping;
};

static void soak_monitor(struct world *w, void *arg)
{
	struct soak *s = arg;
	const struct config *c = s->run.config;
	double elapsed = run_elapsed(&s->run);
	const struct machine *m = world_machine(w);

	run_progress(&s->run, w, __atomic_load_n(&m->violations.nr, __ATOMIC_RELAXED));
	if (s->stopping)
		return;
	if (run_interrupted(&s->run) ||
	    (c->duration_ns && elapsed >= (double)c->duration_ns * 1e-9)) {
		s->stopping = true;
		world_request(w, WORLD_STOP);
	} else if (c->audit_interval_ns && elapsed >= s->next_audit_s) {
		s->next_audit_s = elapsed + (double)c->audit_interval_ns * 1e-9;
		world_request(w, WORLD_AUDIT);
	}
}

static int soak_world(struct soak *s, const struct config *config,
		      const struct placement *placement)
{
	struct world_options options = {
		.config = config,
		.placement = placement,
		.bind = !config->no_bind,
		.monitor = soak_monitor,
		.monitor_arg = s,
		.stall_seconds = SOAK_STALL_SECONDS,
	};
	struct counter counters[RUN_COUNTERS_MAX];
	struct error err = {0};
	enum machine_end end;
	struct world *w = world_create(&options, &err);
	enum verdict verdict;

	if (!w) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		return run_end(&s->run, (enum verdict)err.status);
	}
	end = world_run(w, EXECUTOR_THREADS, config->seed, NULL);
	progress_wipe(&s->run.progress);
	run_report_violation(&s->run, w, NULL);
	run_report_counters(&s->run, counters, run_counters(w, counters, RUN_COUNTERS_MAX));
	printf("%-32s %20.1f\n", "elapsed_s", run_elapsed(&s->run));
	if (end == MACHINE_STOPPED)
		fprintf(stderr,
			"mmtorture: the machine has no room for the job: give it more --pages "
			"or the job smaller working sets\n");
	verdict = run_verdict(&s->run, end);
	world_destroy(w);
	return run_end(&s->run, verdict);
}

int verb_soak(const struct config *config)
{
	struct soak s = {.next_audit_s = (double)config->audit_interval_ns * 1e-9};
	struct topology_error terr = {0};
	struct placement *placement = NULL;
	struct topology *t = topology_load(config->topology[0] ? config->topology : NULL, &terr);
	struct error err = {0};
	int status;

	if (!t) {
		fprintf(stderr, "mmtorture: %s\n", terr.message);
		return VERDICT_USAGE;
	}
	if (topology_place(t, config->cpus, &placement)) {
		fprintf(stderr, "mmtorture: no memory to place %u CPUs\n", config->cpus);
		topology_destroy(t);
		return VERDICT_UNTRUSTWORTHY;
	}
	if (run_begin(&s.run, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", err.line);
		status = err.status;
	} else {
		status = soak_world(&s, config, placement);
	}
	placement_destroy(placement);
	topology_destroy(t);
	return status;
}
