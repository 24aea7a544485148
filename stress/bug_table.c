// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bug_table.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stress/bug_catalog.h"
#include "stress/explored.h"

/* The clock is looked at once in so many schedules. */
#define LOOK_INTERVAL 16
/* So many endless runs, and nothing better by then: the median will be endless too. */
#define ENDLESS_ENOUGH 3

static const struct column {
	const char *title;
	const char *strategy;
	enum programs programs;
	bool seeded; /* another seed, another search */
} columns[] = {
	{"random", "random", PROGRAMS_JOB, true},
	{"pct:3", "pct:3", PROGRAMS_JOB, true},
	{"pos", "pos", PROGRAMS_JOB, true},
	{"urw", "urw", PROGRAMS_JOB, true},
	{"dfs:2", "dfs:2", PROGRAMS_JOB, false},
	{"dpor", "dpor", PROGRAMS_JOB, false},
	{"portfolio", "portfolio", PROGRAMS_JOB, true},
	{"programs", "portfolio", PROGRAMS_RANDOM, true},
};
#define NR_COLUMNS ARRAY_SIZE(columns)
#define COLUMN_PORTFOLIO 6

struct cell {
	double median; /* seconds; above the cap: not found */
	struct error err;
};

struct table {
	const struct bug_case **rows;
	size_t nr_rows;
	struct cell *cells; /* row after row */
	size_t next;	    /* the next to be measured; atomic */
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Until something is found, the strategy is exhausted or the cap is reached. Seconds to the
 * finding; twice the cap: none. Negative: @err is filled. */
static double search(const struct bug_case *c, struct world *w, struct strategy *s,
		     const struct config *config, struct error *err)
{
	double started = now_s(), taken = 2 * BUG_TABLE_CAP_S;
	const struct machine *m = world_machine(w);
	struct config *drawn = calloc(1, sizeof(*drawn));

	if (!drawn) {
		error_no_memory(err);
		return -1;
	}
	for (u64 n = 0; !s->exhausted; n++) {
		enum machine_end end;

		if (n % LOOK_INTERVAL == 0 && now_s() - started > BUG_TABLE_CAP_S)
			break;
		if (explored_draws(config) && n % EXPLORED_BATCH == 0 &&
		    explored_draw(drawn, config, config->seed + n, w, err)) {
			taken = -1;
			break;
		}
		end = world_run(w, EXECUTOR_EXPLORE, config->seed + (s->one_seed ? 0 : n), s);
		if (end == MACHINE_FINISHED || end == MACHINE_STOPPED)
			continue;
		/* Drawn programs may show a bug in ways that the catalog's job cannot. */
		if (config->programs == PROGRAMS_RANDOM ||
		    bug_case_expects(c, m->violations.first.invariant->slug)) {
			taken = now_s() - started;
			break;
		}
	}
	explored_drawn_destroy(drawn);
	free(drawn);
	return taken;
}

static double one_run(const struct bug_case *c, const struct column *column, u64 seed,
		      struct error *err)
{
	struct config *config = calloc(1, sizeof(*config));
	struct strategy *s = NULL;
	struct world *w = NULL;
	double taken = -1;

	if (!config) {
		error_no_memory(err);
		return -1;
	}
	if (!bug_case_configure_as(c, column->strategy, column->programs, seed, config, err)) {
		s = strategy_create(config->strategy);
		w = s ? explored_world(config, err) : NULL;
		if (w)
			taken = search(c, w, s, config, err);
		else if (!s)
			error_no_memory(err);
	}
	world_destroy(w);
	strategy_destroy(s);
	config_destroy(config);
	free(config);
	return taken;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct cell *cell, const struct bug_case *c, const struct column *column)
{
	double taken[BUG_TABLE_SEEDS];
	u32 runs = column->seeded ? BUG_TABLE_SEEDS : 1, n, endless = 0;

	for (n = 0; n < runs; n++) {
		taken[n] = one_run(c, column, (n + 1) * 1000003ULL, &cell->err);
		if (taken[n] < 0)
			return;
		endless += taken[n] > BUG_TABLE_CAP_S;
		if (endless == n + 1 && endless == ENDLESS_ENOUGH) {
			n++;
			break;
		}
	}
	qsort(taken, n, sizeof(taken[0]), ascending);
	cell->median = taken[n / 2];
}

static void *measure_cells(void *arg)
{
	struct table *t = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED)) < t->nr_rows * NR_COLUMNS)
		measure(&t->cells[i], t->rows[i / NR_COLUMNS], &columns[i % NR_COLUMNS]);
	return NULL;
}

