// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bugs list: the catalog of what can be planted. bugs check: plants one after the other and lets
 * the explorer look for it under the job that is known to show it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stress/bug_catalog.h"
#include "stress/bug_table.h"
#include "stress/bugs.h"
#include "stress/verbs.h"

static int list(void)
{
	for (size_t i = 0; i < nr_bugs; i++) {
		const struct bug_case *c = bug_case_find(bugs[i].slug);

		printf("%-30s %-9s %-20s %s\n", bugs[i].slug, bugs[i].part, c ? c->job : "-",
		       bugs[i].what);
	}
	return VERDICT_CLEAN;
}

/* One row of the table. VERDICT_PLANTED_FOUND, VERDICT_PLANTED_MISSED, or an error's after a line
 * on stderr. */
static int check_one(const struct bug_case *c)
{
	struct bug_finding found = {0};
	struct error err = {0};
	struct config config;
	bool right;

	if (!bug_case_runs_here(c)) {
		printf("%-30s %-6s needs a ThreadSanitizer build\n", c->slug, "-");
		return VERDICT_PLANTED_FOUND;
	}
	if (bug_case_configure(c, true, &config, &err) ||
	    bug_explore(&config, c->schedules, NULL, &found, &err)) {
		config_destroy(&config);
		fprintf(stderr, "mmtorture: %s\n", err.line);
		return err.status;
	}
	config_destroy(&config);
	right = found.end != MACHINE_FINISHED && bug_case_expects(c, found.invariant);
	printf("%-30s %-6s %-27s %10" PRIu64 " %8.2f\n", c->slug,
	       right ? "yes" : (found.end == MACHINE_FINISHED ? "NO" : "OTHER"), found.invariant,
	       found.schedules, found.seconds);
	fflush(stdout);
	return right ? VERDICT_PLANTED_FOUND : VERDICT_PLANTED_MISSED;
}

static int check(const struct config *config)
{
	unsigned int found = 0, missed = 0, skipped = 0;

	printf("%-30s %-6s %-27s %10s %8s\n", "bug", "found", "invariant", "schedules", "seconds");
	for (size_t i = 0; i < nr_bug_cases; i++) {
		int status;

		if (!bug_asked_for(config, bug_cases[i].slug))
			continue;
		status = check_one(&bug_cases[i]);
		if (!bug_case_runs_here(&bug_cases[i]))
			skipped++;
		else if (status == VERDICT_PLANTED_FOUND)
			found++;
		else if (status == VERDICT_PLANTED_MISSED)
			missed++;
		else
			return status;
	}
	printf("%u found, %u missed, %u need another build\n", found, missed, skipped);
	return missed ? VERDICT_PLANTED_MISSED : VERDICT_PLANTED_FOUND;
}

int verb_bugs(const struct config *config)
{
	if (!strcmp(config->action, "check") && config->table)
		return bug_table(stdout, config);
	/* The parser has checked the action. */
	return strcmp(config->action, "check") ? list() : check(config);
}
