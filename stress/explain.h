// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The explanation of a schedule: a table CPU0 | CPU1 | ... as kernel commit messages draw races,
 * oldest step first.
 *
 * The table is short enough for a commit message (EXPLAIN_LINES lines, EXPLAIN_COLUMNS columns): a
 * schedule has thousands of accesses, so what it shows is chosen. Always there: the operation of
 * each task that takes part, where a vCPU was preempted with the access before and the first one
 * after, the choices of the strategy that are not the quiet ones, and the violation. What room is
 * left goes to conflicting accesses of two vCPUs (one address, one of them a write), interrupts,
 * TLB fills and flushes, pages freed and mms dropped: what concerns the frame, address or mm that
 * the violation names comes first, then what is near a preemption. The rest is folded into the
 * names of the functions that it ran through. A `*` marks the decisive accesses: those that
 * conflict with another vCPU's across a preemption, and those around it.
 *
 * The full form has every step and event, a line each.
 *
 * docs/explain.md tells how to read both. No state, no locks. Errors: see error.h.
 */
#ifndef STRESS_EXPLAIN_H
#define STRESS_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "stress/config.h"
#include "stress/error.h"

struct retrace;
struct schedule;

/* A commit message is looked at in terminals of 100 columns, and a race that takes more than a
 * screen is not read. */
#define EXPLAIN_COLUMNS 100
#define EXPLAIN_LINES 40

/*
 * Runs @s again on a machine of its own for @config, whose job is that of the schedule, and prints
 * the explanation. 0, or -1 with @err filled (no memory; VERDICT_DIVERGED if it went another way
 * than recorded).
 */
int explain_schedule(FILE *out, const struct config *config, const struct schedule *s, bool full,
		     struct error *err);

/* The same of a run that is there already. 0, or -1 with @err filled (no memory). */
int explain_retrace(FILE *out, const struct retrace *r, bool full, struct error *err);

#endif
