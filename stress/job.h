// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A job, as a job file describes it: groups of tasks with their memory and what they do.
 *
 * Structure. A job owns its groups; a group owns its mix or its program (one of the two is
 * there, the other one empty). Everything is plain data that can be read by many threads once
 * the job is complete; nothing points into the text that it was read from. Names are
 * NUL-terminated and made of letters, digits, '_', '-' and '.'.
 *
 * Address spaces. `mm_group` says which address space the tasks of a group live in:
 * MM_OF_TASK: each task is a process of its own (share = none). Otherwise all tasks of the group
 * are threads of one mm, and mm_group is the index of the group that the mm belongs to: the
 * group's own index (share = mm), or that of an earlier or later group that it joins
 * (share = mm:GROUP). A joining group uses the owner's `shared` and `file` regions; its copies of
 * these fields equal the owner's. With `threads` (share = threads) all tasks of the mm, those that
 * join included, are threads of one process: an exec by one of them ends the others, and they start
 * again in the mm of the new program. A group of kernel threads has no mm at all.
 *
 * Units: pages of 4 KiB; weights are relative to the sum of the group's weights; think counts
 * emulated operations (decision points given away between two operations of the job).
 */
#ifndef STRESS_JOB_H
#define STRESS_JOB_H

#include "stress/opnames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shorter than what inih keeps of a section's name (50 bytes, then it cuts in silence). */
#define JOB_NAME_SIZE 32
#define JOB_LABEL_SIZE 256
#define JOB_GROUPS_MAX 64
#define JOB_TASKS_MAX 4096
#define JOB_PAGES_MAX 16777216 /* the largest machine, see --pages */
#define JOB_WEIGHT_MAX 10000
#define JOB_OP_ARGS_MAX 4
#define JOB_PROGRAM_MAX 4096
#define JOB_REPEAT_MAX 1000000
#define JOB_THINK_MAX 1000000
/* The largest machine, see --cpus. */
#define JOB_CPUS_MAX 1024

#define MM_OF_TASK (-1)

struct cpu_list {
	uint64_t bits[JOB_CPUS_MAX / 64]; /* none set: no restriction */
};

struct page_range {
	uint32_t lo;
	uint32_t hi; /* both included, lo <= hi */
};

struct op_weight {
	uint16_t op; /* index into job_ops, an enum job_op */
	uint16_t weight;
};

struct job_mix {
	struct op_weight *entries; /* in the order of the job file, each operation once */
	size_t nr;
	uint32_t total; /* sum of the weights */
};

enum op_arg_kind {
	OP_ARG_REGION,
	OP_ARG_NUMBER, /* lo == hi */
	OP_ARG_RANGE,  /* drawn afresh each time, lo to hi, both included */
};

struct op_arg {
	enum op_arg_kind kind;
	char region[JOB_NAME_SIZE]; /* OP_ARG_REGION only */
	uint64_t lo;
	uint64_t hi;
};

struct program_op {
	uint16_t op; /* index into job_ops, an enum job_op */
	uint16_t nr_args;
	unsigned int line; /* of the job file, for messages */
	struct op_arg args[JOB_OP_ARGS_MAX];
};

struct job_program {
	struct program_op *ops;
	size_t nr;
	uint32_t repeat; /* times that the list is run through, from 1 */
};

enum job_map { JOB_MAP_SHARED, JOB_MAP_PRIVATE };

struct job_group {
	char name[JOB_NAME_SIZE];
	unsigned int line; /* of its section in the job file, for messages */
	unsigned int tasks;
	int mm_group;
	bool threads;		  /* the tasks of the mm are one process */
	uint32_t anon;		  /* private anonymous pages a task */
	uint32_t shared;	  /* pages of the region common to the group's tasks */
	char file[JOB_NAME_SIZE]; /* "": none */
	uint32_t file_pages;
	enum job_map map;	    /* how the file is mapped */
	struct page_range op_pages; /* pages an operation; mixes only */
	struct cpu_list cpus;
	unsigned int cpus_line;
	uint32_t think;
	bool kthread;
	struct job_mix mix;
	struct job_program program;
};

struct job {
	char name[JOB_NAME_SIZE];  /* of a shipped job, else the file's without .ini */
	char path[JOB_LABEL_SIZE]; /* what messages call it: its path, of a long one the end */
	struct job_group *groups;
	size_t nr_groups;
};

/* Frees what the job owns and leaves an empty job. */
void job_destroy(struct job *job);

/* Makes @to, which is overwritten, a copy of @from that owns what it has. 0, or -ENOMEM: then @to
 * is empty. */
int job_copy(struct job *to, const struct job *from);

/* Tasks of all groups. */
unsigned int job_tasks(const struct job *job);

/*
 * Pages of all working sets: anon of every task, the shared region of every group once, each
 * file once. What fork, exec and page tables take comes on top.
 */
uint64_t job_working_set(const struct job *job);

static inline bool cpu_list_has(const struct cpu_list *list, unsigned int cpu)
{
	return list->bits[cpu / 64] >> (cpu % 64) & 1;
}

static inline bool cpu_list_empty(const struct cpu_list *list)
{
	for (size_t i = 0; i < sizeof(list->bits) / sizeof(list->bits[0]); i++) {
		if (list->bits[i])
			return false;
	}
	return true;
}

#endif
