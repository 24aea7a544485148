// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The names that options may have as values, from the parts that own them.
 */
#include "engine/strategy.h"
#include "stress/bench_catalog.h"
#include "stress/bench_emulated.h"
#include "stress/bugs.h"
#include "stress/verbs.h"

static const char *const policies[] = {"v3.13", "broadcast"};
static const char *const tlbs[] = {"haswell", "skylake", "zen2", "tiny"};

void verbs_known_names(struct known_names *names)
{
	*names = (struct known_names){
		.bugs = bug_names,
		.profiles = profile_names,
		.strategies = {"strategy", strategy_names, strategy_count()},
		.strategy_refusal = strategy_refusal,
		.policies = {"policy", policies, ARRAY_SIZE(policies)},
		.tlbs = {"TLB", tlbs, ARRAY_SIZE(tlbs)},
		.measures = bench_measure_names,
	};
}
