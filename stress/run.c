// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "smp/vmstat.h"
#include "stress/banner.h"
#include "stress/options.h"

/* Events of all vCPUs that a report shows. */
#define REPORT_EVENTS 60

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void signals_block(struct run *run)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	run->signal_fd = -1;
	/* Blocked before any vCPU thread exists: they inherit it. */
	if (!pthread_sigmask(SIG_BLOCK, &set, &run->old_signals))
		run->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Whether there is something to write while it runs; a replay is over at once. */
static bool has_intervals(const struct config *config)
{
	return config->json[0] && option_applies(OPT_STAT_INTERVAL, config->verb) &&
	       !config->file[0];
}

int run_begin(struct run *run, const struct config *config, struct error *err)
{
	memset(run, 0, sizeof(*run));
	run->config = config;
	run->lines.fd = -1;
	run->record = record_new(config);
	if (!run->record)
		return error_no_memory(err);
	if (has_intervals(config) && record_lines_open(&run->lines, config->json, err)) {
		record_free(run->record);
		return -1;
	}
	signals_block(run);
	progress_init(&run->progress, stderr, config_run_name(config));
	banner_start(stdout, config);
	run->started_s = now_s();
	run->next_stat_s = (double)config->stat_interval_ns * 1e-9;
	return 0;
}

double run_elapsed(const struct run *run)
{
	return now_s() - run->started_s;
}

bool run_interrupted(struct run *run)
{
	struct signalfd_siginfo info;

	if (run->signal_fd >= 0 && read(run->signal_fd, &info, sizeof(info)) == sizeof(info))
		run->interrupted = true;
	return run->interrupted;
}

static void lost(struct run *run, const struct error *err)
{
	if (run->lost.status)
		return;
	run->lost = *err;
	progress_wipe(&run->progress);
	fprintf(stderr, "mmtorture: %s\n", err->line);
}

/* The names stay where the tables are: counters point to them. */
static const char *const op_counter_names[] = {
	"op_read",	"op_write",	  "op_madvise_dontneed",
	"op_mmap",	"op_munmap",	  "op_mprotect",
	"op_brk",	"op_mlock",	  "op_munlock",
	"op_fork",	"op_exec",	  "op_exec_fail",
	"op_exit",	"op_msync",	  "op_truncate",
	"op_dropcache", "op_yield",	  "op_sleep",
	"op_getmm",	"op_kthread",	  "op_age",
	"op_threads",	"op_hotplug",	  "op_device",
	"op_peek",	"op_poke",	  "op_access",
	"op_coredump",	"op_readexe",	  "op_setexe",
	"op_mergeable", "op_unmergeable", "op_hugepage",
	"op_ksmd",	"op_khugepaged",  "op_aio",
	"op_swapuse",	"op_swapoff",	  "op_rmmod",
	"op_probe",	"op_unprobe",	  "op_execute",
	"op_library",
};
_Static_assert(ARRAY_SIZE(op_counter_names) == NR_JOB_OPS, "every operation has a counter's name");
_Static_assert(NR_JOB_OPS + NR_VMSTAT_ITEMS <= RUN_COUNTERS_MAX, "a report has every counter");

size_t run_counter_names(struct counter *counters, size_t max)
{
	size_t nr = 0;

	for (int op = 0; op < NR_JOB_OPS && nr < max; op++)
		counters[nr++] = (struct counter){op_counter_names[op], 0};
	for (int i = 0; i < NR_VMSTAT_ITEMS && nr < max; i++)
		counters[nr++] = (struct counter){vmstat_names[i], 0};
	return nr;
}

size_t run_counters(const struct world *w, struct counter *counters, size_t max)
{
	const struct machine *m = world_machine((struct world *)w);
	size_t nr = run_counter_names(counters, max);

	for (size_t i = 0; i < nr; i++)
		counters[i].value = i < NR_JOB_OPS
					    ? world_op_count(w, (enum job_op)i)
					    : vmstat_sum(m, (enum vmstat_item)(i - NR_JOB_OPS));
	return nr;
}

