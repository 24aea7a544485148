// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Core dumps (v3.13 fs/coredump.c; seed_path A7, B4): a task that dies of a signal that leaves a
 * core writes down what its address space holds, while nobody changes it.
 *
 * The dumper, with mmap_sem for writing, sets mm->core_state and sends SIGKILL to every task that
 * uses the mm, threads of its group and others, and counts them. Each of them comes to exit_mm()
 * some time, finds core_state under mmap_sem, queues itself and sleeps there; the last one
 *completes startup. An exec that is under way finds it in exec_mmap(), gives up with EINTR, and its
 *task comes to exit_mm() like the others. Since both look under mmap_sem, who is counted does not
 *get away. Then the dumper has the mm to itself, but for readers (get_task_mm, use_mm) and for
 *reverse mapping: it walks the VMAs, and lets the others go.
 *
 * Who may touch what:
 *   mm->core_state		set under mmap_sem for writing, cleared by the dumper when nobody
 *but it is left to look; read under mmap_sem
 *   core_state->nr_threads	atomic; set before mmap_sem is released
 *   core_state->dumper.next	atomic; a list that grows at its head until startup is completed,
 *				the dumper's from then on
 *   core_thread		on the stack of the task that waits; task becomes NULL when it may
 *go mm->oracle_dumping		atomic; from startup until the others are let go
 */
#ifndef MM_COREDUMP_H
#define MM_COREDUMP_H

#include "mm/mm_types.h"
#include "smp/wait.h"

/* x86; its default action is to dump core. */
#define SIGABRT_NUMBER 6
/* v3.13 coredump_finish(): what wait() is told besides the signal. */
#define CORE_DUMPED 0x80u

struct core_thread {
	struct task_struct *task;
	struct core_thread *next;
};

struct core_state {
	u32 nr_threads;
	struct core_thread dumper;
	struct completion startup;
};

/* Where the dump goes. */
struct coredump_params {
	/* For each page of the areas that are dumped, ascending: its FRAME_WORDS words, or NULL for
	 * a hole: nothing is mapped there, or zero. Must not sleep. */
	void (*emit)(void *arg, u64 addr, const u64 *words);
	void *arg;
};

/* The caller dies of SIGABRT, with a core unless its group or its mm is coming to an end already,
 * and its whole group with it. */
__attribute__((noreturn)) void sys_abort(const struct coredump_params *params);

/* The same without the end: 0; -EBUSY if another task dumps the mm, -EAGAIN if the group is being
 * ended or emptied by an exec: then the caller has only to exit. */
int do_coredump(const struct coredump_params *params);

/* @task comes to exit_mm() and finds mm->core_state: it takes part, and returns when the dump is
 * over. mmap_sem held for reading; dropped meanwhile. */
void exit_core_dump(struct task_struct *task, struct mm_struct *mm);

/* @task is on its way to user mode, or the VMAs of @mm are about to change: not while a core of it
 * is being dumped. */
__cold_path void user_code_while_dumped(const struct task_struct *task);
__cold_path void vmas_change_while_dumped(const struct mm_struct *mm);

static __always_inline_fn void check_vmas_may_change(const struct mm_struct *mm)
{
	if (unlikely(oracle_read(mm->oracle_dumping)))
		vmas_change_while_dumped(mm);
}

#endif
