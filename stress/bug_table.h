// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bugs check --table: how long each strategy takes to find each planted bug.
 *
 * A cell is the median, over BUG_TABLE_SEEDS seeds, of the time to the first finding on one core,
 * in the job that the catalog has for the bug (bug_catalog.h); a run that takes longer than
 * BUG_TABLE_CAP_S seconds counts as endless. The last column is --programs random under portfolio:
 * what is found when nobody wrote a scenario. Cells are measured side by side, one a worker.
 *
 * No state. Errors: see error.h.
 */
#ifndef STRESS_BUG_TABLE_H
#define STRESS_BUG_TABLE_H

#include "stress/config.h"

#include <stdio.h>

#define BUG_TABLE_SEEDS 20
#define BUG_TABLE_CAP_S 10.0

/* Prints the table of the bugs that @config names (none: all). Returns an enum verdict:
 * VERDICT_PLANTED_FOUND if portfolio's medians are all below the cap. */
int bug_table(FILE *out, const struct config *config);

#endif
