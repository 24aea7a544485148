// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* CPU_ALLOC, sched_getaffinity */
#include "stress/config.h"

#include "engine/types.h"
#include "stress/duration.h"
#include "stress/options.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* A vCPU count that leaves every host core with work while some vCPUs wait. */
#define CPUS_PER_PU 2
#define CPUS_LEAST 4
/* Exploring must not depend on the host: the same seed is to give the same run everywhere. */
#define CPUS_EXPLORE 4
/* Random programs: three CPUs, for a few races need a third one, and frames for four processes with
 * their children. Behind the largest power of two, where the allocator begins, are few. */
#define CPUS_RANDOM 3
#define PAGES_RANDOM 192
#define TLB_RANDOM "tiny"
#define DURATION_DEFAULT (10 * NSEC_PER_SEC)
/* The largest CONFIG_NR_CPUS of Linux on x86 (arch/x86/Kconfig, NR_CPUS_RANGE_END). */
#define HOST_PUS_MAX 8192

static const char *const verb_name_table[NR_VERBS] = {
	[VERB_SOAK] = "soak",	      [VERB_EXPLORE] = "explore", [VERB_REPLAY] = "replay",
	[VERB_MINIMIZE] = "minimize", [VERB_BUGS] = "bugs",	  [VERB_BENCH] = "bench",
	[VERB_TOPOLOGY] = "topology",
};

const struct name_list verb_names = {"verb", verb_name_table, NR_VERBS};

void config_init(struct config *config, enum verb verb)
{
	memset(config, 0, sizeof(*config));
	config->verb = verb;
	options_preset(config);
}

void config_destroy(struct config *config)
{
	job_destroy(&config->job);
	for (char **arg = config->command; arg && *arg; arg++)
		free(*arg);
	free(config->command);
	config->command = NULL;
}

int config_keep_command(struct config *config, int argc, char *const argv[], struct error *err)
{
	config->command = calloc((size_t)argc + 1, sizeof(*config->command));
	if (!config->command)
		return error_no_memory(err);
	for (int i = 0; i < argc; i++) {
		config->command[i] = strdup(argv[i]);
		if (!config->command[i])
			return error_no_memory(err);
	}
	return 0;
}

int config_adopt_command(struct config *recorded, const struct config *config, struct error *err)
{
	int argc = 0;

	while (config->command[argc])
		argc++;
	memcpy(recorded->json, config->json, sizeof(recorded->json));
	memcpy(recorded->file, config->file, sizeof(recorded->file));
	memcpy(recorded->job_name, config->file, sizeof(recorded->job_name));
	return config_keep_command(recorded, argc, config->command, err);
}

/* PUs that this process may run on; a container's share counts, not the whole host. */
static unsigned int pus_allowed(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	size_t size = CPU_ALLOC_SIZE(HOST_PUS_MAX);
	cpu_set_t *set = CPU_ALLOC(HOST_PUS_MAX);
	int allowed = 0;

	if (set && !sched_getaffinity(0, size, set))
		allowed = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	if (allowed > 0)
		return (unsigned int)allowed;
	return online > 0 ? (unsigned int)online : 1;
}

int host_facts_read(struct host_facts *facts, struct error *err)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page_size = sysconf(_SC_PAGESIZE);

	facts->pus = pus_allowed();
	facts->memory_bytes = UINT64_MAX; /* unknown: no limit */
	if (pages > 0 && page_size > 0)
		facts->memory_bytes = (uint64_t)pages * (uint64_t)page_size;
	if (getrandom(&facts->seed, sizeof(facts->seed), 0) != (ssize_t)sizeof(facts->seed))
		return error_set(err, VERDICT_SKIPPED,
				 "--seed: the host gives no entropy (%s); give a seed",
				 strerror(errno));
	return 0;
}

