// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The job that runs when none is named, built into the program: the text of jobs/default.ini, so
 * that a binary that was copied away from its jobs still has one. Constant data.
 */
#ifndef STRESS_DEFAULT_JOB_H
#define STRESS_DEFAULT_JOB_H

/* NUL-terminated. */
extern const char default_job_text[];

#endif
