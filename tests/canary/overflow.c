// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Canary: a read of the first byte behind an allocation. Only AddressSanitizer makes it fail.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#define BLOCK_SIZE 20 /* no multiple of malloc's 16: the byte behind it belongs to nobody */

Test(canary, overflow)
{
	/* Volatile, lest the compiler know the size and UBSan's object-size check see it first. */
	volatile char *volatile block = calloc(1, BLOCK_SIZE);

	cr_assert_not_null((void *)block);
	(void)block[BLOCK_SIZE];
	free((void *)block);
}
