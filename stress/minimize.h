// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Minimising: a schedule that shows a violation is made smaller, and its program with it, as long
 * as the same violation remains: the same invariant, noticed in the same function.
 *
 * What is made smaller, in this order: the operations of the tasks, the tasks, the vCPUs, arguments
 * and working sets; then the preemptions and everything else in which the schedule differs from one
 * that nobody interferes with (engine/strategy.h). docs/minimize.md says what is tried.
 *
 * What it ends with. No single operation can be taken away: the program without it was followed
 * through, and searched for MINIMIZE_BUDGET schedules, without meeting the violation. No single
 * decision of the schedule can be taken away, a switch to another vCPU or any other: the schedule
 * without it was run, and did not show the violation.
 *
 * Only the seed and the budgets decide, no clock: the same input gives the same result, unless the
 * options end it early.
 *
 * No state, no locks: any number of threads may minimise at once. Errors: see error.h.
 *
 * Sources: A. Zeller, R. Hildebrandt: Simplifying and Isolating Failure-Inducing Input, IEEE TSE
 * 28(2), 2002 (ddmin); J.-D. Choi, A. Zeller: Isolating Failure-Inducing Thread Schedules, ISSTA
 * 2002; N. Jalbert, K. Sen: A Trace Simplification Technique for Effective Debugging of Concurrent
 * Programs, FSE 2010 (fewer context switches).
 */
#ifndef STRESS_MINIMIZE_H
#define STRESS_MINIMIZE_H

#include "stress/config.h"
#include "stress/error.h"
#include "stress/schedule.h"

/* Schedules in which a program without one more operation must stay silent. */
#define MINIMIZE_BUDGET 1024

/* Either end leaves what there is by then, an exact schedule in any case. */
struct minimize_options {
	uint64_t duration_ns; /* 0: no limit */
	/* Asked once in so many schedules: is it to end? NULL: nobody is asked. */
	bool (*stop)(void *arg);
	void *stop_arg;
};

struct minimize_size {
	uint64_t operations; /* of all tasks, repeats counted */
	unsigned int tasks, cpus;
	uint64_t steps, preemptions; /* explore_stats */
	uint64_t decisions;	     /* recorded choices, the preemptions among them */
};

struct minimize_report {
	struct minimize_size before, after;
	uint64_t schedules; /* that were run for it */
	double seconds;
	bool minimal; /* false: it was ended before */
};

/*
 * Both are changed in place: config->job is replaced, config->cpus and pages reduced, @s becomes
 * the exact schedule of that, with checks. 0; or -1 with @err filled and both as they were:
 * VERDICT_DIVERGED where
 * @s does not repeat, VERDICT_SKIPPED where it has no violation or its job has a mix.
 */
int schedule_minimize(struct config *config, struct schedule *s,
		      const struct minimize_options *options, struct minimize_report *report,
		      struct error *err);

#endif
