// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Canary: two threads write one variable without any order between them. The test asserts nothing
 * about it, so only ThreadSanitizer makes it fail.
 */
#include <pthread.h>

#include <criterion/criterion.h>

#define WRITES 1000

static void *write_unordered(void *shared)
{
	volatile int *counter = shared;

	for (int i = 0; i < WRITES; i++)
		*counter = i;
	return NULL;
}

Test(canary, race)
{
	int counter = 0;
	pthread_t other;

	cr_assert_eq(pthread_create(&other, NULL, write_unordered, &counter), 0);
	write_unordered(&counter);
	cr_assert_eq(pthread_join(other, NULL), 0);
}
