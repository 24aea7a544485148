// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/coredump.h"

#include <errno.h>

#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/syscalls.h"
#include "mm/thread_group.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_coredump, 420, EVENT_SYNC, "core dump", "of mm%llu, waits for %llu tasks");
EVENT_DESC(ev_core_exit, 421, EVENT_SYNC, "exit_mm: waits for the core dump", "pid %llu, mm%llu");
EVENT_DESC(ev_core_refused, 422, 0, "no core dump", "pid %llu: error %llu");
EVENT_DESC(ev_core_finish, 423, EVENT_SYNC, "core dump is over", "mm%llu, %llu pages");

INVARIANT(inv_alone, "core-dump-alone",
	  "while a core is dumped, all that used the mm, and nobody else, wait in exit_mm");
INVARIANT(inv_user_code, "user-code-while-dumped",
	  "while a core is dumped, nobody runs on the mm in user mode");
INVARIANT(inv_vmas, "vmas-change-while-dumped",
	  "while a core is dumped, the VMAs of the mm stay as they are");

void user_code_while_dumped(const struct task_struct *task)
{
	/* A kernel thread that has adopted the mm has no user mode; who is killed goes to exit. */
	if ((task->flags & PF_KTHREAD) || oracle_read(task->killed))
		return;
	VIOLATION(&inv_user_code, "pid %u returns to user mode on mm%u, of which a core is dumped",
		  task->pid, task->mm->context.id);
}

void vmas_change_while_dumped(const struct mm_struct *mm)
{
	VIOLATION(&inv_vmas, "pid %u changes the VMAs of mm%u, of which a core is dumped",
		  current->pid, mm->context.id);
}

/* ---- the others are stopped ---- */

/* siglock held. */
static void kill_user(struct task_struct *t)
{
	WRITE_ONCE(t->killed, 1);
	(void)wake_up_state(t, TASK_INTERRUPTIBLE | TASK_KILLABLE);
}

/* The threads of the caller's own group; how many have the mm. -EAGAIN if the group is coming to an
 * end by somebody else's doing. Nobody leaves the mm: mmap_sem is held for writing. */
static int zap_own_group(struct task_struct *self, struct core_state *state)
{
	struct signal_struct *signal = self->signal;
	struct task_struct *t;
	int nr = -EAGAIN;

	spin_lock(&self->sighand->siglock);
	if (!signal_group_exit(signal)) {
		nr = 0;
		WRITE_ONCE(self->mm->core_state, state);
		signal->group_exit_code = SIGABRT_NUMBER;
		signal->group_exit_task = self;
		WRITE_ONCE(signal->flags, SIGNAL_GROUP_COREDUMP);
		cds_list_for_each_entry(t, &signal->thread_head, thread_node) {
			if (t == self || !READ_ONCE(t->mm))
				continue;
			kill_user(t);
			nr++;
		}
	}
	spin_unlock(&self->sighand->siglock);
	return nr;
}

/*
 * Tasks of other groups that use the mm (CLONE_VM without CLONE_THREAD), and their groups. There
 * will be no more of them: a clone that shares the mm looks for SIGKILL under the locks with which
 * it makes its task known (task_create_clone).
 */
static int zap_other_groups(struct task_struct *self)
{
	spinlock_t *tasklist = &self->machine->smp->tasklist_lock;
	struct task_struct *t;
	int nr = 0;

	spin_lock(tasklist);
	cds_list_for_each_entry(t, &self->machine->smp->all_tasks, all_node) {
		if (t->signal == self->signal || READ_ONCE(t->mm) != self->mm ||
		    (READ_ONCE(t->flags) & PF_KTHREAD))
			continue;
		spin_lock(&t->sighand->siglock);
		t->signal->group_exit_code = SIGABRT_NUMBER;
		WRITE_ONCE(t->signal->flags, SIGNAL_GROUP_EXIT);
		kill_user(t);
		spin_unlock(&t->sighand->siglock);
		nr++;
	}
	spin_unlock(tasklist);
	return nr;
}

/* v3.13 zap_threads(): SIGKILL for all that use the mm; how many they are, the caller not counted,
 * or -EAGAIN. mmap_sem for writing. */
