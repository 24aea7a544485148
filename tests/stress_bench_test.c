// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bench framework: its statistics, the order in which it runs things, what it makes of sides
 * that fail, and its table; then that the host's sides work at all. Nothing here looks at how
 * long something took.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress/bench.h"
#include "stress/bench_catalog.h"
#include "stress/bench_host.h"
#include "stress/bench_host_region.h"
#include "stress/bench_tiny_elf.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#ifdef __x86_64__
#define ON_X86_64 true
#else
#define ON_X86_64 false /* no program to exec, no time stamp counter */
#endif

#define NEVER (-1)
#define TABLE_BYTES 8192

/* ---- A side that does what a test tells it to ---------------------------------------------- */

struct trace {
	char text[256];
};

struct fake {
	char letter; /* in the trace */
	struct trace *trace;
	const struct bench_sample *samples; /* of the repetitions, in turn */
	int nr_samples;
	bool fails_in_setup;
	int fails_at; /* call of run(), the warm-up is 0 */
	int *calls;
	double *asked; /* seconds it was asked for, a call each; may be NULL */
	long sleeps_ns;
};

static void note(const struct fake *f, char what)
{
	size_t used;

	if (!f->trace)
		return;
	used = strlen(f->trace->text);
	snprintf(f->trace->text + used, sizeof(f->trace->text) - used, "%c%c ", f->letter, what);
}

static int fake_setup(const struct bench_env *env, const void *arg, void **ctx,
		      struct bench_error *err)
{
	const struct fake *f = arg;

	cr_assert_geq(env->nr_cpus, 1);
	note(f, 's');
	if (f->fails_in_setup)
		return bench_fail(err, "%c has no such thing", f->letter);
	*f->calls = 0;
	*ctx = (void *)(uintptr_t)f;
	return 0;
}

static int fake_run(void *ctx, double seconds, struct bench_sample *out, struct bench_error *err)
{
	const struct fake *f = ctx;
	const struct timespec nap = {.tv_nsec = f->sleeps_ns};
	int call = (*f->calls)++;

	note(f, call ? 'r' : 'w');
	if (f->asked)
		f->asked[call] = seconds;
	if (f->sleeps_ns)
		nanosleep(&nap, NULL);
	if (call == f->fails_at)
		return bench_fail(err, "%c broke in call %d", f->letter, call);
	*out = f->samples[(call ? call - 1 : 0) % f->nr_samples];
	return 0;
}

static void fake_teardown(void *ctx)
{
	note(ctx, 't');
}

static struct bench_side side_of(const struct fake *f)
{
	return (struct bench_side){fake_setup, fake_run, fake_teardown, f};
}

/* Samples of one item each that cost so many nanoseconds. */
#define COST(ns)                                                                                   \
	{                                                                                          \
		.items = 1, .seconds = (ns)*1e-9, .bytes = (ns)                                    \
	}

static const struct bench_sample host_samples[] = {COST(8), COST(50), COST(1000)};
static const struct bench_sample emulated_samples[] = {COST(1), COST(10), COST(100)};

/* A measure with both sides, to be changed by the test. */
struct bed {
	struct trace trace;
	int calls[2];
	struct fake emulated, host;
	struct bench_side emulated_side, host_side;
	struct bench_measure measure;
	struct bench_options options;
	struct bench_result result;
	char table[TABLE_BYTES];
};

static void bed_init(struct bed *b)
{
	memset(b, 0, sizeof(*b));
	b->emulated = (struct fake){
		.letter = 'E',
		.trace = &b->trace,
		.samples = emulated_samples,
		.nr_samples = 3,
		.fails_at = NEVER,
		.calls = &b->calls[0],
	};
	b->host = b->emulated;
	b->host.letter = 'H';
	b->host.samples = host_samples;
	b->host.calls = &b->calls[1];
	b->emulated_side = side_of(&b->emulated);
	b->host_side = side_of(&b->host);
	b->measure = (struct bench_measure){
		.name = "fake",
		.item = "page",
		.kind = BENCH_NS_PER_ITEM,
		.says = "nothing",
		.emulated = &b->emulated_side,
		.host = &b->host_side,
	};
	b->options = bench_options_default();
	b->options.repetitions = 3;
}

/* Runs @measures and keeps the table as text. */
static int run_all(const struct bench_options *options, const struct bench_measure *measures,
		   size_t n, struct bench_result *results, char *table)
{
	FILE *out = fmemopen(table, TABLE_BYTES, "w");
	int outcome;

	cr_assert_not_null(out);
	outcome = bench_run(options, measures, n, results, out);
	fclose(out);
	return outcome;
}

