// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which allocations are to fail, as --fail-alloc and the key fail-alloc say it: SITE:N, the N-th
 * allocation at that site, or SITE:1/N, one in N. A site is a name of smp/fail_alloc.h, or `any`.
 * Constant data and pure functions; no locks.
 */
#ifndef STRESS_FAIL_ALLOC_RULE_H
#define STRESS_FAIL_ALLOC_RULE_H

#include "smp/fail_alloc.h"
#include "stress/nearest.h"

/* All sites, and "any" behind them. */
extern const struct name_list alloc_site_list;

/*
 * Reads one rule. 0; or -1 with *wrong what is wrong with the number, NULL if it is the site that
 * is not known.
 */
int fail_alloc_rule_parse(const char *text, unsigned int *site, struct alloc_rule *rule,
			  const char **wrong);

#endif
