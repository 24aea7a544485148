// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The framework of `mmtorture bench`: measures, their repetitions, their statistics, the table.
 *
 * Structure. A measure names one operation and has up to two sides: the same operation on the
 * emulated machine and on the host's real kernel. A machine drifts by a quarter from minute to
 * minute, so a figure alone says little: bench_run() takes the sides in turn (emulated, host,
 * emulated, host, ...), forms one ratio from each neighbouring pair, and reports the median of
 * these ratios with the smallest and the largest. What has one side only (a limit of the
 * machine, a figure of the explorer) is reported without a ratio.
 *
 * Units. A run hands back a sample: how many items it did in how many seconds (or how many
 * bytes it held, for measures of memory). The framework turns that into a cost per item,
 * nanoseconds or bytes, and works with costs throughout; lower is better. The kind of a measure
 * only decides how its figures are shown: as the cost itself or as items a second. A ratio is
 * always cost on the host / cost on the emulated machine: how many times better the emulated
 * side is, whatever the kind.
 *
 * What a side has to keep to:
 * - setup() may take its time (it isn't measured); the host's side is set up before the
 *   emulated one and torn down after it, so a host side that forks a worker process in setup()
 *   forks before an emulated machine exists.
 * - run() is called again and again on what setup() made: first once to warm up, then for the
 *   samples. It should work for about the seconds it is given, and times by itself, with
 *   bench_now_ns(), only what is to be measured.
 * - When run() returns, the side is quiet: none of its threads runs or spins (sleeping is
 *   fine), and the calling thread has the CPU affinity that it came with. Otherwise the other
 *   side pays for it.
 * - Both sides place their threads on env->cpu[0] and env->cpu[1] (bench_cpus.h).
 *
 * Errors. A setup() or run() that returns other than 0 leaves its reason in *err; that side is
 * then given up for this measure ("skipped: reason"), the other one goes on. A sample that can't
 * be used (no items, no time: e.g. a difference of two timings that came out negative) costs
 * its pair, which is counted in `dropped`. A goal that isn't reached is reported and is not an
 * error: time on a shared machine is never a test.
 *
 * Locking: none. Everything here belongs to the thread that calls bench_run().
 *
 * Source of the goals: the project's requirements; docs/bench.md says what each measure counts.
 */
#ifndef STRESS_BENCH_H
#define STRESS_BENCH_H

#include "stress/bench_cpus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum bench_kind {
	BENCH_NS_PER_ITEM,	/* shown as a cost in ns; less is better */
	BENCH_ITEMS_PER_SECOND, /* shown as a rate; more is better */
	BENCH_BYTES_PER_ITEM,	/* shown as a cost in bytes; less is better */
};

struct bench_sample {
	double items;
	double seconds; /* what these items took; not looked at for BENCH_BYTES_PER_ITEM */
	double bytes;	/* what these items held; for BENCH_BYTES_PER_ITEM only */
};

struct bench_side {
	/* *@ctx is handed to run() and teardown(). Not torn down when it fails. */
	int (*setup)(const struct bench_env *env, const void *arg, void **ctx,
		     struct bench_error *err);
	int (*run)(void *ctx, double seconds, struct bench_sample *out, struct bench_error *err);
	void (*teardown)(void *ctx);
	const void *arg; /* handed to setup(): the variant, for sides that share their code */
};

/*
 * An upper bound made of other measures of the same run: @factor times the cost of the measure
 * @of, plus the cost of the measure @plus (may be NULL). For each, the emulated figure is taken
 * where there is one, else the host's.
 */
struct bench_bound {
	const char *of;
	double factor;
	const char *plus;
};

struct bench_measure {
	const char *name; /* how --only and the JSON document call it */
	const char *item; /* singular; the units are "ns/page" and "pages/s" */
	enum bench_kind kind;
	const char *says;		   /* one sentence: what is done and what is counted */
	const struct bench_side *emulated; /* NULL where there is none */
	const struct bench_side *host;	   /* NULL where there is none */
	double goal_ratio;		   /* ratio to reach, 0: none */
	double goal_value;	  /* figure of the emulated side to reach, in the unit: at least for
				   * rates, at most for costs; 0: none */
	struct bench_bound bound; /* for the emulated side's cost; of == NULL: none */
};

enum bench_verdict {
	BENCH_NO_GOAL,
	BENCH_REACHED,
	BENCH_MISSED,
	BENCH_UNKNOWN, /* there is a goal, but not the figures to judge it by */
};

struct bench_spread {
	double median, min, max;
};

/* What became of one measure. Figures are in `unit`; NaN where there is none. */
struct bench_result {
	const struct bench_measure *measure;
	const char *name;
	char unit[32];
	bool ran;	 /* false: not asked for, or interrupted before it began */
	double emulated; /* median */
	double host;	 /* median */
	double ratio;	 /* median of the ratios of the pairs */
	double min, max; /* of these ratios */
	int repetitions; /* usable pairs; usable samples where there is one side */
	int dropped;	 /* pairs or samples that could not be used */
	struct bench_spread emulated_spread, host_spread;
	enum bench_verdict ratio_goal, value_goal, bound_goal;
	double bound;				   /* what measure->bound came to, in `unit` */
	struct bench_error emulated_why, host_why; /* why a side was skipped; else empty */
};

struct bench_options {
	int repetitions;	 /* pairs a measure */
	double sample_seconds;	 /* what one run() is asked to take */
	const char *const *only; /* names of the measures to run; NULL: all */
	size_t nr_only;
	FILE *progress;			/* NULL: none. On a terminal one line, redrawn */
	bool (*interrupted)(void *arg); /* asked between samples; NULL: never */
	void *interrupted_arg;
};

#define BENCH_REPETITIONS_MAX 1000
#define BENCH_SAMPLE_SECONDS_MIN 0.001
#define BENCH_SAMPLE_SECONDS_MAX 10.0

/* 7 pairs of 0.2 s: medians that repeat to a few percent, the whole table in about a minute. */
struct bench_options bench_options_default(void);

/* Checks options and table against each other; the reason names what is wrong and what is
 * right. bench_run() does it too; here it is for the command line's exit status. */
int bench_check(const struct bench_options *options, const struct bench_measure *measures, size_t n,
		struct bench_error *err);

enum bench_outcome {
	BENCH_DONE = 0,
	BENCH_INTERRUPTED = 1, /* results hold what was complete by then */
	BENCH_REFUSED = -1,    /* bad options or no CPUs to find out; nothing was run */
};

/*
 * Runs the measures in their order and prints the table to @out row by row as they finish.
 * @results has @n elements, one for each measure. Returns an enum bench_outcome; the reason of
 * a refusal goes to stderr.
 */
int bench_run(const struct bench_options *options, const struct bench_measure *measures, size_t n,
	      struct bench_result *results, FILE *out);

/* Prints the names of the measures and what they say, for --help or --list. */
void bench_list(const struct bench_measure *measures, size_t n, FILE *out);

/* The index of the measure called @name, @n where there is none. */
size_t bench_index(const struct bench_measure *measures, size_t n, const char *name);

/* Median (the mean of the middle two where @n is even), least and greatest; NaN for @n == 0.
 * Sorts @values. */
struct bench_spread bench_spread(double *values, size_t n);

/* Cost per item of a sample, in ns or bytes; NaN where the sample can't be used. */
double bench_cost(enum bench_kind kind, const struct bench_sample *sample);

#endif