static int bed_run(struct bed *b)
{
	return run_all(&b->options, &b->measure, 1, &b->result, b->table);
}

static void assert_close(double seen, double expected)
{
	cr_assert(fabs(seen - expected) <= 1e-9 * fabs(expected), "expected %.12g, saw %.12g",
		  expected, seen);
}

/* ---- Statistics ---------------------------------------------------------------------------- */

Test(bench, spread_takes_the_middle_of_an_odd_number)
{
	double values[] = {9, 1, 5};
	struct bench_spread s = bench_spread(values, 3);

	assert_close(s.median, 5);
	assert_close(s.min, 1);
	assert_close(s.max, 9);
}

Test(bench, spread_takes_the_mean_of_the_middle_two)
{
	double values[] = {9, 1, 5, 2};

	assert_close(bench_spread(values, 4).median, 3.5);
}

Test(bench, spread_of_one_and_of_none)
{
	double value = 4;
	struct bench_spread s = bench_spread(&value, 1);

	assert_close(s.min, 4);
	assert_close(s.median, 4);
	assert_close(s.max, 4);
	s = bench_spread(&value, 0);
	cr_assert(isnan(s.min) && isnan(s.median) && isnan(s.max));
}

Test(bench, cost_of_a_sample)
{
	struct bench_sample s = {.items = 4, .seconds = 2e-6, .bytes = 64};

	assert_close(bench_cost(BENCH_NS_PER_ITEM, &s), 500);
	assert_close(bench_cost(BENCH_ITEMS_PER_SECOND, &s), 500);
	assert_close(bench_cost(BENCH_BYTES_PER_ITEM, &s), 16);
}

Test(bench, unusable_samples_have_no_cost)
{
	const struct bench_sample unusable[] = {
		{.items = 0, .seconds = 1},	   {.items = -1, .seconds = -1},
		{.items = 1, .seconds = 0},	   {.items = 1, .seconds = -1},
		{.items = NAN, .seconds = 1},	   {.items = 1, .seconds = NAN},
		{.items = 1, .seconds = INFINITY}, {.items = 1e-300, .seconds = 1e300},
	};

	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++)
		cr_assert(isnan(bench_cost(BENCH_NS_PER_ITEM, &unusable[i])), "sample %zu", i);
}

/* ---- Order --------------------------------------------------------------------------------- */

Test(bench, sides_take_turns_after_one_warm_up_each)
{
	struct bed b;

	bed_init(&b);
	cr_assert_eq(bed_run(&b), BENCH_DONE);
	cr_assert_str_eq(b.trace.text, "Hs Es Ew Hw Er Hr Er Hr Er Hr Et Ht ");
	cr_assert_eq(b.result.repetitions, 3);
	cr_assert_eq(b.result.dropped, 0);
}

Test(bench, repetitions_are_asked_for_the_whole_time_and_the_warm_up_for_less)
{
	double asked[4] = {0};
	struct bed b;

	bed_init(&b);
	b.host.asked = asked;
	b.options.sample_seconds = 0.125;
	bed_run(&b);
	cr_assert(asked[0] > 0 && asked[0] < 0.125);
	for (int i = 1; i < 4; i++)
		assert_close(asked[i], 0.125);
}

/* ---- Ratios and units ---------------------------------------------------------------------- */

Test(bench, ratio_is_the_median_of_the_pairs)
{
	struct bed b;

	bed_init(&b);
	bed_run(&b);
	/* 8, 5 and 10; the ratio of the medians would be 5. */
	assert_close(b.result.ratio, 8);
	assert_close(b.result.min, 5);
	assert_close(b.result.max, 10);
	assert_close(b.result.emulated, 10);
	assert_close(b.result.host, 50);
	cr_assert_str_eq(b.result.unit, "ns/page");
}

Test(bench, a_rate_is_shown_the_other_way_round_with_the_same_ratio)
{
	struct bed b;

	bed_init(&b);
	b.measure.kind = BENCH_ITEMS_PER_SECOND;
	bed_run(&b);
	assert_close(b.result.ratio, 8);
	assert_close(b.result.emulated, 1e8);
	assert_close(b.result.host, 2e7);
	assert_close(b.result.emulated_spread.min, 1e7);
	assert_close(b.result.emulated_spread.max, 1e9);
	cr_assert_str_eq(b.result.unit, "pages/s");
}

