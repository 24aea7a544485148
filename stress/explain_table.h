// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of an explanation; see stress/explain.h for what it shows, and docs/explain.md. Private
 * to explain.c and explain_table.c. No state, no locks.
 */
#ifndef STRESS_EXPLAIN_TABLE_H
#define STRESS_EXPLAIN_TABLE_H

#include <stdio.h>

#include "stress/error.h"
#include "stress/retrace.h"

/* 0, or -1 with @err filled (no memory). */
int explain_table(FILE *out, const struct retrace *r, struct error *err);

/* What stands below the table: the violation, or how else the schedule ended. */
void explain_print_begin(FILE *out, const struct retrace *r);
void explain_print_end(FILE *out, const struct retrace *r);

#endif