/* Of the many counters, those that say at a glance whether the run is doing its job. */
static size_t progress_counters(const struct world *w, struct counter *counters)
{
	const struct machine *m = world_machine((struct world *)w);
	size_t nr = 0;

	counters[nr++] = (struct counter){"exec", world_op_count(w, JOB_OP_EXEC)};
	counters[nr++] = (struct counter){"dontneed", world_op_count(w, JOB_OP_DONTNEED)};
	counters[nr++] = (struct counter){"fork", world_op_count(w, JOB_OP_FORK)};
	counters[nr++] = (struct counter){"fault", vmstat_sum(m, VMSTAT_pgfault)};
	counters[nr++] = (struct counter){"zap", vmstat_sum(m, VMSTAT_pgzap)};
	counters[nr++] = (struct counter){"mmput", vmstat_sum(m, VMSTAT_mmput_last)};
	counters[nr++] = (struct counter){"ipi", vmstat_sum(m, VMSTAT_nr_ipi_sent)};
	return nr;
}

bool run_progress_due(const struct run *run)
{
	return run_elapsed(run) >= run->next_stat_s;
}

void run_progress_show(struct run *run, struct progress_sample *sample,
		       const struct counter *counters, size_t nr)
{
	struct error err = {0};

	sample->elapsed_s = run_elapsed(run);
	sample->limit_s = (double)run->config->duration_ns * 1e-9;
	sample->iterations_limit = run->config->iterations;
	run->next_stat_s = sample->elapsed_s + (double)run->config->stat_interval_ns * 1e-9;
	progress_show(&run->progress, sample);
	if (run->lines.fd < 0)
		return;
	if (record_lines_add(&run->lines, sample->elapsed_s, sample->violations, counters, nr,
			     &err))
		lost(run, &err);
}

void run_progress(struct run *run, const struct world *w, uint64_t violations)
{
	struct counter shown[PROGRESS_COUNTERS_MAX], counters[RUN_COUNTERS_MAX];
	struct progress_sample sample = {.violations = violations, .counters = shown};

	if (!run_progress_due(run))
		return;
	sample.nr_counters = progress_counters(w, shown);
	run_progress_show(run, &sample, counters, run_counters(w, counters, RUN_COUNTERS_MAX));
}

void run_report_counters(struct run *run, const struct counter *counters, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		record_counter(run->record, counters[i].name, counters[i].value);
		if (counters[i].value)
			printf("%-32s %20llu\n", counters[i].name,
			       (unsigned long long)counters[i].value);
	}
}

void run_record_violation(struct run *run, const struct world *w, const char *schedule)
{
	const struct machine *m = world_machine((struct world *)w);
	const struct violation *v = &m->violations.first;
	unsigned int cpus[2] = {v->cpu, v->other_cpu};

	if (!m->violations.ready)
		return;
	record_violation(run->record, &(struct record_violation){
					      .invariant = v->invariant->slug,
					      .message = v->message,
					      .where = v->where,
					      .cpus = cpus,
					      .nr_cpus = cpus[0] == cpus[1] ? 1 : 2,
					      .schedule = schedule,
				      });
}

void run_report_violation(struct run *run, const struct world *w, const char *schedule)
{
	const struct machine *m = world_machine((struct world *)w);

	if (!m->violations.ready)
		return;
	progress_wipe(&run->progress);
	violation_print(stdout, m, REPORT_EVENTS);
	run_record_violation(run, w, schedule);
}

enum verdict run_verdict(const struct run *run, enum machine_end end)
{
	bool busted = config_is_busted(run->config);

	switch (end) {
	case MACHINE_FINISHED:
		return busted ? VERDICT_PLANTED_MISSED : VERDICT_CLEAN;
	case MACHINE_VIOLATION:
		return busted ? VERDICT_PLANTED_FOUND : VERDICT_VIOLATION;
	case MACHINE_DEADLOCK:
	case MACHINE_NO_PROGRESS:
		return busted ? VERDICT_PLANTED_FOUND : VERDICT_NO_PROGRESS;
	case MACHINE_STOPPED:
		break;
	}
	return VERDICT_UNTRUSTWORTHY;
}

int run_end(struct run *run, enum verdict verdict)
{
	double elapsed = run_elapsed(run);
	struct error err = {0};

	progress_wipe(&run->progress);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
	pthread_sigmask(SIG_SETMASK, &run->old_signals, NULL);
	if (run->lines.fd >= 0 && record_lines_close(&run->lines, &err))
		lost(run, &err);
	if (run->lost.status)
		verdict = (enum verdict)run->lost.status;
	record_verdict(run->record, verdict, elapsed);
	if (run->config->json[0] && record_write(run->record, run->config->json, &err)) {
		lost(run, &err);
		verdict = (enum verdict)run->lost.status;
		/* The intervals belong to the document: half of the results is left by nobody. */
		if (run->lines.path[0])
			unlink(run->lines.path);
	}
	record_free(run->record);
	banner_end(stdout, run->config, verdict, elapsed);
	return verdict;
}