Test(bench, memory_is_a_cost)
{
	struct bed b;

	bed_init(&b);
	b.measure.kind = BENCH_BYTES_PER_ITEM;
	b.measure.host = NULL;
	bed_run(&b);
	assert_close(b.result.emulated, 10);
	cr_assert_str_eq(b.result.unit, "bytes/page");
}

/* ---- Sides that are absent or fail ---------------------------------------------------------- */

/* An `interrupted` hook that says yes when it has been asked *@arg times before. */
static bool countdown(void *arg)
{
	int *left = arg;

	return (*left)-- == 0;
}

Test(bench, one_side_alone_has_figures_and_no_ratio)
{
	struct bed b;

	bed_init(&b);
	b.measure.emulated = NULL;
	cr_assert_eq(bed_run(&b), BENCH_DONE);
	cr_assert_str_eq(b.trace.text, "Hs Hw Hr Hr Hr Ht ");
	cr_assert_eq(b.result.repetitions, 3);
	assert_close(b.result.host, 50);
	cr_assert(isnan(b.result.emulated) && isnan(b.result.ratio));
	cr_assert(isnan(b.result.min) && isnan(b.result.max));
	cr_assert_str_empty(b.result.emulated_why.text);
}

Test(bench, a_side_that_cannot_be_set_up_is_skipped_with_its_reason)
{
	struct bed b;

	bed_init(&b);
	b.host.fails_in_setup = true;
	cr_assert_eq(bed_run(&b), BENCH_DONE);
	cr_assert_str_eq(b.trace.text, "Hs Es Ew Er Er Er Et ");
	cr_assert_str_eq(b.result.host_why.text, "H has no such thing");
	cr_assert_not_null(strstr(b.table, "host side skipped: H has no such thing"));
	cr_assert(b.result.ran);
	cr_assert_eq(b.result.repetitions, 3);
	cr_assert(isnan(b.result.host) && isnan(b.result.ratio));
	assert_close(b.result.emulated, 10);
}

Test(bench, a_side_that_fails_half_way_takes_its_figures_with_it)
{
	struct bed b;

	bed_init(&b);
	b.emulated.fails_at = 2;
	cr_assert_eq(bed_run(&b), BENCH_DONE);
	cr_assert_str_eq(b.trace.text, "Hs Es Ew Hw Er Hr Er Hr Hr Et Ht ");
	cr_assert_str_eq(b.result.emulated_why.text, "E broke in call 2");
	cr_assert(isnan(b.result.emulated) && isnan(b.result.ratio));
	cr_assert_eq(b.result.repetitions, 3);
	assert_close(b.result.host, 50);
}

Test(bench, a_measure_without_any_side_left_ends_at_once)
{
	struct bed b;
	int left = 1;

	bed_init(&b);
	b.emulated.fails_at = 0;
	b.host.fails_at = 0;
	b.options.interrupted = countdown;
	b.options.interrupted_arg = &left;
	cr_assert_eq(bed_run(&b), BENCH_DONE);
	cr_assert_eq(left, 1, "there was a repetition without any side");
	cr_assert_str_eq(b.trace.text, "Hs Es Ew Hw Et Ht ");
	cr_assert(b.result.ran);
	cr_assert_eq(b.result.repetitions, 0);
	cr_assert_eq(b.result.dropped, 0);
	cr_assert_null(strstr(b.table, "nan"), "a figure that is none was printed:\n%s", b.table);
}

Test(bench, unusable_samples_cost_their_pair)
{
	static const struct bench_sample noisy[] = {COST(8), COST(-3), COST(20)};
	struct bed b;

	bed_init(&b);
	b.host.samples = noisy;
	bed_run(&b);
	cr_assert_eq(b.result.repetitions, 2);
	cr_assert_eq(b.result.dropped, 1);
	/* 8 / 1 and 20 / 100. */
	assert_close(b.result.ratio, 4.1);
	assert_close(b.result.host, 14);
	assert_close(b.result.emulated, 10);
	cr_assert_not_null(strstr(b.table, "1 of 3 repetitions gave no usable figure"));
}

Test(bench, a_side_that_takes_far_too_long_gets_fewer_repetitions)
{
	struct bed b;

	bed_init(&b);
	b.emulated.sleeps_ns = 20000000;
	b.options.sample_seconds = BENCH_SAMPLE_SECONDS_MIN;
	cr_assert_eq(bed_run(&b), BENCH_DONE);
	/* Warm-up and first repetition have slept 40 ms, where 3 * 2 * 3.25 * 1 ms are allowed. */
	cr_assert_eq(b.result.repetitions, 1);
	assert_close(b.result.ratio, 8);
}

