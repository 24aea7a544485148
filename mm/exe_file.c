// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/exe_file.h"

#include <errno.h>
#include <string.h>

#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/mm_block.h"
#include "mm/syscalls.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_exe_set, 424, 0, "PR_SET_MM_EXE_FILE", "mm%llu, inode %llu");

INVARIANT(inv_held, "file-used-after-close", "who looks at an open file holds a reference on it");

/* Looks at memory that may have been freed: that is what it is for. */
__attribute__((no_sanitize("address"))) static void check_held(const struct file *file)
{
	if (unlikely(!oracle_read(file->count)))
		VIOLATION(&inv_held, "pid %u uses a file that has been closed", current->pid);
}

/* v3.13 get_file(), which does not look. */
static void hold(struct file *file)
{
	if (unlikely(atomic_inc_return(&file->count) == 1))
		VIOLATION(&inv_held, "pid %u takes a reference on a file that has been closed",
			  current->pid);
}

struct file *get_mm_exe_file(struct mm_struct *mm)
{
	bool locked = !planted(KNOB_EXE_FILE_UNLOCKED);
	struct file *file;

	if (locked)
		down_read(&mm->mmap_sem);
	file = READ_ONCE(mm->exe_file);
	if (!locked)
		yield();
	if (file) {
		check_held(file);
		if (!planted(KNOB_EXE_FILE_NOT_HELD))
			hold(file);
	}
	if (locked)
		up_read(&mm->mmap_sem);
	return file;
}

u32 exe_file_name(const struct file *file)
{
	const char *name, *slash;

	check_held(file);
	name = oracle_read(file->inode)->name;
	slash = strrchr(name, '/');
	return (unsigned char)(slash ? slash[1] : name[0]);
}

/* mmap_sem held. */
static bool exe_file_mapped(const struct mm_struct *mm)
{
	for (u32 i = 0; mm->exe_file && i < mm->nr_vmas; i++) {
		const struct file *file = mm->vmas[i]->vm_file;

		if (file && file->inode == mm->exe_file->inode)
			return true;
	}
	return false;
}

int sys_set_mm_exe_file(struct inode *inode)
{
	struct mm_struct *mm = current->mm;
	struct file *file = file_open(inode);
	int err = 0;

	if (!file)
		return -ENOMEM;
	current->in_syscall = "prctl";
	down_write(&mm->mmap_sem);
	if (exe_file_mapped(mm))
		err = -EBUSY;
	/* Truncation sets bits without mmap_sem (uprobe_munmap). */
	else if (atomic_fetch_or(MMF_EXE_FILE_CHANGED, &mm->flags) & MMF_EXE_FILE_CHANGED)
		err = -EPERM;
	if (!err) {
		event_record(&ev_exe_set, mm->context.id, inode->ino);
		count_vm_event(VMSTAT_exe_file_set);
		set_mm_exe_file(mm, file);
	}
	up_write(&mm->mmap_sem);
	fput(file);
	current->in_syscall = NULL;
	return err;
}
