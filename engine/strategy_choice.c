// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/strategy_choice.h"

#include <string.h>

/* The draws of the habits are a stream of the seed of their own (random_seed). */
#define STREAM_HABITS 0x4ab175e1ULL

/* The rarities that a schedule draws from. The middle ones are those of the random strategy;
 * around them a factor of four, which moves an event from "some in a system call" to "a few in a
 * schedule" of the length that is explored here (hundreds of steps). */
#define NR_RARITIES 3
static const u32 rarities[NR_CHOICES][NR_RARITIES] = {
	[CHOICE_TICK] = {4, 16, 64},
	[CHOICE_TLB_EVICT] = {8, 32, 128},
	[CHOICE_TLB_FILL] = {4, 16, 64},
	[CHOICE_ALLOC_FAIL] = {16, 64, 256},
};

/* Held back for fewer than 2^0 (not at all) to 2^8 askings: 256 decision points are a system call
 * and more. */
#define INTERRUPT_SCALES 9
/* A buffer of 56 stores (Haswell) that are drained one by one, from at once to never before a fence
 * asks for it. */
#define DRAIN_SCALES 11

void choice_habits_begin(struct choice_habits *h, u64 seed, u32 nr_vcpus)
{
	random_seed(&h->rng, seed, STREAM_HABITS);
	for (u32 kind = 0; kind < NR_CHOICES; kind++)
		h->rarity[kind] = rarities[kind][random_below(&h->rng, NR_RARITIES)];
	h->interrupt_scale = random_below(&h->rng, INTERRUPT_SCALES);
	h->drain_scale = random_below(&h->rng, DRAIN_SCALES);
	h->drain_left = 0;
	memset(h->interrupt_left, 0, nr_vcpus * sizeof(h->interrupt_left[0]));
}

/* Counts an asking; true if it is the one that is answered with yes. */
static bool held_long_enough(struct rng *rng, u32 *left, u32 scale)
{
	if (!*left)
		*left = 1 + random_below(rng, 1ULL << random_below(rng, scale + 1));
	return --*left == 0;
}

u32 choice_habits_answer(struct choice_habits *h, enum choice kind, u32 cpu, u32 n)
{
	switch (kind) {
	case CHOICE_INTERRUPT:
		return held_long_enough(&h->rng, &h->interrupt_left[cpu], h->interrupt_scale);
	case CHOICE_DRAIN:
		if (n < 2 || !held_long_enough(&h->rng, &h->drain_left, h->drain_scale))
			return 0;
		return 1 + random_below(&h->rng, n - 1);
	default:
		if (!h->rarity[kind])
			return random_below(&h->rng, n);
		if (random_below(&h->rng, h->rarity[kind]))
			return 0;
		return n < 3 ? n - 1 : 1 + random_below(&h->rng, n - 1);
	}
}
