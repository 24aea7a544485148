// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main() of every test: Criterion's own, plus what Bazel says through the environment.
 *
 *   XML_OUTPUT_FILE       where Bazel looks for one result per Criterion test
 *   TESTBRIDGE_TEST_ONLY  bazel test --test_filter=SUITE/TEST
 *   TEST_TIMEOUT          seconds until Bazel kills the whole binary without saying which test hung
 *
 * Sources: Bazel's "Test encyclopedia" for the variables, criterion/options.h and criterion/types.h
 * for the rest.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/options.h>
#include <criterion/output.h>

/* A single test that has used up this share of Bazel's time is stopped and reported by name. */
#define TIMEOUT_SHARE 0.8

/* Criterion 2.4.1 ignores criterion_options.timeout: only a test's own is looked at. */
static void limit_tests_without_timeout(struct criterion_test_set *tests, double seconds)
{
	FOREACH_SET(struct criterion_suite_set *suite, tests->suites) {
		if (!suite->tests || (suite->suite.data && suite->suite.data->timeout > 0))
			continue;
		FOREACH_SET(struct criterion_test *test, suite->tests) {
			if (test->data->timeout <= 0)
				test->data->timeout = seconds;
		}
	}
}

int main(int argc, char **argv)
{
	struct criterion_test_set *tests = criterion_initialize();
	const char *xml = getenv("XML_OUTPUT_FILE");
	const char *filter = getenv("TESTBRIDGE_TEST_ONLY");
	const char *timeout = getenv("TEST_TIMEOUT");
	int ok = 1;

	if (xml)
		criterion_add_output("xml", xml);
	if (filter)
		criterion_options.pattern = filter;
	if (timeout)
		limit_tests_without_timeout(tests, strtod(timeout, NULL) * TIMEOUT_SHARE);

	if (criterion_handle_args(argc, argv, true)) {
		if (tests->tests == 0) {
			fprintf(stderr, "%s: no Criterion test is linked into this binary\n",
				argv[0]);
			ok = 0;
		} else {
			ok = criterion_run_all_tests(tests);
		}
	}
	criterion_finalize(tests);
	return !ok;
}
