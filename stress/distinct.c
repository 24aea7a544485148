// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/distinct.h"

#include <errno.h>
#include <stdlib.h>

#define DISTINCT_SIZE_MIN 1024u

void distinct_destroy(struct distinct *d)
{
	free(d->slots);
	*d = (struct distinct){0};
}

static bool sampled(uint64_t hash, unsigned int level)
{
	return !level || !(hash >> (64 - level));
}

/* The slot of @hash, or the free one where it belongs. */
static uint64_t *slot_of(uint64_t *slots, uint64_t size, uint64_t hash)
{
	uint64_t at = hash & (size - 1);

	while (slots[at] && slots[at] != hash)
		at = (at + 1) & (size - 1);
	return &slots[at];
}

/* Into a table of @size, only what belongs to @level. */
static int rebuild(struct distinct *d, uint64_t size, unsigned int level)
{
	uint64_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	d->nr = 0;
	for (uint64_t i = 0; i < d->size; i++) {
		if (!d->slots[i] || !sampled(d->slots[i], level))
			continue;
		*slot_of(slots, size, d->slots[i]) = d->slots[i];
		d->nr++;
	}
	free(d->slots);
	d->slots = slots;
	d->size = size;
	d->level = level;
	return 0;
}

/* Room for one more: at most half of the slots are used. */
static int make_room(struct distinct *d)
{
	while (2 * d->nr >= d->size) {
		int err;

		if (!d->size)
			err = rebuild(d, DISTINCT_SIZE_MIN, d->level);
		else if (d->nr < DISTINCT_MAX)
			err = rebuild(d, 2 * d->size, d->level);
		else
			err = rebuild(d, d->size, d->level + 1);
		if (err)
			return err;
	}
	return 0;
}

static int add(struct distinct *d, uint64_t hash)
{
	uint64_t *slot;

	if (!sampled(hash, d->level))
		return 0;
	hash += !hash; /* 0 is a free slot */
	if (2 * d->nr >= d->size && make_room(d))
		return -ENOMEM;
	if (!sampled(hash, d->level))
		return 0;
	slot = slot_of(d->slots, d->size, hash);
	d->nr += !*slot;
	*slot = hash;
	return 0;
}

void distinct_add(struct distinct *d, uint64_t hash)
{
	if (add(d, hash))
		d->lost = true;
}

int distinct_merge(struct distinct *to, const struct distinct *from)
{
	if (from->level > to->level &&
	    rebuild(to, to->size ? to->size : DISTINCT_SIZE_MIN, from->level))
		return -ENOMEM;
	for (uint64_t i = 0; i < from->size; i++) {
		if (from->slots[i] && add(to, from->slots[i]))
			return -ENOMEM;
	}
	to->lost |= from->lost;
	return 0;
}
