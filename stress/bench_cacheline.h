// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The limits of the machine below both kernels, measured beside them: what it costs two CPUs to
 * answer each other through memory, and what one CPU pays for an atomic operation and for
 * reading its time stamp counter. They stand on the host's side of measures without an emulated
 * one; other measures are bounded by them (struct bench_bound).
 *
 * One line: both threads write the same word in turn; an item is one round trip, two transfers
 * of the line. Two lines: the question and the answer have a cache line each, as a mailbox and
 * its acknowledgement have; an item is one round trip again.
 *
 * Waiting: the spinning is what is measured here, bounded by the run's time; should the other
 * CPU be taken away, the waiter yields after some looks.
 */
#ifndef STRESS_BENCH_CACHELINE_H
#define STRESS_BENCH_CACHELINE_H

#include "stress/bench.h"

extern const struct bench_side bench_cacheline_one;
extern const struct bench_side bench_cacheline_two;
extern const struct bench_side bench_atomic_add;
/* x86-64 only. */
extern const struct bench_side bench_timestamp;

#endif