/* The machine for random programs. Small, so that little is set up and taken down for each. */
static void resolve_random(struct config *config)
{
	if (config->origin[OPT_CPUS] == ORIGIN_DEFAULT)
		config->cpus = CPUS_RANDOM;
	if (config->origin[OPT_PAGES] == ORIGIN_DEFAULT)
		config->pages = PAGES_RANDOM;
	if (config->origin[OPT_TLB] == ORIGIN_DEFAULT)
		memcpy(config->tlb, TLB_RANDOM, sizeof(TLB_RANDOM));
}

static void resolve_defaults(struct config *config, const struct host_facts *facts)
{
	bool ends_otherwise = config->iterations || config->until_found;

	if (config->programs == PROGRAMS_RANDOM)
		resolve_random(config);
	if (config->cpus == 0 && config->verb == VERB_EXPLORE)
		config->cpus = CPUS_EXPLORE;
	else if (config->cpus == 0)
		config->cpus = (unsigned int)min(
			max((uint64_t)CPUS_PER_PU * facts->pus, (uint64_t)CPUS_LEAST),
			(uint64_t)JOB_CPUS_MAX);
	if (config->workers == 0)
		config->workers = min(facts->pus, (unsigned int)EXPLORE_WORKERS_MAX);
	if (config->origin[OPT_SEED] == ORIGIN_DEFAULT)
		config->seed = facts->seed;
	if (config->origin[OPT_DURATION] == ORIGIN_DEFAULT && !ends_otherwise)
		config->duration_ns = DURATION_DEFAULT;
}

static int check_memory(const struct config *config, const struct host_facts *facts,
			struct error *err)
{
	uint64_t most = facts->memory_bytes / CONFIG_BYTES_PER_PAGE;

	if (!option_applies(OPT_PAGES, config->verb) || config->pages <= most)
		return 0;
	return error_input(err,
			   "--pages: %" PRIu64 " pages take %" PRIu64 " MiB of this host's %" PRIu64
			   " MiB; give at most %" PRIu64,
			   config->pages, config->pages * CONFIG_BYTES_PER_PAGE >> 20,
			   facts->memory_bytes >> 20, most);
}

static int check_affinity(const struct config *config, const struct job_group *group,
			  struct error *err)
{
	for (unsigned int cpu = config->cpus; cpu < JOB_CPUS_MAX; cpu++) {
		if (cpu_list_has(&group->cpus, cpu))
			return error_input(
				err,
				"%s:%u: cpu: the machine has no CPU %u; give CPUs below %u, or "
				"a larger --cpus",
				config->job.path, group->cpus_line, cpu, config->cpus);
	}
	return 0;
}

static int check_job(const struct config *config, struct error *err)
{
	const struct job *job = &config->job;
	uint64_t working_set = job_working_set(job);

	/* Random programs are drawn so that they fit; the default job is not looked at. */
	if (config->programs == PROGRAMS_RANDOM && config->origin[OPT_JOB] != ORIGIN_DEFAULT)
		return error_input(err,
				   "--programs: random programs take the place of a job's; leave "
				   "out --job, or give --programs job");
	if (config->programs == PROGRAMS_RANDOM)
		return 0;
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (check_affinity(config, &job->groups[i], err))
			return -1;
	}
	if (job->nr_groups && working_set > config->pages)
		return error_input(err,
				   "--pages: the working sets of %s are %" PRIu64
				   " pages and the machine "
				   "has %" PRIu64 "; give more pages, or the job less",
				   job->path, working_set, config->pages);
	return 0;
}

static int check_outputs(const struct config *config, struct error *err)
{
	if (config->json[0] && !strcmp(config->json, config->schedule))
		return error_input(err, "--schedule: is the same file as --json; give another one");
	return 0;
}

int config_resolve(struct config *config, const struct host_facts *facts, struct error *err)
{
	resolve_defaults(config, facts);
	if (check_memory(config, facts, err) || check_job(config, err) ||
	    check_outputs(config, err))
		return -1;
	return 0;
}
