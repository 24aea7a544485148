// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drawn programs: jobs for the explorer whose tasks have fixed operations with fixed arguments,
 * drawn from a seed. What is drawn is a job like any other: it passes the checks of a job file, can
 * be written as one and is read back as the same job.
 *
 * Random programs come from a weighted grammar. Two things make small programs of it that collide:
 * each program does without a half or two thirds of the operations, others each time, for what is
 * in a program keeps other things from happening (swarm testing: Groce, Zhang, Eide, Chen, Regehr,
 * ISSTA 2012); and each has a few "hot" pages that most of its operations are about. Regions exist,
 * numbers are in range, and what all tasks take together fits into the machine.
 *
 * The machine. Some bugs can only show on a machine that frees its page tables by RCU, gathers two
 * pages at a time or does not hear of writes to its files. program_draw_machine() draws these
 * options too, where nobody has given them.
 *
 * Programs from a mix. The operations that a mix would draw while its tasks run are drawn
 * beforehand, so that each schedule belongs to a program that can be written down and made smaller.
 *
 * Everything is a function of the seed and the arguments. No state, no locks. Errors: see error.h;
 * the only ones are those of memory, and a failed draw leaves an empty job.
 */
#ifndef STRESS_PROGRAM_DRAW_H
#define STRESS_PROGRAM_DRAW_H

#include "stress/config.h"
#include "stress/error.h"
#include "stress/job.h"

/* How large a random program may be. */
struct program_draw_limits {
	uint32_t cpus;	/* of the machine */
	uint64_t pages; /* of the machine, frames */
	uint32_t tasks; /* at the most; at least 2 */
	uint32_t ops;	/* of each task, at the most; at least 1 */
};

/* A random program's tasks and operations, where nobody says otherwise. */
#define PROGRAM_DRAW_TASKS 4
#define PROGRAM_DRAW_OPS 6

/* What fits the machine of @config. */
struct program_draw_limits program_draw_limits_of(const struct config *config);

/*
 * Draws a program from @seed into @job, which must be empty or a job of its own: what it had is
 * freed. job_destroy() is due. 0, or -1 with @err filled.
 */
int program_draw_random(struct job *job, uint64_t seed, const struct program_draw_limits *limits,
			struct error *err);

/* Draws the options of the machine that a program depends on and that neither the command line nor
 * a job has given. A world follows with world_set_config(). */
void program_draw_machine(struct config *config, uint64_t seed);

/* Has @job a mix somewhere? */
bool program_draw_has_mix(const struct job *job);

/*
 * Draws into @drawn a job without mixes that does what @job does: each task of a group with a mix
 * gets @ops_per_task operations of it, as a group of its own as long as there can be so many
 * groups, else a few tasks share a program. Groups with programs are copied. @drawn is overwritten,
 * what it had is freed; job_destroy() is due. 0, or -1 with @err filled.
 */
int program_draw_from_mix(struct job *drawn, const struct job *job, uint64_t seed,
			  uint32_t ops_per_task, struct error *err);

#endif
