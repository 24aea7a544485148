// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec: builds a new address space beside the old one and switches the task over (seed_path A2 to
 * A7; v3.14 fs/exec.c). What the image looks like is the loader's business: binfmt.c.
 */
#include <errno.h>
#include <string.h>

#include "mm/binfmt_module.h"
#include "mm/binprm.h"
#include "mm/cred.h"
#include "mm/knobs.h"
#include "mm/lazy_mm.h"
#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/mm_block.h"
#include "mm/mm_owner.h"
#include "mm/rss.h"
#include "mm/thread_group.h"
#include "mm/vma.h"
#include "smp/fail_alloc.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_execve, 360, 0, "execve", "pid %llu, inode %llu");
EVENT_DESC(ev_flush_old_exec, 361, 0, "flush_old_exec", "pid %llu, to mm%llu");
EVENT_DESC(ev_exec_mmap, 362, EVENT_SYNC, "exec_mmap", "mm%llu -> mm%llu");
EVENT_DESC(ev_exec_failed, 363, 0, "execve failed", "pid %llu: error %llu");

/* v3.14 VM_STACK_FLAGS of x86-64; the page faults of exec itself must not count as sequential. */
#define VM_STACK_FLAGS (VM_READ | VM_WRITE | VM_EXEC | VM_GROWSDOWN | VM_ACCOUNT)

/* Arguments may take a quarter of the stack (v3.14 get_arg_page). */
#define ARGUMENT_LIMIT_PAGES ((STACK_LIMIT / 4) >> PAGE_SHIFT)

void acct_arg_size(struct linux_binprm *bprm, u64 pages)
{
	struct mm_struct *mm = current->mm;
	s64 diff = (s64)(pages - bprm->vma_pages);

	/* A kernel thread has no mm to charge. */
	if (!mm || !diff)
		return;
	bprm->vma_pages = pages;
	add_mm_counter(mm, MM_ANONPAGES, diff);
}

/* One page of arguments, at the low end of those before it. mmap_sem of the new mm for writing. */
static int get_arg_page(struct linux_binprm *bprm)
{
	struct vm_area_struct *vma = bprm->vma;
	u64 addr = bprm->p - PAGE_SIZE;
	u32 fault;

	if (addr < vma->vm_start && expand_stack(vma, addr))
		return -ENOMEM;
	acct_arg_size(bprm, vma_pages(vma));
	fault = handle_mm_fault(bprm->mm, vma, addr, FAULT_FLAG_WRITE);
	if (fault & VM_FAULT_OOM)
		return -ENOMEM;
	if (fault & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV))
		return -EFAULT;
	bprm->p = addr;
	return 0;
}

/* The temporary stack: one page at the very end of the address space. */
static int bprm_stack_init(struct linux_binprm *bprm)
{
	struct mm_struct *mm = bprm->mm;
	struct vm_area_struct *vma;

	if (security_vm_enough_memory(mm, 1))
		return -ENOMEM;
	vma = vma_alloc(mm, STACK_TOP - PAGE_SIZE, STACK_TOP,
			VM_STACK_FLAGS | VM_STACK_INCOMPLETE_SETUP, NULL, 0);
	if (vma && !insert_vma(mm, vma)) {
		bprm->vma = vma;
		bprm->p = STACK_TOP;
		return 0;
	}
	if (vma)
		remove_vma(vma);
	vm_unacct_memory(1);
	return -ENOMEM;
}

/*
 * The new mm with its arguments. From its first VMA on, whatever goes wrong is undone by mmput().
 * Nobody else can look into the mm yet; its mmap_sem is held because the code below insists.
 */
static int bprm_mm_init(struct linux_binprm *bprm)
{
	struct mm_struct *mm = mm_alloc();
	int err;

	bprm->mm = mm;
	if (!mm)
		return -ENOMEM;
	init_once(mm->oracle_euid, bprm->euid);
	down_write(&mm->mmap_sem);
	err = bprm_stack_init(bprm);
	for (u32 i = 0; !err && i < bprm->image->argument_pages; i++)
		err = get_arg_page(bprm);
	mm->arg_start = bprm->p;
	mm->arg_end = STACK_TOP;
	up_write(&mm->mmap_sem);
	return err;
}

/* (A5) The last path component, cut to what comm holds, always terminated. */
static void filename_to_taskname(char *tcomm, const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t len;

	if (slash)
		name = slash + 1;
	if (planted(KNOB_COMM_NOT_TERMINATED)) {
		memcpy(tcomm, name, min(strlen(name) + 1, (size_t)TASK_COMM_LEN));
		return;
	}
	len = min(strlen(name), (size_t)TASK_COMM_LEN - 1);
	memcpy(tcomm, name, len);
	tcomm[len] = '\0';
}