/* ---- Goals --------------------------------------------------------------------------------- */

Test(bench, a_ratio_is_judged_by_its_median)
{
	struct bed b;

	bed_init(&b);
	b.measure.goal_ratio = 8;
	bed_run(&b);
	cr_assert_eq(b.result.ratio_goal, BENCH_REACHED);
	cr_assert_not_null(strstr(b.table, "ratio >= 8: reached"));
	b.measure.goal_ratio = 8.5;
	bed_run(&b);
	cr_assert_eq(b.result.ratio_goal, BENCH_MISSED);
	b.host.fails_at = 1;
	bed_run(&b);
	cr_assert_eq(b.result.ratio_goal, BENCH_UNKNOWN);
	cr_assert_eq(b.result.value_goal, BENCH_NO_GOAL);
}

Test(bench, a_figure_has_a_floor_for_rates_and_a_ceiling_for_costs)
{
	struct bed b;

	bed_init(&b);
	b.measure.goal_value = 11; /* the median is 10 ns */
	bed_run(&b);
	cr_assert_eq(b.result.value_goal, BENCH_REACHED);
	b.measure.goal_value = 9;
	bed_run(&b);
	cr_assert_eq(b.result.value_goal, BENCH_MISSED);
	b.measure.kind = BENCH_ITEMS_PER_SECOND;
	b.measure.goal_value = 0.9e8;
	bed_run(&b);
	cr_assert_eq(b.result.value_goal, BENCH_REACHED);
	b.measure.goal_value = 1.1e8;
	bed_run(&b);
	cr_assert_eq(b.result.value_goal, BENCH_MISSED);
}

/* "fake" emulated 10 ns; "line" host alone 50 ns; "plain" emulated 10 and host 50 ns. */
static void run_bound(double factor, const char *of, const char *plus, struct bench_result *r,
		      char *table)
{
	struct bench_measure measures[3];
	struct bench_result results[3];
	struct bed b;

	bed_init(&b);
	b.trace.text[0] = '\0';
	measures[0] = measures[1] = measures[2] = b.measure;
	measures[0].bound = (struct bench_bound){of, factor, plus};
	measures[1].name = "line";
	measures[1].emulated = NULL;
	/* Units must not matter to a bound. */
	measures[1].kind = BENCH_ITEMS_PER_SECOND;
	measures[2].name = "plain";
	cr_assert_eq(run_all(&b.options, measures, 3, results, table), BENCH_DONE);
	*r = results[0];
}

Test(bench, a_bound_is_made_of_other_measures)
{
	char table[TABLE_BYTES];
	struct bench_result r;

	run_bound(2, "line", "plain", &r, table);
	assert_close(r.bound, 110);
	cr_assert_eq(r.bound_goal, BENCH_REACHED);
	cr_assert_not_null(strstr(table, "2 x line + plain = 110 ns: reached"), "%s", table);
	run_bound(0.1, "line", NULL, &r, table);
	assert_close(r.bound, 5);
	cr_assert_eq(r.bound_goal, BENCH_MISSED);
	run_bound(2, "no-such-measure", NULL, &r, table);
	cr_assert_eq(r.bound_goal, BENCH_UNKNOWN);
}

/* ---- Options, selection, interruption ------------------------------------------------------- */

static void assert_refused(const struct bed *b, const char *reason)
{
	struct bench_error err = {""};

	cr_assert_neq(bench_check(&b->options, &b->measure, 1, &err), 0);
	cr_assert_not_null(strstr(err.text, reason), "'%s' is not in '%s'", reason, err.text);
}

Test(bench, bad_options_are_refused_with_what_would_be_right)
{
	const char *const names[] = {"fake", "fkae"};
	struct bed b;

	bed_init(&b);
	cr_assert_eq(bench_check(&b.options, &b.measure, 1, NULL), 0);
	b.options.repetitions = 0;
	assert_refused(&b, "0 repetitions: has to be from 1 to 1000");
	b.options.repetitions = BENCH_REPETITIONS_MAX + 1;
	assert_refused(&b, "has to be from 1 to 1000");
	b.options.repetitions = 1;
	b.options.sample_seconds = NAN;
	assert_refused(&b, "has to be from 0.001 to 10");
	b.options.sample_seconds = 0;
	assert_refused(&b, "has to be from 0.001 to 10");
	b.options.sample_seconds = 11;
	assert_refused(&b, "has to be from 0.001 to 10");
	b.options.sample_seconds = 0.1;
	b.options.only = names;
	b.options.nr_only = 2;
	assert_refused(&b, "no measure is called 'fkae'; there are: fake");
	cr_assert_eq(bed_run(&b), BENCH_REFUSED);
	cr_assert_str_empty(b.trace.text);
	cr_assert_not(b.result.ran);
}

