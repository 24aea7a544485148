// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The proof that the oracle finds what it should: for each planted bug (bugs.h) a small job under
 * which the explorer finds it, the invariant that must break, and within how many schedules.
 * `mmtorture bugs check` and the tests run it; docs/bugs.md shows the interleavings.
 *
 * The jobs are the shipped ones of stress/jobs/bugs/, known to --job as bugs/NAME. Without the bug
 * the same job is silent under the same seeds.
 *
 * Constant data, and functions without state: a check makes its own world and takes it down again;
 * any number of threads may check at once. Errors: see error.h.
 */
#ifndef STRESS_BUG_CATALOG_H
#define STRESS_BUG_CATALOG_H

#include "engine/machine.h"
#include "stress/config.h"

/* The schedules of a case begin from this seed, each with the next one. Any will do; of a few that
 * were tried this one has the shortest searches, which counts where sanitizers make them slow. */
#define BUG_CATALOG_SEED 2000

/* Ways in which one bug shows: which one depends on who comes first. */
#define BUG_INVARIANTS_MAX 3

struct bug_case {
	const char *slug;
	const char *job;			    /* for --job */
	const char *invariants[BUG_INVARIANTS_MAX]; /* one of these breaks; NULL: no more */
	u32 schedules;				    /* found within so many */
	enum memory_model memory_model;		    /* under which it can be seen */
	bool needs_tsan; /* plain memory without its lock: ThreadSanitizer's builds alone show it */
	bool tsan_first; /* in those builds ThreadSanitizer stops before the oracle sees it */
};

/* One for each of bugs[], in its order. */
extern const struct bug_case bug_cases[];
extern const size_t nr_bug_cases;

/* NULL for a slug that nobody knows. */
const struct bug_case *bug_case_find(const char *slug);

/* Can this build show it? */
bool bug_case_runs_here(const struct bug_case *c);

/* Is @invariant one of those that show the bug? */
bool bug_case_expects(const struct bug_case *c, const char *invariant);

/* Fills @config (config_destroy() is due, also after an error) as `explore --job JOB --seed
 * BUG_CATALOG_SEED` would, with the bug planted or not. 0, or -1 with @err filled. */
int bug_case_configure(const struct bug_case *c, bool planted, struct config *config,
		       struct error *err);

/* The same, planted, with another strategy, source of programs and seed, and no limit. */
int bug_case_configure_as(const struct bug_case *c, const char *strategy, enum programs programs,
			  u64 seed, struct config *config, struct error *err);

/* Is the bug among those that @config names? It is where none is named. */
bool bug_asked_for(const struct config *config, const char *slug);

#define BUG_FINDING_WORD 64

/* What became of up to so many schedules. */
struct bug_finding {
	enum machine_end end;		  /* MACHINE_FINISHED: nothing was found */
	char invariant[BUG_FINDING_WORD]; /* "-": none broke */
	u64 schedules;			  /* run, the one that found it included */
	u64 seed, steps, history;	  /* of the last schedule */
	double seconds;
};

/* Runs @schedules schedules of @config, from config->seed on, or fewer if something is found. If
 * @keep is not NULL the schedule of what was found is written there. 0, or -1 with @err filled. */
int bug_explore(const struct config *config, u64 schedules, const char *keep,
		struct bug_finding *finding, struct error *err);

#endif
