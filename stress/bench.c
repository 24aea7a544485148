// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enough to fill caches, TLBs and the allocators' lists; a full sample would be waste. */
#define WARM_UP_SHARE 0.25
/* A side that takes three times what it was asked for gets fewer repetitions, not more time. */
#define OVERRUN_FACTOR 3.0
#define NS_PER_SECOND 1e9

enum { EMULATED, HOST, NR_SIDES };

static const char *const side_name[NR_SIDES] = {"emulated", "host"};

/* ---- Statistics ---------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct bench_spread bench_spread(double *values, size_t n)
{
	struct bench_spread spread = {NAN, NAN, NAN};

	if (!n)
		return spread;
	qsort(values, n, sizeof(values[0]), compare_doubles);
	spread.min = values[0];
	spread.max = values[n - 1];
	spread.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
	return spread;
}

double bench_cost(enum bench_kind kind, const struct bench_sample *sample)
{
	double amount =
		kind == BENCH_BYTES_PER_ITEM ? sample->bytes : sample->seconds * NS_PER_SECOND;
	double cost = amount / sample->items;

	/* Also false where one of them is NaN. */
	if (sample->items > 0 && amount > 0 && isfinite(cost))
		return cost;
	return NAN;
}

/* From the cost that everything is computed in to the figure that is shown, and back. */
static double figure_of_cost(enum bench_kind kind, double cost)
{
	return kind == BENCH_ITEMS_PER_SECOND ? NS_PER_SECOND / cost : cost;
}

static struct bench_spread spread_of_costs(enum bench_kind kind, const double *costs, int n,
					   double *scratch)
{
	size_t usable = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(costs[i]))
			scratch[usable++] = figure_of_cost(kind, costs[i]);
	return bench_spread(scratch, usable);
}

static void unit_of(const struct bench_measure *m, char *unit, size_t size)
{
	switch (m->kind) {
	case BENCH_NS_PER_ITEM:
		snprintf(unit, size, "ns/%s", m->item);
		break;
	case BENCH_ITEMS_PER_SECOND:
		snprintf(unit, size, "%ss/s", m->item);
		break;
	case BENCH_BYTES_PER_ITEM:
		snprintf(unit, size, "bytes/%s", m->item);
		break;
	}
}

static void result_init(struct bench_result *r, const struct bench_measure *m)
{
	const struct bench_spread none = {NAN, NAN, NAN};

	memset(r, 0, sizeof(*r));
	r->measure = m;
	r->name = m->name;
	unit_of(m, r->unit, sizeof(r->unit));
	r->emulated = r->host = r->ratio = r->min = r->max = r->bound = NAN;
	r->emulated_spread = r->host_spread = none;
}

/* ---- Options ------------------------------------------------------------------------------- */

struct bench_options bench_options_default(void)
{
	struct bench_options options = {.repetitions = 7, .sample_seconds = 0.2};

	return options;
}

size_t bench_index(const struct bench_measure *measures, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(measures[i].name, name))
			break;
	return i;
}

static int refuse_name(const char *name, const struct bench_measure *measures, size_t n,
		       struct bench_error *err)
{
	size_t used;

	bench_fail(err, "no measure is called '%s'; there are:", name);
	for (size_t i = 0; err && i < n; i++) {
		used = strlen(err->text);
		snprintf(err->text + used, sizeof(err->text) - used, " %s", measures[i].name);
	}
	return -1;
}

int bench_check(const struct bench_options *options, const struct bench_measure *measures, size_t n,
		struct bench_error *err)
{
	if (options->repetitions < 1 || options->repetitions > BENCH_REPETITIONS_MAX)
		return bench_fail(err, "%d repetitions: has to be from 1 to %d",
				  options->repetitions, BENCH_REPETITIONS_MAX);
	/* Written so that NaN is refused as well. */
	if (!(options->sample_seconds >= BENCH_SAMPLE_SECONDS_MIN &&
	      options->sample_seconds <= BENCH_SAMPLE_SECONDS_MAX))
		return bench_fail(err, "%g seconds a sample: has to be from %g to %g",
				  options->sample_seconds, BENCH_SAMPLE_SECONDS_MIN,
				  BENCH_SAMPLE_SECONDS_MAX);
	for (size_t i = 0; options->only && i < options->nr_only; i++)
		if (bench_index(measures, n, options->only[i]) == n)
			return refuse_name(options->only[i], measures, n, err);
	return 0;
}

