// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an emulated user program can do: system calls, and memory accesses. All of them run on the
 * calling task's vCPU and return 0 (or a value) or a negative errno.
 *
 * A user access goes through the TLB; a fault is handled as the kernel does and the access retried.
 * -EFAULT means that the address is not mapped or not allowed (the program would get SIGSEGV),
 * -EIO a mapping beyond the end of its file (SIGBUS), -ENOMEM that memory ran out (SIGKILL).
 */
#ifndef MM_SYSCALLS_H
#define MM_SYSCALLS_H

#include "mm/file.h"
#include "mm/mm.h"

/* protections and flags: PROT_* and MAP_* in the kernel's words are VM_READ, VM_WRITE, VM_EXEC,
 * VM_SHARED, VM_LOCKED here. */

int user_read(u64 va, u64 *value);
int user_write(u64 va, u64 value);

/* Back to user mode after a system call: softirqs, quiescent state, preemption, a pending kill.
 * True: the task has been killed and must exit. */
bool return_to_user(void);

/* addr 0: anywhere. Returns the address or a negative errno. */
s64 sys_mmap(u64 addr, u64 len, u32 vm_flags, struct file *file, u64 pgoff);
int sys_munmap(u64 addr, u64 len);
int sys_mprotect(u64 addr, u64 len, u32 vm_flags);
s64 sys_brk(u64 brk); /* returns the break that is in force */
int sys_mlock(u64 addr, u64 len);
int sys_munlock(u64 addr, u64 len);
int sys_madvise_dontneed(u64 addr, u64 len);
/* MADV_MERGEABLE (KSM) or MADV_HUGEPAGE (khugepaged), or what takes them back. Means nothing, and
 * is no error, where VMAs are shared, a driver's or, for khugepaged, a file's. 0, -EINVAL, -ENOMEM
 * for holes, after the rest is done, or -EAGAIN without memory. */
int sys_madvise_scan(u64 addr, u64 len, enum mm_scanner which, bool on);
int sys_msync(u64 addr, u64 len); /* writes the file pages of the range back */
int sys_ftruncate(struct inode *inode, u64 size_pages);

/* VM_PFNMAP of @nr frames that the emulated driver owns; the address or a negative errno. */
s64 sys_mmap_device(u64 nr);

/*
 * A new process with a copy of the caller's address space that will run entry(arg); or with
 * CLONE_VM a thread in the caller's. The pid, or a negative errno. *child (may be NULL) is set
 * before the child runs, and is good until sys_wait() has returned its pid. With CLONE_VFORK the
 * caller sleeps until the child has left the mm by exec or exit. With CLONE_THREAD (and CLONE_VM,
 * CLONE_SIGHAND) the new task is another thread of the caller's group (smp/signal.h): nobody waits
 * for it, and *child is good for as long as the group can be. -EINTR with CLONE_VM if the caller
 * has been killed.
 */
#ifndef CLONE_VM /* the host's <sched.h> has the same values */
#define CLONE_VM 0x00000100u
#define CLONE_VFORK 0x00004000u
#define CLONE_SIGHAND 0x00000800u
#define CLONE_THREAD 0x00010000u
#endif
s64 sys_clone(u32 flags, const char *comm, void (*entry)(void *), void *arg,
	      struct task_struct **child);
/* The same; the child may run on @cpus only (CPU_WORDS words; NULL: all), not where the caller may.
 */
s64 sys_clone_on(const u64 *cpus, u32 flags, const char *comm, void (*entry)(void *), void *arg,
		 struct task_struct **child);

/* What to execute: the file gives name, text and data; sizes in pages. */
struct exec_image {
	struct inode *file;
	u64 text_pages, data_pages, bss_pages, stack_pages;
	u32 argument_pages;    /* touched while the new stack is set up */
	u32 fail_at;	       /* enum exec_fail: where the program wants it to fail */
	u32 stack_shift_pages; /* the stack is moved down by so many: what randomize_stack_top()
				  draws for a program, at most STACK_SHIFT_MAX_PAGES */
	bool setid;	       /* set-user-ID: PER_CLEAR_ON_SETID goes (bprm->per_clear), the
				  program is root's (mm/cred.h) */
};
/* v3.14 x86-64 STACK_RND_MASK, arch/x86/include/asm/elf.h: 16 GiB. */
#define STACK_SHIFT_MAX_PAGES 0x3fffffu

