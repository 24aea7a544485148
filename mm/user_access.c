// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The border between user programs and the kernel: memory accesses, the page faults that they take
 * (v3.14 arch/x86/mm/fault.c), and the way back after a system call.
 */
#include <errno.h>

#include "mm/coredump.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/vmstat.h"

INVARIANT(inv_half_loaded, "image-half-loaded",
	  "a program that exec has started has the whole of its image");
INVARIANT(inv_addr_limit, "address-limit", "a program goes on with the address limit of user mode");
EVENT_DESC(ev_bad_area, 352, 0, "bad area", "at %#llx, error code %#llx");

/* Every so many returns to user mode a quiescent state is announced (threads): it costs a full
 * fence, and a grace period does not mind a few microseconds. Under the explorer every time. */
#define QUIESCENT_INTERVAL 16

/* What vm_flags must have one of for the access. On x86 whatever is mapped can be read, but for
 * PROT_NONE (v3.14 access_error). */
static u32 vm_flags_needed(u32 code)
{
	if (code & PF_WRITE)
		return VM_WRITE;
	if (code & PF_INSTR)
		return VM_EXEC;
	return VM_READ | VM_WRITE | VM_EXEC;
}

/* The stack is to grow down to @addr. mmap_sem was dropped: everything is looked at anew. */
static __cold_path int grow_stack(struct mm_struct *mm, u64 addr)
{
	struct vm_area_struct *vma;
	int err = -EFAULT;

	down_write(&mm->mmap_sem);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr)
		err = 0; /* another thread has done it */
	else if (vma && vma->vm_flags & VM_GROWSDOWN && !expand_stack(vma, addr))
		err = 0;
	up_write(&mm->mmap_sem);
	return err;
}

static __cold_path int bad_area(u64 addr, u32 code)
{
	event_record(&ev_bad_area, addr, code);
	return -EFAULT;
}

static __cold_path int fault_error(u64 addr, u32 code, u32 fault)
{
	if (fault & VM_FAULT_OOM) {
		count_vm_event(VMSTAT_allocstall_oom);
		return -ENOMEM;
	}
	if (fault & VM_FAULT_SIGBUS)
		return -EIO;
	return bad_area(addr, code);
}

/* 0: the access can be tried again. */
static __noinline int do_page_fault(u64 addr, u32 code)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	u32 fault;
	int err;

	if (unlikely(!mm))
		return bad_area(addr, code);
	if (unlikely(mm->magic != MM_MAGIC))
		mm_check_alive(mm, __func__);
	for (;;) {
		down_read(&mm->mmap_sem);
		vma = find_vma(mm, addr);
		if (likely(vma && vma->vm_start <= addr))
			break;
		/* Read before the lock is dropped: the VMA may be gone then. */
		err = vma && vma->vm_flags & VM_GROWSDOWN ? 0 : -EFAULT;
		up_read(&mm->mmap_sem);
		if (err || grow_stack(mm, addr))
			return bad_area(addr, code);
	}
	if (unlikely(!(vma->vm_flags & vm_flags_needed(code)))) {
		up_read(&mm->mmap_sem);
		return bad_area(addr, code);
	}
	fault = handle_mm_fault(mm, vma, addr, code & PF_WRITE ? FAULT_FLAG_WRITE : 0);
	up_read(&mm->mmap_sem);
	if (unlikely(fault & (VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)))
		return fault_error(addr, code, fault);
	return 0;
}

int user_read(u64 va, u64 *value)
{
	u32 code;
	int err;

	while (unlikely(code = cpu_access(va, TLB_READ, value))) {
		err = do_page_fault(va, code);
		if (unlikely(err))
			return err;
	}
	return 0;
}

int user_write(u64 va, u64 value)
{
	u32 code;
	int err;

	while (unlikely(code = cpu_access(va, TLB_WRITE, &value))) {
		err = do_page_fault(va, code);
		if (unlikely(err))
			return err;
	}
	return 0;
}

bool return_to_user(void)
{
	struct task_struct *t = current;

	lockdep_check_none_held(__func__);
	if (unlikely(t->mm && t->thread.addr_limit != USER_DS && !(t->flags & PF_KTHREAD)))
		VIOLATION(&inv_addr_limit, "pid %u returns with limit %#llx", t->pid,
			  (unsigned long long)t->thread.addr_limit);
	/* Arguments come before the image: an mm that was not made by exec has neither. */
	if (unlikely(t->mm && !t->mm->end_code && t->mm->arg_end && !(t->flags & PF_KTHREAD) &&
		     !oracle_read(t->killed)))
		VIOLATION(&inv_half_loaded, "pid %u goes on in mm%u, where exec has failed", t->pid,
			  t->mm->context.id);
	if (unlikely(t->mm && oracle_read(t->mm->oracle_dumping)))
		user_code_while_dumped(t);
	vcpu_progress();
	run_softirq();
	if (unlikely(++t->syscalls % QUIESCENT_INTERVAL == 0) || exploring())
		rcu_note_quiescent();
	safepoint();
	preempt_check();
	return READ_ONCE(t->killed);
}
