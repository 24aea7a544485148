// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A world: one emulated machine with the tasks of a job on it.
 *
 * world_create() makes the machine once; world_run() sets everything up from the job, runs it under
 * one of the executors and audits what is left; it can be called again and again (a schedule after
 * the other) and reuses the machine's memory.
 *
 * Tasks. A task of the job is a slot: it starts as a kernel thread that execs (or, in a group that
 * shares an mm, is cloned by the group's first task), does the operations of its group's mix until
 * the run is to stop, or its program; when its operation is "exit" a successor takes the slot over.
 * One more task, init, waits for all slots, audits the machine whenever it is asked to, and at the
 * end, when everything has been given back.
 *
 * Quiet. An audit needs a machine in which nobody is inside a system call: init raises
 * WORLD_FREEZE, every slot stops at its next pause point (between two operations, with nothing
 * held), children are waited for by their parents, and when all have stopped init looks at
 * everything.
 *
 * Start line. Under the explorer the tasks' set-up (the first exec, the threads, the mappings of
 * the working sets) is a quiet stretch (explore_quiet): the schedule begins when every slot stands
 * at the start line, and ends when every task has gone. What happens before and after is the same
 * in every schedule of a job.
 *
 * Threads: world_run() may be called from any thread, one at a time for a world; world_request()
 * and the counters may be used by world_options.monitor while it runs. Worlds share nothing.
 */
#ifndef STRESS_WORLD_H
#define STRESS_WORLD_H

#include "engine/machine.h"
#include "engine/strategy.h"
#include "stress/config.h"

struct world;

struct world_options {
	const struct config *config;	   /* resolved; outlives the world */
	const struct placement *placement; /* threads: where vCPUs sit, for the scheduler; NULL: all
					      equally far from each other */
	bool bind;			   /* and their threads are bound to their host PUs */
	/* threads: called every MONITOR_INTERVAL_MS by the thread in world_run(); may call
	 * world_request() and read counters. */
	void (*monitor)(struct world *w, void *arg);
	void *monitor_arg;
	/* Operations that each slot does before it ends; 0: until WORLD_STOP. Programs end by
	 * themselves. */
	u64 ops_per_task;
	u32 stall_seconds; /* machine_config.stall_seconds */
};

/* NULL with a line in @err (memory, a bug or name that does not exist). */
struct world *world_create(const struct world_options *options, struct error *err);
void world_destroy(struct world *w);

enum world_request {
	WORLD_STOP = 1u,   /* slots end after their operation; the run ends with a last audit */
	WORLD_AUDIT = 2u,  /* freeze, audit, go on */
	WORLD_FREEZE = 4u, /* init's own */
};
void world_request(struct world *w, u32 bits);

/* From the next run on the tasks do this job, which must outlive them: no larger in memory than
 * what the configuration's own may need. */
void world_set_job(struct world *w, const struct job *job);

/* From the next run on the machine's memory is that of @config, which must outlive the world and
 * differ from the configuration so far in nothing but options of the machine's memory: pages,
 * policy, table-free, write-notify, gather-bundle, gather-batches, tlb. The job stays. */
void world_set_config(struct world *w, const struct config *config);

/* One run. @seed decides everything under the explorer. @strategy: for EXECUTOR_EXPLORE. */
enum machine_end world_run(struct world *w, enum executor executor, u64 seed,
			   struct strategy *strategy);

/* The machine of the last run: violations, explored statistics, vmstat counters (until the next run
 * or world_destroy()). */
struct machine *world_machine(struct world *w);

/* For observers of an explored run: which slot's task @v runs, and the number of the operation of
 * its program that it is in, or was in last, repeats counted on; a forked child counts as its
 * parent. False for tasks of no slot. */
bool world_task_op(const struct vcpu *v, u32 *slot, u32 *op);

/* Operations done so far, all slots: exact after a run. From any thread. */
u64 world_op_count(const struct world *w, enum job_op op);

#endif
