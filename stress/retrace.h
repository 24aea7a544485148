// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A schedule run again with everything kept: each step with its access, what lay at the address
 * before and after, each event, and each choice that was not the quiet one.
 *
 * What is kept is a list of entries in the order in which things happened. Names of addresses are
 * those of the moment (stress/address_name.h): what lies there may be gone at the end.
 *
 * The run is an exact replay on a world of its own, observed (machine.observer) and asked for its
 * choices through a strategy that wraps the replay; neither changes anything. Memory: some 160
 * bytes a step, which RETRACE_ENTRIES_MAX bounds.
 *
 * No state, no locks; the caller owns the result. Errors: see error.h.
 */
#ifndef STRESS_RETRACE_H
#define STRESS_RETRACE_H

#include "engine/access.h"
#include "engine/event.h"
#include "engine/machine.h"
#include "engine/strategy.h"
#include "stress/address_name.h"
#include "stress/config.h"
#include "stress/error.h"
#include "stress/schedule.h"

/* Of a run that is longer than this the end is missing (`cut`); 300 MB. */
#define RETRACE_ENTRIES_MAX (2u << 20)
#define RETRACE_OP_SIZE 96
#define RETRACE_OP_EVENT 402   /* ev_op of user_ops.c: a task begins an operation */
#define RETRACE_EXIT_EVENT 366 /* ev_exit of exit.c: it has no operations any more */

enum retrace_kind {
	RETRACE_STEP,	/* an access, or a point in the code */
	RETRACE_EVENT,	/* event_record() */
	RETRACE_SWITCH, /* from here on another vCPU runs */
	RETRACE_CHOICE, /* a choice other than "which vCPU" that was not the quiet one */
};

struct retrace_entry {
	u64 step; /* decision points so far, this one included */
	u32 cpu;  /* which vCPU; of RETRACE_SWITCH the one that goes on */
	u32 task; /* index into tasks: what runs on it */
	u32 op;	  /* index into ops: what that task is doing; 0 is none */
	u8 kind;  /* enum retrace_kind */
	u8 irqs_off, in_interrupt, need_resched;
	u8 task_state; /* enum task_state, of the task */
	u32 preempt_count;
	u64 held_locks; /* set of lock classes, of the task */
	union {
		struct {
			const struct site *site;
			u64 address; /* arena offset; 0: none */
			const struct named_address *name;
			u64 before, after; /* of name->bytes bytes */
			bool after_known;
		} access;
		struct event event;
		struct {
			u32 from;	/* who ran before */
			bool preempted; /* and could have gone on */
			/* With what, then: NULL if that is not known, or has no address. */
			const struct site *next_site;
			const struct named_address *next_name;
		} change;
		struct {
			u32 kind; /* enum choice */
			u32 value;
		} choice;
	};
};

struct retrace_task {
	u32 pid;
	bool idle, kthread;
	u32 idle_cpu;  /* of an idle task: whose */
	char comm[16]; /* the group of the job, else TASK_COMM_LEN bytes of the kernel's */
};

/* A call_function interrupt, by entries; 0 where it did not come to that. */
struct retrace_ipi {
	u32 sender, target;
	u32 sent;    /* the request is queued */
	u32 handled; /* first entry of the handler's interrupt */
	u32 acked;   /* the handler's acknowledgement */
	u32 seen;    /* the sender's wait ends */
};

struct retrace {
	const struct config *config;
	u32 nr_cpus;
	struct retrace_entry *entries; /* entries[0] is empty, so that 0 can mean none */
	u32 nr, size;
	struct retrace_task *tasks;
	u32 nr_tasks, tasks_size;
	char (*ops)[RETRACE_OP_SIZE]; /* "dontneed(shared, 0, 2)" */
	u32 nr_ops, ops_size;
	struct retrace_ipi *ipis;
	u32 nr_ipis, ipis_size;
	bool cut; /* longer than RETRACE_ENTRIES_MAX: the end is missing */

	enum machine_end end;
	u64 steps, preemptions;
	bool violated;
	struct violation violation; /* if violated */
	struct address_namer *namer;
};

/* Runs @s again for @config, whose job is that of the schedule; both outlive the result. NULL with
 * @err filled: no memory, or VERDICT_DIVERGED with the step. retrace_destroy() is due. */
struct retrace *retrace_schedule(const struct config *config, const struct schedule *s,
				 struct error *err);
void retrace_destroy(struct retrace *r);

/* Is it a step that uses an address? */
static inline bool retrace_is_access(const struct retrace_entry *e)
{
	return e->kind == RETRACE_STEP && e->access.address;
}

/* What an access is called: "read", "write", "atomic", "fence", "lock", "unlock", "exec". */
const char *access_word(u32 access_kind);
/* "an interrupt is taken", "an allocation fails", ... */
const char *choice_word(u32 choice);

#endif
