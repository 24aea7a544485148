// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program of a group: a fixed list of operations with arguments, for exploring.
 *
 *     program = mmap A 4; write A 0 4; dontneed A 0 2; read A 0; exec; exit
 *
 * Operations are separated by ';' (one may stand at the end), arguments by blanks. An argument is
 * the name of a region, a number, or LO-HI. Each operation takes the arguments of its signature
 * (opnames.h). Whether a region exists is for program_check_regions() to say, once the whole job
 * is known. The program owns its operations (job_destroy() frees them).
 */
#ifndef STRESS_PROGRAM_H
#define STRESS_PROGRAM_H

#include "stress/error.h"
#include "stress/job.h"

#include <stdio.h>

/*
 * Reads @text, which begins on @line of @file. Returns 0, or -1 with @program empty and @err
 * filled. `repeat` is set to 1.
 */
int program_parse(struct job_program *program, const char *text, const char *file,
		  unsigned int line, struct error *err);

/*
 * Insists that every region which @group's program uses is made by an mmap in a program of the
 * same address space, or is one that the group has (anon, shared, file).
 */
int program_check_regions(const struct job *job, const struct job_group *group, struct error *err);

/*
 * Writes the part of --help that lists the operations, with the arguments that they take in a
 * program.
 */
void program_help(FILE *out);

/* Writes `program = ...`, an operation a line, newline included. */
void program_write(const struct job_program *program, FILE *out);

#endif