/* On as many threads as there are workers; what cannot be started is done by the others. */
static void measure_all(struct table *t, unsigned int workers)
{
	pthread_t threads[EXPLORE_WORKERS_MAX];
	unsigned int started = 0;

	while (started + 1 < workers && !pthread_create(&threads[started], NULL, measure_cells, t))
		started++;
	(void)measure_cells(t);
	while (started)
		pthread_join(threads[--started], NULL);
}

static void print_cell(FILE *out, const struct cell *cell)
{
	char text[32];

	if (cell->median > BUG_TABLE_CAP_S)
		snprintf(text, sizeof(text), "-");
	else if (cell->median < 0.9995)
		snprintf(text, sizeof(text), "%.1f ms", cell->median * 1e3);
	else
		snprintf(text, sizeof(text), "%.2f s", cell->median);
	fprintf(out, " %10s", text);
}

static int print_table(FILE *out, const struct table *t)
{
	size_t missed = 0, by_programs = 0;

	fprintf(out, "median time to the first finding, %d seeds, one core; -: not within %.0f s\n",
		BUG_TABLE_SEEDS, BUG_TABLE_CAP_S);
	fprintf(out, "%-30s", "bug");
	for (size_t i = 0; i < NR_COLUMNS; i++)
		fprintf(out, " %10s", columns[i].title);
	fprintf(out, "\n");
	for (size_t r = 0; r < t->nr_rows; r++) {
		const struct cell *row = &t->cells[r * NR_COLUMNS];

		fprintf(out, "%-30s", t->rows[r]->slug);
		for (size_t i = 0; i < NR_COLUMNS; i++)
			print_cell(out, &row[i]);
		fprintf(out, "\n");
		missed += row[COLUMN_PORTFOLIO].median > BUG_TABLE_CAP_S;
		by_programs += row[NR_COLUMNS - 1].median <= BUG_TABLE_CAP_S;
	}
	fprintf(out, "portfolio misses %zu of %zu; random programs find %zu\n", missed, t->nr_rows,
		by_programs);
	return missed ? VERDICT_PLANTED_MISSED : VERDICT_PLANTED_FOUND;
}

/* The first error of a cell; status 0 without one. */
static const struct error *first_error(const struct table *t)
{
	static const struct error none;

	for (size_t i = 0; i < t->nr_rows * NR_COLUMNS; i++) {
		if (t->cells[i].err.status)
			return &t->cells[i].err;
	}
	return &none;
}

int bug_table(FILE *out, const struct config *config)
{
	struct table t = {
		.rows = calloc(nr_bug_cases, sizeof(*t.rows)),
		.cells = calloc(nr_bug_cases * NR_COLUMNS, sizeof(*t.cells)),
	};
	int status = VERDICT_UNTRUSTWORTHY;

	for (size_t i = 0; t.rows && i < nr_bug_cases; i++) {
		if (bug_case_runs_here(&bug_cases[i]) && bug_asked_for(config, bug_cases[i].slug))
			t.rows[t.nr_rows++] = &bug_cases[i];
	}
	if (!t.rows || !t.cells) {
		fprintf(stderr, "mmtorture: out of host memory\n");
	} else {
		measure_all(&t, config->workers);
		status = first_error(&t)->status;
		if (status)
			fprintf(stderr, "mmtorture: %s\n", first_error(&t)->line);
		else
			status = print_table(out, &t);
	}
	free(t.rows);
	free(t.cells);
	return status;
}
