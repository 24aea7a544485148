// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a run ended: the verdict, which is also the exit status of the program.
 *
 * Scripts rely on the numbers, JSON readers on the names; neither changes meaning between
 * versions. 64 is EX_USAGE of sysexits.h. Nothing here has state.
 */
#ifndef STRESS_VERDICT_H
#define STRESS_VERDICT_H

enum verdict {
	VERDICT_CLEAN = 0,	    /* ran to its end, nothing wrong was seen */
	VERDICT_VIOLATION = 1,	    /* an invariant broke, and no bug was planted */
	VERDICT_PLANTED_FOUND = 2,  /* a planted bug was found, as asked */
	VERDICT_PLANTED_MISSED = 3, /* a bug was planted and nothing was found */
	VERDICT_SKIPPED = 4,	    /* not supported here */
	VERDICT_NO_PROGRESS = 5,    /* deadlock, lockup, or a schedule that never ends */
	VERDICT_DIVERGED = 6,	    /* a replay took another path than the recorded one */
	VERDICT_UNTRUSTWORTHY = 7,  /* the results could not be written or can't be believed */
	VERDICT_USAGE = 64,	    /* usage or bad input; nothing ran */
};

/* The verdict's name in the JSON document and in the last line of a run. */
static inline const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_CLEAN:
		return "clean";
	case VERDICT_VIOLATION:
		return "violation";
	case VERDICT_PLANTED_FOUND:
		return "planted-found";
	case VERDICT_PLANTED_MISSED:
		return "planted-missed";
	case VERDICT_SKIPPED:
		return "skipped";
	case VERDICT_NO_PROGRESS:
		return "no-progress";
	case VERDICT_DIVERGED:
		return "diverged";
	case VERDICT_UNTRUSTWORTHY:
		return "untrustworthy";
	case VERDICT_USAGE:
		return "usage";
	}
	return "untrustworthy";
}

#endif
