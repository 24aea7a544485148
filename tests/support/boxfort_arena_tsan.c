// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lets Criterion's tests start under ThreadSanitizer.
 *
 * BoxFort, which Criterion uses to run a test in a child, maps memory that both share at
 *
 *	0x200000000000 + (rand_r() & 0x3fffff) * 2^24
 *
 * (BoxFort 0.1.2, src/arena.c). TSan of gcc 12 allows the program, on x86-64 with 47 address bits,
 * 0x000000001000-0x008000000000, 0x550000000000-0x568000000000 and 0x7e8000000000-0x7fffffffffff
 * (libsanitizer/tsan/tsan_platform.h, MappingX86_64). Most of BoxFort's range is none of these:
 * "Could not initialize inheritable arena". So a TSan build answers rand_r() with numbers that
 * lead into the second range, below 0x555555554000 where the kernel begins to place executables.
 * The executable's symbol wins over libc's.
 */
#ifdef __SANITIZE_THREAD__

#include <stdlib.h>

#define BOXFORT_ARENA_BASE 0x200000000000UL
#define BOXFORT_ARENA_SHIFT 24
#define TSAN_MID_APP_BEGIN 0x550000000000UL
#define EXECUTABLES_BEGIN 0x555555554000UL
/* Room for the arena itself below the executables. BoxFort asks for 32 MiB at most. */
#define ARENA_ROOM (1UL << 32)

#define FIRST_SLOT ((TSAN_MID_APP_BEGIN - BOXFORT_ARENA_BASE) >> BOXFORT_ARENA_SHIFT)
#define LAST_SLOT ((EXECUTABLES_BEGIN - ARENA_ROOM - BOXFORT_ARENA_BASE) >> BOXFORT_ARENA_SHIFT)

int rand_r(unsigned int *seed)
{
	/* Numerical Recipes, 2nd ed., 7.1: "quick and dirty" generator; its high bits are good. */
	*seed = *seed * 1664525u + 1013904223u;
	return (int)(FIRST_SLOT + (*seed >> 8) % (LAST_SLOT - FIRST_SLOT));
}

#endif