static bool asked_for(const struct bench_options *options, const struct bench_measure *m)
{
	if (!options->only)
		return true;
	for (size_t i = 0; i < options->nr_only; i++)
		if (!strcmp(options->only[i], m->name))
			return true;
	return false;
}

static bool interrupted(const struct bench_options *options)
{
	return options->interrupted && options->interrupted(options->interrupted_arg);
}

/* ---- Progress ------------------------------------------------------------------------------ */

static bool redraws(const struct bench_options *options)
{
	return options->progress && isatty(fileno(options->progress));
}

static void progress_measure(const struct bench_options *options, const struct bench_measure *m,
			     size_t number, size_t count)
{
	if (!options->progress || redraws(options))
		return;
	fprintf(options->progress, "measure: %s number: %zu/%zu\n", m->name, number, count);
	fflush(options->progress);
}

static void progress_repetition(const struct bench_options *options, const struct bench_measure *m,
				int repetition)
{
	if (!redraws(options))
		return;
	fprintf(options->progress, "\r\033[K%s: repetition %d of %d", m->name, repetition + 1,
		options->repetitions);
	fflush(options->progress);
}

static void progress_clear(const struct bench_options *options)
{
	if (!redraws(options))
		return;
	fputs("\r\033[K", options->progress);
	fflush(options->progress);
}

/* ---- One measure --------------------------------------------------------------------------- */

/* The two sides of the measure that is being run. */
struct bench_pair {
	enum bench_kind kind;
	const struct bench_side *side[NR_SIDES]; /* NULL: none, or given up */
	void *ctx[NR_SIDES];
	bool is_set_up[NR_SIDES];
	struct bench_error *why[NR_SIDES];
	double *costs[NR_SIDES]; /* one for each repetition, NaN where not usable */
};

static void give_up(struct bench_pair *pair, int which)
{
	if (!pair->why[which]->text[0])
		bench_fail(pair->why[which], "failed and gave no reason");
	pair->side[which] = NULL;
}

static void set_up(struct bench_pair *pair, const struct bench_env *env, int which)
{
	const struct bench_side *side = pair->side[which];

	if (!side)
		return;
	if (side->setup(env, side->arg, &pair->ctx[which], pair->why[which]))
		give_up(pair, which);
	else
		pair->is_set_up[which] = true;
}

/* Cost per item of one run, NaN where the side is absent, fails or hands back nothing usable. */
static double run_side(struct bench_pair *pair, int which, double seconds)
{
	struct bench_sample sample = {0};
	const struct bench_side *side = pair->side[which];

	if (!side)
		return NAN;
	if (side->run(pair->ctx[which], seconds, &sample, pair->why[which])) {
		give_up(pair, which);
		return NAN;
	}
	return bench_cost(pair->kind, &sample);
}

/* The teardown function of a side that has been given up is still the measure's. */
static void tear_down(struct bench_pair *pair, const struct bench_side *side, int which)
{
	if (pair->is_set_up[which])
		side->teardown(pair->ctx[which]);
}

/*
 * Warm-up and the interleaved samples. Stops early when interrupted, when no side is left, or
 * when it has taken far longer than asked for. Returns how many repetitions were completed.
 */
static int run_repetitions(struct bench_pair *pair, const struct bench_measure *m,
			   const struct bench_options *options, bool *was_interrupted)
{
	uint64_t began = bench_now_ns();
	double limit_ns = OVERRUN_FACTOR * NR_SIDES * (options->repetitions + WARM_UP_SHARE) *
			  options->sample_seconds * NS_PER_SECOND;
	int done = 0;

	for (int which = 0; which < NR_SIDES; which++)
		run_side(pair, which, WARM_UP_SHARE * options->sample_seconds);
	while (done < options->repetitions && (pair->side[EMULATED] || pair->side[HOST])) {
		*was_interrupted = interrupted(options);
		if (*was_interrupted)
			break;
		progress_repetition(options, m, done);
		for (int which = 0; which < NR_SIDES; which++)
			pair->costs[which][done] = run_side(pair, which, options->sample_seconds);
		done++;
		if ((double)(bench_now_ns() - began) > limit_ns)
			break;
	}
	return done;
}

