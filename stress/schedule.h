// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Schedule files: what is needed to make one explored run again, exactly.
 *
 *     mmtorture-schedule 1
 *     version: 0.1.0
 *     bugs: free-before-flush
 *     seed: 4711
 *     steps: 2343
 *     history: 0123456789abcdef
 *     invariant: stale-tlb-use
 *     where: cpu_access
 *     job: 17
 *     [global]
 *     ... 17 lines: the job file with all options, as jobfile_write() makes it
 *     checksum: 0123456789abcdef
 *
 * The seed decides everything, so it stands for the decisions. The checksum (FNV-1a, 64 bit) is
 * over all bytes before its line: a file that was cut short or altered is refused, and so is one of
 * another version of the program, in which the same seed means another run.
 *
 * No state, no locks. Errors: see error.h.
 */
#ifndef STRESS_SCHEDULE_H
#define STRESS_SCHEDULE_H

#include "engine/machine.h"
#include "stress/config.h"

#define SCHEDULE_FORMAT 1
#define SCHEDULE_WORD_SIZE 64

struct schedule {
	uint64_t seed;
	uint64_t steps;
	uint64_t history;
	char invariant[SCHEDULE_WORD_SIZE]; /* "-": none was broken */
	char where[SCHEDULE_WORD_SIZE];
};

/* Writes the run of @m under @config, which began from @seed, to @path. 0, or -1 with @err filled.
 */
int schedule_write(const char *path, const struct config *config, const struct machine *m,
		   uint64_t seed, struct error *err);

/*
 * Reads @path: fills @schedule, and @config (which must be fresh from config_init(VERB_EXPLORE))
 * with the configuration of that run, resolved. 0, or -1 with @err filled.
 */
int schedule_read(const char *path, struct schedule *schedule, struct config *config,
		  const struct known_names *names, const struct host_facts *host,
		  struct error *err);

#endif
