// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bug_catalog.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/strategy.h"
#include "stress/jobfile.h"
#include "stress/schedule.h"
#include "stress/verbs.h"
#include "stress/world.h"

/*
 * Budgets: ten times what the median of 20 seeds needed, or more, and never under 100. The
 * invariants are what the oracle is to say; a bug that shows otherwise is found by accident and
 * counts as missed.
 */
const struct bug_case bug_cases[] = {
	/* smp */
	{"ipi-ack-before-flush",
	 "bugs/zap-under-use",
	 {"tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 200},
	{"ipi-wait-irqs-off", "bugs/zap-under-use", {"ipi-wait-irqs-off"}, 100},
	{"rwsem-lost-wakeup", "bugs/mmap-sem", {"deadlock"}, 2000},
	{"rcu-free-without-grace-period", "bugs/rmap-walk", {"rcu-grace-period"}, 10000},
	/* tlbshoot */
	{"flush-range-short",
	 "bugs/zap-under-use",
	 {"tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 100},
	{"flush-skips-cpu",
	 "bugs/zap-under-use",
	 {"tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 100},
	{"switch-mm-bit-late",
	 "bugs/switch-in",
	 {"cpu-not-in-mask", "tlb-exceeds-pagetable"},
	 1000},
	{"lazy-cpu-not-flushed",
	 "bugs/switch",
	 {"tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 200},
	{"flush-compares-current-mm",
	 "bugs/switch",
	 {"tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 200},
	{"flush-mask-early",
	 "bugs/switch-in",
	 {"tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 3000},
	/* mm */
	{"free-before-flush", "bugs/gather-full", {"stale-tlb-at-free"}, 100},
	{"batch-full-range-off-by-one", "bugs/gather-full", {"stale-tlb-at-free"}, 100},
	{"parallel-zap-skips-flush", "bugs/parallel-zap", {"stale-data"}, 200},
	{"zap-dirty-before-flush", "bugs/file-zap", {"clean-page-writable-in-tlb"}, 500},
	{"rmap-removed-before-flush", "bugs/rmap-removed", {"clean-page-writable-in-tlb"}, 10000},
	{"zap-drops-dirty", "bugs/dirty-bit", {"lost-write"}, 100},
	{"pte-clear-unlocked", "bugs/zap-under-use", {"pte-changed-without-lock"}, 100},
	{"mmap-sem-under-ptl", "bugs/zap-under-use", {"sleeping-in-atomic"}, 100},
	{"pte-clear-not-atomic", "bugs/dirty-bit", {"lost-write"}, 20000},
	{"table-freed-at-once",
	 "bugs/teardown",
	 {"stale-tlb-at-free", "table-freed-under-walk"},
	 100},
	{"rss-forgotten", "bugs/gather-full", {"bad-rss-counter", "rss"}, 100},
	{"mapcount-not-dropped", "bugs/zap-under-use", {"bad-page-state", "mapcount"}, 100},
	{"lazy-mm-not-pinned", "bugs/borrowed-mm", {"mm-use-after-free", "mm-freed-in-use"}, 100},
	{"get-task-mm-unlocked",
	 "bugs/look-at-mm",
	 {"mm-users-resurrected", "mm-use-after-free"},
	 500},
	{"lock-order-inversion", "bugs/truncate", {"lock-order"}, 100},
	{"cow-no-flush", "bugs/cow", {"tlb-exceeds-pagetable", "stale-tlb-at-free"}, 1000},
	{"fork-no-flush", "bugs/fork", {"tlb-exceeds-pagetable"}, 200},
	{"mkclean-no-flush",
	 "bugs/file-zap",
	 {"clean-page-writable-in-tlb", "tlb-exceeds-pagetable"},
	 500},
	{"mprotect-no-flush", "bugs/mprotect", {"tlb-exceeds-pagetable"}, 100},
	{"exit-munlock-skipped", "bugs/teardown", {"locked-vm-left"}, 100},
	{"commit-not-returned", "bugs/teardown", {"leak"}, 100},
	{"notifier-end-missing", "bugs/teardown", {"mm-not-torn-down"}, 100},
	{"exec-drops-active-mm-twice",
	 "bugs/borrowed-mm",
	 {"mm-freed-in-use", "mm-use-after-free"},
	 100},
	{"exec-keeps-address-limit", "bugs/borrowed-mm", {"address-limit"}, 100},
	{"pagevec-no-reference", "bugs/mmap-sem", {"page-freed-in-pagevec"}, 100},
	{"uncharge-lost", "bugs/teardown", {"memcg-charges"}, 100},
	{"rmap-unlinked-late", "bugs/rmap-walk", {"rmap-after-tables"}, 1000},
	{"page-zeroed-after-map", "bugs/zap-under-use", {"lost-write", "stale-data"}, 5000},
};
const size_t nr_bug_cases = ARRAY_SIZE(bug_cases);

const struct bug_case *bug_case_find(const char *slug)
{
	for (size_t i = 0; i < nr_bug_cases; i++) {
		if (!strcmp(bug_cases[i].slug, slug))
			return &bug_cases[i];
	}
	return NULL;
}

bool bug_case_expects(const struct bug_case *c, const char *invariant)
{
	for (u32 i = 0; i < BUG_INVARIANTS_MAX && c->invariants[i]; i++) {
		if (!strcmp(c->invariants[i], invariant))
			return true;
	}
	return false;
}

int bug_case_configure(const struct bug_case *c, bool planted, struct config *config,
		       struct error *err)
{
	struct known_names names;
	struct host_facts host;

	config_init(config, VERB_EXPLORE);
	verbs_known_names(&names);
	snprintf(config->job_name, sizeof(config->job_name), "%s", c->job);
	config->origin[OPT_JOB] = ORIGIN_COMMAND_LINE;
	config->seed = BUG_CATALOG_SEED;
	config->origin[OPT_SEED] = ORIGIN_COMMAND_LINE;
	config->iterations = c->schedules;
	config->origin[OPT_ITERATIONS] = ORIGIN_COMMAND_LINE;
	if (planted) {
		snprintf(config->bugs.name[0], sizeof(config->bugs.name[0]), "%s", c->slug);
		config->bugs.nr = 1;
		config->origin[OPT_BUG] = ORIGIN_COMMAND_LINE;
	}
	if (host_facts_read(&host, err) || jobfile_load(config, &names, NULL, err))
		return -1;
	return config_resolve(config, &host, err);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void run_schedules(struct world *w, struct strategy *s, const struct config *config,
			  u64 schedules, struct bug_finding *f)
{
	const struct machine *m = world_machine(w);
	double started = now_s();

	while (f->end == MACHINE_FINISHED && f->schedules < schedules) {
		f->seed = config->seed + f->schedules++;
		f->end = world_run(w, EXECUTOR_EXPLORE, f->seed, s);
	}
	f->seconds = now_s() - started;
	f->steps = m->explored.steps;
	f->history = m->explored.history;
	snprintf(f->invariant, sizeof(f->invariant), "%s",
		 m->violations.ready ? m->violations.first.invariant->slug : "-");
}

static int keep_schedule(struct world *w, const char *path, const struct config *config, u64 seed,
			 struct error *err)
{
	struct schedule s = {0};
	int ret = schedule_of_world(&s, w, seed, err);

	if (!ret)
		ret = schedule_fill_checks(w, &s, err);
	if (!ret)
		ret = schedule_write(path, config, &s, err);
	schedule_destroy(&s);
	return ret;
}

int bug_explore(const struct config *config, u64 schedules, const char *keep,
		struct bug_finding *finding, struct error *err)
{
	/* The jobs are programs, which end by themselves. */
	struct world_options options = {.config = config};
	struct strategy *s = strategy_create(config->strategy);
	struct world *w;
	int ret = 0;

	if (!s)
		return error_no_memory(err);
	w = world_create(&options, err);
	if (!w) {
		strategy_destroy(s);
		return -1;
	}
	*finding = (struct bug_finding){.end = MACHINE_FINISHED};
	run_schedules(w, s, config, schedules, finding);
	if (finding->end == MACHINE_STOPPED)
		ret = error_set(err, VERDICT_UNTRUSTWORTHY,
				"%s: the machine has no room for the job", config->job_name);
	else if (keep && finding->end != MACHINE_FINISHED)
		ret = keep_schedule(w, keep, config, finding->seed, err);
	world_destroy(w);
	strategy_destroy(s);
	return ret;
}
