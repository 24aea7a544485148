// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module that has the loader of the one binary format (v3.14 struct linux_binfmt and its
 * module): it can be unloaded while nobody uses it, and the next exec loads it again.
 *
 * References: exec holds one while it searches and loads (v3.14 search_binary_handler()), and each
 * address space that the loader has set up holds one until its last mmput() (set_binfmt(),
 * mm_init() of a fork). refcnt is atomic; sys_delete_module() exchanges 0 for MODULE_GOING under
 * binfmt_lock, where the format is found, and from then on nobody gets a reference.
 *
 * Oracle. oracle_users counts the address spaces apart from the references: a module that goes must
 * have none.
 */
#ifndef MM_BINFMT_MODULE_H
#define MM_BINFMT_MODULE_H

#include "mm/mm_types.h"

struct linux_binfmt;
struct machine;

/* 0 or -ENOMEM. The module is not loaded yet. */
int binfmt_setup(struct machine *m);

/* The format, loaded if it is not, with a reference for the caller; NULL without memory. */
struct linux_binfmt *binfmt_get(void);
void binfmt_put(struct linux_binfmt *fmt);

/* The caller's image is of this format: the mm gets a reference of its own. The caller has one. */
void set_binfmt(struct mm_struct *mm, struct linux_binfmt *fmt);

/* fork: @mm is a copy of @oldmm, which has a reference or no format. */
void binfmt_fork(struct mm_struct *mm, const struct mm_struct *oldmm);

/* The last user is gone: the mm's reference goes, if it has one. */
void binfmt_exit(struct mm_struct *mm);

/* Quiet machine, all tasks gone: nobody has a reference. Reports a violation. */
void binfmt_audit_leaks(struct machine *m);

#endif
