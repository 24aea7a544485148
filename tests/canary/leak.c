// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Canary: memory whose last pointer is forgotten. Only LeakSanitizer (part of AddressSanitizer)
 * makes it fail.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#define BLOCKS 16 /* one might survive in a stale stack slot or register; not all of them do */
#define BLOCK_SIZE 1000

static __attribute__((noinline)) void forget_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		char *volatile block = malloc(BLOCK_SIZE);

		cr_assert_not_null(block);
		block = NULL;
	}
}

Test(canary, leak)
{
	forget_blocks();
}