static int zap_users(struct task_struct *self, struct core_state *state)
{
	int nr = zap_own_group(self, state);

	if (nr < 0)
		return nr;
	WRITE_ONCE(self->flags, self->flags | PF_DUMPCORE);
	/* Readers are users, too: there may be none to be found. */
	if (atomic_read(&self->mm->mm_users) != (u32)nr + 1 && !planted(KNOB_CORE_OWN_GROUP_ONLY))
		nr += zap_other_groups(self);
	if (!planted(KNOB_CORE_COUNTED_LATE))
		atomic_set(&state->nr_threads, (u32)nr);
	return nr;
}

/* 0, -EBUSY or -EAGAIN. */
static int coredump_wait(struct task_struct *self, struct core_state *state)
{
	struct mm_struct *mm = self->mm;
	int waiters = -EBUSY;

	init_completion(&state->startup);
	init_once(state->nr_threads, 0);
	state->dumper = (struct core_thread){.task = self};
	down_write(&mm->mmap_sem);
	if (!mm->core_state)
		waiters = zap_users(self, state);
	up_write(&mm->mmap_sem);
	if (waiters < 0)
		return waiters;
	if (planted(KNOB_CORE_COUNTED_LATE))
		atomic_set(&state->nr_threads, (u32)waiters);
	event_record(&ev_coredump, mm->context.id, (u64)waiters);
	if (waiters) {
		count_vm_events(VMSTAT_coredump_waited_for, (u64)waiters);
		wait_for_completion(&state->startup);
	}
	return 0;
}

void exit_core_dump(struct task_struct *task, struct mm_struct *mm)
{
	struct core_state *state = mm->core_state;
	struct core_thread self = {.task = task};

	up_read(&mm->mmap_sem);
	event_record(&ev_core_exit, task->pid, mm->context.id);
	/* Whole before the count says so: atomic_dec_and_test() is a full barrier, and completes
	 * startup for the dumper, who goes through the list. */
	self.next = xchg(&state->dumper.next, &self);
	if (atomic_dec_and_test(&state->nr_threads))
		complete(&state->startup);
	while (!planted(KNOB_EXIT_LEAVES_CORE_DUMP)) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (!READ_ONCE(self.task))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	down_read(&mm->mmap_sem);
}

/* The tasks that have the mm are those that have queued themselves. */
static void check_alone(struct task_struct *self, const struct core_state *state)
{
	spinlock_t *tasklist = &self->machine->smp->tasklist_lock;
	const struct core_thread *waiting;
	struct task_struct *t;
	u32 users = 0, nr = 0;

	spin_lock(tasklist);
	cds_list_for_each_entry(t, &self->machine->smp->all_tasks, all_node) {
		if (t != self && oracle_read(t->mm) == self->mm &&
		    !(oracle_read(t->flags) & PF_KTHREAD))
			users++;
	}
	spin_unlock(tasklist);
	/* The links lie on their stacks: no further than there are tasks. */
	for (waiting = oracle_read(state->dumper.next); waiting && nr < users;
	     waiting = waiting->next)
		nr++;
	if (unlikely(waiting || nr != users))
		VIOLATION(&inv_alone,
			  "pid %u dumps mm%u: besides it %u tasks use the mm, %s%u wait for it",
			  self->pid, self->mm->context.id, users, waiting ? "more than " : "", nr);
}

/* ---- what is dumped ---- */

struct dump {
	const struct coredump_params *params;
	u64 pages; /* without holes */
};

/* v3.13 vma_dump_size() with its default filter: what has been written to; of files the page with
 * the ELF header. */
static u64 vma_dump_end(const struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_PFNMAP | VM_SHARED))
		return vma->vm_start;
	/* Others may write there meanwhile: a uprobe is registered, a kernel thread that has
	 * adopted the mm faults (anon_vma_prepare). */
	if (READ_ONCE(vma->anon_vma))
		return vma->vm_end;
	if (vma->vm_file && !vma->vm_pgoff && (vma->vm_flags & VM_READ))
		return vma->vm_start + PAGE_SIZE;
	return vma->vm_start;
}

/* The page at @addr with a reference, NULL if none is mapped there, or that of zeros. */
static struct page *follow_page(struct vm_area_struct *vma, u64 addr, bool *none)
{
	struct page *page = NULL;
	struct pte_place at;
	pteval_t pte;

