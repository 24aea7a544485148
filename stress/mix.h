// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mix of operations of a group: `ops = read:20, write:10, exec:1`. Each operation stands once,
 * with a weight from 1 to JOB_WEIGHT_MAX. The mix owns its entries (job_destroy() frees them).
 */
#ifndef STRESS_MIX_H
#define STRESS_MIX_H

#include "stress/error.h"
#include "stress/job.h"

#include <stdio.h>

/* Reads @text, which begins on @line of @file. Returns 0, or -1 with @mix empty and @err filled. */
int mix_parse(struct job_mix *mix, const char *text, const char *file, unsigned int line,
	      struct error *err);

/* Writes `ops = ...` with lines that the job file reader takes, newline included. */
void mix_write(const struct job_mix *mix, FILE *out);

#endif
