// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the files of the world share (world.c, slot.c, user_ops.[ch], program_ops.c, thread_ops.c,
 * region.c, audit.c); nobody else includes this.
 */
#ifndef STRESS_WORLD_PRIVATE_H
#define STRESS_WORLD_PRIVATE_H

#include "mm/mm.h"
#include "mm/syscalls.h"
#include "smp/sched.h"
#include "smp/wait.h"
#include "stress/region.h"
#include "stress/world.h"

/* Counters that each vCPU keeps for the world; summed up when asked. */
struct world_percpu {
	u64 ops[NR_JOB_OPS];
} __line_aligned;

/* A file of the job. */
struct world_file {
	struct inode *inode;
	struct shadow_page *shadow; /* NULL: contents not known exactly */
};

/* Tasks that live in one address space of the job know its common regions through this. */
struct slot_group {
	const struct job_group *job;
	u32 index;
	struct world *w;
	struct world_file *file_used; /* NULL: none */
	u32 first_slot;
	struct slot_group *mm_owner; /* the group whose mm its tasks are threads of; NULL: none */
	/* Of an mm that is shared; set up by the first task before the others exist. */
	struct region shared, file;
	u32 mm_domain; /* of that mm; written while neither region has users */
	struct region named[REGION_NAMED_MAX]; /* made by programs */
	const u64 *cpus;		       /* CPU_WORDS words; NULL: all */
};

/* One task of the job: the place that a task, and its successors, have in it. */
struct slot {
	struct world *w;
	struct slot_group *group;
	u32 index;	/* over all groups */
	u32 pid;	/* of the task that has it now; atomic */
	u32 stand_in;	/* pid of a process that others look at meanwhile; 0: none */
	u64 ops_left;	/* of the slot, successors included; ~0: no limit to speak of */
	struct rng rng; /* its choices; goes on in the successor */
	u64 generation; /* successors so far */
	bool vacant;	/* its task was killed by an exec of its process, which clones another */
	u32 op;	     /* of its program: the number of the operation that it is in, repeats counted
			on; its own */
	u32 next_op; /* the one that comes then, for the slot's task or a successor */

	/* Of its task's regions, and its successors'; and of a child's, whoever has taken it. */
	struct shadow_store anon_shadow, extra_shadow[REGION_EXTRA_MAX], child_shadow;
	bool child_shadow_taken; /* atomic */
};

/* What tasks wait for each other with lies in the machine's memory, where the explorer knows one
 * address from another. */
struct world_shared {
	/* Slots that have yet to come to the start line, and, for config.only_operations, to the
	 * finish line; those that still have or get a task. All atomic. */
	u64 to_start, to_finish;
	u32 slots_left;
	struct wait_queue_head start_line, finish_line;
	struct wait_queue_head thaw; /* frozen slots wait here */
	struct wait_queue_head init_wait;
};

struct world {
	struct world_options options;
	const struct job *job;
	struct machine *m;
	struct machine_config machine_config;
	struct mm_options mm_options;
	struct slot_group *groups;
	struct slot *slots;
	u32 nr_slots;
	bool exact; /* explored: every access is one step, so shadows of shared regions are exact */
	struct inode *image;	  /* what execs execute */
	struct world_file *files; /* each file of the job once */
	u32 nr_files;
	struct world_percpu *percpu;

	struct task_struct *init;
	u32 signal; /* enum world_request bits; atomic */
	u32 frozen; /* slots that have stopped at their pause point; atomic */
	struct world_shared *shared;
	u64 free_pages_at_start;
	u64 audits;
};

/* The image that tasks execute. */
#define IMAGE_TEXT_PAGES 2

/* What a task of the world carries (task_struct.user). */
struct user_task {
	struct slot *slot;
	struct world *w;
	bool child;		  /* of a fork: works a little and exits; has no pause points */
	u32 sequence;		  /* makes each value written a different one */
	struct region anon, file; /* its own mappings */
	struct region extra[REGION_EXTRA_MAX]; /* mapped by "mmap", or named by its program */
	u64 heap_pages;
	bool successor;		       /* somebody else has the slot now */
	struct completion child_ready; /* a forked child has read what it needs of us */
};

/* Are the slots of its mm one process? */
static inline bool slot_is_thread(const struct slot *s)
{
	return s->group->mm_owner && s->group->job->threads;
}

