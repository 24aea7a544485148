// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How drawn operations are put together; shared by the two files that draw programs. Nobody else
 * includes this. The program's array has room: whoever draws has seen to that.
 */
#ifndef STRESS_PROGRAM_DRAW_PRIVATE_H
#define STRESS_PROGRAM_DRAW_PRIVATE_H

#include <string.h>

#include "stress/job.h"

/* A further operation, without arguments yet. */
static inline struct program_op *draw_append(struct job_program *p, uint32_t op)
{
	struct program_op *new = &p->ops[p->nr++];

	new->op = (uint16_t)op;
	new->nr_args = 0;
	return new;
}

/* The next argument: a number. */
static inline void draw_number(struct program_op *op, uint64_t n)
{
	op->args[op->nr_args++] = (struct op_arg){.kind = OP_ARG_NUMBER, .lo = n, .hi = n};
}

/* The next argument: a region. */
static inline void draw_region(struct program_op *op, const char *name)
{
	struct op_arg *arg = &op->args[op->nr_args++];

	*arg = (struct op_arg){.kind = OP_ARG_REGION};
	memcpy(arg->region, name, strlen(name) + 1);
}

#endif
