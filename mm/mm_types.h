// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct mm_struct and struct vm_area_struct.
 *
 * mm_users counts those who use the address space: tasks, and readers that hold it for a moment
 * (get_task_mm). At zero mmput() tears it down. mm_count counts those who need the structure and
 * the page directory: one for all mm_users together, one for each lazy-TLB borrower, and whoever
 * calls mmgrab(). At zero mmdrop() frees it. Both atomic.
 *
 * Locks:
 *   mmap_sem		the set of VMAs and their fields; faults and MADV_DONTNEED take it for
 * reading page_table_lock	filling in pgd and pud entries
 *   split locks	pmd entries: the lock of the pmd page; pte entries: of the page-table page
 *   atomic		rss, nr_ptes, mm_users, mm_count
 *   task_lock(owner)	owner
 */
#ifndef MM_MM_TYPES_H
#define MM_MM_TYPES_H

#include <urcu/list.h>

#include "mm/page.h"
#include "smp/rwsem.h"
#include "smp/task.h"
#include "tlbshoot/mmu_context.h"

struct anon_vma;
struct core_state;
struct file;
struct kioctx;
struct linux_binfmt;
struct mem_cgroup;
struct mm_slot;
struct mmu_notifier_mm;
struct xol_area;

/* vm_flags, v3.14 include/linux/mm.h. */
#define VM_READ 0x00000001u
#define VM_WRITE 0x00000002u
#define VM_EXEC 0x00000004u
#define VM_SHARED 0x00000008u
#define VM_GROWSDOWN 0x00000100u
#define VM_PFNMAP 0x00000400u
#define VM_LOCKED 0x00002000u
#define VM_SEQ_READ 0x00008000u
#define VM_ACCOUNT 0x00100000u
#define VM_HUGEPAGE 0x20000000u	 /* khugepaged may scan it */
#define VM_MERGEABLE 0x80000000u /* KSM may scan it */
#define VM_STACK_INCOMPLETE_SETUP                                                                  \
	VM_SEQ_READ /* exec's temporary stack, as the kernel reuses a bit */

/* Counters of resident pages, cached per task (task_struct.rss_stat) and folded into mm->rss. */
enum mm_counter {
	MM_FILEPAGES,
	MM_ANONPAGES,
};

/* Who walks address spaces without being their user (mm_slots.h). */
enum mm_scanner {
	MM_SCANNER_KSM,
	MM_SCANNER_KHUGEPAGED,
	NR_MM_SCANNERS,
};

struct vm_area_struct {
	u64 vm_start, vm_end; /* page aligned; [start, end) */
	struct mm_struct *vm_mm;
	u32 vm_flags;
	u32 id;			   /* for events */
	struct file *vm_file;	   /* holds a reference; NULL for anonymous */
	u64 vm_pgoff;		   /* in pages: of the file, or of the address for anonymous */
	struct anon_vma *anon_vma; /* set once, under page_table_lock; NULL until needed */
	struct cds_list_head anon_vma_chain; /* struct anon_vma_chain.same_vma; mmap_sem or
						page_table_lock */
	struct cds_list_head shared;	     /* in address_space.i_mmap; i_mmap_mutex */
	void *vm_private;		     /* VM_PFNMAP: the driver's mapping */
	u32 oracle_tables_freed;	     /* atomic: free_pgtables() is done with it */
	u32 oracle_moving;		     /* atomic: its page-table entries are being moved */
};

#define MM_MAGIC 0x6d6d5f73u
#define MM_FREED 0x6b6b6b6bu

/* VMAs are few: an array sorted by address. Grows from VMA_INLINE in steps (vma.c). */
#define VMA_INLINE 16

struct mm_struct {
	struct mm_context context; /* id, CPU mask, root; tlbshoot/ */

	/* Atomic. With context.flush_pending on a line of their own: every zap writes them. */
	s64 rss[NR_MM_COUNTERS];
	u32 oracle_notifier_depth; /* range starts without their end */

	__line_aligned u32 magic; /* MM_MAGIC while alive */
	u32 mm_users, mm_count;	  /* atomic */
	u32 flags;		  /* MMF_*; atomic */
	u32 oracle_dumping;	  /* atomic: a core is being dumped (mm/coredump.h) */
	struct rw_semaphore mmap_sem;
	spinlock_t page_table_lock;

	/* Under mmap_sem. */
	struct vm_area_struct **vmas; /* nr_vmas, ascending */
	u32 nr_vmas, vmas_capacity;
	struct vm_area_struct *vmas_inline[VMA_INLINE];
	u64 total_vm, locked_vm; /* pages */
	u64 start_code, end_code, start_data, end_data, start_brk, brk;
	u64 start_stack, arg_start, arg_end, mmap_base;
	struct file *exe_file;
	struct linux_binfmt *binfmt; /* binfmt_module.c; own, then the last user's */

	s64 nr_ptes;	 /* atomic */
	u64 hiwater_rss; /* atomic: zaps of other tasks (truncation) raise it, too */

	struct task_struct *owner; /* task_lock of the owner */
	struct mem_cgroup *memcg;
	struct mmu_notifier_mm *notifiers;
	struct core_state *core_state; /* mm/coredump.h; not NULL: a core dump is under way */

	/* For the data oracle: whose private data it is. Each mm has another one. Constant. */
	u32 domain;
	u32 oracle_euid; /* the rights of the program that runs in it (mm/cred.h); constant */

	/* mm_slots.c: the lock of each scanner's list. */
	struct mm_slot *slots[NR_MM_SCANNERS];
	struct kioctx *ioctx;	   /* aio.c; atomic: set once */
	struct xol_area *xol_area; /* uprobes.c; atomic: set once */
	u32 oracle_scanners;	   /* scanners that walk this mm */
	u32 oracle_torn_down;	   /* exit_mmap() has begun */

	/* swap_mms.c, mmlist_lock. */
	u32 on_swap_list; /* atomic */
	struct cds_list_head swap_node;

	/* mmlist_lock. On a line of its own: neighbours on the list write it. The list's head has
	 * the same alignment, so that a walk's last step, from the head, computes an aligned
	 * address. */
	__line_aligned struct cds_list_head mmlist;
} __line_aligned;
_Static_assert(offsetof(struct mm_struct, oracle_notifier_depth) / CACHE_LINE ==
		       offsetof(struct mm_struct, context.flush_pending) / CACHE_LINE,
	       "what a zap writes lies on one line");

/* x86-64: user page tables begin at 0 (v3.14 FIRST_USER_ADDRESS). */
#define FIRST_USER_ADDRESS 0ULL

#endif