static void pick_mmap_layout(struct mm_struct *mm)
{
	mm->mmap_base = TASK_UNMAPPED_BASE;
}

/* (A7) The task goes over to @mm, and its use of the old mm ends. */
static int exec_mmap(struct mm_struct *mm)
{
	struct task_struct *t = current;
	struct mm_struct *old_mm = t->mm, *active_mm;

	mm_release(t, old_mm);
	if (old_mm) {
		if (!planted(KNOB_EXEC_KEEPS_RSS))
			sync_mm_rss(old_mm);
		/* A core dump holds mmap_sem while it sets core_state and counts the users of the
		 * mm: either it counts us, or we see it. */
		down_read(&old_mm->mmap_sem);
		if (unlikely(old_mm->core_state) && !planted(KNOB_EXEC_IGNORES_CORE_DUMP)) {
			up_read(&old_mm->mmap_sem);
			count_vm_event(VMSTAT_exec_core_dump);
			return -EINTR;
		}
	}
	event_record(&ev_exec_mmap, old_mm ? old_mm->context.id : 0, mm->context.id);
	spin_lock(&t->alloc_lock);
	/*
	 * Interrupts off from sampling active_mm until the root is loaded (v5.10 d53c3dfb23c4): a
	 * kernel thread that was preempted here would come back with another active_mm and drop the
	 * wrong reference, and a shootdown would find a task on an mm that its CPU has not loaded.
	 */
	local_irq_disable();
	active_mm = t->active_mm;
	WRITE_ONCE(t->mm, mm);
	t->active_mm = mm;
	activate_mm(&active_mm->context, &mm->context);
	local_irq_enable();
	spin_unlock(&t->alloc_lock);
	pick_mmap_layout(mm);
	if (old_mm) {
		up_read(&old_mm->mmap_sem);
		BUG_ON(active_mm != old_mm, "pid %u used mm%u and ran on mm%u", t->pid,
		       old_mm->context.id, active_mm->context.id);
		setmax_mm_hiwater_rss(&t->signal->maxrss, old_mm);
		mm_update_next_owner(old_mm);
		check_owner_left(old_mm);
		mmput(old_mm);
		return 0;
	}
	mmdrop_lazy_tlb(active_mm);
	if (planted(KNOB_EXEC_MM_COUNT_TWICE))
		mmdrop_lazy_tlb(active_mm);
	return 0;
}

/* The new program starts with registers of its own. */
static void flush_thread(struct thread_struct *thread)
{
	memset(thread->debugreg, 0, sizeof(thread->debugreg));
	memset(thread->tls, 0, sizeof(thread->tls));
}

/* (A2) */
int flush_old_exec(struct linux_binprm *bprm)
{
	struct task_struct *t = current;
	int err;

	event_record(&ev_flush_old_exec, t->pid, bprm->mm->context.id);
	err = de_thread(t);
	if (err)
		return err;
	check_group_is_one(t);
	set_mm_exe_file(bprm->mm, bprm->file);
	filename_to_taskname(bprm->tcomm, bprm->file->inode->name);
	/* The old mm gets its counter back while it is still ours. */
	acct_arg_size(bprm, 0);
	err = exec_mmap(bprm->mm);
	if (err)
		return err;
	bprm->mm = NULL;
	if (!planted(KNOB_EXEC_KEEPS_ADDR_LIMIT))
		t->thread.addr_limit = USER_DS;
	WRITE_ONCE(t->flags, t->flags & ~(PF_RANDOMIZE | PF_FORKNOEXEC | PF_KTHREAD | PF_NOFREEZE));
	flush_thread(&t->thread);
	t->personality &= ~bprm->per_clear;
	return 0;
}

static void set_task_comm(struct task_struct *t, const char *comm)
{
	bool locked = !planted(KNOB_COMM_UNLOCKED);

	if (locked)
		spin_lock(&t->alloc_lock);
	memcpy(t->comm, comm, TASK_COMM_LEN);
	if (locked)
		spin_unlock(&t->alloc_lock);
}

void setup_new_exec(struct linux_binprm *bprm)
{
	pick_mmap_layout(current->mm);
	set_task_comm(current, bprm->tcomm);
}

/*
 * The arguments' stack goes down by @shift, its pages with it (v3.14 shift_arg_pages). Between the
 * two changes of its bounds the VMA covers where they were and where they will be; rmap, which
 * takes them for moved from the first one on, passes the VMA over (VM_STACK_INCOMPLETE_SETUP).
 */
