// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/job.h"

#include <stdlib.h>
#include <string.h>

void job_destroy(struct job *job)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		free(job->groups[i].mix.entries);
		free(job->groups[i].program.ops);
	}
	free(job->groups);
	memset(job, 0, sizeof(*job));
}

unsigned int job_tasks(const struct job *job)
{
	unsigned int tasks = 0;

	for (size_t i = 0; i < job->nr_groups; i++)
		tasks += job->groups[i].tasks;
	return tasks;
}

/* Several groups may name one file: the first of them counts it. */
static bool file_seen_before(const struct job *job, size_t group)
{
	for (size_t i = 0; i < group; i++) {
		if (!strcmp(job->groups[i].file, job->groups[group].file))
			return true;
	}
	return false;
}

uint64_t job_working_set(const struct job *job)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < job->nr_groups; i++) {
		const struct job_group *group = &job->groups[i];
		bool joins = group->mm_group != MM_OF_TASK && group->mm_group != (int)i;

		pages += (uint64_t)group->tasks * group->anon;
		if (!joins)
			pages += group->shared;
		if (group->file[0] && !file_seen_before(job, i))
			pages += group->file_pages;
	}
	return pages;
}