	*none = false;
	if (!pte_find(vma->vm_mm, addr, &at)) {
		/* FOLL_DUMP: anonymous memory without a table is a hole (no_page_table). */
		*none = vma->vm_file != NULL;
		return NULL;
	}
	spin_lock(at.ptl);
	pte = READ_ONCE(*at.pte);
	*none = !pte_present(pte);
	if (!*none)
		page = vm_normal_page(vma, addr, pte);
	if (page)
		get_page(page);
	spin_unlock(at.ptl);
	return page;
}

/*
 * v3.13 get_dump_page(): faulted in if need be; NULL for a hole. mmap_sem is held as since v5.10
 * (7f3bfab52cab): the VMAs stand still, but kernel threads that have adopted the mm fault as well.
 */
static struct page *get_dump_page(struct vm_area_struct *vma, u64 addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page *page;
	bool none;

	down_read(&mm->mmap_sem);
	while (!(page = follow_page(vma, addr, &none)) && none) {
		/* Truncation may take it away again; a fault that fails makes a hole. */
		if (handle_mm_fault(mm, vma, addr, 0) &
		    (VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV))
			break;
	}
	up_read(&mm->mmap_sem);
	return page;
}

static void dump_page(struct dump *d, struct vm_area_struct *vma, u64 addr)
{
	struct page *page = get_dump_page(vma, addr);
	u64 words[FRAME_WORDS];
	struct frame *frame;

	if (!page) {
		d->params->emit(d->params->arg, addr, NULL);
		return;
	}
	frame = frame_of(&this_vcpu()->machine->tlb->mem, page_to_pfn(page));
	for (u32 i = 0; i < FRAME_WORDS; i++)
		words[i] = READ_ONCE(frame->data[i]);
	d->params->emit(d->params->arg, addr, words);
	put_page(page);
	d->pages++;
	count_vm_event(VMSTAT_coredump_pages);
}

/* v3.13 elf_core_dump(): no lock over the VMAs, they can't change. SIGKILL ends it. */
static void dump_vmas(struct dump *d, const struct mm_struct *mm)
{
	for (u32 i = 0; i < mm->nr_vmas; i++) {
		struct vm_area_struct *vma = mm->vmas[i];
		u64 end = vma_dump_end(vma);

		for (u64 addr = vma->vm_start; addr < end; addr += PAGE_SIZE) {
			if (fatal_signal_pending(current))
				return;
			dump_page(d, vma, addr);
			cond_resched();
		}
	}
}

/* Lets the others go on. */
static void coredump_finish(struct task_struct *self, struct core_state *state)
{
	struct core_thread *waiting = state->dumper.next, *next;
	struct signal_struct *signal = self->signal;

	spin_lock(&self->sighand->siglock);
	if (!fatal_signal_pending(self))
		signal->group_exit_code |= CORE_DUMPED;
	signal->group_exit_task = NULL;
	WRITE_ONCE(signal->flags, SIGNAL_GROUP_EXIT);
	spin_unlock(&self->sighand->siglock);
	for (; waiting; waiting = next) {
		struct task_struct *task = waiting->task;

		next = waiting->next;
		/* The link is gone as soon as its task sees NULL, and the task itself may be; its
		 * structure stays for a grace period. */
		rcu_read_lock();
		smp_store_release(&waiting->task, NULL);
		(void)wake_up_process(task);
		rcu_read_unlock();
	}
	WRITE_ONCE(self->mm->core_state, NULL);
}

int do_coredump(const struct coredump_params *params)
{
	struct dump d = {.params = params};
	struct task_struct *self = current;
	struct mm_struct *mm = self->mm;
	struct core_state state;
	int err;

	might_sleep();
	mm_check_alive(mm, __func__);
	err = coredump_wait(self, &state);
	if (err) {
		event_record(&ev_core_refused, self->pid, (u64)-err);
		count_vm_event(VMSTAT_coredump_refused);
		return err;
	}
	check_alone(self, &state);
	init_once(mm->oracle_dumping, 1);
	dump_vmas(&d, mm);
	init_once(mm->oracle_dumping, 0);
	check_alone(self, &state);
	event_record(&ev_core_finish, mm->context.id, d.pages);
	count_vm_event(VMSTAT_coredump);
	coredump_finish(self, &state);
	return 0;
}

void sys_abort(const struct coredump_params *params)
{
	u32 code = SIGABRT_NUMBER;

	current->in_syscall = "core dump";
	/* SIGKILL comes before any other signal. */
	if (!fatal_signal_pending(current) && !do_coredump(params))
		code |= CORE_DUMPED;
	sys_exit_group(code);
}