static int shift_arg_pages(struct vm_area_struct *vma, u64 shift)
{
	u64 old_start = vma->vm_start, old_end = vma->vm_end;
	u64 new_start = old_start - shift, new_end = old_end - shift;
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_gather tlb;

	BUG_ON(find_vma(mm, new_start) != vma, "mm%u has VMAs below its temporary stack",
	       mm->context.id);
	init_once(vma->oracle_moving, 1);
	vma_set_bounds(vma, new_start, old_end);
	if (move_page_tables(vma, old_start, new_start, old_end - old_start) !=
	    old_end - old_start) {
		/* The task dies, and exit_mmap() cleans up. It gives back what the VMA covers, and
		 * that is more than was committed for the stack. */
		vm_acct_memory(shift >> PAGE_SHIFT);
		return -ENOMEM;
	}
	lru_add_drain();
	tlb_gather_mmu(&tlb, mm, old_start, old_end);
	/* The tables that the stack has left; where the ranges overlap it still needs the lower. */
	free_pgd_range(&tlb, max(new_end, old_start), old_end, new_end, 0);
	tlb_finish_mmu(&tlb);
	vma_set_bounds(vma, new_start, new_end);
	init_once(vma->oracle_moving, 0);
	return 0;
}

/* (A1) There is no randomisation of the kernel's own: the image says how far the stack moves. */
int setup_arg_pages(struct linux_binprm *bprm, u64 pages)
{
	u64 shift = (u64)bprm->image->stack_shift_pages << PAGE_SHIFT;
	struct vm_area_struct *vma = bprm->vma;
	struct mm_struct *mm = vma->vm_mm;

	if (planted(KNOB_STACK_SHOWN_EARLY))
		vma_set_flags(vma, VM_STACK_FLAGS);
	if (shift && shift_arg_pages(vma, shift))
		return -ENOMEM;
	vma_set_flags(vma, VM_STACK_FLAGS);
	bprm->p -= shift;
	mm->arg_start = bprm->p;
	mm->arg_end = vma->vm_end;
	mm->start_stack = bprm->p;
	if (vma_pages(vma) >= pages)
		return 0;
	return expand_stack(vma, vma->vm_end - (pages << PAGE_SHIFT));
}

static bool image_valid(const struct exec_image *image)
{
	u64 room = (TASK_UNMAPPED_BASE - ELF_TEXT_START) >> PAGE_SHIFT;

	return image->file && image->text_pages && image->text_pages <= room &&
	       image->data_pages <= room && image->bss_pages <= room &&
	       image->text_pages + image->data_pages + image->bss_pages <= room &&
	       image->stack_pages <= STACK_LIMIT >> PAGE_SHIFT &&
	       image->stack_shift_pages <= STACK_SHIFT_MAX_PAGES;
}

/* The format's module stays while its loader runs. */
static int search_binary_handler(struct linux_binprm *bprm)
{
	int err;

	bprm->fmt = binfmt_get();
	/* As if there were no such format: why request_module() has failed exec does not ask. */
	if (!bprm->fmt)
		return -ENOEXEC;
	err = load_elf_binary(bprm);
	binfmt_put(bprm->fmt);
	return err;
}

int sys_execve(const struct exec_image *image)
{
	struct linux_binprm bprm = {
		.image = image,
		.per_clear = image->setid ? PER_CLEAR_ON_SETID : 0,
	};
	struct task_struct *t = current;
	int err;

	t->in_syscall = "execve";
	if (!image_valid(image)) {
		err = -ENOEXEC;
		goto failed;
	}
	err = -E2BIG;
	if (image->argument_pages > ARGUMENT_LIMIT_PAGES)
		goto failed;
	event_record(&ev_execve, t->pid, image->file->ino);
	err = -ENOMEM;
	/* The structure is on the stack here; the kernel allocates it. */
	if (should_fail_alloc(ALLOC_SITE_bprm))
		goto failed;
	bprm.file = file_open(image->file);
	if (!bprm.file)
		goto failed;
	err = prepare_bprm_creds(&bprm);
	if (err)
		goto put_file;
	err = bprm_mm_init(&bprm);
	if (!err)
		err = search_binary_handler(&bprm);
	if (bprm.mm) {
		/* Before the point of no return: the new mm was never used. */
		if (!planted(KNOB_EXEC_FAIL_KEEPS_CHARGE))
			acct_arg_size(&bprm, 0);
		mmput(bprm.mm);
	} else if (err && bprm.vma && !planted(KNOB_EXEC_FAIL_SURVIVES)) {
		/* After it there is nothing to go back to: SIGKILL. */
		WRITE_ONCE(t->killed, 1);
	}
	free_bprm_creds(&bprm);
put_file:
	fput(bprm.file);
failed:
	if (err)
		event_record(&ev_exec_failed, t->pid, (u64)-err);
	t->in_syscall = NULL;
	return err;
}
