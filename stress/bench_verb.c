// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench: measures on the emulated machine and on the host's kernel, in turn.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stress/bench_emulated.h"
#include "stress/run.h"
#include "stress/verbs.h"

static bool interrupted(void *arg)
{
	return run_interrupted(arg);
}

static void record_results(struct run *run, const struct bench_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct bench_result *r = &results[i];

		if (!r->ran)
			continue;
		record_bench(run->record, &(struct record_bench){
						  .name = r->name,
						  .unit = r->unit,
						  .emulated = r->emulated,
						  .host = r->host,
						  .ratio = r->ratio,
						  .min = r->min,
						  .max = r->max,
						  .repetitions = (unsigned int)r->repetitions,
					  });
	}
}

int verb_bench(const struct config *config)
{
	struct bench_measure measures[BENCH_CATALOG_MAX];
	size_t n = bench_plug_emulated(measures, bench_catalog(measures));
	struct bench_result *results = calloc(n, sizeof(*results));
	const char *only[CONFIG_NAMES_MAX];
	struct bench_options options = bench_options_default();
	struct error err = {0};
	struct run run;
	int ret;

	for (unsigned int i = 0; i < config->measures.nr; i++)
		only[i] = config->measures.name[i];
	if (!results || run_begin(&run, config, &err)) {
		fprintf(stderr, "mmtorture: %s\n", results ? err.line : "out of host memory");
		free(results);
		return VERDICT_UNTRUSTWORTHY;
	}
	options.repetitions = (int)config->repetitions;
	options.only = config->measures.nr ? only : NULL;
	options.nr_only = config->measures.nr;
	options.progress = stderr;
	options.interrupted = interrupted;
	options.interrupted_arg = &run;
	ret = bench_run(&options, measures, n, results, stdout);
	record_results(&run, results, n);
	free(results);
	return run_end(&run, ret == BENCH_REFUSED ? VERDICT_UNTRUSTWORTHY : VERDICT_CLEAN);
}