/* What the samples of a measure come to. @scratch has room for @n values. */
static void summarize(const struct bench_pair *pair, int n, double *scratch, struct bench_result *r)
{
	const double *emulated = pair->costs[EMULATED], *host = pair->costs[HOST];
	struct bench_spread ratio;
	size_t usable = 0;

	if (pair->side[EMULATED])
		r->emulated_spread = spread_of_costs(pair->kind, emulated, n, scratch);
	if (pair->side[HOST])
		r->host_spread = spread_of_costs(pair->kind, host, n, scratch);
	r->emulated = r->emulated_spread.median;
	r->host = r->host_spread.median;
	if (pair->side[EMULATED] && pair->side[HOST]) {
		for (int i = 0; i < n; i++)
			if (!isnan(emulated[i]) && !isnan(host[i]))
				scratch[usable++] = host[i] / emulated[i];
		ratio = bench_spread(scratch, usable);
		r->ratio = ratio.median;
		r->min = ratio.min;
		r->max = ratio.max;
	} else if (pair->side[EMULATED] || pair->side[HOST]) {
		const double *costs = pair->side[EMULATED] ? emulated : host;

		for (int i = 0; i < n; i++)
			usable += !isnan(costs[i]);
	} else {
		return;
	}
	r->repetitions = (int)usable;
	r->dropped = n - (int)usable;
}

static enum bench_verdict verdict(bool known, bool reached)
{
	if (!known)
		return BENCH_UNKNOWN;
	return reached ? BENCH_REACHED : BENCH_MISSED;
}

static void judge(const struct bench_measure *m, struct bench_result *r)
{
	if (m->goal_ratio > 0)
		r->ratio_goal = verdict(!isnan(r->ratio), r->ratio >= m->goal_ratio);
	if (m->goal_value > 0)
		r->value_goal =
			verdict(!isnan(r->emulated), m->kind == BENCH_ITEMS_PER_SECOND
							     ? r->emulated >= m->goal_value
							     : r->emulated <= m->goal_value);
}

/* Returns false when the run was interrupted. */
static bool run_measure(const struct bench_options *options, const struct bench_env *env,
			const struct bench_measure *m, double *values, struct bench_result *r)
{
	struct bench_pair pair = {
		.kind = m->kind,
		.side = {m->emulated, m->host},
		.why = {&r->emulated_why, &r->host_why},
		.costs = {values, values + options->repetitions},
	};
	bool was_interrupted = false;
	int done;

	set_up(&pair, env, HOST);
	set_up(&pair, env, EMULATED);
	done = run_repetitions(&pair, m, options, &was_interrupted);
	tear_down(&pair, m->emulated, EMULATED);
	tear_down(&pair, m->host, HOST);

	summarize(&pair, done, values + 2 * options->repetitions, r);
	r->ran = done > 0 || !was_interrupted;
	if (r->ran)
		judge(m, r);
	return !was_interrupted;
}

/* ---- Bounds made of other measures --------------------------------------------------------- */

static double cost_of_result(const struct bench_result *r)
{
	double figure = isnan(r->emulated) ? r->host : r->emulated;

	/* Its own inverse for rates. */
	return figure_of_cost(r->measure->kind, figure);
}

static double cost_by_name(const struct bench_result *results, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(results[i].name, name))
			return cost_of_result(&results[i]);
	return NAN;
}

static void judge_bounds(struct bench_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bench_result *r = &results[i];
		const struct bench_bound *bound = &r->measure->bound;
		double cost;

		if (!bound->of || !r->ran)
			continue;
		cost = bound->factor * cost_by_name(results, n, bound->of);
		if (bound->plus)
			cost += cost_by_name(results, n, bound->plus);
		r->bound = figure_of_cost(r->measure->kind, cost);
		r->bound_goal = verdict(!isnan(cost) && !isnan(r->emulated),
					figure_of_cost(r->measure->kind, r->emulated) <= cost);
	}
}

/* ---- The table ----------------------------------------------------------------------------- */

#define FIGURE_CHARS 24
#define ROW_FORMAT "%-20s %-8s %9s %11s  %9s %11s  %7s  %-20s %4s%s%s\n"

static void format_scaled(char *text, double value, double step, const char *const *units,
			  size_t nr_units)
{
	size_t unit = 0;

	while (unit + 1 < nr_units && value >= step) {
		value /= step;
		unit++;
	}
	snprintf(text, FIGURE_CHARS, "%.*f %s",
		 value < 10    ? 2
		 : value < 100 ? 1
			       : 0,
		 value, units[unit]);
}

