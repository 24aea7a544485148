// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/explored.h"

#include <stdio.h>

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

enum verdict explore_refused(const struct config *config)
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
