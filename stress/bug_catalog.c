// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bug_catalog.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/race_report.h"
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
#define CASE(slug_, job_, schedules_, ...)                                                         \
	{                                                                                          \
		.slug = (slug_), .job = (job_), .invariants = {__VA_ARGS__},                       \
		.schedules = (schedules_)                                                          \
	}

const struct bug_case bug_cases[] = {
	/* smp */
	CASE("ipi-ack-before-flush", "bugs/zap-under-use", 200, "tlb-exceeds-pagetable",
	     "stale-tlb-at-free"),
	CASE("ipi-wait-irqs-off", "bugs/zap-under-use", 100, "ipi-wait-irqs-off"),
	CASE("rwsem-lost-wakeup", "bugs/mmap-sem", 2000, "deadlock"),
	CASE("rcu-free-without-grace-period", "bugs/rmap-walk", 10000, "rcu-grace-period"),
	CASE("clone-escapes-kill", "bugs/group-exec", 1000, "exec-not-alone"),
	CASE("offline-leaves-task", "bugs/cpu-offline", 100, "offline-cpu-queue", "deadlock"),
	CASE("offline-no-grace-period", "bugs/cpu-offline-ipi", 300, "offline-cpu-queue",
	     "ipi-to-offline-cpu"),
	CASE("offline-not-quiescent", "bugs/cpu-offline", 100, "deadlock"),
	/* tlbshoot */
	CASE("flush-range-short", "bugs/zap-under-use", 100, "tlb-exceeds-pagetable",
	     "stale-tlb-at-free"),
	CASE("flush-skips-cpu", "bugs/zap-under-use", 100, "tlb-exceeds-pagetable",
	     "stale-tlb-at-free"),
	CASE("switch-mm-bit-late", "bugs/switch-in", 1000, "cpu-not-in-mask",
	     "tlb-exceeds-pagetable"),
	CASE("lazy-cpu-not-flushed", "bugs/switch", 200, "tlb-exceeds-pagetable",
	     "stale-tlb-at-free"),
	CASE("flush-compares-current-mm", "bugs/switch", 200, "tlb-exceeds-pagetable",
	     "stale-tlb-at-free"),
	CASE("flush-mask-early", "bugs/switch-in", 3000, "tlb-exceeds-pagetable",
	     "stale-tlb-at-free"),
	{.slug = "switch-mm-no-barrier",
	 .job = "bugs/switch-in",
	 .invariants = {"cpu-not-in-mask", "tlb-exceeds-pagetable", "stale-tlb-at-free"},
	 .schedules = 1000,
	 .memory_model = MEMORY_MODEL_TSO},
	CASE("offline-keeps-mask-bit", "bugs/cpu-offline", 100, "offline-cpu-in-mask",
	     "mm-freed-in-use"),
	CASE("offline-keeps-tlb", "bugs/cpu-offline", 100, "offline-cpu-tlb", "cpu-not-in-mask",
	     "stale-tlb-at-free"),
	/* mm */
	CASE("free-before-flush", "bugs/gather-full", 100, "stale-tlb-at-free"),
	CASE("batch-full-range-off-by-one", "bugs/gather-full", 100, "stale-tlb-at-free",
	     "tlb-exceeds-pagetable"),
	CASE("parallel-zap-skips-flush", "bugs/parallel-zap", 200, "stale-data"),
	CASE("zap-dirty-before-flush", "bugs/file-zap", 500, "clean-page-writable-in-tlb"),
	CASE("rmap-removed-before-flush", "bugs/rmap-removed", 10000, "clean-page-writable-in-tlb"),
	CASE("zap-drops-dirty", "bugs/dirty-bit", 100, "lost-write"),
	CASE("pte-clear-unlocked", "bugs/zap-under-use", 100, "pte-changed-without-lock"),
	CASE("mmap-sem-under-ptl", "bugs/zap-under-use", 100, "sleeping-in-atomic"),
	CASE("pte-clear-not-atomic", "bugs/dirty-bit", 20000, "lost-write"),
	CASE("table-freed-at-once", "bugs/teardown", 100, "stale-tlb-at-free",
	     "table-freed-under-walk"),
	CASE("rss-forgotten", "bugs/gather-full", 100, "bad-rss-counter", "rss"),
	CASE("mapcount-not-dropped", "bugs/zap-under-use", 100, "bad-page-state", "mapcount"),
	CASE("lazy-mm-not-pinned", "bugs/borrowed-mm", 100, "mm-use-after-free", "mm-freed-in-use"),
	CASE("get-task-mm-unlocked", "bugs/look-at-mm", 500, "mm-users-resurrected",
	     "mm-use-after-free"),
	CASE("lock-order-inversion", "bugs/truncate", 100, "lock-order"),
	CASE("cow-no-flush", "bugs/cow", 3000, "tlb-exceeds-pagetable", "stale-tlb-at-free",
	     "lost-write"),
	CASE("reuse-by-mapcount", "bugs/reuse", 10000, "foreign-data", "stale-data", "lost-write"),
	CASE("fork-no-flush", "bugs/fork", 200, "tlb-exceeds-pagetable"),
	CASE("mkclean-no-flush", "bugs/file-zap", 500, "clean-page-writable-in-tlb",
	     "tlb-exceeds-pagetable"),
	CASE("mprotect-no-flush", "bugs/mprotect", 100, "tlb-exceeds-pagetable"),
	CASE("exit-munlock-skipped", "bugs/teardown", 100, "locked-vm-left"),
	CASE("commit-not-returned", "bugs/teardown", 100, "leak"),
	CASE("notifier-end-missing", "bugs/teardown", 100, "mm-not-torn-down"),
	CASE("exec-drops-active-mm-twice", "bugs/borrowed-mm", 100, "mm-freed-in-use",
	     "mm-use-after-free"),
	CASE("exec-keeps-address-limit", "bugs/borrowed-mm", 100, "address-limit"),
	CASE("pagevec-no-reference", "bugs/mmap-sem", 100, "page-freed-in-pagevec", "refcount"),
	CASE("uncharge-lost", "bugs/teardown", 100, "memcg-charges"),
	CASE("rmap-unlinked-late", "bugs/rmap-walk", 1000, "rmap-after-tables"),
	CASE("page-zeroed-after-map", "bugs/zap-under-use", 5000, "lost-write", "stale-data"),
	CASE("fork-failure-keeps-file", "bugs/fork-fails", 300, "leak"),
	CASE("fork-failure-keeps-commit", "bugs/fork-fails", 100, "leak"),
	CASE("exec-failure-keeps-charge", "bugs/fork-fails", 100, "bad-rss-counter", "rss"),
	CASE("temporary-stack-shown-early", "bugs/temporary-stack", 100, "rmap-in-moving-vma"),
	CASE("ksm-exit-late", "bugs/scanners", 500, "scanner-in-dead-mm"),
	CASE("scanner-exit-no-wait", "bugs/scanners", 100, "scanner-in-dead-mm"),
	CASE("scanner-no-exit-test", "bugs/scanners", 100, "scanner-in-dead-mm"),
	CASE("mm-slot-not-pinned", "bugs/scanners", 100, "mm-use-after-free", "mm-freed-in-use"),
	{.slug = "ksm-mmap-sem-kept",
	 .job = "bugs/ksm-cursor",
	 .invariants = {"mm-freed-in-use", "data-race"},
	 .schedules = 10000,
	 .tsan_first = true},
	CASE("aio-exit-no-wait", "bugs/aio", 200, "aio-after-exit", "mm-use-after-free"),
	CASE("aio-page-not-pinned", "bugs/aio", 200, "aio-page-freed"),
	CASE("swapoff-takes-dead-mm", "bugs/swapoff", 100, "mm-users-resurrected"),
	CASE("mmlist-not-left", "bugs/swapoff", 100, "mm-not-torn-down"),
	CASE("binfmt-not-held", "bugs/rmmod", 100, "module-in-use"),
	CASE("binfmt-not-put", "bugs/rmmod", 100, "module-leak"),
	CASE("uprobe-state-kept", "bugs/uprobes", 100, "mm-not-torn-down"),
	CASE("uprobe-fork-unlocked", "bugs/uprobe-fork", 1000, "uprobe-missed", "uprobe-stray"),
	CASE("uprobe-munmap-forgets", "bugs/uprobes", 5000, "uprobe-stray"),
	{.slug = "exec-comm-unlocked",
	 .job = "bugs/rename",
	 .invariants = {"data-race"},
	 .schedules = 200,
	 .needs_tsan = true},
	CASE("de-thread-forgets-one", "bugs/group-exec", 1000, "exec-not-alone"),
	CASE("de-thread-state-late", "bugs/group-takeover", 1000, "deadlock"),
	CASE("exec-takes-live-leaders-pid", "bugs/group-takeover", 1000, "released-task-runs"),
	CASE("exec-ignores-group-exit", "bugs/group-race", 1000, "exec-in-dying-group"),
	CASE("exec-keeps-shared-handlers", "bugs/spawn", 100, "sighand-shared-after-exec"),
	CASE("leader-reaped-early", "bugs/group-wait", 1000, "leader-reaped-early"),
	CASE("offline-keeps-pagevec", "bugs/cpu-offline", 200, "offline-cpu-pages"),
	CASE("unuse-mm-not-lazy", "bugs/borrowed-mm", 100, "kernel-thread-not-lazy"),
	CASE("use-mm-not-pinned", "bugs/borrowed-mm", 100, "mm-freed-in-use", "mm-use-after-free",
	     "bad-rss-counter"),
	CASE("notifier-not-released", "bugs/device", 100, "notifier-not-released"),
	CASE("notifier-unlinked-before-release", "bugs/device-exit", 10000,
	     "secondary-tlb-writes-clean-page", "secondary-tlb-exceeds-pagetable"),
	CASE("notifier-unregister-no-wait", "bugs/device", 1200, "secondary-tlb-freed"),
	CASE("notifier-registered-in-mid-range", "bugs/device", 200, "notifier-range-unpaired"),
	CASE("notifier-seq-ignored", "bugs/device", 100, "secondary-tlb-at-free",
	     "secondary-tlb-exceeds-pagetable", "lost-write"),
	CASE("cow-not-notified", "bugs/device", 100, "secondary-tlb-at-free",
	     "secondary-tlb-exceeds-pagetable", "lost-write"),
	CASE("mkclean-not-notified", "bugs/device-file", 400, "secondary-tlb-writes-clean-page",
	     "secondary-tlb-exceeds-pagetable"),
	CASE("gup-no-reference", "bugs/debugger", 400, "pinned-page-freed", "bad-page-state",
	     "get-page-on-free"),
	CASE("gup-forgets-write", "bugs/breakpoint", 100, "private-write-reaches-file"),
	CASE("remote-write-not-dirty", "bugs/debugger", 400, "lost-write"),
	CASE("vfork-done-unlocked", "bugs/vfork-kill", 5000, "vfork-parent-gone"),
	CASE("wait-wakes-forker-only", "bugs/group-children", 1000, "deadlock"),
	CASE("exec-without-cred-guard", "bugs/setid-access", 1000, "mm-access-beyond-rights"),
	CASE("exec-ignores-core-dump", "bugs/core-exec", 100, "deadlock"),
	CASE("exit-misses-core-dump", "bugs/core-dump", 500, "deadlock"),
	CASE("exit-leaves-core-dump", "bugs/core-dump", 100, "core-dump-alone"),
	CASE("core-dump-own-group-only", "bugs/core-dump", 100, "core-dump-alone"),
	CASE("core-dump-counted-late", "bugs/core-dump", 10000, "deadlock"),
	CASE("owner-not-rechecked", "bugs/owner-exits", 300, "mm-owner"),
	CASE("exe-file-not-held", "bugs/exe-exec", 5000, "file-used-after-close"),
	CASE("exe-file-unlocked", "bugs/exe-set", 200, "file-used-after-close"),
	CASE("clear-tid-wakes-first", "bugs/group-join", 1000, "deadlock"),
	CASE("exec-forgets-rss-counts", "bugs/teardown", 100, "bad-rss-counter"),
	CASE("nr-ptes-not-lowered", "bugs/teardown", 100, "nr-ptes-left"),
	CASE("table-bounds-ignored", "bugs/neighbour", 100, "lost-write"),
	CASE("exit-mm-unlocked", "bugs/look-at-exit", 1000, "mm-users-resurrected",
	     "mm-use-after-free"),
	CASE("borrowed-mm-not-dropped", "bugs/borrowed-mm", 100, "mm-count", "leak"),
	CASE("exe-file-not-put", "bugs/teardown", 100, "mm-not-torn-down"),
	CASE("fullmm-no-flush", "bugs/borrowed-mm", 100, "stale-tlb-at-free"),
	CASE("exec-failure-survives", "bugs/exec-fails", 100, "image-half-loaded"),
	CASE("comm-not-terminated", "bugs/look-at-mm", 100, "comm-not-terminated"),
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

bool bug_case_runs_here(const struct bug_case *c)
{
	return RACE_REPORTS || !c->needs_tsan;
}

bool bug_case_expects(const struct bug_case *c, const char *invariant)
{
	for (u32 i = 0; i < BUG_INVARIANTS_MAX && c->invariants[i]; i++) {
		if (!strcmp(c->invariants[i], invariant))
			return true;
	}
	return false;
}

static void plant(const struct bug_case *c, struct config *config)
{
	snprintf(config->bugs.name[0], sizeof(config->bugs.name[0]), "%s", c->slug);
	config->bugs.nr = 1;
	config->origin[OPT_BUG] = ORIGIN_COMMAND_LINE;
}

/* Reads the job, unless there is to be none, and fills in the rest. */
static int configure(const struct bug_case *c, u64 seed, struct config *config, struct error *err)
{
	struct known_names names;
	struct host_facts host;

	verbs_known_names(&names);
	if (config->programs == PROGRAMS_JOB) {
		snprintf(config->job_name, sizeof(config->job_name), "%s", c->job);
		config->origin[OPT_JOB] = ORIGIN_COMMAND_LINE;
	}
	config->seed = seed;
	config->origin[OPT_SEED] = ORIGIN_COMMAND_LINE;
	config->memory_model = c->memory_model;
	if (c->memory_model != MEMORY_MODEL_SC)
		config->origin[OPT_MEMORY_MODEL] = ORIGIN_COMMAND_LINE;
	config->origin[OPT_ITERATIONS] = ORIGIN_COMMAND_LINE;
	if (host_facts_read(&host, err) || jobfile_load(config, &names, NULL, err))
		return -1;
	return config_resolve(config, &host, err);
}

int bug_case_configure(const struct bug_case *c, bool planted, struct config *config,
		       struct error *err)
{
	config_init(config, VERB_EXPLORE);
	config->iterations = c->schedules;
	if (planted)
		plant(c, config);
	return configure(c, BUG_CATALOG_SEED, config, err);
}

int bug_case_configure_as(const struct bug_case *c, const char *strategy, enum programs programs,
			  u64 seed, struct config *config, struct error *err)
{
	config_init(config, VERB_EXPLORE);
	plant(c, config);
	snprintf(config->strategy, sizeof(config->strategy), "%s", strategy);
	config->origin[OPT_STRATEGY] = ORIGIN_COMMAND_LINE;
	config->programs = programs;
	config->origin[OPT_PROGRAMS] = ORIGIN_COMMAND_LINE;
	return configure(c, seed, config, err);
}

bool bug_asked_for(const struct config *config, const char *slug)
{
	for (unsigned int i = 0; i < config->bugs.nr; i++) {
		if (!strcmp(config->bugs.name[i], slug))
			return true;
	}
	return !config->bugs.nr;
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
