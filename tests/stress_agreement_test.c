// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dfs:2 and dpor agree on the planted bugs: what the one shows with at most two deviations the
 * other shows too, in the job of the catalog.
 *
 * MMTORTURE_SCHEDULES: how many schedules each search may run (SCHEDULES if it is not set). With
 * 1000000 dfs:2 shows those of dfs_needs_more[], too, which takes a minute.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/stress_all_bugs.h"
#include "tests/stress_search.h"

#define SCHEDULES 50000

/* Sanitizers make a schedule 10 to 20 times slower: there only what is shown at once. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SCHEDULES_SHORT 150
#else
#define SCHEDULES_SHORT 0
#endif

/* Tests stop at ThreadSanitizer's first report, and many of the bugs are data races in some
 * schedule or other. */
#ifdef __SANITIZE_THREAD__
#define RACE_REPORTS true
#else
#define RACE_REPORTS false
#endif

/* The operations alone show these sooner: in the whole job one of the two needs more than 50,000
 * schedules. */
static const char *const operations_alone[] = {
	"rcu-free-without-grace-period",
	"rmap-unlinked-late",
	"cow-not-notified",
};

/* dfs:2 needs 300,000 to 500,000 schedules. */
static const char *const dfs_needs_more[] = {
	"clear-tid-wakes-first",
	"reuse-by-mapcount",
};

/* They have smaller programs of their own in stress_systematic_test.c. */
static const char *const elsewhere[] = {
	"flush-mask-early",
	"uprobe-munmap-forgets",
};

/* Two deviations do not suffice: dfs:2 exhausts the job, or its program when minimised. */
static const char *const needs_three[] = {
	"page-zeroed-after-map",
	"gup-forgets-write",
};

static bool is_in(const char *const *list, size_t nr, const char *slug)
{
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(list[i], slug))
			return true;
	}
	return false;
}

static u64 schedules_wanted(void)
{
	const char *text = getenv("MMTORTURE_SCHEDULES");

	if (text)
		return strtoull(text, NULL, 10);
	return SCHEDULES_SHORT ? SCHEDULES_SHORT : SCHEDULES;
}

static struct verdicts search_case(const struct bug_case *c, const char *name)
{
	struct error err = {0};
	struct config config;
	struct verdicts v;

	cr_assert_eq(bug_case_configure_as(c, name, PROGRAMS_JOB, BUG_CATALOG_SEED, &config, &err),
		     0, "%s", err.line);
	config.only_operations = is_in(operations_alone, ARRAY_SIZE(operations_alone), c->slug);
	v = search_config(&config, name, schedules_wanted());
	config_destroy(&config);
	return v;
}

ParameterizedTestParameters(agreement, catalog)
{
	return all_bugs();
}

static void expect_shown(const struct bug_case *c, const char *name, const struct verdicts *v)
{
	cr_expect(search_found(v), "%s is not shown by %s: %s", c->slug, name, v->bound);
	if (search_found(v))
		cr_expect(bug_case_expects(c, v->invariant), "%s, %s: shows as %s", c->slug, name,
			  v->invariant);
}

ParameterizedTest(size_t *index, agreement, catalog)
{
	const struct bug_case *c = &bug_cases[*index];
	struct verdicts dfs, dpor;
	bool dfs_too;

	if (c->needs_tsan || RACE_REPORTS)
		return;
	if (is_in(elsewhere, ARRAY_SIZE(elsewhere), c->slug))
		return;
	dfs_too = !is_in(dfs_needs_more, ARRAY_SIZE(dfs_needs_more), c->slug) ||
		  getenv("MMTORTURE_SCHEDULES");
	if (dfs_too)
		dfs = search_case(c, "dfs:2");
	if (SCHEDULES_SHORT && dfs_too && !search_found(&dfs))
		return;
	if (is_in(needs_three, ARRAY_SIZE(needs_three), c->slug)) {
		cr_expect_not(search_found(&dfs), "%s: two deviations suffice", c->slug);
		return;
	}
	if (dfs_too)
		expect_shown(c, "dfs:2", &dfs);
	dpor = search_case(c, "dpor");
	if (SCHEDULES_SHORT && !search_found(&dpor))
		return;
	expect_shown(c, "dpor", &dpor);
}
