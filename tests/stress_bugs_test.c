// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every planted bug is found by the explorer, as the violation that it is, within its budget;
 * without it the same schedules are silent; what was found is found again from its schedule file.
 * The same seed gives the same run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "engine/race_report.h"
#include "engine/recording.h"
#include "stress/bug_catalog.h"
#include "stress/bugs.h"
#include "stress/schedule.h"
#include "stress/verbs.h"
#include "stress/world.h"
#include "tests/stress_all_bugs.h"

/* Sanitizers make a schedule 10 to 20 times slower: there the same is done with fewer of them. The
 * search for the bug is as long everywhere, since the seeds decide it. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SILENT_SCHEDULES 15
#define REPEATED_SEEDS 100
#else
#define SILENT_SCHEDULES 1000
#define REPEATED_SEEDS 1000
#endif

#define DOCUMENT "docs/bugs.md"

static struct config config;
static struct error err;

static void end(void)
{
	config_destroy(&config);
}

Test(bugs, each_has_a_case_in_the_same_order)
{
	/* The order of the catalog is that of the lists, so that tables read alike. */
	cr_assert_eq(nr_bug_cases, nr_bugs);
	for (size_t i = 0; i < nr_bugs; i++)
		cr_expect_str_eq(bug_cases[i].slug, bugs[i].slug);
}

Test(bugs, each_is_documented)
{
	FILE *in = fopen(DOCUMENT, "rb");
	char *text = NULL;
	size_t size = 0;

	cr_assert(in, "%s can't be read", DOCUMENT);
	cr_assert_gt(getdelim(&text, &size, '\0', in), 0);
	fclose(in);
	for (size_t i = 0; i < nr_bug_cases; i++) {
		char heading[80];

		snprintf(heading, sizeof(heading), "\n### %s\n", bug_cases[i].slug);
		cr_expect(strstr(text, heading), "%s has no section on %s", DOCUMENT,
			  bug_cases[i].slug);
		for (u32 k = 0; k < BUG_INVARIANTS_MAX && bug_cases[i].invariants[k]; k++)
			cr_expect(strstr(text, bug_cases[i].invariants[k]), "%s has no word on %s",
				  DOCUMENT, bug_cases[i].invariants[k]);
	}
	free(text);
}

ParameterizedTestParameters(bugs, found_and_replayed)
{
	return all_bugs();
}

static void replay(const char *path, const struct bug_finding *found)
{
	struct schedule schedule = {0};
	struct replay_state state;
	struct known_names names;
	struct world *w;
	struct config recorded;
	struct host_facts host;

	verbs_known_names(&names);
	config_init(&recorded, VERB_EXPLORE);
	cr_assert_eq(host_facts_read(&host, &err), 0, "%s", err.line);
	cr_assert_eq(schedule_read(path, &schedule, &recorded, &names, &host, &err), 0, "%s",
		     err.line);
	cr_expect_eq(schedule.seed, found->seed);
	cr_expect_eq(schedule.history, found->history);
	w = world_create(&(struct world_options){.config = &recorded}, &err);
	cr_assert_not_null(w, "%s", err.line);
	cr_expect_eq(schedule_run(w, &schedule, &state, &err), found->end);
	cr_expect_eq(err.status, 0, "%s", err.line);
	cr_expect_not(state.diverged, "step %" PRIu64 ": %s", state.step, state.reason);
	world_destroy(w);
	cr_expect_eq(schedule.steps, found->steps);
	cr_expect_str_eq(schedule.invariant, found->invariant);
	schedule_destroy(&schedule);
	config_destroy(&recorded);
}

ParameterizedTest(size_t *index, bugs, found_and_replayed)
{
	const struct bug_case *c = &bug_cases[*index];
	char path[] = "/tmp/mmtorture.bug.XXXXXX";
	struct bug_finding found;
	int fd;

	/* Tests stop at ThreadSanitizer's first report: .ci/run has the program look for these. */
	if (c->needs_tsan || (RACE_REPORTS && c->tsan_first))
		return;
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	cr_assert_eq(bug_explore(&config, c->schedules, path, &found, &err), 0, "%s", err.line);
	cr_expect_neq(found.end, MACHINE_FINISHED, "%s: not found in %u schedules", c->slug,
		      c->schedules);
	cr_expect(bug_case_expects(c, found.invariant), "%s shows as %s", c->slug, found.invariant);
	if (found.end != MACHINE_FINISHED)
		replay(path, &found);
	unlink(path);
	end();
}

ParameterizedTestParameters(bugs, silent_without)
{
	return all_bugs();
}

ParameterizedTest(size_t *index, bugs, silent_without)
{
	const struct bug_case *c = &bug_cases[*index];
	struct bug_finding found;

	cr_assert_eq(bug_case_configure(c, false, &config, &err), 0, "%s", err.line);
	cr_assert_eq(bug_explore(&config, SILENT_SCHEDULES, NULL, &found, &err), 0, "%s", err.line);
	cr_expect_eq(found.end, MACHINE_FINISHED, "%s, seed %llu: %s", c->job,
		     (unsigned long long)found.seed, found.invariant);
	cr_expect_str_eq(found.invariant, "-");
	end();
}

Test(bugs, the_same_seed_is_the_same_run)
{
	const struct bug_case *c = bug_case_find("flush-mask-early");
	u64 distinct = 0, last = 0;

	cr_assert_eq(bug_case_configure(c, false, &config, &err), 0, "%s", err.line);
	for (u32 i = 0; i < REPEATED_SEEDS; i++) {
		struct bug_finding one, two;

		config.seed = 1000 + i;
		cr_assert_eq(bug_explore(&config, 1, NULL, &one, &err), 0, "%s", err.line);
		cr_assert_eq(bug_explore(&config, 1, NULL, &two, &err), 0, "%s", err.line);
		cr_assert_eq(one.history, two.history, "seed %u", 1000 + i);
		cr_assert_eq(one.steps, two.steps, "seed %u", 1000 + i);
		distinct += one.history != last;
		last = one.history;
	}
	/* Another seed, another run. */
	cr_expect_eq(distinct, (u64)REPEATED_SEEDS);
	end();
}

/* A machine that has run other schedules before does what a new one does. */
Test(bugs, a_used_machine_repeats_a_new_one)
{
	const struct bug_case *c = bug_case_find("cow-no-flush");
	struct bug_finding used, fresh;

	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	cr_assert_eq(bug_explore(&config, c->schedules, NULL, &used, &err), 0, "%s", err.line);
	cr_assert_gt(used.schedules, 1u);
	config.seed = used.seed;
	cr_assert_eq(bug_explore(&config, 1, NULL, &fresh, &err), 0, "%s", err.line);
	cr_expect_eq(fresh.history, used.history);
	cr_expect_str_eq(fresh.invariant, used.invariant);
	end();
}
