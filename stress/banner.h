// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first and the last line of a run. Both repeat the version, the resolved configuration and
 * the seed; the last one adds the verdict. With bugs planted both say BUSTED.
 *
 *     mmtorture 0.1.0: start of soak: job=default cpus=4 pages=65536 seed=17 ...
 *     mmtorture 0.1.0: end of soak: CLEAN: status=0 elapsed=10.0s job=default cpus=4 ...
 *
 * Options stand under their names; values with blanks in them are quoted. A job file's options
 * that the verb has no use for follow behind "not used:". No state, no locks.
 */
#ifndef STRESS_BANNER_H
#define STRESS_BANNER_H

#include "stress/config.h"
#include "stress/verdict.h"

#include <stdio.h>

/* Writes the line to @out, newline included, and flushes it. */
void banner_start(FILE *out, const struct config *config);
void banner_end(FILE *out, const struct config *config, enum verdict verdict, double elapsed_s);

#endif