enum exec_fail {
	EXEC_FAIL_NOT,
	EXEC_FAIL_BEFORE, /* before the point of no return: the old image goes on */
	EXEC_FAIL_AFTER,  /* after it: the task is killed */
};

/* Replaces the caller's image; a kernel thread becomes a user task. */
int sys_execve(const struct exec_image *image);

/* The word at @va is set to 0 when the caller leaves its mm by exit or exec while others use it
 * (v3.14 kernel/fork.c; 0: none), and who waits there is woken (mm/futex.h). Its pid. */
s64 sys_set_tid_address(u64 va);

/* Ends the calling task (seed_path B4), which may be one thread of many. */
__attribute__((noreturn)) void sys_exit(u32 code);

/* Ends the whole thread group: the others find SIGKILL. If another end, or an exec, has been first
 * only the caller ends by its own doing. */
__attribute__((noreturn)) void sys_exit_group(u32 code);

/* SIGKILL for the thread group @pid. 0, or -ESRCH if there is none; where the kernel says 0, since
 * it has all exited and was not waited for yet, it may be either. */
int sys_kill(u32 pid);

/* Waits for the group of a child, the caller's or another thread's of its group, to exit and reaps
 * it; its pid, -ECHILD, or -EINTR when the caller has been killed. *code is that of the group's
 * end, or its leader's. */
s64 sys_wait(u32 *code);
/* The same for one child: @pid. */
s64 sys_waitpid(u32 pid, u32 *code);

/* A reader of another task's address space (like /proc/PID/maps): takes it, looks at every VMA,
 * puts it. The number of VMAs; -ESRCH without such a task, -EINVAL if it has no mm. */
int sys_peek_mm(u32 pid);

/* The same for who must have the rights to do so, as a debugger or /proc/PID/mem does (mm/cred.h):
 * also -EACCES, or -EINTR for who is killed while it waits for an exec. */
int sys_access_mm(u32 pid);

/* The link /proc/PID/exe: the first character of the name of the program that task executes; -ESRCH
 * without such a task, -ENOENT if it executes none. */
int sys_read_exe(u32 pid);

/* prctl(PR_SET_MM_EXE_FILE): another program is to be known as the one that the caller's mm
 * executes. 0; -EBUSY while the old one is mapped, -EPERM the second time, -ENOMEM. */
int sys_set_mm_exe_file(struct inode *inode);

/*
 * Looks at @nr page frames from @pfn on (and from 0 again after the last one), as idle page
 * tracking does (v4.3 mm/page_idle.c): takes each page that somebody maps, clears the accessed bits
 * of all entries that map it, by rmap, and puts it. How many entries had been accessed.
 */
u64 sys_age_pages(u64 pfn, u64 nr);

/* Starts a request for the page at @addr, which must be mapped and present; it goes on while the
 * caller does (aio.h). 0, -EFAULT, -ENOMEM without memory for the mm's context, or -EAGAIN for the
 * request. */
int sys_io_submit(u64 addr);

/* The caller's address space has a page in swap from now on (swap_mms.h). */
void sys_swap_use(void);

/* Visits every address space that uses swap, as its user for a while, as swapoff does; how many. */
u32 sys_swapoff(void);

/* Unloads the module of the binary format: 0, -EBUSY while it is used, -ENOENT if it is not loaded
 * (binfmt_module.h). The next exec loads it. */
int sys_delete_module(void);

/* A turn of ksmd or khugepaged: @nr_pages pages of registered address spaces, from where the last
 * turn ended, but not beyond the end of the list (mm_slots.h). */
void sys_scan_mms(enum mm_scanner which, u32 nr_pages);

/*
 * A breakpoint for page @pgoff of @inode in every program that maps it as text, from now on; again:
 * one more consumer. 0, -EINVAL beyond the end of the file, or -ENOMEM: then nothing is registered
 * (uprobes.h). And a consumer goes: 0, or -ENOENT.
 */
int sys_uprobe_register(struct inode *inode, u64 pgoff);
int sys_uprobe_unregister(struct inode *inode, u64 pgoff);

/* The program runs what is at @addr: page @pgoff of @inode. 1: it has trapped; 0, or the error of
 * user_read(). */
int user_execute(u64 addr, const struct inode *inode, u64 pgoff);

/* A kernel thread (without an mm) adopts another task's address space for a moment, as aio workers
 * do, and reads a few words of it through its own TLB. The number of words, -ESRCH, or -EINVAL when
 * there is no mm to adopt. */
int sys_adopt_mm(u32 pid);

#endif
