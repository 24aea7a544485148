// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel under x86-TSO: silent as it is; a barrier that is missing is found, and is not without
 * store buffers; what was found is found again from its recording.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "stress/bug_catalog.h"
#include "stress/explored.h"
#include "stress/schedule.h"
#include "tests/stress_all_bugs.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SC_SCHEDULES 300
#define SILENT_SCHEDULES 30
#define FOUND_SEEDS 2
#else
#define SC_SCHEDULES 20000
#define SILENT_SCHEDULES 600
#define FOUND_SEEDS 20
#endif

#define BUG "switch-mm-no-barrier"

static struct config config;
static struct error err;

static void explore(u64 schedules, struct bug_finding *found)
{
	cr_assert_eq(bug_explore(&config, schedules, NULL, found, &err), 0, "%s", err.line);
}

Test(tso, a_missing_barrier_is_found)
{
	const struct bug_case *c = bug_case_find(BUG);
	struct bug_finding found;

	cr_assert_eq(c->memory_model, MEMORY_MODEL_TSO);
	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	cr_expect_eq(config.memory_model, MEMORY_MODEL_TSO);
	for (u32 i = 0; i < FOUND_SEEDS; i++) {
		config.seed = (i + 1) * 1000000ULL;
		explore(c->schedules, &found);
		cr_expect_eq(found.end, MACHINE_VIOLATION, "seed %llu",
			     (unsigned long long)config.seed);
		cr_expect(bug_case_expects(c, found.invariant), "shows as %s", found.invariant);
	}
	config_destroy(&config);
}

Test(tso, and_needs_store_buffers)
{
	const struct bug_case *c = bug_case_find(BUG);
	struct bug_finding found;

	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	config.memory_model = MEMORY_MODEL_SC;
	explore(SC_SCHEDULES, &found);
	cr_expect_eq(found.end, MACHINE_FINISHED, "seed %llu: %s", (unsigned long long)found.seed,
		     found.invariant);
	config_destroy(&config);
}

/* By the recorded choices, not by the seed of the strategy. */
Test(tso, a_schedule_is_replayed_exactly)
{
	const struct bug_case *c = bug_case_find(BUG);
	struct schedule kept = {0};
	struct replay_state state;
	struct bug_finding found;
	struct world *w;

	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	explore(c->schedules, &found);
	cr_assert_eq(found.end, MACHINE_VIOLATION);
	w = explored_world(&config, &err);
	cr_assert_not_null(w, "%s", err.line);
	for (u64 seed = found.seed; seed < found.seed + FOUND_SEEDS; seed++) {
		struct strategy *s = strategy_create(config.strategy);
		enum machine_end end = world_run(w, EXECUTOR_EXPLORE, seed, s), again;

		cr_assert_eq(schedule_of_world(&kept, w, seed, &err), 0, "%s", err.line);
		cr_assert_eq(schedule_fill_checks(w, &kept, &err), 0, "%s", err.line);
		again = schedule_run(w, &kept, &state, &err);
		cr_expect_eq(again, end);
		cr_expect(!state.diverged, "seed %llu, step %llu: %s", (unsigned long long)seed,
			  (unsigned long long)state.step, state.reason);
		cr_expect_eq(world_machine(w)->explored.history, kept.history);
		schedule_destroy(&kept);
		strategy_destroy(s);
	}
	world_destroy(w);
	config_destroy(&config);
}

ParameterizedTestParameters(tso, the_kernel_is_silent)
{
	size_t *index = cr_malloc(nr_bug_cases * sizeof(*index));
	size_t nr = 0;

	/* Each job once. */
	for (size_t i = 0; i < nr_bug_cases; i++) {
		size_t k = 0;

		while (strcmp(bug_cases[k].job, bug_cases[i].job))
			k++;
		if (k == i)
			index[nr++] = i;
	}
	return cr_make_param_array(size_t, index, nr, all_bugs_free);
}

ParameterizedTest(size_t *index, tso, the_kernel_is_silent)
{
	const struct bug_case *c = &bug_cases[*index];
	struct bug_finding found;

	cr_assert_eq(bug_case_configure(c, false, &config, &err), 0, "%s", err.line);
	config.memory_model = MEMORY_MODEL_TSO;
	explore(SILENT_SCHEDULES, &found);
	cr_expect_eq(found.end, MACHINE_FINISHED, "%s, seed %llu: %s", c->job,
		     (unsigned long long)found.seed, found.invariant);
	config_destroy(&config);
}
