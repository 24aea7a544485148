// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The progress of a run: on a terminal one line that is drawn again and again, elsewhere one
 * `key: value` line per interval.
 *
 *     soak 7s/10s, 3s left | violations 0 | exec 12.3k/s  fault 1.20M/s
 *     soak: elapsed: 7.0s remaining: 3.0s violations: 0 exec/s: 12345 fault/s: 1203311
 *
 * As soon as there is a violation the line says "!!!". Rates are those of the interval that has
 * just ended. A line longer than the terminal is wide is cut, for what wraps can't be redrawn.
 * A terminal that calls itself dumb gets lines.
 *
 * The struct belongs to one thread. Time comes from the caller, in seconds since the run began;
 * nothing here reads a clock. What can't be written is lost and no error: progress is no result.
 */
#ifndef STRESS_PROGRESS_H
#define STRESS_PROGRESS_H

#include "stress/counter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Counters whose rates are shown; more would not fit on a line. */
#define PROGRESS_COUNTERS_MAX 16

/* A run's state at one moment. */
struct progress_sample {
	double elapsed_s;
	double limit_s;	     /* when the run will end; 0: not by time */
	uint64_t iterations; /* done, and to be done; 0: not by number */
	uint64_t iterations_limit;
	uint64_t violations;
	const struct counter *counters; /* the same ones in the same order each time */
	size_t nr_counters;		/* those beyond PROGRESS_COUNTERS_MAX are not shown */
	const struct counter *totals;	/* shown as they are, not as rates */
	size_t nr_totals;
};

struct progress {
	FILE *out;
	const char *verb;
	bool redraws;	    /* a terminal */
	unsigned int width; /* of the terminal */
	bool drawn;	    /* a line stands there that has to be wiped */
	double last_elapsed_s;
	uint64_t last[PROGRESS_COUNTERS_MAX];
};

/* Progress of @verb on @out. What @out is, and how wide, is asked of the system and $TERM. */
void progress_init(struct progress *progress, FILE *out, const char *verb);

/* Likewise, with the answers given. */
void progress_init_as(struct progress *progress, FILE *out, const char *verb, bool redraws,
		      unsigned int width);

/* Shows @sample. To be called once per interval. */
void progress_show(struct progress *progress, const struct progress_sample *sample);

/* Wipes the line, so that something else may be written to the terminal; also at the end. */
void progress_wipe(struct progress *progress);

/* Seconds that are left, by time and by number, whichever ends first; negative: unknown. */
double progress_remaining(const struct progress_sample *sample);

#endif