static void format_cost(char *text, enum bench_kind kind, double cost)
{
	static const char *const times[] = {"ns", "us", "ms", "s"};
	static const char *const sizes[] = {"B", "KiB", "MiB", "GiB"};

	if (isnan(cost))
		snprintf(text, FIGURE_CHARS, "-");
	else if (kind == BENCH_BYTES_PER_ITEM)
		format_scaled(text, cost, 1024, sizes, sizeof(sizes) / sizeof(sizes[0]));
	else
		format_scaled(text, cost, 1000, times, sizeof(times) / sizeof(times[0]));
}

static void format_rate(char *text, enum bench_kind kind, double cost)
{
	static const char *const rates[] = {"/s", "k/s", "M/s", "G/s"};

	if (isnan(cost) || kind == BENCH_BYTES_PER_ITEM)
		snprintf(text, FIGURE_CHARS, "-");
	else
		format_scaled(text, NS_PER_SECOND / cost, 1000, rates,
			      sizeof(rates) / sizeof(rates[0]));
}

static void format_figure(char *text, enum bench_kind kind, double figure)
{
	if (kind == BENCH_ITEMS_PER_SECOND)
		format_rate(text, kind, NS_PER_SECOND / figure);
	else
		format_cost(text, kind, figure);
}

static const char *verdict_word(enum bench_verdict v)
{
	switch (v) {
	case BENCH_REACHED:
		return "reached";
	case BENCH_MISSED:
		return "missed";
	case BENCH_UNKNOWN:
		return "not to be told";
	case BENCH_NO_GOAL:
		break;
	}
	return "";
}

/* The spread of the ratio; of the figure itself where there is one side only. */
static void format_spread(char *text, size_t size, const struct bench_result *r)
{
	const struct bench_spread *one = isnan(r->emulated) ? &r->host_spread : &r->emulated_spread;
	char min[FIGURE_CHARS], max[FIGURE_CHARS];

	if (!isnan(r->ratio)) {
		snprintf(text, size, "%.2f .. %.2f", r->min, r->max);
	} else if (isnan(one->median)) {
		snprintf(text, size, "-");
	} else {
		format_figure(min, r->measure->kind, one->min);
		format_figure(max, r->measure->kind, one->max);
		snprintf(text, size, "%s .. %s", min, max);
	}
}

static void format_goals(char *text, size_t size, const struct bench_result *r)
{
	char figure[FIGURE_CHARS];
	int used = 0;

	text[0] = '\0';
	if (r->ratio_goal != BENCH_NO_GOAL)
		used = snprintf(text, size, "ratio >= %g: %s", r->measure->goal_ratio,
				verdict_word(r->ratio_goal));
	if (r->value_goal == BENCH_NO_GOAL)
		return;
	format_figure(figure, r->measure->kind, r->measure->goal_value);
	snprintf(text + used, size - (size_t)used, "%s%s %s: %s", used ? ", " : "",
		 r->measure->kind == BENCH_ITEMS_PER_SECOND ? ">=" : "<=", figure,
		 verdict_word(r->value_goal));
}

static void print_head(const struct bench_options *options, const struct bench_env *env, FILE *out)
{
	if (env->nr_cpus == BENCH_CPUS)
		fprintf(out, "CPUs %d and %d", env->cpu[0], env->cpu[1]);
	else
		fprintf(out, "CPU %d alone", env->cpu[0]);
	fprintf(out,
		", %d repetitions of %g s a side, emulated and host in turn.\n"
		"ratio: how many times better the emulated side is, median of the pairs; spread: of "
		"the\nratio, or of the figure where there is one side.\n\n",
		options->repetitions, options->sample_seconds);
	fprintf(out, ROW_FORMAT, "measure", "item", "emulated", "", "host", "", "ratio", "spread",
		"n", "  ", "goal");
}