/* Operations that are still to be done, by the slot's task or a successor. */
bool slot_work_left(const struct slot *s);
/* A thread for @s in the mm of the caller; without memory the slot is done. */
void slot_clone(struct slot *s);
/* @s has no task any more, and gets none, done or not. */
void slot_give_up(struct slot *s);

/* slot_process.c: slots whose tasks are threads of one process (share = threads). The caller, alone
 * in its process after an exec, clones a thread for each vacant slot. */
void slot_process_restart(struct user_task *u);
/* The caller has been killed, and ends: its slot is left to the exec that has killed it; or, when
 * it was alone, a new process begins with it. */
void slot_process_killed(struct user_task *u);
/* The process of @s, in which nobody else is, comes to its end: another one begins in one of its
 * vacant slots, if there are any. */
void slot_process_begin(struct slot *s);

/* slot.c: the main function of a slot's task. */
void slot_main(void *arg);
int slot_spawn(struct slot *s);
/* Has the slot's program operations that are still to be done? */
bool slot_program_left(const struct slot *s);
/* The task is about to exit and leaves its slot to another. 0 or a negative errno: it has it still.
 */
int slot_replace(struct user_task *u);

/* user_ops.c, program_ops.c: does one operation; false if the task must exit. */
bool user_op_random(struct user_task *u, enum job_op op);
bool user_op_program(struct user_task *u, const struct program_op *op);

/* The task execs the image and maps its working set again. 0 or a negative errno. */
int user_exec(struct user_task *u, u32 stack_pages);
/* The image that tasks execute; 0: with the usual stack. */
struct exec_image user_image(struct user_task *u, u32 stack_pages);
/* slot.c: @r, of a child of the slot's task, has its shadow in the slot, if no other child's has;
 * and leaves it there. */
void slot_lend_shadow(struct slot *s, struct region *r);
void slot_take_back_shadow(struct slot *s, struct region *r);
/* thread_ops.c: forks a child and waits for it and for those of the caller's group: whoever comes
 * first. */
void user_fork_and_wait(void);
/* spawn.c: starts a program as posix_spawn does, with a vfork child, and waits for its end. */
void user_spawn(struct user_task *u);
/* thread_ops.c: the operation "threads": forks a process of THREADS_OF_GROUP threads, which do
 * @deeds (enum thread_deed), the leader's first, and waits for it; it sends it SIGKILL before if
 * @kill (enum thread_kill) says so. */
void user_threads(struct user_task *u, const u32 *deeds, u32 kill);
/* device_ops.c: the operation "device", "peek" or "poke" on @nr pages of the memory of
 * the job's task @task (SOME draws one), from page @first on. */
void user_foreign_op(struct user_task *u, enum job_op op, u32 task, u32 first, u32 nr);
/* core_ops.c: the operation "coredump": forks a process that dumps core, with a thread and a
 * process that shares its memory, which do their deeds, and waits for all of them; with @kill it
 * sends the process SIGKILL before. */
void user_coredump(struct user_task *u, u32 thread_deed, u32 process_deed, bool kill);
/* The caller dumps core, of which the part where @memory is is looked at, and dies. */
__attribute__((noreturn)) void user_dump_core(struct region *memory);
/* exe_ops.c: the operation "setexe": the task unmaps the image that it executes, of which nothing
 * is needed, and says that it executes another file. */
void user_set_exe(struct user_task *u);
/* uprobe_ops.c: "probe", "unprobe", "execute" and "library", about @page of the image's text. */
void user_uprobe_op(struct user_task *u, enum job_op op, u32 page);
/* The same as "execute" of each page, if there are uprobes or may be breakpoints. */
void user_runs_probed_text(struct user_task *u);
/* Maps anon (and file) regions of the group afresh. */
int user_map_working_set(struct user_task *u);

/* audit.c: init's work. Stops everybody, audits, lets them go on, if somebody asked for it; and the
 * last audit, when all slots have ended. */
void world_freeze_and_audit(struct world *w);
void world_audit_end(struct world *w);

/* Stops here while the world is frozen. True: the task is to end (WORLD_STOP or killed). */
bool world_pause_point(struct user_task *u);

static inline struct user_task *user_of(struct task_struct *t)
{
	return t->user;
}

static inline void world_count(struct world *w, enum job_op op)
{
	u64 *c = &w->percpu[smp_processor_id()].ops[op];

	__atomic_store_n(c, *c + 1, __ATOMIC_RELAXED);
}

#endif
