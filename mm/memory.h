// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables in use: faulting pages in, zapping them, copying them at fork, freeing the tables
 * (seed_path C9, D). Lock order: mmap_sem, PG_locked, i_mmap_mutex, anon_vma rwsem before the split
 * locks; a pmd's lock before a pte's; in fork the parent's pte lock before the child's.
 */
#ifndef MM_MEMORY_H
#define MM_MEMORY_H

#include "mm/mm_types.h"
#include "mm/mmu_gather.h"

/* handle_mm_fault() */
#define FAULT_FLAG_WRITE 1u

/* Results, v3.14 include/linux/mm.h. */
#define VM_FAULT_OOM 0x0001u
#define VM_FAULT_SIGBUS 0x0002u
#define VM_FAULT_MAJOR 0x0004u
#define VM_FAULT_WRITE 0x0008u
#define VM_FAULT_SIGSEGV 0x0040u

/* mmap_sem held for reading, @addr inside @vma, access allowed by vm_flags. */
u32 handle_mm_fault(struct mm_struct *mm, struct vm_area_struct *vma, u64 addr, u32 flags);

/* The page directory: at mm creation and at the last mmdrop. 0 or -ENOMEM. */
int pgd_alloc(struct mm_struct *mm);
void pgd_free(struct mm_struct *mm);

/* What a zap may leave alone (truncation). NULL: nothing. */
struct address_space;
struct zap_details {
	void *check_mapping; /* only pages of this address_space; NULL (even cows): all */
	u64 first_index, last_index;
};

void unmap_vmas(struct mmu_gather *tlb, struct vm_area_struct **vmas, u32 nr, u64 start, u64 end);
void unmap_single_vma(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end,
		      struct zap_details *details);
void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr, u64 end,
		      struct zap_details *details);

/* Zaps [start, start + size) of one VMA with a gather of its own. mmap_sem for reading. */
void zap_page_range(struct vm_area_struct *vma, u64 start, u64 size, struct zap_details *details);

/*
 * Frees the page tables of @vmas, which have been unmapped; unhooks them from anon_vma and file
 * rmap first. @floor and @ceiling: the end of the VMA before and the start of the one after (0:
 * none).
 */
void free_pgtables(struct mmu_gather *tlb, struct vm_area_struct **vmas, u32 nr, u64 floor,
		   u64 ceiling);

/* The same for the tables of [addr, end) alone, where no VMA is left. */
void free_pgd_range(struct mmu_gather *tlb, u64 addr, u64 end, u64 floor, u64 ceiling);

/*
 * Moves the entries of [old, old + len) of @vma down to @new, and flushes. Both ranges belong to
 * the VMA; they may overlap. mmap_sem for writing; the VMA is hidden from rmap, which would look
 * for a page where it is no more, or not yet. Returns how many bytes have been moved: fewer than
 * @len without memory for page tables.
 */
u64 move_page_tables(struct vm_area_struct *vma, u64 old, u64 new, u64 len);

/* fork: copies the entries of one VMA. Both mmap_sems held for writing. 0 or -ENOMEM. */
int copy_page_range(struct mm_struct *dst, struct mm_struct *src, struct vm_area_struct *dst_vma,
		    struct vm_area_struct *src_vma);

/* mprotect: new permissions for [start, end) of @vma, whose flags have been changed. mmap_sem for
 * writing. Flushes. */
void change_protection(struct vm_area_struct *vma, u64 start, u64 end);

/* Truncation: zaps [first, first + nr) pages of the file from every mapping. @even_cows: private
 * copies too. Takes i_mmap_mutex. nr 0: to the end. */
void unmap_mapping_range(struct address_space *mapping, u64 first, u64 nr, bool even_cows);

/* Finds the entry that maps @addr and locks its table; NULL if there is no table. */
pteval_t *pte_find_lock(struct mm_struct *mm, u64 addr, spinlock_t **ptl);

/* The page behind a present entry; NULL for special mappings (v3.14 vm_normal_page). */
struct page *vm_normal_page(struct vm_area_struct *vma, u64 addr, pteval_t pte);

/* Maps frame @pfn of the driver at @addr (VM_PFNMAP; v3.14 vm_insert_pfn). 0 or an error. */
int vm_insert_pfn(struct vm_area_struct *vma, u64 addr, u64 pfn);

#endif