static void print_row(const struct bench_result *r, FILE *out)
{
	enum bench_kind kind = r->measure->kind;
	double cost[NR_SIDES] = {figure_of_cost(kind, r->emulated), figure_of_cost(kind, r->host)};
	const struct bench_error *why[NR_SIDES] = {&r->emulated_why, &r->host_why};
	char costs[NR_SIDES][FIGURE_CHARS], rates[NR_SIDES][FIGURE_CHARS];
	char ratio[FIGURE_CHARS], spread[3 * FIGURE_CHARS], repetitions[FIGURE_CHARS], goals[96];

	for (int which = 0; which < NR_SIDES; which++) {
		format_cost(costs[which], kind, cost[which]);
		format_rate(rates[which], kind, cost[which]);
	}
	if (isnan(r->ratio))
		snprintf(ratio, sizeof(ratio), "-");
	else
		snprintf(ratio, sizeof(ratio), "%.2f", r->ratio);
	snprintf(repetitions, sizeof(repetitions), "%d", r->repetitions);
	format_spread(spread, sizeof(spread), r);
	format_goals(goals, sizeof(goals), r);
	fprintf(out, ROW_FORMAT, r->name, r->measure->item, costs[EMULATED], rates[EMULATED],
		costs[HOST], rates[HOST], ratio, spread, repetitions, goals[0] ? "  " : "", goals);
	for (int which = 0; which < NR_SIDES; which++)
		if (why[which]->text[0])
			fprintf(out, "    %s side skipped: %s\n", side_name[which],
				why[which]->text);
	if (r->dropped)
		fprintf(out, "    %d of %d repetitions gave no usable figure\n", r->dropped,
			r->dropped + r->repetitions);
	fflush(out);
}

static void print_bounds(const struct bench_result *results, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct bench_result *r = &results[i];
		const struct bench_bound *bound = &r->measure->bound;
		char figure[FIGURE_CHARS], limit[FIGURE_CHARS];

		if (r->bound_goal == BENCH_NO_GOAL)
			continue;
		format_cost(figure, r->measure->kind,
			    figure_of_cost(r->measure->kind, r->emulated));
		format_cost(limit, r->measure->kind, figure_of_cost(r->measure->kind, r->bound));
		fprintf(out, "bound: %s emulated %s, at most %g x %s%s%s = %s: %s\n", r->name,
			figure, bound->factor, bound->of, bound->plus ? " + " : "",
			bound->plus ? bound->plus : "", limit, verdict_word(r->bound_goal));
	}
}

static void print_tail(const struct bench_result *results, size_t n, FILE *out)
{
	int count[BENCH_UNKNOWN + 1] = {0};

	for (size_t i = 0; i < n; i++) {
		count[results[i].ratio_goal]++;
		count[results[i].value_goal]++;
		count[results[i].bound_goal]++;
	}
	fputc('\n', out);
	print_bounds(results, n, out);
	fprintf(out, "goals: %d reached, %d missed, %d not to be told\n", count[BENCH_REACHED],
		count[BENCH_MISSED], count[BENCH_UNKNOWN]);
	fflush(out);
}

void bench_list(const struct bench_measure *measures, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%-20s %s\n", measures[i].name, measures[i].says);
}

/* ---- The run ------------------------------------------------------------------------------- */

int bench_run(const struct bench_options *options, const struct bench_measure *measures, size_t n,
	      struct bench_result *results, FILE *out)
{
	struct bench_error err = {""};
	struct bench_env env;
	enum bench_outcome outcome = BENCH_DONE;
	size_t number = 0, count = 0;
	double *values; /* costs of both sides and a scratch line, `repetitions` each */

	for (size_t i = 0; i < n; i++) {
		result_init(&results[i], &measures[i]);
		count += asked_for(options, &measures[i]);
	}
	if (bench_check(options, measures, n, &err) || bench_env_init(&env, &err)) {
		fprintf(stderr, "mmtorture bench: %s\n", err.text);
		return BENCH_REFUSED;
	}
	values = calloc((NR_SIDES + 1) * (size_t)options->repetitions, sizeof(*values));
	if (!values) {
		fprintf(stderr, "mmtorture bench: no memory for %d repetitions\n",
			options->repetitions);
		bench_env_destroy(&env);
		return BENCH_REFUSED;
	}
	print_head(options, &env, out);
	for (size_t i = 0; i < n && outcome == BENCH_DONE; i++) {
		if (!asked_for(options, &measures[i]))
			continue;
		progress_measure(options, &measures[i], ++number, count);
		if (!run_measure(options, &env, &measures[i], values, &results[i]))
			outcome = BENCH_INTERRUPTED;
		progress_clear(options);
		if (results[i].ran)
			print_row(&results[i], out);
	}
	judge_bounds(results, n);
	print_tail(results, n, out);
	if (outcome == BENCH_INTERRUPTED)
		fprintf(out, "interrupted: the measures above are complete up to the last one\n");
	free(values);
	bench_env_destroy(&env);
	return outcome;
}
