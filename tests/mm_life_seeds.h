// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A life machine (mm_life_machine.h) whose first tasks all run one function, run again and again on
 * the same memory: on threads and explored, for many seeds. All runs must be clean; or, with a
 * planted bug, one of them must find it.
 *
 * Task i starts on CPU i, modulo their number. Pids begin with 1: by its own a task can tell which
 * it is, where they are to do different things.
 */
#ifndef TESTS_MM_LIFE_SEEDS_H
#define TESTS_MM_LIFE_SEEDS_H

#include "mm_life_machine.h"

#define CLONE_A_THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

/* The machine @c with its first tasks: on the memory of the one before, if there is one. */
static inline void life_begin(struct life *l, const struct life_config *c, u32 nr_tasks,
			      void (*entry)(void *))
{
	if (l->m)
		life_again(l, c);
	else
		life_create(l, c);
	for (u32 i = 0; i < nr_tasks; i++)
		life_task(l, i, entry);
}

static inline enum machine_end life_round(struct life *l, const struct life_config *c, u32 nr_tasks,
					  void (*entry)(void *), enum executor executor)
{
	life_begin(l, c, nr_tasks, entry);
	return life_run(l, executor);
}

/* Clean when explored once, and once on threads. */
static inline void life_both(const struct life_config *config, u32 nr_tasks, void (*entry)(void *))
{
	struct life l = {0};

	expect_clean(&l, life_round(&l, config, nr_tasks, entry, EXECUTOR_EXPLORE));
	expect_clean(&l, life_round(&l, config, nr_tasks, entry, EXECUTOR_THREADS));
	life_destroy(&l);
}

/* Clean on threads, @rounds times. */
static inline void life_threads(const struct life_config *config, u32 nr_tasks,
				void (*entry)(void *), u32 rounds)
{
	struct life l = {0};

	for (u32 i = 0; i < rounds; i++)
		expect_clean(&l, life_round(&l, config, nr_tasks, entry, EXECUTOR_THREADS));
	life_destroy(&l);
}

/* Is @slug one of the words of @slugs? */
static inline bool life_slug_among(const char *slugs, const char *slug)
{
	size_t length = strlen(slug);

	while (*slugs) {
		size_t word = strcspn(slugs, " ");

		if (word == length && !strncmp(slugs, slug, length))
			return true;
		slugs += word;
		slugs += strspn(slugs, " ");
	}
	return false;
}

/*
 * Explores schedules 1 to @seeds up to the first violation, which must be one of @slugs (words),
 * and returns its seed; 0 if there is none. With NULL for @slugs all must be clean.
 */
static inline u64 life_search(const struct life_config *config, u32 nr_tasks, void (*entry)(void *),
			      u64 seeds, const char *slugs)
{
	struct strategy *odd = config->odd_seeds ? strategy_create(config->odd_seeds) : NULL;
	struct life_config c = *config;
	struct life l = {0};
	u64 found = 0;

	for (c.seed = 1; c.seed <= seeds && !found; c.seed++) {
		enum machine_end end;

		life_begin(&l, &c, nr_tasks, entry);
		end = life_run_with(&l, EXECUTOR_EXPLORE, c.seed % 2 ? odd : NULL);
		if (!slugs) {
			expect_clean(&l, end);
		} else if (end == MACHINE_VIOLATION) {
			cr_assert(life_slug_among(slugs, life_slug(&l)), "seed %llu found %s: %s",
				  (unsigned long long)c.seed, life_slug(&l),
				  l.m->violations.first.message);
			found = c.seed;
		}
	}
	life_destroy(&l);
	strategy_destroy(odd);
	return found;
}

/* Clean for @seeds schedules. */
static inline void life_explore(const struct life_config *config, u32 nr_tasks,
				void (*entry)(void *), u64 seeds)
{
	cr_assert_eq(life_search(config, nr_tasks, entry, seeds, NULL), 0);
}

/* With @knob planted: the first of @seeds schedules that ends with one of @slugs; 0 if none does.
 */
static inline u64 life_finds(const struct life_config *config, u32 knob, u32 nr_tasks,
			     void (*entry)(void *), u64 seeds, const char *slugs)
{
	struct life_config c = *config;

	c.knob = knob;
	return life_search(&c, nr_tasks, entry, seeds, slugs);
}

/* What one task does is a violation of @slug, whatever the schedule. */
static inline void life_violates(const struct life_config *config, void (*entry)(void *),
				 const char *slug)
{
	struct life l = {0};

	cr_assert_eq(life_round(&l, config, 1, entry, EXECUTOR_EXPLORE), MACHINE_VIOLATION);
	cr_assert_str_eq(life_slug(&l), slug, "%s: %s", life_slug(&l),
			 l.m->violations.first.message);
	life_destroy(&l);
}

/* One first task: clean on threads, and for @seeds schedules. */
static inline void life_clean(const struct life_config *config, void (*entry)(void *), u64 seeds)
{
	struct life_config c = *config;
	struct life l = {0};

	expect_clean(&l, life_round(&l, &c, 1, entry, EXECUTOR_THREADS));
	for (c.seed = 1; c.seed <= seeds; c.seed++)
		expect_clean(&l, life_round(&l, &c, 1, entry, EXECUTOR_EXPLORE));
	life_destroy(&l);
}

/* One first task, and @knob planted: one of @seeds schedules ends, with the violation @slug. */
static inline void life_found(const struct life_config *config, u32 knob, void (*entry)(void *),
			      u64 seeds, const char *slug)
{
	struct life_config c = *config;
	enum machine_end end = MACHINE_FINISHED;
	struct life l = {0};

	c.knob = knob;
	for (c.seed = 1; c.seed <= seeds && end == MACHINE_FINISHED; c.seed++)
		end = life_round(&l, &c, 1, entry, EXECUTOR_EXPLORE);
	cr_expect_str_eq(life_slug(&l), slug, "seed %llu: %s: %s", (unsigned long long)c.seed - 1,
			 life_slug(&l), l.m->violations.first.message);
	life_destroy(&l);
}

#endif
