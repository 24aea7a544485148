// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Systematic searches of jobs on the emulated kernel, up to the first finding, the end or a limit.
 */
#ifndef TESTS_STRESS_SEARCH_H
#define TESTS_STRESS_SEARCH_H

#include <stdio.h>

#include <criterion/criterion.h>

#include "engine/explore_coverage.h"
#include "stress/bug_catalog.h"
#include "stress/world.h"
#include "tests/search_set.h"

struct verdicts {
	enum machine_end end;
	char invariant[BUG_FINDING_WORD];
	u64 schedules;
	bool exhausted;
	char bound[400];
};

static inline bool search_found(const struct verdicts *v)
{
	return v->end != MACHINE_FINISHED;
}

/* All from one seed, as systematic searches are. @classes: NULL, or the classes of at most @limit
 * schedules, whose values the caller frees. */
static inline struct verdicts search_config_classes(const struct config *config, const char *name,
						    u64 limit, struct search_set *classes)
{
	struct verdicts v = {.end = MACHINE_FINISHED};
	struct strategy *s = strategy_create(name);
	struct error err = {0};
	const struct machine *m;
	struct world *w;

	cr_assert_not_null(s);
	w = world_create(&(struct world_options){.config = config}, &err);
	cr_assert_not_null(w, "%s", err.line);
	m = world_machine(w);
	if (classes) {
		*classes = (struct search_set){calloc(limit, sizeof(u64)), 0};
		cr_assert_not_null(classes->values);
		cr_assert_eq(explore_coverage_on(world_machine(w)), 0);
	}
	while (v.end == MACHINE_FINISHED && !s->exhausted && v.schedules < limit) {
		v.end = world_run(w, EXECUTOR_EXPLORE, config->seed, s);
		v.schedules++;
		if (classes)
			classes->values[classes->nr++] = m->coverage->class_hash;
	}
	if (classes)
		search_distinct(classes);
	v.exhausted = s->exhausted;
	snprintf(v.invariant, sizeof(v.invariant), "%s",
		 m->violations.ready ? m->violations.first.invariant->slug : "-");
	s->ops->bound(s, v.bound, sizeof(v.bound));
	world_destroy(w);
	strategy_destroy(s);
	return v;
}

static inline struct verdicts search_config(const struct config *config, const char *name,
					    u64 limit)
{
	return search_config_classes(config, name, limit, NULL);
}

#endif
