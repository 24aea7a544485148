// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Edits of a job of programs that leave it one which a job file can describe.
 *
 * For the minimiser a job is first spread out: a group for each task, each program run through
 * once. The spread job does what the job did, task by task in the same order. Then every operation
 * of it has a name of its own: the field `line`, which is of no other use once a job has been read.
 *
 * All edits work in place on a job that owns what it has. No state, no locks. Errors: see error.h.
 */
#ifndef STRESS_JOB_EDIT_H
#define STRESS_JOB_EDIT_H

#include "stress/error.h"
#include "stress/job.h"

/* A spread job may have so many operations; longer programs are repeated less often than they say.
 */
#define JOB_SPREAD_MAX 4096

/* Has every group a program? */
bool job_has_programs(const struct job *job);

/* Operations that all tasks do together, repeats counted. */
uint64_t job_operations(const struct job *job);

/* Names the operations of all programs, in their order, from 1. Returns how many there are. */
unsigned int job_name_operations(struct job *job);

/*
 * Spreads @job and names its operations. Where there are too many operations or groups, repeats
 * become fewer and groups keep several tasks. 0, or -1 with @err filled.
 */
int job_spread(struct job *job, struct error *err);

/* Takes group number @group away. Threads of its mm live on in the mm of the first of them. */
void job_remove_group(struct job *job, size_t group);

/*
 * Takes the operations away for which @removed[name - 1] is true, and the groups that have none
 * left. May leave a job without groups.
 */
void job_remove_operations(struct job *job, const bool *removed);

/* Takes vCPU number @cpu away, and renumbers those above. False: a group could run nowhere. */
bool job_remove_cpu(struct job *job, unsigned int cpu);

/* Could a job file say this? At least one group, and every region that is named exists. */
bool job_is_valid(const struct job *job);

/* The group that task number @slot, counted over all groups, belongs to; NULL beyond. */
const struct job_group *job_group_of_task(const struct job *job, unsigned int slot);

#endif
