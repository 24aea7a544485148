// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A reader of other tasks' address spaces, as /proc/PID/maps is: its use of the mm may turn out to
 * be the last one.
 */
#include <errno.h>
#include <string.h>

#include "mm/cred.h"
#include "mm/exe_file.h"
#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/mm_owner.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_peek, 398, 0, "looks at", "pid %llu, whose name begins with character %llu");
EVENT_DESC(ev_read_exe, 425, 0, "reads exe", "of pid %llu, whose name begins with character %llu");

INVARIANT(inv_comm, "comm-not-terminated", "the name of a task ends within comm");
INVARIANT(inv_vma_of_mm, "vma-of-another-mm", "the VMAs of an mm belong to it and ascend");

struct task_struct *find_get_task(struct machine *m, u32 pid)
{
	struct task_struct *t, *found = NULL;

	spin_lock(&m->smp->tasklist_lock);
	cds_list_for_each_entry(t, &m->smp->all_tasks, all_node) {
		if (t->pid == pid && !t->reaped) {
			found = t;
			get_task_struct(t);
			break;
		}
	}
	spin_unlock(&m->smp->tasklist_lock);
	return found;
}

static void look(const struct mm_struct *mm)
{
	u64 end = 0;

	for (u32 i = 0; i < mm->nr_vmas; i++) {
		const struct vm_area_struct *vma = mm->vmas[i];

		if (unlikely(vma->vm_mm != mm || vma->vm_start < end ||
			     vma->vm_end <= vma->vm_start))
			VIOLATION(&inv_vma_of_mm, "mm%u, VMA %u of %u: [%#llx, %#llx) of %s",
				  mm->context.id, i, mm->nr_vmas, (unsigned long long)vma->vm_start,
				  (unsigned long long)vma->vm_end,
				  vma->vm_mm == mm ? "this mm" : "another mm");
		end = vma->vm_end;
	}
}

/* The name of @t, for people. */
static void get_task_comm(char *buf, struct task_struct *t)
{
	spin_lock(&t->alloc_lock);
	memcpy(buf, t->comm, TASK_COMM_LEN);
	spin_unlock(&t->alloc_lock);
	if (unlikely(!memchr(buf, '\0', TASK_COMM_LEN)))
		VIOLATION(&inv_comm, "the name of pid %u begins %.*s", t->pid, TASK_COMM_LEN, buf);
}

int sys_peek_mm(u32 pid)
{
	char comm[TASK_COMM_LEN];
	struct task_struct *t = find_get_task(current->machine, pid);
	struct mm_struct *mm;
	int nr;

	if (!t)
		return -ESRCH;
	current->in_syscall = "peek_mm";
	get_task_comm(comm, t);
	event_record(&ev_peek, pid, (u64)(unsigned char)comm[0]);
	mm = get_task_mm(t);
	put_task_struct(t);
	if (!mm) {
		current->in_syscall = NULL;
		return -EINVAL;
	}
	/* As for whoever charges something to it. */
	(void)mem_cgroup_from_mm(mm);
	down_read(&mm->mmap_sem);
	look(mm);
	nr = (int)mm->nr_vmas;
	up_read(&mm->mmap_sem);
	mmput(mm);
	current->in_syscall = NULL;
	return nr;
}

int sys_access_mm(u32 pid)
{
	struct task_struct *t = find_get_task(current->machine, pid);
	struct mm_struct *mm;
	int err;

	if (!t)
		return -ESRCH;
	current->in_syscall = "access_mm";
	mm = mm_access(t, &err);
	put_task_struct(t);
	if (!mm) {
		current->in_syscall = NULL;
		return err ? err : -EINVAL;
	}
	down_read(&mm->mmap_sem);
	look(mm);
	err = (int)mm->nr_vmas;
	up_read(&mm->mmap_sem);
	mmput(mm);
	current->in_syscall = NULL;
	return err;
}

int sys_read_exe(u32 pid)
{
	struct task_struct *t = find_get_task(current->machine, pid);
	struct mm_struct *mm;
	struct file *file;
	u32 name;

	if (!t)
		return -ESRCH;
	current->in_syscall = "read_exe";
	mm = get_task_mm(t);
	put_task_struct(t);
	file = mm ? get_mm_exe_file(mm) : NULL;
	/* The file does not need the mm any more. */
	if (mm)
		mmput(mm);
	current->in_syscall = NULL;
	if (!file)
		return -ENOENT;
	name = exe_file_name(file);
	event_record(&ev_read_exe, pid, name);
	count_vm_event(VMSTAT_exe_file_read);
	if (!planted(KNOB_EXE_FILE_NOT_HELD))
		fput(file);
	return (int)name;
}

/* Addresses that a kernel thread touches in an mm that it has adopted. */
#define ADOPTED_ADDRESSES 4

int sys_adopt_mm(u32 pid)
{
	struct task_struct *t = find_get_task(current->machine, pid);
	u64 where[ADOPTED_ADDRESSES], value;
	struct mm_struct *mm;
	u32 nr = 0;

	if (!t)
		return -ESRCH;
	current->in_syscall = "adopt_mm";
	mm = get_task_mm(t);
	put_task_struct(t);
	if (!mm) {
		current->in_syscall = NULL;
		return -EINVAL;
	}
	use_mm(mm);
	down_read(&mm->mmap_sem);
	for (u32 i = 0; i < mm->nr_vmas && nr < ADOPTED_ADDRESSES; i++) {
		if (mm->vmas[i]->vm_flags & VM_READ)
			where[nr++] = mm->vmas[i]->vm_start;
	}
	up_read(&mm->mmap_sem);
	/* Any of them may have been unmapped since: a refused access is no surprise. */
	for (u32 i = 0; i < nr; i++)
		(void)user_read(where[i], &value);
	unuse_mm(mm);
	mmput(mm);
	current->in_syscall = NULL;
	return (int)nr;
}
