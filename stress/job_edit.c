// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/job_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/types.h"
#include "stress/program.h"

bool job_has_programs(const struct job *job)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (!job->groups[i].program.nr)
			return false;
	}
	return job->nr_groups > 0;
}

uint64_t job_operations(const struct job *job)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < job->nr_groups; i++) {
		const struct job_group *g = &job->groups[i];

		nr += (uint64_t)g->tasks * g->program.nr * g->program.repeat;
	}
	return nr;
}

/* ---- spreading ---- */

static int unroll(struct job_program *p, uint32_t rounds)
{
	struct program_op *ops = calloc(p->nr * rounds, sizeof(*ops));

	if (!ops)
		return -1;
	for (uint32_t n = 0; n < rounds; n++)
		memcpy(ops + n * p->nr, p->ops, p->nr * sizeof(*ops));
	free(p->ops);
	p->ops = ops;
	p->nr *= rounds;
	p->repeat = 1;
	return 0;
}

static bool name_taken(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (!strcmp(job->groups[i].name, name))
			return true;
	}
	return false;
}

/* "readers" becomes "readers-2", as short as it must be. */
static void name_task(const struct job *job, const char *group, char *name)
{
	char tried[JOB_NAME_SIZE];

	for (unsigned int n = 2;; n++) {
		char suffix[12];
		int len = snprintf(suffix, sizeof(suffix), "-%u", n);

		snprintf(tried, sizeof(tried), "%.*s%s", JOB_NAME_SIZE - 1 - len, group, suffix);
		if (!name_taken(job, tried))
			break;
	}
	memcpy(name, tried, sizeof(tried));
}

/* The second and further tasks of group @i, each as a group behind it. */
static int split_group(struct job *job, size_t i)
{
	unsigned int more = job->groups[i].tasks - 1;
	struct job_group *groups =
		reallocarray(job->groups, job->nr_groups + more, sizeof(*groups));

	if (!groups)
		return -1;
	job->groups = groups;
	memmove(groups + i + 1 + more, groups + i + 1, (job->nr_groups - i - 1) * sizeof(*groups));
	job->nr_groups += more;
	groups[i].tasks = 1;
	for (size_t j = 0; j < job->nr_groups; j++) {
		if ((j <= i || j > i + more) && groups[j].mm_group > (int)i)
			groups[j].mm_group += (int)more;
	}
	for (size_t j = i + 1; j <= i + more; j++) {
		groups[j] = groups[i];
		groups[j].name[0] = '\0';
		groups[j].program.ops = NULL;
		groups[j].program.nr = 0;
	}
	for (size_t j = i + 1; j <= i + more; j++) {
		struct job_program *p = &groups[j].program;

		name_task(job, groups[i].name, groups[j].name);
		p->ops = calloc(groups[i].program.nr, sizeof(*p->ops));
		if (!p->ops)
			return -1;
		p->nr = groups[i].program.nr;
		memcpy(p->ops, groups[i].program.ops, p->nr * sizeof(*p->ops));
	}
	return 0;
}

unsigned int job_name_operations(struct job *job)
{
	unsigned int name = 0;

	for (size_t i = 0; i < job->nr_groups; i++) {
		for (size_t j = 0; j < job->groups[i].program.nr; j++)
			job->groups[i].program.ops[j].line = ++name;
	}
	return name;
}

int job_spread(struct job *job, struct error *err)
{
	uint64_t operations = job_operations(job);

	for (size_t i = 0; i < job->nr_groups; i++) {
		struct job_group *g = &job->groups[i];
		uint64_t rounds = g->program.repeat;

		if (operations > JOB_SPREAD_MAX)
			rounds = rounds * JOB_SPREAD_MAX / operations;
		rounds = max((uint64_t)1, min(rounds, (uint64_t)JOB_PROGRAM_MAX / g->program.nr));
		if (unroll(&g->program, (uint32_t)rounds))
			return error_no_memory(err);
	}
	for (size_t i = job->nr_groups; i-- > 0;) {
		if (job->groups[i].tasks > 1 &&
		    job->nr_groups + job->groups[i].tasks - 1 <= JOB_GROUPS_MAX &&
		    split_group(job, i))
			return error_no_memory(err);
	}
	(void)job_name_operations(job);
	return 0;
}

/* ---- taking away ---- */

void job_remove_group(struct job *job, size_t group)
{
	struct job_group *groups = job->groups;
	int heir = -1;

	for (size_t j = 0; j < job->nr_groups; j++) {
		if (j == group || groups[j].mm_group != (int)group)
			continue;
		if (heir < 0)
			heir = (int)j;
		groups[j].mm_group = heir;
	}
	free(groups[group].program.ops);
	free(groups[group].mix.entries);
	memmove(groups + group, groups + group + 1, (job->nr_groups - group - 1) * sizeof(*groups));
	job->nr_groups--;
	for (size_t j = 0; j < job->nr_groups; j++) {
		if (groups[j].mm_group > (int)group)
			groups[j].mm_group--;
	}
}

void job_remove_operations(struct job *job, const bool *removed)
{
	for (size_t i = job->nr_groups; i-- > 0;) {
		struct job_program *p = &job->groups[i].program;
		size_t kept = 0;

		for (size_t j = 0; j < p->nr; j++) {
			if (!removed[p->ops[j].line - 1])
				p->ops[kept++] = p->ops[j];
		}
		p->nr = kept;
		if (!kept)
			job_remove_group(job, i);
	}
}

bool job_remove_cpu(struct job *job, unsigned int cpu)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		struct cpu_list *list = &job->groups[i].cpus, left = {{0}};

		if (cpu_list_empty(list))
			continue;
		for (unsigned int c = 0; c < JOB_CPUS_MAX; c++) {
			unsigned int to = c > cpu ? c - 1 : c;

			if (c != cpu && cpu_list_has(list, c))
				left.bits[to / 64] |= UINT64_C(1) << (to % 64);
		}
		if (cpu_list_empty(&left))
			return false;
		*list = left;
	}
	return true;
}

bool job_is_valid(const struct job *job)
{
	struct error err = {0};

	for (size_t i = 0; i < job->nr_groups; i++) {
		if (program_check_regions(job, &job->groups[i], &err))
			return false;
	}
	return job->nr_groups > 0;
}

const struct job_group *job_group_of_task(const struct job *job, unsigned int slot)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (slot < job->groups[i].tasks)
			return &job->groups[i];
		slot -= job->groups[i].tasks;
	}
	return NULL;
}
