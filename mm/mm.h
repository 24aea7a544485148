// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of an mm (seed_path A, B, C): made by fork or exec, used by tasks, torn down by the last
 * mmput, freed by the last mmdrop.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "mm/mm_types.h"

/*
 * Where things are in an address space (v3.14 x86-64, without randomisation): the image from
 * ELF_TEXT_START on, where the linker puts it (System V ABI, AMD64 supplement, 3.3.3 "Program
 * loading"), then its heap; mappings upwards from a third of the way; the stack downwards from the
 * end (arch/x86/include/asm/processor.h).
 */
#define ELF_TEXT_START 0x400000ULL
#define TASK_UNMAPPED_BASE ((TASK_SIZE / 3 + PAGE_SIZE - 1) & PAGE_MASK)
#define STACK_TOP (TASK_SIZE - PAGE_SIZE)

/* task->thread.addr_limit: a kernel thread may pass kernel addresses where user addresses are
 * expected, a program's system calls may not (v3.14 arch/x86 asm/uaccess.h). */
#define KERNEL_DS (~0ULL)
#define USER_DS TASK_SIZE

/* task->personality bits (v3.14 include/uapi/linux/personality.h), and those that a program which
 * gains privileges must not inherit. */
#define ADDR_NO_RANDOMIZE 0x0040000u
#define MMAP_PAGE_ZERO 0x0100000u
#define READ_IMPLIES_EXEC 0x0400000u
#define PER_CLEAR_ON_SETID (READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO)

/* Sets up smp/, tlbshoot/, machine->mm, vcpu->mm and all of this part; plugs into the scheduler.
 * Call after machine_create() or machine_reset() and before any inode or task is made. 0, -ENOMEM,
 * or -EINVAL for a geometry that is none. */
struct mm_options {
	u64 nr_pages;
	const struct tlb_geometry *geometry;
	const struct tlb_policy *policy;
	bool table_free_rcu;
	u32 gather_bundle;  /* 0: MMU_GATHER_BUNDLE */
	u32 gather_batches; /* ~0: MAX_GATHER_BATCH_COUNT; 0: the bundle only */
};
int mm_setup(struct machine *m, const struct mm_options *options);

/* An empty address space: mm_users 1, mm_count 1. NULL without memory. */
struct mm_struct *mm_alloc(void);

/* init_mm at set-up: no user part, never freed. */
int init_mm_setup(struct machine *m);

static inline void mmgrab(struct mm_struct *mm)
{
	atomic_inc(&mm->mm_count);
}
static inline void mmget(struct mm_struct *mm)
{
	atomic_inc(&mm->mm_users);
}

/* A user is added by somebody who knows the mm to exist, unless the last one has gone. */
bool mmget_not_zero(struct mm_struct *mm);

/* Drops a user; the last one tears the address space down. May sleep. */
void mmput(struct mm_struct *mm);

/* Drops a reference on the structure. Does not sleep. */
void mmdrop(struct mm_struct *mm);

/* The mm of another task with mm_users raised; NULL for kernel threads and tasks without one. */
struct mm_struct *get_task_mm(struct task_struct *task);

/* The task with @pid, unless it has been reaped; with a reference. NULL: there is none. */
struct task_struct *find_get_task(struct machine *m, u32 pid);

/* The last user is gone: unmaps everything, frees page tables and VMAs. */
void exit_mmap(struct mm_struct *mm);

/* The mm is alive: reports a violation otherwise. */
void mm_check_alive(const struct mm_struct *mm, const char *where);

/* fork: a copy of task->mm, which is the caller's, without an owner yet. NULL without memory, with
 * nothing left behind. Sleeps. */
struct mm_struct *dup_mm(struct task_struct *task);

/* exit: the running task gives up its mm and borrows it lazily until it is switched out. */
void exit_mm(struct task_struct *task);

/* Tells whoever waits for this task's old mm (vfork parent) that it is done with it. */
void mm_release(struct task_struct *task, struct mm_struct *mm);

/* The running task leaves @mm: if it was the owner, another of its users becomes owner, or nobody
 * (seed_path A8). Called while the task's own mm_users is still held. */
void mm_update_next_owner(struct mm_struct *mm);

/* scheduler hooks (smp/sched.h). */
struct mm_struct *mm_context_switch(struct task_struct *prev, struct task_struct *next);
void mm_finish_switch(struct mm_struct *mm);

/* A kernel thread adopts an mm for a while (v3.14 mm/mmu_context.c). */
void use_mm(struct mm_struct *mm);
void unuse_mm(struct mm_struct *mm);

#endif
