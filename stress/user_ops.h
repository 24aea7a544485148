// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the operations of a user task have in common, whether a mix has drawn them (user_ops.c) or a
 * program names them with their arguments (program_ops.c). For the files of the world only.
 *
 * All of it is called by the task itself. Regions that other threads use too must have been entered
 * (region_enter()).
 */
#ifndef STRESS_USER_OPS_H
#define STRESS_USER_OPS_H

#include "stress/world_private.h"

/* Pages that one operation covers at the most: the counts of a zap stand on the stack. */
#define OP_PAGES_MAX 256

/* Frames that one "age" looks at if it is not told. */
#define AGE_FRAMES 8

/* Pages in a turn of a scanner that is not told. */
#define SCAN_PAGES 16

/* Yields in one "sleep" of a mix: long enough for others to find the CPU idle or borrowed. */
#define SLEEP_YIELDS 8

/* The task, frame or way to fail that nobody has named. */
#define SOME (~0u)

/* Part of a region that an operation is about. */
struct span {
	struct region *r;
	u32 page, nr;
};

/* A number below @n: the strategy's choice under the explorer, otherwise of the task's own. */
u32 user_choose_below(struct user_task *u, u32 n);

/* Counts and records that operation @op begins; @sp may be without a region. */
void user_begin_op(struct user_task *u, enum job_op op, const struct span *sp);

/* What does not depend on where its arguments come from. @n: the operation's number of pages, or
 * count. @which: of the tasks, frames, or ways to fail; SOME draws. False if the task must exit. */
bool user_do_op(struct user_task *u, enum job_op op, struct span *sp, u32 n, u32 which);

/* A private region of the task's that is not mapped; NULL: all are. */
struct region *user_free_extra(struct user_task *u);

/* Maps fresh memory for @r, which nobody else uses. @unstable: others will, once it is there. 0 or
 * a negative errno. */
int user_map_fresh(struct user_task *u, struct region *r, const char *name, u32 pages, bool exact,
		   bool unstable);

/* user_exec.c: each is false if the task must exit. The stack has @stack_pages, or the usual number
 * if 0; @setid: the program is set-user-ID. @after: the exec fails when the old image is gone. */
bool user_op_exec(struct user_task *u, u32 stack_pages, bool setid);
bool user_op_exec_fail(struct user_task *u, bool after);
bool user_op_exit(struct user_task *u);

/* Unmaps the span and maps it afresh: empty memory, or the file's pages again. */
void user_op_remap(struct user_task *u, const struct span *sp);

/* Protects the span, looks that it holds, and takes the protection away again. */
void user_op_mprotect(const struct span *sp, u32 vm_flags);

#endif
