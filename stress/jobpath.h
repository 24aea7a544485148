// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where jobs are: `--job` takes the name of a shipped job or the path of a job file.
 *
 * What contains a slash or ends in .ini is a path, relative to where the person typed the command;
 * only bugs/NAME without .ini is a shipped job from the folder bugs/. Anything else is the name of
 * a shipped job. `default` is built into the program. The others are looked for in stress/jobs of
 * Bazel's runfiles tree ($RUNFILES_DIR, $TEST_SRCDIR, PROGRAM.runfiles) and in jobs/ and
 * stress/jobs/ beside the program; the first of these folders that exists counts.
 *
 * Reads the environment, /proc/self/exe and folders; keeps nothing. Errors: see error.h.
 */
#ifndef STRESS_JOBPATH_H
#define STRESS_JOBPATH_H

#include "stress/config.h"

#include <stdio.h>

struct job_location {
	bool built_in; /* default_job_text; path is only what messages call it */
	char path[CONFIG_PATH_SIZE];
	char name[JOB_NAME_SIZE]; /* for reports: without folder and .ini, cut to fit */
};

/* Finds @given, whose relative paths start at @directory (NULL: the current one). */
int jobpath_locate(const char *given, const char *directory, struct job_location *location,
		   struct error *err);

/* Writes the names of the shipped jobs to @out for --help, an indented line each, sorted. */
void jobpath_list(FILE *out);

#endif
