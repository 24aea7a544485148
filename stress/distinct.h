// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many different 64-bit hashes were seen: exactly up to some millions, then by a sample.
 *
 * An open-addressed hash table of all of them. When it has DISTINCT_MAX, only those whose highest
 * bit is 0 are kept, then those whose two highest are, and so on: `level` bits. A hash is as likely
 * to stay as any other, so about nr * 2^level were seen (adaptive sampling: Flajolet, "On adaptive
 * sampling", Computing 43, 1990; standard error 1.2 / sqrt(nr), with two to four million kept under
 * 0.1 %). Sets merge, also sampled ones.
 *
 * Belongs to one thread. Errors: -ENOMEM from distinct_merge(); what distinct_add() cannot keep
 * without memory is not counted, and `lost` says so: then there are at least as many.
 */
#ifndef STRESS_DISTINCT_H
#define STRESS_DISTINCT_H

#include <stdbool.h>
#include <stdint.h>

/* 64 MiB a set, half of it filled. */
#define DISTINCT_MAX (1u << 22)

struct distinct {
	uint64_t *slots; /* 0: free */
	uint64_t size;	 /* of them; a power of two, or 0 before the first */
	uint64_t nr;	 /* hashes in it */
	unsigned int level;
	bool lost;
};

/* A set of nothing is one of zeroes. */
void distinct_destroy(struct distinct *d);

void distinct_add(struct distinct *d, uint64_t hash);

/* Adds all of @from to @to. 0, or -ENOMEM. */
int distinct_merge(struct distinct *to, const struct distinct *from);

/* How many there were: exact while @level is 0 and nothing was lost. */
static inline uint64_t distinct_count(const struct distinct *d)
{
	return d->nr << d->level;
}

#endif
