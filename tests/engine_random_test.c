// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "engine/random.h"

/* The first outputs of the authors' splitmix64.c for the state 1234567. */
Test(engine_random, splitmix64_known_answers)
{
	static const u64 expected[] = {6457827717110365317ULL, 3203168211198807973ULL,
				       9817491932198370423ULL, 4593380528125082431ULL,
				       16408922859458223821ULL};
	u64 state = 1234567;

	for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert_eq(splitmix64(&state), expected[i], "output %u", i);
}

/* The first outputs of the authors' xoshiro256plusplus.c for the state {1, 2, 3, 4}. */
Test(engine_random, xoshiro256pp_known_answers)
{
	static const u64 expected[] = {41943041ULL,
				       58720359ULL,
				       3588806011781223ULL,
				       3591011842654386ULL,
				       9228616714210784205ULL,
				       9973669472204895162ULL,
				       14011001112246962877ULL,
				       12406186145184390807ULL,
				       15849039046786891736ULL,
				       10450023813501588000ULL};
	struct rng r = {{1, 2, 3, 4}};

	for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert_eq(random_u64(&r), expected[i], "output %u", i);
}

Test(engine_random, seed_and_stream_choose_the_sequence)
{
	struct rng a, b, other_seed, other_stream;
	u32 same_seed = 0, same_stream = 0;

	random_seed(&a, 7, 3);
	random_seed(&b, 7, 3);
	random_seed(&other_seed, 8, 3);
	random_seed(&other_stream, 7, 4);
	for (u32 i = 0; i < 1000; i++) {
		u64 x = random_u64(&a);

		cr_assert_eq(random_u64(&b), x);
		same_seed += random_u64(&other_seed) == x;
		same_stream += random_u64(&other_stream) == x;
	}
	cr_assert_eq(same_seed, 0);
	cr_assert_eq(same_stream, 0);
}

/* xoshiro never leaves the state that is all zero: no seed may lead there. */
Test(engine_random, no_seed_gives_the_dead_state)
{
	for (u64 seed = 0; seed < 1000; seed++) {
		struct rng r;

		random_seed(&r, seed, 0);
		cr_assert_neq(r.s[0] | r.s[1] | r.s[2] | r.s[3], 0);
	}
}

#define DRAWS 60000
#define SIDES 6

/* Chi square of a fair die, 5 degrees of freedom: above 20.5 in one of 1000 sequences. The sequence
 * is always the same, so this either always passes or never. */
#define CHI_SQUARE_LIMIT 20.5

Test(engine_random, below_is_in_range_and_even)
{
	u32 count[SIDES] = {0};
	double chi = 0, expected = (double)DRAWS / SIDES;
	struct rng r;

	random_seed(&r, 1, 0);
	for (u32 i = 0; i < DRAWS; i++) {
		u32 x = random_below(&r, SIDES);

		cr_assert_lt(x, SIDES);
		count[x]++;
	}
	for (u32 i = 0; i < SIDES; i++)
		chi += (count[i] - expected) * (count[i] - expected) / expected;
	cr_assert_lt(chi, CHI_SQUARE_LIMIT, "chi square %f", chi);
	for (u32 i = 0; i < 100; i++)
		cr_assert_eq(random_below(&r, 1), 0);
	/* The whole 32 bits: some draw has its top bit set. */
	count[0] = 0;
	for (u32 i = 0; i < 100; i++)
		count[0] += random_below(&r, 1ULL << 32) >> 31;
	cr_assert_gt(count[0], 0);
}

Test(engine_random, between_includes_both_ends)
{
	bool low = false, high = false;
	struct rng r;

	random_seed(&r, 1, 0);
	for (u32 i = 0; i < 1000; i++) {
		u64 x = random_between(&r, 10, 13);

		cr_assert(x >= 10 && x <= 13);
		low |= x == 10;
		high |= x == 13;
	}
	cr_assert(low);
	cr_assert(high);
	cr_assert_eq(random_between(&r, 5, 5), 5);
}
