// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The set of VMAs of an mm: a sorted array, and the operations that change it. All of these need
 * mmap_sem: for reading to look, for writing to change.
 *
 * total_vm, and locked_vm for VM_LOCKED, follow the array: insert_vma and expand_stack raise them,
 * detach_vma(s) lower them. VM_ACCOUNT says that the VMA's pages are counted in committed memory;
 * whoever sets it has called security_vm_enough_memory(), whoever unmaps gives the pages back with
 * vm_unacct_memory().
 *
 * Bounds, vm_pgoff and vm_flags are also read by reverse mapping, under i_mmap_mutex or the
 * root anon_vma's rwsem and without mmap_sem: a VMA that is on their lists changes them with all
 * three held.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "mm/mm_types.h"

struct machine;

/* v3.14 DEFAULT_MAX_MAP_COUNT, include/linux/sched/sysctl.h: USHRT_MAX - 5. */
#define MAX_MAP_COUNT 65530
/* v3.14 _STK_LIM, include/uapi/linux/resource.h: the default RLIMIT_STACK. */
#define STACK_LIMIT (8ULL << 20)
/* Kept free below a stack: v4.12 stack_guard_gap, mm/mmap.c (1be7107fbe18). */
#define STACK_GUARD_GAP (256ULL << PAGE_SHIFT)
/* The lowest address that can be mapped: what v3.14 mm/Kconfig recommends for x86
 * (DEFAULT_MMAP_MIN_ADDR), and distributions set. */
#define MMAP_MIN_ADDR 65536ULL

/* Set-up of this part and of the device driver; after machine->mm exists. 0 or -ENOMEM. */
int vma_setup(struct machine *m);

/* The array of a new mm, empty; and what it has grown to, given back when the mm goes. */
void vma_array_init(struct mm_struct *mm);
void vma_array_free(struct mm_struct *mm);

/* The first VMA that ends above @addr; NULL if none. */
struct vm_area_struct *find_vma(const struct mm_struct *mm, u64 addr);

/* The VMA that contains @addr, or NULL. */
struct vm_area_struct *vma_lookup(const struct mm_struct *mm, u64 addr);

/* The number in the array of the first VMA that ends above @addr; nr_vmas if none. */
u32 find_vma_index(const struct mm_struct *mm, u64 addr);

/* A VMA that nobody knows yet; takes a reference of @file. Without a file @pgoff is that of the
 * address, whatever is passed. NULL without memory. */
struct vm_area_struct *vma_alloc(struct mm_struct *mm, u64 start, u64 end, u32 flags,
				 struct file *file, u64 pgoff);

/* fork: a copy of @vma for @mm, with references of its own on the file or the driver's frames, and
 * no anon_vma yet. Not VM_LOCKED. NULL without memory. */
struct vm_area_struct *vma_dup(struct mm_struct *mm, const struct vm_area_struct *vma);

/* Puts it into the array (and into its file's i_mmap). 0 or -ENOMEM; then it is as before, and
 * remove_vma() frees it. Must not overlap. */
int insert_vma(struct mm_struct *mm, struct vm_area_struct *vma);

/* Takes it out of the array; the VMA lives on. */
void detach_vma(struct mm_struct *mm, struct vm_area_struct *vma);

/* The same for @nr of them from number @first on; returns them as an array that is good until the
 * next change of the mm's VMAs. */
struct vm_area_struct **detach_vmas(struct mm_struct *mm, u32 first, u32 nr);

/* Close hook, file reference, the structure itself. It must have left the lists of its file and of
 * its anon_vmas (free_pgtables does that). */
void remove_vma(struct vm_area_struct *vma);

/* Unmaps [start, start + len). mmap_sem for writing. 0, -EINVAL or -ENOMEM. */
int do_munmap(struct mm_struct *mm, u64 start, u64 len);

/* A VM_GROWSDOWN VMA grows to contain @addr. mmap_sem for writing, as since v6.5 (8d7071af8907,
 * c2508ec5a58d): under mmap_sem for reading, others look at the bounds. 0 or -ENOMEM: beyond
 * STACK_LIMIT, into STACK_GUARD_GAP of the VMA below, or no memory to commit. */
int expand_stack(struct vm_area_struct *vma, u64 addr);

/* Cuts @vma in two at @addr; the new VMA is above. 0 or -ENOMEM. */
int split_vma(struct mm_struct *mm, struct vm_area_struct *vma, u64 addr);

/* Merges @vma with neighbours that it continues; returns what it is part of now. */
struct vm_area_struct *vma_merge_neighbours(struct mm_struct *mm, struct vm_area_struct *vma);

/* New vm_flags for a VMA of the array. mmap_sem for writing, or the last user. Sleeps. */
void vma_set_flags(struct vm_area_struct *vma, u32 flags);

/* New bounds for an anonymous VMA of the array that is not locked, where nothing else is (v3.14
 * vma_adjust). vm_pgoff stays: what belongs to the first page belongs to the new first page.
 * mmap_sem for writing. Sleeps. */
void vma_set_bounds(struct vm_area_struct *vma, u64 start, u64 end);

/* exec's stack before it is in its place: reverse mapping passes it over, for its pages are at
 * times not where its bounds say (v2.6.35 a8bef8ff6ea1). Under one of the locks of vm_flags. */
static inline bool vma_is_temporary_stack(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_GROWSDOWN | VM_STACK_INCOMPLETE_SETUP)) ==
	       (VM_GROWSDOWN | VM_STACK_INCOMPLETE_SETUP);
}

/* First free range of @len bytes at or above mm->mmap_base (below TASK_SIZE); 0 if none. */
u64 get_unmapped_area(const struct mm_struct *mm, u64 len, u64 align);

static inline u64 vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

/* The page number that @addr has in the file, or of the address. */
static inline u64 linear_page_index(const struct vm_area_struct *vma, u64 addr)
{
	return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}

/* Memory that may have to be provided: private writable mappings (v3.14 accountable_mapping). */
static inline bool vma_accountable(u32 vm_flags)
{
	return (vm_flags & (VM_WRITE | VM_SHARED | VM_PFNMAP)) == VM_WRITE;
}

/* Committed memory of the machine: up by @pages, or -ENOMEM; and down. */
int security_vm_enough_memory(struct mm_struct *mm, u64 pages);
void vm_unacct_memory(u64 pages);

/* Up without being asked: for what is accounted already. */
void vm_acct_memory(u64 pages);

/* The VMAs are consistent with themselves: order, alignment, counters (total_vm, locked_vm), i_mmap
 * membership. Quiet machine, on a vCPU; reports a violation. */
void vma_audit(struct mm_struct *mm);

/* The same for every mm of the mmlist that has users, and for committed memory, which is what their
 * VM_ACCOUNT areas have; and the driver's frames. Quiet machine; reports a violation: on a vCPU it
 * does not return then, from outside it does. */
void vma_audit_all(struct machine *m);

#endif
