// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A group section of a job file: its keys, their values, and what must hold between them.
 *
 * group.c has the table of the keys with the words of --help. A section has either `ops` (a mix,
 * mix.h) or `program` (program.h). op-pages is less by default where the regions are smaller.
 *
 * No state, no locks. A group is filled by group_set() key by key, then completed by
 * group_complete(); it belongs to its job.
 */
#ifndef STRESS_GROUP_H
#define STRESS_GROUP_H

#include "stress/error.h"
#include "stress/job.h"

#include <stdio.h>

enum group_key {
	GROUP_TASKS,
	GROUP_SHARE,
	GROUP_ANON,
	GROUP_SHARED,
	GROUP_FILE,
	GROUP_FILE_PAGES,
	GROUP_MAP,
	GROUP_OPS,
	GROUP_OP_PAGES,
	GROUP_PROGRAM,
	GROUP_REPEAT,
	GROUP_CPU,
	GROUP_KTHREAD,
	GROUP_THINK,
	NR_GROUP_KEYS,
};

/* The names of the keys, in the order of enum group_key. */
extern const struct name_list group_key_names;

/* A group while its section is read. */
struct group_draft {
	struct job_group group;
	unsigned int key_line[NR_GROUP_KEYS]; /* 0: not given */
	enum { SHARE_NONE, SHARE_OWN, SHARE_JOIN } share;
	char join[JOB_NAME_SIZE]; /* the group whose mm is joined */
};

/* Whether @name can name a group or a file: letters, digits, '_', '-', '.', not too long. */
bool group_name_valid(const char *name);

/* An empty group with its defaults. */
void group_begin(struct group_draft *draft, const char *name, unsigned int line);

/* Sets a key that stands on @line of @file. Returns 0, or -1 with @err filled. */
int group_set(struct group_draft *draft, enum group_key key, const char *value, const char *file,
	      unsigned int line, struct error *err);

/*
 * Checks the keys against each other, when the section is complete. What depends on other groups
 * is group_check()'s.
 */
int group_complete(struct group_draft *draft, const char *file, struct error *err);

/*
 * Checks @group, which was made from @draft, against the whole @job: every operation has what it
 * needs, every region exists, op-pages fits. Fills in op-pages where it was not given. The mm
 * and the regions of a joining group must be known by now.
 */
int group_check(const struct group_draft *draft, const struct job *job, struct job_group *group,
		struct error *err);

/* The pages that an operation of @group's mix takes if nobody says so. */
struct page_range group_default_op_pages(const struct job_group *group);

/* Writes the part of --help that lists the keys. */
void group_help(FILE *out);

/* Writes the group as a section that reads back as the same group. */
void group_write(const struct job *job, const struct job_group *group, FILE *out);

#endif
