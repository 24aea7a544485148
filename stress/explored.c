// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/explored.h"

#include <stdio.h>

#include "stress/program_draw.h"

/* Operations of a task in one schedule, for mixes: a soak's tasks go on for ever. */
#define EXPLORE_OPS_PER_TASK 8

struct world *explored_world(const struct config *config, struct error *err)
{
	struct world_options options = {
		.config = config,
		.ops_per_task = EXPLORE_OPS_PER_TASK,
	};

	return world_create(&options, err);
}

bool explored_draws(const struct config *config)
{
	return config->programs == PROGRAMS_RANDOM || program_draw_has_mix(&config->job);
}

int explored_draw(struct config *drawn, const struct config *config, uint64_t seed, struct world *w,
		  struct error *err)
{
	struct job job = drawn->job;
	struct program_draw_limits limits;
	int ret;

	*drawn = *config;
	drawn->job = job;
	drawn->programs = PROGRAMS_JOB;
	if (config->programs == PROGRAMS_RANDOM) {
		program_draw_machine(drawn, seed);
		limits = program_draw_limits_of(drawn);
		ret = program_draw_random(&drawn->job, seed, &limits, err);
	} else {
		ret = program_draw_from_mix(&drawn->job, &config->job, seed, EXPLORE_OPS_PER_TASK,
					    err);
	}
	if (ret)
		return -1;
	world_set_config(w, drawn);
	world_set_job(w, &drawn->job);
	return 0;
}

void explored_drawn_destroy(struct config *drawn)
{
	job_destroy(&drawn->job);
}

enum verdict explore_refused(const struct config *config)
{
	if (config->cpus > MAX_VCPUS_EXPLORE) {
		fprintf(stderr, "mmtorture: --cpus: explore takes 1 to %d CPUs, not %u\n",
			MAX_VCPUS_EXPLORE, config->cpus);
		return VERDICT_USAGE;
	}
	return VERDICT_CLEAN;
}
