// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/job.h"

#include <errno.h>
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

/* @size bytes; NULL for none, and *failed without memory. */
static void *copy_of(const void *from, size_t size, bool *failed)
{
	void *to = size ? malloc(size) : NULL;

	if (to)
		memcpy(to, from, size);
	else if (size)
		*failed = true;
	return to;
}

int job_copy(struct job *to, const struct job *from)
{
	bool failed = false;

	*to = *from;
	to->groups = copy_of(from->groups, from->nr_groups * sizeof(*to->groups), &failed);
	if (!to->groups)
		to->nr_groups = 0;
	for (size_t i = 0; i < to->nr_groups; i++) {
		struct job_group *g = &to->groups[i];

		g->mix.entries =
			copy_of(g->mix.entries, g->mix.nr * sizeof(*g->mix.entries), &failed);
		g->program.ops =
			copy_of(g->program.ops, g->program.nr * sizeof(*g->program.ops), &failed);
	}
	if (!failed)
		return 0;
	job_destroy(to);
	return -ENOMEM;
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
