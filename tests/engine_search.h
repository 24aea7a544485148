// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Systematic searches of bare machines (engine_machine.h), to the end: how many schedules there
 * were, which classes and outcomes.
 */
#ifndef TESTS_ENGINE_SEARCH_H
#define TESTS_ENGINE_SEARCH_H

#include <stdlib.h>

#include "engine/explore_coverage.h"
#include "tests/engine_machine.h"
#include "tests/search_set.h"

#define OUTCOMES_MAX 200000
#define SHARED_WORDS 16

/* What a search has seen. */
struct search {
	u64 schedules;
	u64 outcomes, classes; /* distinct ones */
	u64 ends[8];	       /* by enum machine_end */
	bool exhausted;
	char bound[400];
};

/* FNV-1a over what the program has left behind. */
static inline u64 search_outcome(const struct bare_machine *b, u64 bytes, enum machine_end end)
{
	const unsigned char *p = b->shared;
	u64 hash = 0xcbf29ce484222325ULL ^ (u64)end;

	for (u64 i = 0; i < bytes; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return hash;
}

/* @set goes to the caller, who frees its values, if @kept is not NULL. */
static inline void search_hand_over(struct search_set *set, struct search_set *kept)
{
	if (kept)
		*kept = *set;
	else
		free(set->values);
}

/* Worker number @place's share of the search @name of @p with machines of @seed, at most @limit
 * schedules. @classes, @outcomes_seen: if not NULL what was seen; the caller frees their values. */
static inline struct search search_sets(const struct bare_program *p, u64 seed, const char *name,
					const struct strategy_place *place, u64 limit,
					struct search_set *classes,
					struct search_set *outcomes_seen)
{
	struct search_set outcomes = {calloc(OUTCOMES_MAX, sizeof(u64)), 0};
	struct search_set seen = {calloc(OUTCOMES_MAX, sizeof(u64)), 0};
	struct search found = {0};
	struct bare_machine b;

	cr_assert(outcomes.values && seen.values);
	bare_create(&b, p, seed);
	strategy_destroy(b.strategy);
	b.strategy = strategy_create_at(name, place);
	cr_assert_not_null(b.strategy, "%s", name);
	cr_assert(b.strategy->one_seed);
	cr_assert_eq(explore_coverage_on(b.m), 0);
	while (!b.strategy->exhausted && found.schedules < limit) {
		enum machine_end end;

		bare_reset(&b, p, seed);
		end = bare_explore(&b);
		found.ends[end]++;
		found.schedules++;
		outcomes.values[outcomes.nr++] = search_outcome(&b, p->shared_bytes, end);
		seen.values[seen.nr++] = b.m->coverage->class_hash;
	}
	found.exhausted = b.strategy->exhausted;
	b.strategy->ops->bound(b.strategy, found.bound, sizeof(found.bound));
	search_distinct(&outcomes);
	search_distinct(&seen);
	found.outcomes = outcomes.nr;
	found.classes = seen.nr;
	search_hand_over(&outcomes, outcomes_seen);
	search_hand_over(&seen, classes);
	bare_destroy(&b);
	return found;
}

static inline struct search search_at(const struct bare_program *p, const char *name, u32 worker,
				      u32 nr_workers, u64 limit)
{
	return search_sets(p, 1, name, &(struct strategy_place){worker, nr_workers}, limit, NULL,
			   NULL);
}

static inline struct search search(const struct bare_program *p, const char *name)
{
	struct search found = search_at(p, name, 0, 1, OUTCOMES_MAX);

	cr_assert(found.exhausted, "%s", found.bound);
	return found;
}

/* A spinlock in the arena, as those of the kernel. */
static inline void bare_lock(u32 *word)
{
	struct spin spin = {0};

	explore_hook(word, ACCESS_LOCK);
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(word, __ATOMIC_RELAXED))
			cpu_relax_on(word, &spin);
		explore_hook(word, ACCESS_LOCK);
	}
}

static inline void bare_unlock(u32 *word)
{
	explore_hook(word, ACCESS_UNLOCK);
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

#endif
