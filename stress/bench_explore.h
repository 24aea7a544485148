// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The measures that have no counterpart on the host: how fast the explorer is, what building a
 * machine costs, and how much memory a large one takes.
 */
#ifndef STRESS_BENCH_EXPLORE_H
#define STRESS_BENCH_EXPLORE_H

#include "stress/bench.h"

/* Appends them to @measures, which has @n so far; returns how many there are then. */
size_t bench_append_explore(struct bench_measure *measures, size_t n);

#endif
