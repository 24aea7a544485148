// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * With whose rights a task runs, and who may look into its mm (v3.14 fs/exec.c prepare_bprm_creds,
 * install_exec_creds; kernel/fork.c mm_access; kernel/ptrace.c). Of credentials there is the user
 * ID that counts, task->euid: programs are one user's, USER_UID, also those that kernel threads
 * become, but a set-user-ID program is ROOT_UID's. Programs give up what rights they have by exec
 * before they execute another one.
 *
 * exec changes a task's mm in one place and its rights in another. From before the one until after
 * the other it holds signal->cred_guard_mutex, and so does whoever compares its rights with those
 * of a task whose mm it takes: otherwise it would be given the mm of a program on the strength of
 * the rights of the one before. Execs of a group wait for each other here, too, before they empty
 * the group (de_thread); who is killed by the first one waits no more. Outermost of all locks.
 *
 * A task is on the new mm with its old rights for a moment; an exec that fails then kills the task.
 * The kernel's dumpable flag, which closes the mm of a program that has changed its rights itself,
 * has no counterpart: no program does that here.
 */
#ifndef MM_CRED_H
#define MM_CRED_H

#include "mm/mm_types.h"

struct linux_binprm;

#define ROOT_UID 0u
#define USER_UID 1000u

/* The rights that the new program will have; takes the mutex. 0, or -EINTR for who is killed. */
int prepare_bprm_creds(struct linux_binprm *bprm);

/* @bprm's rights are the caller's. */
void install_exec_creds(struct linux_binprm *bprm);

/* The exec is over, well or not. */
void free_bprm_creds(struct linux_binprm *bprm);

/* @task's mm with a reference, for who has the same rights as @task or more; NULL if it has none.
 * -EACCES, or -EINTR when the caller is killed while it waits for an exec, go to *err. */
struct mm_struct *mm_access(struct task_struct *task, int *err);

#endif
