// SPDX-License-Identifier: GPL-2.0-or-later
/* A schedule to explain or to trace: what exploring the job of a planted bug finds. */
#ifndef TESTS_STRESS_FOUND_SCHEDULE_H
#define TESTS_STRESS_FOUND_SCHEDULE_H

#include <criterion/criterion.h>

#include "stress/bug_catalog.h"
#include "stress/explored.h"
#include "stress/schedule.h"

struct found_schedule {
	struct config config;
	struct schedule schedule;
};

/*
 * Explores the job of @slug at random: until the bug shows if it is @planted, else for one schedule
 * that is silent.
 */
static inline void found_schedule_make(struct found_schedule *f, const char *slug, bool planted)
{
	const struct bug_case *c = bug_case_find(slug);
	struct strategy *s = strategy_create("random");
	struct error err = {0};
	enum machine_end end = MACHINE_FINISHED;
	struct world *w;
	u64 seed;

	memset(f, 0, sizeof(*f));
	cr_assert_not_null(c);
	cr_assert_eq(bug_case_configure(c, planted, &f->config, &err), 0, "%s", err.line);
	w = explored_world(&f->config, &err);
	cr_assert_not_null(w, "%s", err.line);
	for (seed = f->config.seed; end == MACHINE_FINISHED; seed++) {
		cr_assert_lt(seed, f->config.seed + c->schedules + 1, "%s does not show", slug);
		end = world_run(w, EXECUTOR_EXPLORE, seed, s);
		if (!planted)
			break;
	}
	if (planted)
		seed--;
	cr_assert_eq(schedule_of_world(&f->schedule, w, seed, &err), 0, "%s", err.line);
	world_destroy(w);
	strategy_destroy(s);
}

static inline void found_schedule_free(struct found_schedule *f)
{
	schedule_destroy(&f->schedule);
	config_destroy(&f->config);
}

#endif
