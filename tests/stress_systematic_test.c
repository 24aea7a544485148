// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dfs:2 and dpor on the emulated kernel: they agree that small programs on the correct kernel are
 * silent, having exhausted them, and on the planted bugs that two preemptions suffice for.
 *
 * The programs (data/systematic/) have two CPUs with a task each, which do one or two operations
 * (only-operations: the exits of the tasks are the same in all schedules).
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "stress/jobfile.h"
#include "stress/verbs.h"
#include "tests/stress_search.h"

/* Far more than any of the programs needs: a search that does not end is a failure. */
#define SCHEDULES_MAX 50000

/* Sanitizers make a schedule 10 to 20 times slower: there only the shortest searches. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SCHEDULES_LONG 20
#define SANITIZED true
#else
#define SCHEDULES_LONG SCHEDULES_MAX
#define SANITIZED false
#endif

#define NAME_SIZE 32

struct program {
	char name[NAME_SIZE];
	char dpor[NAME_SIZE]; /* what is left out would be too much for a test */
	u32 schedules;	      /* of dpor, about */
};

static const struct program programs[] = {
	{"yield", "dpor", 2},
	{"sleep", "dpor", 2},
	{"kthread", "dpor", 2},
	{"munmap", "dpor", 2},
	{"mlock", "dpor", 2},
	{"brk", "dpor", 32},
	{"age", "dpor", 32},
	{"getmm", "dpor", 24},
	{"getmm-read", "dpor", 32},
	{"sleep-read", "dpor", 32},
	{"zap", "dpor", 352},
	{"other-page", "dpor", 352},
	{"zap-or-fault", "dpor:no-tlb", 1056},
	{"write-or-zap", "dpor:no-tlb", 1670},
	{"two-pages", "dpor:no-tlb", 1604},
	{"two-faults", "dpor:no-tlb", 4612},
};

/* Bugs that at most two deviations show. */
struct shown {
	char slug[NAME_SIZE];
	char program[NAME_SIZE];
};

static const struct shown shown[] = {
	{"ipi-wait-irqs-off", "write-or-zap"},	{"flush-skips-cpu", "zap-or-fault"},
	{"flush-range-short", "zap-range"},	{"lazy-cpu-not-flushed", "zap-or-fault"},
	{"free-before-flush", "zap-or-fault"},	{"pte-clear-unlocked", "zap"},
	{"mmap-sem-under-ptl", "zap"},		{"mapcount-not-dropped", "zap"},
	{"rwsem-lost-wakeup", "mmap-or-fault"}, {"flush-compares-current-mm", "zap-or-fault"},
	{"table-freed-at-once", "truncate"},	{"lock-order-inversion", "truncate"},
	{"mkclean-no-flush", "msync"},		{"mprotect-no-flush", "mprotect"},
	{"lazy-mm-not-pinned", "zap"},		{"commit-not-returned", "zap"},
	{"notifier-end-missing", "zap"},	{"exec-drops-active-mm-twice", "zap"},
	{"exec-keeps-address-limit", "zap"},	{"uncharge-lost", "zap"},
	{"flush-mask-early", "switch-in"},	{"uprobe-munmap-forgets", "unprobe"},
};

/* Thousands of schedules: too many for sanitizers. */
static bool is_long(const struct shown *s)
{
	return !strcmp(s->program, "switch-in") || !strcmp(s->program, "unprobe");
}

static void configure(struct config *config, const char *program, const char *bug)
{
	struct error err = {0};
	struct known_names names;
	struct host_facts host;

	config_init(config, VERB_EXPLORE);
	verbs_known_names(&names);
	snprintf(config->job_name, sizeof(config->job_name), "tests/data/systematic/%s.ini",
		 program);
	config->origin[OPT_JOB] = ORIGIN_COMMAND_LINE;
	if (bug) {
		snprintf(config->bugs.name[0], sizeof(config->bugs.name[0]), "%s", bug);
		config->bugs.nr = 1;
		config->origin[OPT_BUG] = ORIGIN_COMMAND_LINE;
	}
	cr_assert_eq(host_facts_read(&host, &err), 0, "%s", err.line);
	cr_assert_eq(jobfile_load(config, &names, NULL, &err), 0, "%s", err.line);
	cr_assert_eq(config_resolve(config, &host, &err), 0, "%s", err.line);
}

