// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A life machine (mm_life_machine.h) with one first task, run again and again: on threads and for
 * many seeds, all of which must be clean; or with a planted bug, until it is found.
 */
#ifndef TESTS_MM_LIFE_SEEDS_H
#define TESTS_MM_LIFE_SEEDS_H

#include "mm_life_machine.h"

#define CLONE_A_THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

/* Clean on threads, and for @seeds schedules. */
static inline void life_clean(const struct life_config *config, void (*entry)(void *), u64 seeds)
{
	struct life_config c = *config;
	struct life l = {0};

	life_create(&l, &c);
	life_task(&l, 0, entry);
	expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	for (c.seed = 1; c.seed <= seeds; c.seed++) {
		life_again(&l, &c);
		life_task(&l, 0, entry);
		expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
	}
	life_destroy(&l);
}

/* With @knob planted one of @seeds schedules ends with the violation @slug. */
static inline void life_found(const struct life_config *config, u32 knob, void (*entry)(void *),
			      u64 seeds, const char *slug)
{
	struct life_config c = *config;
	enum machine_end end = MACHINE_FINISHED;
	struct life l = {0};

	c.knob = knob;
	life_create(&l, &c);
	for (c.seed = 1; c.seed <= seeds && end == MACHINE_FINISHED; c.seed++) {
		life_again(&l, &c);
		life_task(&l, 0, entry);
		end = life_run(&l, EXECUTOR_EXPLORE);
	}
	cr_expect_str_eq(life_slug(&l), slug, "seed %llu: %s: %s", (unsigned long long)c.seed - 1,
			 life_slug(&l), l.m->violations.first.message);
	life_destroy(&l);
}

#endif
