// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names for tests of the command line and of job files, in place of those of the catalog, so that
 * these tests don't change when a bug or a strategy is added.
 */
#ifndef TESTS_STRESS_KNOWN_NAMES_H
#define TESTS_STRESS_KNOWN_NAMES_H

#include "stress/config.h"

#include <string.h>

static const char *const test_bugs[] = {"flush-short", "free-early", "mask-late"};
static const char *const test_profiles[] = {"v3.13", "v4.9"};
/* Wants a parameter that is one digit, of all but "random". */
static const char *test_strategy_refusal(const char *text)
{
	const char *colon = strchr(text, ':');

	if (!strncmp(text, "random", 6))
		return colon ? "takes no parameter" : NULL;
	return colon && colon[1] >= '0' && colon[1] <= '9' && !colon[2] ? NULL : "takes a digit";
}

static const char *const test_strategies[] = {"random", "pct", "dfs"};
static const char *const test_tlbs[] = {"haswell", "tiny"};
static const char *const test_measures[] = {"exec", "fault-zap"};

static const struct known_names test_names = {
	.bugs = {"bug", test_bugs, 3},
	.profiles = {"profile", test_profiles, 2},
	.strategies = {"strategy", test_strategies, 3},
	.strategy_refusal = test_strategy_refusal,
	.policies = {"policy", NULL, 0},
	.tlbs = {"TLB", test_tlbs, 2},
	.measures = {"measure", test_measures, 2},
};

/* A host with two processing units and 24 GiB. */
static const struct host_facts test_host = {
	.pus = 2,
	.memory_bytes = UINT64_C(24) << 30,
	.seed = UINT64_C(0xfeedfacecafebeef),
};

#endif