Test(bench, only_what_was_asked_for_runs)
{
	const char *const names[] = {"second"};
	struct bench_measure measures[2];
	struct bench_result results[2];
	struct bed b;

	bed_init(&b);
	measures[0] = measures[1] = b.measure;
	measures[1].name = "second";
	b.options.only = names;
	b.options.nr_only = 1;
	cr_assert_eq(run_all(&b.options, measures, 2, results, b.table), BENCH_DONE);
	cr_assert_not(results[0].ran);
	cr_assert(isnan(results[0].ratio));
	cr_assert(results[1].ran);
	cr_assert_eq(b.calls[0], 4);
	cr_assert_null(strstr(b.table, "fake"));
}

Test(bench, an_interrupted_run_keeps_what_is_complete)
{
	struct bench_measure measures[2];
	struct bench_result results[2];
	struct bed b;
	int left = 2;

	bed_init(&b);
	measures[0] = measures[1] = b.measure;
	measures[1].name = "second";
	b.options.interrupted = countdown;
	b.options.interrupted_arg = &left;
	cr_assert_eq(run_all(&b.options, measures, 2, results, b.table), BENCH_INTERRUPTED);
	cr_assert_str_eq(b.trace.text, "Hs Es Ew Hw Er Hr Er Hr Et Ht ");
	cr_assert(results[0].ran);
	cr_assert_eq(results[0].repetitions, 2);
	cr_assert_not(results[1].ran);
	cr_assert_not_null(strstr(b.table, "interrupted"));

	left = 0;
	measures[0].goal_ratio = 8;
	run_all(&b.options, measures, 2, results, b.table);
	cr_assert_not(results[0].ran);
	cr_assert_eq(results[0].ratio_goal, BENCH_NO_GOAL);
}

Test(bench, the_table_shows_cost_and_rate_of_both_sides)
{
	struct bed b;

	bed_init(&b);
	bed_run(&b);
	cr_assert_not_null(strstr(b.table, "10.0 ns"));
	cr_assert_not_null(strstr(b.table, "100 M/s"));
	cr_assert_not_null(strstr(b.table, "50.0 ns"));
	cr_assert_not_null(strstr(b.table, "20.0 M/s"));
	cr_assert_not_null(strstr(b.table, "5.00 .. 10.00"));
	b.measure.emulated = NULL;
	bed_run(&b);
	cr_assert_not_null(strstr(b.table, "8.00 ns .. 1.00 us"));
	cr_assert_null(strstr(b.table, "nan"));
}

/* ---- The second CPU ------------------------------------------------------------------------- */

struct tally {
	unsigned long runs;
	unsigned long work; /* plain: the hand-over has to order it */
	int cpu;
};

static void count_while_told(struct bench_sibling *self, void *arg)
{
	struct tally *t = arg;

	t->runs++;
	t->cpu = sched_getcpu();
	while (bench_sibling_should_run(self))
		t->work++;
}

Test(bench_cpus, a_sibling_runs_when_told_and_is_quiet_when_parked)
{
	struct bench_sibling sibling;
	struct bench_error err = {""};
	struct bench_env env;
	struct tally t = {0};
	unsigned long work;

	cr_assert_eq(bench_env_init(&env, &err), 0, "%s", err.text);
	if (env.nr_cpus < 2)
		cr_skip_test("the process may use one CPU only");
	cr_assert_eq(bench_sibling_start(&sibling, &env, count_while_told, &t, &err), 0, "%s",
		     err.text);
	cr_assert_eq(t.runs, 0);
	for (unsigned long i = 1; i <= 200; i++) {
		bench_sibling_run(&sibling);
		bench_sibling_park(&sibling);
		cr_assert_eq(t.runs, i);
		cr_assert_eq(t.cpu, env.cpu[1]);
		work = t.work;
		sched_yield();
		cr_assert_eq(t.work, work);
	}
	/* Parking what is parked does nothing; stopping what runs parks it. */
	bench_sibling_park(&sibling);
	bench_sibling_run(&sibling);
	bench_sibling_stop(&sibling);
	cr_assert_eq(t.runs, 201);
	bench_env_destroy(&env);
}

