// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork: the copy of an address space, and new tasks (v3.14 kernel/fork.c).
 */
#include <errno.h>

#include "mm/binfmt_module.h"
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_block.h"
#include "mm/mm_slots.h"
#include "mm/rmap.h"
#include "mm/rss.h"
#include "mm/swap_mms.h"
#include "mm/syscalls.h"
#include "mm/uprobes.h"
#include "mm/vfork.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "smp/signal.h"
#include "smp/wait.h"

EVENT_DESC(ev_dup_mm, 364, 0, "dup_mm", "mm%llu -> mm%llu");
EVENT_DESC(ev_clone, 365, EVENT_SYNC, "clone", "pid %llu, flags %#llx");
EVENT_DESC(ev_dup_failed, 379, 0, "dup_mm failed", "mm%llu after %llu VMAs");

/* One VMA of the parent: in the child's array with its reverse mapping, then its page-table
 * entries. Once it is in the array, exit_mmap() undoes whatever there is of it. */
static int dup_vma(struct mm_struct *mm, struct mm_struct *oldmm, struct vm_area_struct *old)
{
	u64 charge = old->vm_flags & VM_ACCOUNT ? vma_pages(old) : 0;
	struct vm_area_struct *vma;

	if (charge && security_vm_enough_memory(oldmm, charge))
		return -ENOMEM;
	vma = vma_dup(mm, old);
	if (!vma)
		goto uncharge;
	/* The anon_vmas before the page tables: a page must be found in the child from the moment
	 * it is mapped there. */
	if (anon_vma_fork(vma, old))
		goto remove;
	if (insert_vma(mm, vma))
		goto unlink;
	return copy_page_range(mm, oldmm, vma, old);

unlink:
	unlink_anon_vmas(vma);
remove:
	if (planted(KNOB_FORK_FAIL_KEEPS_FILE))
		vma->vm_file = NULL;
	remove_vma(vma);
uncharge:
	if (charge && !planted(KNOB_FORK_FAIL_KEEPS_COMMIT))
		vm_unacct_memory(charge);
	return -ENOMEM;
}

/*
 * The parent's other users neither fault nor change VMAs meanwhile. The child's mmap_sem is taken
 * for the sake of rmap walks and readers that come by as soon as the first VMA is linked.
 */
static int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm)
{
	int err;

	uprobe_start_dup_mmap();
	down_write(&oldmm->mmap_sem);
	uprobe_dup_mmap(mm, oldmm);
	down_write_nested(&mm->mmap_sem, LOCK_CLASS_mmap_sem_nested);
	mm->start_code = oldmm->start_code;
	mm->end_code = oldmm->end_code;
	mm->start_data = oldmm->start_data;
	mm->end_data = oldmm->end_data;
	mm->start_brk = oldmm->start_brk;
	mm->brk = oldmm->brk;
	mm->start_stack = oldmm->start_stack;
	mm->arg_start = oldmm->arg_start;
	mm->arg_end = oldmm->arg_end;
	mm->mmap_base = oldmm->mmap_base;
	set_mm_exe_file(mm, oldmm->exe_file);
	err = mm_slots_fork(mm, oldmm);
	swap_mms_fork(mm, oldmm);
	for (u32 i = 0; !err && i < oldmm->nr_vmas; i++)
		err = dup_vma(mm, oldmm, oldmm->vmas[i]);
	/* What the parent may no longer write has been flushed VMA by VMA (copy_page_range). */
	if (err)
		event_record(&ev_dup_failed, mm->context.id, mm->nr_vmas);
	up_write_nested(&mm->mmap_sem, LOCK_CLASS_mmap_sem_nested);
	up_write(&oldmm->mmap_sem);
	uprobe_end_dup_mmap();
	return err;
}

struct mm_struct *dup_mm(struct task_struct *task)
{
	struct mm_struct *oldmm = task->mm, *mm;

	mm_check_alive(oldmm, __func__);
	mm = mm_create(task->machine, NULL, oldmm->memcg, mm_new_domain(task->machine));
	if (!mm)
		return NULL;
	init_once(mm->oracle_euid, oldmm->oracle_euid);
	binfmt_fork(mm, oldmm);
	event_record(&ev_dup_mm, oldmm->context.id, mm->context.id);
	if (dup_mmap(mm, oldmm)) {
		/* Half built, and torn down like any other. */
		mmput(mm);
		return NULL;
	}
	/* A truncation may have found the copy through its file already. */
	WRITE_ONCE(mm->hiwater_rss, (u64)get_mm_rss(mm));
	return mm;
}

