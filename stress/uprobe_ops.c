// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operations about uprobes: breakpoints in the text of the image that all tasks execute, and
 * tasks that run into them there, or in a second mapping of it, as of a library.
 */
#include "mm/syscalls.h"
#include "mm/uprobes.h"
#include "stress/world_private.h"

/* Maps the text once more, runs @page of it there, and unmaps it. Only where nobody else can mean a
 * region of theirs at the same address. */
static void op_library(struct user_task *u, u32 page)
{
	struct inode *inode = u->w->image;
	u64 len = (u64)IMAGE_TEXT_PAGES << PAGE_SHIFT;
	struct file *f;
	s64 addr;

	if (u->slot->group->mm_owner)
		return;
	f = file_open(inode);
	if (!f)
		return;
	addr = sys_mmap(0, len, VM_READ | VM_EXEC, f, 0);
	fput(f);
	if (addr < 0)
		return;
	(void)user_execute((u64)addr + ((u64)page << PAGE_SHIFT), inode, page);
	(void)sys_munmap((u64)addr, len);
}

void user_uprobe_op(struct user_task *u, enum job_op op, u32 page)
{
	struct inode *inode = u->w->image;

	page %= IMAGE_TEXT_PAGES;
	switch (op) {
	case JOB_OP_PROBE:
		(void)sys_uprobe_register(inode, page);
		break;
	case JOB_OP_UNPROBE:
		(void)sys_uprobe_unregister(inode, page);
		break;
	case JOB_OP_LIBRARY:
		op_library(u, page);
		break;
	default:
		(void)user_execute(ELF_TEXT_START + ((u64)page << PAGE_SHIFT), inode, page);
		break;
	}
}

void user_runs_probed_text(struct user_task *u)
{
	if (likely(!uprobe_possible(current->mm)))
		return;
	for (u32 page = 0; page < IMAGE_TEXT_PAGES; page++)
		user_uprobe_op(u, JOB_OP_EXECUTE, page);
}
