// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Canary: a signed overflow. Only UndefinedBehaviorSanitizer makes it fail.
 */
#include <limits.h>

#include <criterion/criterion.h>

Test(canary, ub)
{
	volatile int most = INT_MAX;
	volatile int sum = most + 1;

	(void)sum;
}
