// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parameters of a test that is run for each bug of the catalog: their indices, since each test is a
 * process of its own, in which no pointer from here means anything.
 */
#ifndef TESTS_STRESS_ALL_BUGS_H
#define TESTS_STRESS_ALL_BUGS_H

#include <criterion/parameterized.h>

#include "stress/bug_catalog.h"

static inline void all_bugs_free(struct criterion_test_params *params)
{
	cr_free(params->params);
}

/* Number 0, @stride, 2 * @stride, ... up to @last. */
static inline struct criterion_test_params every_nth_bug(size_t stride, size_t last)
{
	size_t nr = last / stride + 1;
	size_t *index = cr_malloc(nr * sizeof(*index));

	for (size_t i = 0; i < nr; i++)
		index[i] = i * stride;
	return cr_make_param_array(size_t, index, nr, all_bugs_free);
}

static inline struct criterion_test_params all_bugs(void)
{
	return every_nth_bug(1, nr_bug_cases - 1);
}

#endif