static struct verdicts search(const char *program, const char *bug, const char *name)
{
	struct config config;
	struct verdicts v;

	configure(&config, program, bug);
	v = search_config(&config, name, SCHEDULES_MAX);
	config_destroy(&config);
	return v;
}

static void expect_silent(const struct program *p, const char *strategy)
{
	struct verdicts v = search(p->name, NULL, strategy);

	cr_expect_eq(v.end, MACHINE_FINISHED, "%s, %s: %s", p->name, strategy, v.invariant);
	cr_expect(v.exhausted, "%s, %s: %s", p->name, strategy, v.bound);
	cr_expect_str_eq(v.invariant, "-");
}

ParameterizedTestParameters(systematic, silent_and_exhausted)
{
	return cr_make_param_array(const struct program, (void *)programs, ARRAY_SIZE(programs));
}

ParameterizedTest(struct program *p, systematic, silent_and_exhausted)
{
	if (p->schedules > SCHEDULES_LONG)
		return;
	expect_silent(p, "dfs:2");
	expect_silent(p, p->dpor);
}

ParameterizedTestParameters(systematic, agree_on_planted_bugs)
{
	return cr_make_param_array(const struct shown, (void *)shown, ARRAY_SIZE(shown));
}

ParameterizedTest(struct shown *s, systematic, agree_on_planted_bugs)
{
	static const char *const names[] = {"dfs:2", "dpor", "dpor:no-tlb"};
	const struct bug_case *c = bug_case_find(s->slug);

	cr_assert_not_null(c, "%s", s->slug);
	if (SANITIZED && is_long(s))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		struct verdicts v = search(s->program, s->slug, names[i]);

		cr_expect_neq(v.end, MACHINE_FINISHED, "%s, %s: %s", s->slug, names[i], v.bound);
		cr_expect(bug_case_expects(c, v.invariant), "%s, %s: shows as %s", s->slug,
			  names[i], v.invariant);
	}
}

/* What @name sees of @program. */
static struct search_set classes_of(const char *program, const char *name)
{
	struct search_set classes;
	struct config config;
	struct verdicts v;

	configure(&config, program, NULL);
	v = search_config_classes(&config, name, SCHEDULES_MAX, &classes);
	cr_expect(v.exhausted, "%s, %s: %s", program, name, v.bound);
	config_destroy(&config);
	return classes;
}

/* The classes of dfs:@bound are among those of dpor:@bound. (Where a vCPU tried in vain to take a
 * lock makes classes only for dfs: those that dpor has are compared.) */
static void expect_classes(const char *program, u32 bound, const struct search_set *known)
{
	struct search_set of_dfs, of_dpor;
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "dfs:%u", bound);
	of_dfs = classes_of(program, name);
	search_keep(&of_dfs, known);
	snprintf(name, sizeof(name), "dpor:%u", bound);
	of_dpor = classes_of(program, name);
	cr_expect_gt(of_dfs.nr, bound);
	cr_expect_eq(search_missing(&of_dfs, &of_dpor), 0, "%s, bound %u: %llu of %llu missing",
		     program, bound, (unsigned long long)search_missing(&of_dfs, &of_dpor),
		     (unsigned long long)of_dfs.nr);
	free(of_dfs.values);
	free(of_dpor.values);
}

Test(systematic, rounds_have_the_classes_of_their_bounds)
{
	static const char *const small[] = {"zap-or-fault", "write-or-zap", "two-pages",
					    "getmm-read"};

	for (u32 i = 0; !SANITIZED && i < ARRAY_SIZE(small); i++) {
		struct search_set known = classes_of(small[i], "dpor:no-tlb");

		for (u32 bound = 0; bound <= 2; bound++)
			expect_classes(small[i], bound, &known);
		free(known.values);
	}
}

/* A search that is run again is the same search. */
Test(systematic, repeats_itself)
{
	struct verdicts one = search("zap-or-fault", "free-before-flush", "dpor");
	struct verdicts two = search("zap-or-fault", "free-before-flush", "dpor");

	cr_expect_eq(one.schedules, two.schedules);
	cr_expect_str_eq(one.bound, two.bound);
}
