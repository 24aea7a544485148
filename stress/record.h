// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The results of a run for programs to read: one JSON document (RFC 8259) at the end. The
 * intervals of the run are in record_lines.h.
 *
 * The document. All verbs write the same keys: `version`, `verb`, `command`, `seed` (a string of
 * decimal digits, since many readers keep numbers in doubles), `config`, `busted`, `elapsed_s`,
 * `verdict`, `status`, `counters`, `violations`, `explore` (null where nothing was explored),
 * `bench` (empty where nothing was measured). `config` has every option that applies to the verb
 * under its name: counts are numbers, flags booleans, durations text like "10s", what is absent
 * null; and `job_text`, the whole job as a job file that can be run again. More keys may stand
 * beside them, see record_root().
 *
 * The file appears whole or not at all, see whole_file.h.
 *
 * Threads: a record belongs to one thread. It copies all that it is given. Errors: see error.h;
 * status 7, for a run whose results are lost can't be trusted to have been seen. Failures to
 * allocate are remembered and reported by record_write().
 */
#ifndef STRESS_RECORD_H
#define STRESS_RECORD_H

#include "stress/config.h"
#include "stress/counter.h"
#include "stress/verdict.h"

#include <jansson.h>
#include <stdint.h>

struct record;

struct record_violation {
	const char *invariant;
	const char *message;
	const char *where; /* function */
	const unsigned int *cpus;
	size_t nr_cpus;
	const char *schedule; /* path of the schedule file; NULL: none */
};

struct record_explore {
	uint64_t schedules;
	uint64_t distinct;
	uint64_t decision_points;
	uint64_t preemptions;
	double seconds;
	const char *strategy;
	const char *memory_model;
	const char *bound; /* what was searched, in words; NULL: no bound */
};

/* NaN or infinite figures become null. */
struct record_bench {
	const char *name;
	const char *unit;
	double emulated;
	double host;
	double ratio; /* how many times better the emulated side is */
	double min;   /* of the ratio */
	double max;
	unsigned int repetitions;
};

/* A document for the run of @config, which must be resolved. NULL when out of memory. */
struct record *record_new(const struct config *config);
void record_free(struct record *record);

/* Sets a counter, again and again if need be. Values above 2^63 - 1 can't be written in JSON. */
void record_counter(struct record *record, const char *name, uint64_t value);

/* Adds a violation; those planted are added from the configuration. */
void record_violation(struct record *record, const struct record_violation *violation);

void record_explore(struct record *record, const struct record_explore *explore);

/* Adds a measure. */
void record_bench(struct record *record, const struct record_bench *bench);

void record_verdict(struct record *record, enum verdict verdict, double elapsed_s);

/* The document itself, for keys beside those above. It stays the record's. */
json_t *record_root(struct record *record);

/* Writes the document to @path. Returns 0, or -1 with @err filled. */
int record_write(const struct record *record, const char *path, struct error *err);

#endif
