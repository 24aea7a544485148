// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What systematic searches have seen, as sets of hashes: to compare one search with another.
 */
#ifndef TESTS_SEARCH_SET_H
#define TESTS_SEARCH_SET_H

#include <stdlib.h>

#include "engine/types.h"

/* Distinct values, in order. */
struct search_set {
	u64 *values, nr;
};

static inline int search_by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static inline void search_distinct(struct search_set *s)
{
	u64 nr = 0;

	qsort(s->values, s->nr, sizeof(*s->values), search_by_value);
	for (u64 i = 0; i < s->nr; i++) {
		if (!nr || s->values[i] != s->values[nr - 1])
			s->values[nr++] = s->values[i];
	}
	s->nr = nr;
}

/* How many of @some are not in @all. */
static inline u64 search_missing(const struct search_set *some, const struct search_set *all)
{
	u64 missing = 0, at = 0;

	for (u64 i = 0; i < some->nr; i++) {
		while (at < all->nr && all->values[at] < some->values[i])
			at++;
		missing += at == all->nr || all->values[at] != some->values[i];
	}
	return missing;
}

/* Leaves of @set only what is in @all, too. */
static inline void search_keep(struct search_set *set, const struct search_set *all)
{
	u64 nr = 0;

	for (u64 i = 0; i < set->nr; i++) {
		struct search_set one = {&set->values[i], 1};

		if (!search_missing(&one, all))
			set->values[nr++] = set->values[i];
	}
	set->nr = nr;
}

#endif