/* The mm that a new task will have: the caller's, a copy, or none for a kernel thread's. */
static int copy_mm(u32 flags, struct mm_struct **mm)
{
	struct mm_struct *oldmm = current->mm;

	*mm = oldmm;
	if (!oldmm)
		return 0;
	if (flags & CLONE_VM) {
		mmget(oldmm);
		return 0;
	}
	*mm = dup_mm(current);
	return *mm ? 0 : -ENOMEM;
}

/* With CLONE_SIGHAND the handlers are the caller's. tasklist_lock held: the child can be sent
 * SIGKILL. */
static void share_sighand(struct task_struct *child)
{
	put_sighand(child->machine, child->sighand);
	child->sighand = current->sighand;
	atomic_inc(&child->sighand->count);
}

static void link_child(struct task_struct *child, u32 flags)
{
	struct task_struct *parent = current;
	spinlock_t *tasklist = &parent->machine->smp->tasklist_lock;

	/* Threads are no children: they release themselves. */
	if (flags & CLONE_THREAD)
		return;
	/* The parent's, until it has waited for the child or exits itself. */
	get_task_struct(child);
	spin_lock(tasklist);
	child->parent = parent;
	cds_list_add_tail(&child->sibling, &parent->children);
	if (flags & CLONE_SIGHAND)
		share_sighand(child);
	spin_unlock(tasklist);
}

/* Nobody else uses the mm yet. One that is the caller's the child has got already. */
static void give_mm(struct task_struct *child, struct mm_struct *mm)
{
	WRITE_ONCE(mm->owner, child);
	spin_lock(&child->alloc_lock);
	child->active_mm = mm;
	WRITE_ONCE(child->mm, mm);
	spin_unlock(&child->alloc_lock);
}

/*
 * The mm comes before the task: a copy that fails leaves no task behind that would have to be taken
 * out of everybody's sight again.
 */
s64 sys_clone(u32 flags, const char *comm, void (*entry)(void *), void *arg,
	      struct task_struct **childp)
{
	return sys_clone_on(current->cpus_allowed, flags, comm, entry, arg, childp);
}

/* Threads share handlers, and who shares handlers shares the mm; kernel threads have no groups. */
static bool clone_flags_valid(u32 flags)
{
	if (flags & ~(CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | CLONE_THREAD))
		return false;
	if ((flags & CLONE_THREAD) && (!(flags & CLONE_SIGHAND) || !current->mm))
		return false;
	return !(flags & CLONE_SIGHAND) || (flags & CLONE_VM);
}

static struct task_struct *new_task(const u64 *cpus, u32 clone_flags, struct mm_struct *mm,
				    const char *comm, void (*entry)(void *), void *arg, int *err)
{
	u32 flags = mm ? (current->flags & PF_RANDOMIZE) | PF_FORKNOEXEC : PF_KTHREAD;
	struct machine *m = current->machine;
	u32 cpu = sched_pick_cpu(m, cpus);

	if (mm && (clone_flags & CLONE_VM))
		return task_create_clone(m, comm, flags, cpu, entry, arg, mm,
					 clone_flags & CLONE_THREAD, err);
	*err = -ENOMEM;
	return task_create(m, comm, flags, cpu, entry, arg);
}

s64 sys_clone_on(const u64 *cpus, u32 flags, const char *comm, void (*entry)(void *), void *arg,
		 struct task_struct **childp)
{
	struct task_struct *t = current, *child;
	struct completion vfork;
	struct mm_struct *mm;
	int err;
	s64 pid;

	if (!clone_flags_valid(flags))
		return -EINVAL;
	t->in_syscall = "clone";
	if (copy_mm(flags, &mm)) {
		t->in_syscall = NULL;
		return -ENOMEM;
	}
	child = new_task(cpus, flags, mm, comm, entry, arg, &err);
	if (!child) {
		if (mm)
			mmput(mm);
		t->in_syscall = NULL;
		return err;
	}
	child->cpus_allowed = cpus;
	child->thread = t->thread;
	child->personality = t->personality;
	child->make_it_fail = t->make_it_fail;
	if (mm && !(flags & CLONE_VM))
		give_mm(child, mm);
	link_child(child, flags);
	pid = child->pid;
	if (childp)
		*childp = child;
	event_record(&ev_clone, (u64)pid, flags);
	if (flags & CLONE_VFORK)
		vfork_begin(child, &vfork);
	wake_up_new_task(child);
	if (flags & CLONE_VFORK)
		(void)wait_for_vfork_done(child, &vfork);
	t->in_syscall = NULL;
	return pid;
}
