// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page-table entries as the emulated hardware reads them: x86-64 four-level paging with 4 KiB
 * tables of 512 entries (Intel SDM vol. 3A, 4.5, table 4-15 to 4-20), 48-bit virtual addresses of
 * which the lower half belongs to user mode.
 */
#ifndef TLBSHOOT_PTE_H
#define TLBSHOOT_PTE_H

#include "engine/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ULL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PTRS_PER_TABLE 512
#define TABLE_BITS 9
#define PMD_SHIFT 21
#define PMD_SIZE (1ULL << PMD_SHIFT)
#define PMD_MASK (~(PMD_SIZE - 1))
#define PUD_SHIFT 30
#define PUD_SIZE (1ULL << PUD_SHIFT)
#define PUD_MASK (~(PUD_SIZE - 1))
#define PGDIR_SHIFT 39
#define PGDIR_SIZE (1ULL << PGDIR_SHIFT)
#define PGDIR_MASK (~(PGDIR_SIZE - 1))
#define TASK_SIZE (1ULL << 47)

typedef u64 pteval_t;

/* Bits, with the SDM's positions. */
#define PTE_PRESENT (1ULL << 0)
#define PTE_RW (1ULL << 1)
#define PTE_USER (1ULL << 2)
#define PTE_ACCESSED (1ULL << 5)
#define PTE_DIRTY (1ULL << 6)
#define PTE_PSE (1ULL << 7)	 /* in a pmd: maps 2 MiB */
#define PTE_PROTNONE (1ULL << 8) /* software, with PRESENT clear: mapped, but PROT_NONE */
#define PTE_SPECIAL (1ULL << 9)	 /* software: no struct page behind it (v3.14 _PAGE_SPECIAL) */
#define PTE_NX (1ULL << 63)
#define PTE_PFN_SHIFT 12
#define PTE_PFN_MASK 0x000ffffffffff000ULL

/* What an upper-level entry of a user table carries (v3.14 _PAGE_TABLE). */
#define PTE_TABLE (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

static inline u64 pte_pfn(pteval_t pte)
{
	return (pte & PTE_PFN_MASK) >> PTE_PFN_SHIFT;
}

static inline pteval_t pfn_pte(u64 pfn, pteval_t bits)
{
	return (pfn << PTE_PFN_SHIFT) | bits;
}

/* Maps something for the kernel, though the hardware may not use it (PROT_NONE). */
static inline bool pte_present(pteval_t pte)
{
	return pte & (PTE_PRESENT | PTE_PROTNONE);
}

/* Index into the table of @level (0: page table, 3: page global directory). */
static inline u32 table_index(u64 va, u32 level)
{
	return (u32)(va >> (PAGE_SHIFT + TABLE_BITS * level)) & (PTRS_PER_TABLE - 1);
}

#endif
