// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operations that tasks of a job perform: their names in job files, what they need, and the
 * arguments that they take in a program. A mix (`ops =`) names operations with weights and draws
 * their pages at random; a program (`program =`) is a fixed list of them with arguments.
 *
 * A signature has a letter for each argument: r is the name of a region, R names a region that
 * the operation makes; f is a page's index in its region, p a number of pages, m a protection
 * (PROT_READ | PROT_WRITE of mman.h: 0 none, 1 read, 3 read and write), n a number of times or of
 * emulated operations, t a task's number in the job, g the number of a page frame, a whether a
 * failure comes after the point of no return (0 or 1), d what one thread of a group does (0 work,
 * 1 exec, 2 end the group, 3 clone another thread, 4 start a program as posix_spawn does, 5 fork
 * and wait, 6 clone a thread and join it, 7 dump core), k when the group is killed from outside (0
 * not at all, 1 at once, 2 when its threads are there), s whether a program is set-user-ID (0 or
 * 1), c the number of a CPU, h whether it goes offline (0), comes back (1) or both (2). Of tasks,
 * frames and CPUs there is never one too few: counting goes on from 0 behind the last. All but r
 * and R are a number, or LO-HI to draw one each time. What stands after '[' may be left out, from
 * the right. Regions that exist without being made: `anon`, `shared` and `file`, each where the
 * group has it.
 *
 * Constant data; no locks.
 */
#ifndef STRESS_OPNAMES_H
#define STRESS_OPNAMES_H

#include "stress/nearest.h"

enum job_op {
	JOB_OP_READ,
	JOB_OP_WRITE,
	JOB_OP_DONTNEED,
	JOB_OP_MMAP,
	JOB_OP_MUNMAP,
	JOB_OP_MPROTECT,
	JOB_OP_BRK,
	JOB_OP_MLOCK,
	JOB_OP_MUNLOCK,
	JOB_OP_FORK,
	JOB_OP_EXEC,
	JOB_OP_EXEC_FAIL,
	JOB_OP_EXIT,
	JOB_OP_MSYNC,
	JOB_OP_TRUNCATE,
	JOB_OP_DROPCACHE,
	JOB_OP_YIELD,
	JOB_OP_SLEEP,
	JOB_OP_GETMM,
	JOB_OP_KTHREAD,
	JOB_OP_AGE,
	JOB_OP_THREADS,
	JOB_OP_HOTPLUG,
	JOB_OP_DEVICE,
	JOB_OP_PEEK,
	JOB_OP_POKE,
	JOB_OP_ACCESS,
	JOB_OP_COREDUMP,
	JOB_OP_READEXE,
	JOB_OP_SETEXE,
	JOB_OP_MERGEABLE,
	JOB_OP_UNMERGEABLE,
	JOB_OP_HUGEPAGE,
	JOB_OP_KSMD,
	JOB_OP_KHUGEPAGED,
	JOB_OP_AIO,
	JOB_OP_SWAPUSE,
	JOB_OP_SWAPOFF,
	JOB_OP_RMMOD,
	JOB_OP_PROBE,
	JOB_OP_UNPROBE,
	JOB_OP_EXECUTE,
	JOB_OP_LIBRARY,
	NR_JOB_OPS,
};

/* What a thread of "threads" does. */
enum thread_deed {
	THREAD_WORKS,
	THREAD_EXECS,
	THREAD_EXITS_GROUP,
	THREAD_CLONES,
	THREAD_SPAWNS,
	THREAD_FORKS, /* and waits for the group's children */
	THREAD_JOINS, /* one that it has cloned */
	THREAD_DUMPS_CORE,
};
#define THREAD_DEED_MAX THREAD_DUMPS_CORE

/* When the group of "threads" is killed from outside. */
enum thread_kill {
	THREAD_KILL_NOT,
	THREAD_KILL_AT_ONCE,
	THREAD_KILL_ALL_THERE, /* when all of its threads have been cloned */
};
#define THREAD_KILL_MAX THREAD_KILL_ALL_THERE
#define THREADS_OF_GROUP 3 /* those that have a deed */

/* What a group must have for the operation to mean something. */
enum job_op_needs {
	JOB_OP_ANY,    /* nothing: a kernel thread may do it too */
	JOB_OP_USER,   /* an address space */
	JOB_OP_REGION, /* an address space with a working set: anon, shared or file */
	JOB_OP_FILE,   /* an address space that maps a file */
};

struct job_op_spec {
	const char *name;
	const char *signature; /* arguments in a program */
	enum job_op_needs needs;
	const char *help;
};

extern const struct job_op_spec job_ops[NR_JOB_OPS];

/* The names of job_ops, in its order. */
extern const struct name_list job_op_names;

#endif
