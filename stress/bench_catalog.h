// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which measures `mmtorture bench` has, in the order of the table, with their goals and their
 * host sides. The emulated sides are plugged in by whoever builds the machines:
 *
 *	struct bench_measure measures[BENCH_CATALOG_MAX];
 *	size_t n = bench_catalog(measures);
 *	measures[bench_index(measures, n, "zap-shootdown")].emulated = &my_side;
 *
 * Measures that have an emulated side only (the explorer's, the machine's own) are appended
 * there too. Source of the goals: the project's requirements.
 */
#ifndef STRESS_BENCH_CATALOG_H
#define STRESS_BENCH_CATALOG_H

#include "stress/bench.h"

/* Room for all of them and for those that are appended. */
#define BENCH_CATALOG_MAX 40

/* Fills @measures, which has room for BENCH_CATALOG_MAX; returns how many there are. */
size_t bench_catalog(struct bench_measure *measures);

#endif
