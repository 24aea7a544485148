// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much each entry of a retrace says about what went wrong: explain.h tells in words what
 * counts. Private to the explanation. No state, no locks.
 */
#ifndef STRESS_EXPLAIN_SCORE_H
#define STRESS_EXPLAIN_SCORE_H

#include "stress/retrace.h"

/* Below it a line says nothing, however much room there is. */
#define SCORE_LEAST 15

struct pick {
	s32 score;
	bool star;   /* decides */
	bool chosen; /* is in the table; not set here */
	bool shared; /* another task uses the address too, and one of them writes it */
};

/* @picks: one for each entry, zeroed. 0 or -ENOMEM. */
int explain_score(const struct retrace *r, struct pick *picks);

#endif
