// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm->exe_file: the program that an mm executes (v3.13 kernel/fork.c get_mm_exe_file, kernel/sys.c
 * prctl_set_mm_exe_file; seed_path A4). The mm has one reference. It is set by exec, before others
 * know the mm, copied by fork, exchanged once by the program itself, under mmap_sem for writing,
 * and dropped by the last mmput(). Others read it under mmap_sem and take a reference of their own:
 * with mmap_sem gone the mm's may be gone, too.
 */
#ifndef MM_EXE_FILE_H
#define MM_EXE_FILE_H

#include "mm/file.h"
#include "mm/mm_types.h"

/* mm->flags: the program has exchanged its exe file (v3.13 include/linux/sched.h). Not inherited.
 */
#define MMF_EXE_FILE_CHANGED (1u << 18)

/* With a reference; NULL if there is none. @mm is held by a user. Sleeps. */
struct file *get_mm_exe_file(struct mm_struct *mm);

/* Looks at @file's name, as for a link in /proc: its first character after the last slash. */
u32 exe_file_name(const struct file *file);

#endif
