// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What soak, explore and replay have in common: the clock of a run, Ctrl-C, progress, the report,
 * the JSON document and the verdict.
 *
 * A run belongs to the thread that began it. SIGINT and SIGTERM are blocked from run_begin() to
 * run_end() and read from a descriptor, so that there is no handler and no state outside of the
 * struct.
 */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include <signal.h>

#include "engine/machine.h"
#include "stress/config.h"
#include "stress/progress.h"
#include "stress/record.h"
#include "stress/record_lines.h"
#include "stress/world.h"

#define RUN_COUNTERS_MAX 256

struct run {
	const struct config *config;
	struct progress progress;
	struct record *record;
	struct record_lines lines;
	struct error lost; /* the first result that could not be written */
	double started_s, next_stat_s;
	int signal_fd; /* -1: none */
	sigset_t old_signals;
	bool interrupted;
};

/* Prints the first line. 0, or -1 with @err filled. */
int run_begin(struct run *run, const struct config *config, struct error *err);

double run_elapsed(const struct run *run);

/* Has Ctrl-C (or SIGTERM) been pressed? */
bool run_interrupted(struct run *run);

/* Is a progress line due? Then it is shown, with the rates of the operations. */
void run_progress(struct run *run, const struct world *w, uint64_t violations);

/* The same in two steps, for who counts otherwise: fills in the times and limits of @sample, shows
 * it, and adds all @counters to the intervals. */
bool run_progress_due(const struct run *run);
void run_progress_show(struct run *run, struct progress_sample *sample,
		       const struct counter *counters, size_t nr);

/* The counters that there are, all at 0; returns how many. */
size_t run_counter_names(struct counter *counters, size_t max);

/* All counters of the world's machine, and its operations as op_NAME; returns how many. */
size_t run_counters(const struct world *w, struct counter *counters, size_t max);

/* Copies the counters into the document, and prints those that are not zero. */
void run_report_counters(struct run *run, const struct counter *counters, size_t nr);

/* Adds the violation of the world's machine to the document, without a word. */
void run_record_violation(struct run *run, const struct world *w, const char *schedule);

/* Prints the violation of the world's machine, with the last events of its vCPUs, and adds it to
 * the document. */
void run_report_violation(struct run *run, const struct world *w, const char *schedule);

/* What the machine's end means, bugs planted or not. */
enum verdict run_verdict(const struct run *run, enum machine_end end);

/* Writes the document, prints the last line, frees. Returns the exit status. */
int run_end(struct run *run, enum verdict verdict);

#endif
