// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The emulated sides of the measures, and the measures that only the emulated machine has. What is
 * counted is in docs/bench.md.
 *
 * A side builds its machine (one or two vCPUs, pinned to the bench's CPUs, oracle on) anew for each
 * sample; the tasks of the machine time themselves, so that neither the building nor the threads'
 * start counts.
 */
#ifndef STRESS_BENCH_EMULATED_H
#define STRESS_BENCH_EMULATED_H

#include "stress/bench_catalog.h"
#include "stress/nearest.h"

/* Fills in the emulated sides of the catalog's measures and appends the emulated-only ones. @n: how
 * many there are; returns how many there are then. */
size_t bench_plug_emulated(struct bench_measure *measures, size_t n);

/* Of all measures, for options. */
extern const struct name_list bench_measure_names;

#endif