Test(bench_cpus, a_sibling_is_refused_where_there_is_one_cpu)
{
	struct bench_sibling sibling;
	struct bench_error err = {""};
	struct bench_env env;
	struct tally t = {0};

	cr_assert_eq(bench_env_init(&env, &err), 0, "%s", err.text);
	env.nr_cpus = 1;
	cr_assert_neq(bench_sibling_start(&sibling, &env, count_while_told, &t, &err), 0);
	cr_assert_str_eq(err.text, "needs 2 CPUs, the process may use 1");
	bench_env_destroy(&env);
}

/* ---- The host's sides ----------------------------------------------------------------------- */

Test(bench_host, a_region_is_aligned_and_comes_and_goes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct host_region region;
	struct bench_error err = {""};
	unsigned char present[3] = {0};

	cr_assert_eq(host_region_map(&region, 3, page, &err), 0, "%s", err.text);
	cr_assert_eq((uintptr_t)region.first % (2 << 20), 0);
	host_region_write(&region);
	cr_assert_eq(mincore((void *)region.first, 3 * page, present), 0);
	cr_assert(present[0] & present[1] & present[2] & 1);
	cr_assert_eq(host_region_zap(&region), 0);
	cr_assert_eq(mincore((void *)region.first, 3 * page, present), 0);
	cr_assert_not((present[0] | present[1] | present[2]) & 1);
	host_region_unmap(&region);
	host_region_unmap(&region);
}

Test(bench_host, a_region_too_large_is_refused)
{
	struct host_region region;
	struct bench_error err = {""};

	cr_assert_neq(host_region_map(&region, (size_t)1 << 40, 4096, &err), 0);
	cr_assert_not_null(strstr(err.text, "mmap"));
}

#ifdef __x86_64__
Test(bench_host, the_tiny_program_runs_and_ends_with_0)
{
	char name[] = "tiny";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	struct bench_error err = {""};
	int fd = bench_tiny_elf(&err), status;
	pid_t child;

	cr_assert_geq(fd, 0, "%s", err.text);
	child = fork();
	if (child == 0) {
		fexecve(fd, argv, envp);
		_exit(99);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
	close(fd);
}
#endif

Test(bench_host, the_catalog_is_well_formed)
{
	struct bench_measure measures[BENCH_CATALOG_MAX];
	size_t n = bench_catalog(measures);

	cr_assert_gt(n, 0);
	for (size_t i = 0; i < n; i++) {
		const struct bench_bound *bound = &measures[i].bound;

		cr_assert_eq(bench_index(measures, n, measures[i].name), i, "%s stands there twice",
			     measures[i].name);
		cr_assert(measures[i].item && measures[i].says && measures[i].host);
		cr_assert(!bound->of || bench_index(measures, n, bound->of) < n);
		cr_assert(!bound->plus || bench_index(measures, n, bound->plus) < n);
	}
	cr_assert_eq(bench_index(measures, n, "no such"), n);
}

/*
 * Every host side works here, or says why not; and the thread may go everywhere afterwards. Only
 * the shootdown, a difference of two timings, may come out as nothing.
 */
Test(bench_host, every_side_gives_samples_or_a_reason)
{
	struct bench_measure measures[BENCH_CATALOG_MAX];
	struct bench_result results[BENCH_CATALOG_MAX];
	struct bench_options options = bench_options_default();
	size_t n = bench_catalog(measures);
	cpu_set_t before, after;
	char table[TABLE_BYTES];

	options.repetitions = 3;
	options.sample_seconds = 0.004;
	cr_assert_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	cr_assert_eq(run_all(&options, measures, n, results, table), BENCH_DONE);
	for (size_t i = 0; i < n; i++) {
		const struct bench_result *r = &results[i];

		cr_assert(r->ran);
		if (r->host_why.text[0])
			cr_assert(CPU_COUNT(&before) < 2 || !ON_X86_64, "%s: %s", r->name,
				  r->host_why.text);
		else
			cr_assert(r->host > 0 || !strcmp(r->name, "shootdown"), "%s: %g", r->name,
				  r->host);
	}
	cr_assert_eq(sched_getaffinity(0, sizeof(after), &after), 0);
	cr_assert(CPU_EQUAL(&before, &after));
}
