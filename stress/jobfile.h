// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Job files: INI in the manner of fio. One [global] section may set any option of the machine
 * (options.h: `in_job`), every other section is a group of tasks (group.h).
 *
 *     ; a comment has a line of its own, with ; or # first
 *     [global]
 *     cpus = 8
 *     [workers]
 *     tasks = 4
 *     anon = 256
 *     ops = read:20, write:10,
 *         dontneed:5
 *
 * The lines are inih's, which drops in silence what it can't use: this reader therefore looks at
 * every line before inih does and refuses what would be lost. Refused are: lines longer than inih
 * takes, sections and keys that stand twice, text behind a section's ']', keys before the first
 * section, continuation lines of keys that are no lists, control characters, files larger than
 * JOBFILE_BYTES_MAX. Continued over indented lines may be: ops, program, cpu, bug. A byte order
 * mark (UTF-8) and CRLF are taken. A ';' inside a line never starts a comment.
 *
 * Every message begins with FILE:LINE, where FILE is what the caller calls the text.
 *
 * No state, no locks. Errors: see error.h; nothing of a refused job stays behind in the config's
 * `job`.
 */
#ifndef STRESS_JOBFILE_H
#define STRESS_JOBFILE_H

#include "stress/config.h"

#define JOBFILE_BYTES_MAX (1 << 20)

/* A job file's text and where it is from. */
struct jobfile_text {
	const char *text; /* need not end in a NUL */
	size_t length;
	const char *file;	 /* begins messages */
	unsigned int first_line; /* number of the text's first line, 1 for a file of its own */
	const char *name;	 /* the job's name */
	const char *directory;	 /* relative paths in it start here; NULL: the current directory */
};

/*
 * Reads a job from @text into @config: options of [global] that the command line has not set,
 * and the groups. Returns 0, or -1 with @err filled.
 */
int jobfile_parse(struct config *config, const struct known_names *names,
		  const struct jobfile_text *text, struct error *err);

/*
 * Reads the job that config->job_name names; relative paths start at @directory (NULL: the
 * current one), those in a job file at the file's folder.
 */
int jobfile_load(struct config *config, const struct known_names *names, const char *directory,
		 struct error *err);

/*
 * Writes config->job as a job file that jobfile_parse() reads back as the same job, with all
 * options in [global] that the verb uses and a job file may set. Returns malloc'ed text, or NULL
 * when out of memory.
 */
char *jobfile_write(const struct config *config);

#endif
