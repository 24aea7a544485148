// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Seeded random numbers. Every stream is a struct rng that somebody owns: a vCPU, a task, a
 * strategy. Nothing here reads the clock, so one seed gives one sequence on every machine.
 *
 * The generator is xoshiro256++ and the seeding is splitmix64 (Blackman and Vigna, "Scrambled
 * Linear Pseudorandom Number Generators", ACM TOMS 47(4), 2021). random_below() maps a draw to a
 * range by the multiply-shift method (Lemire, ACM TOMACS 29(1), 2019) without its rejection step:
 * the bias is below n / 2^32, far under what any schedule statistic here can see.
 */
#ifndef ENGINE_RANDOM_H
#define ENGINE_RANDOM_H

#include "engine/types.h"

struct rng {
	u64 s[4];
};

static inline u64 splitmix64(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Starts stream number @stream of @seed: streams of one seed are independent of each other. */
static inline void random_seed(struct rng *r, u64 seed, u64 stream)
{
	u64 state = seed ^ (stream * 0xd1342543de82ef95ULL);

	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&state);
}

static inline u64 random_rotl(u64 x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline u64 random_u64(struct rng *r)
{
	u64 result = random_rotl(r->s[0] + r->s[3], 23) + r->s[0];
	u64 t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = random_rotl(r->s[3], 45);
	return result;
}

/* A number in [0, n); n must be from 1 to 2^32. */
static inline u32 random_below(struct rng *r, u64 n)
{
	return (u32)(((random_u64(r) >> 32) * n) >> 32);
}

/* A number in [lo, hi], both included. */
static inline u64 random_between(struct rng *r, u64 lo, u64 hi)
{
	return lo + random_below(r, hi - lo + 1);
}

#endif
