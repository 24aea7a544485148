// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operation "setexe": a program that goes by another file's name from now on. Checkpoint and
 * restart does so; here it makes the exe file change under those who read it.
 */
#include "stress/world_private.h"

void user_set_exe(struct user_task *u)
{
	const struct mm_struct *mm = current->mm;

	/* Text and data: the file must not be mapped any more. Bss and heap stay. */
	(void)sys_munmap(mm->start_code, mm->end_data - mm->start_code);
	(void)sys_set_mm_exe_file(u->w->image);
}
