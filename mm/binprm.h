// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What exec knows of the new image while it builds it (v3.14 struct linux_binprm), and the steps
 * that the loader of a binary format calls. Private to exec.
 */
#ifndef MM_BINPRM_H
#define MM_BINPRM_H

#include "mm/mm_types.h"
#include "mm/syscalls.h"

struct linux_binprm {
	const struct exec_image *image;
	struct file *file;
	struct linux_binfmt *fmt;   /* with a reference, while it is searched and loads */
	struct mm_struct *mm;	    /* the new mm, until exec_mmap() has given it to the task */
	struct vm_area_struct *vma; /* its stack, with the arguments */
	u64 vma_pages;		    /* charged to the old mm's MM_ANONPAGES (acct_arg_size) */
	u64 p;			    /* the lowest argument */
	u32 euid;		    /* whose rights the program will have */
	bool cred_guard;	    /* we hold signal->cred_guard_mutex */
	u32 per_clear;		    /* personality bits that the image must not inherit */
	char tcomm[TASK_COMM_LEN];
};

/* Charges @pages of arguments to the mm of the task that is in exec, in place of what it is
 * charged. */
void acct_arg_size(struct linux_binprm *bprm, u64 pages);

/* The point of no return: 0 when the task is on the new mm; otherwise nothing has happened to it.
 */
int flush_old_exec(struct linux_binprm *bprm);

/* The task's name and the layout of its mm. */
void setup_new_exec(struct linux_binprm *bprm);

/* The temporary stack becomes the stack, of @pages, at its place. mmap_sem of the mm for writing. 0
 * or -ENOMEM.
 */
int setup_arg_pages(struct linux_binprm *bprm, u64 pages);

/* The loader of the one format there is. Before flush_old_exec() an error leaves the task alone,
 * after it the caller of the loader must let it die (*bprm has no mm any more). */
int load_elf_binary(struct linux_binprm *bprm);

#endif
