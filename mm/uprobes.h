// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Breakpoints in programs (v3.13 kernel/events/uprobes.c): a page of a file is to trap in every
 * address space that maps it as text.
 *
 * A uprobe is registered for a page of an inode. It is in the tree (here a list) from its first
 * consumer until the last one has gone and all breakpoints with it. A breakpoint is a word of a
 * page: the page of the file is replaced, in one mm, by an anonymous copy with UPROBE_SWBP in its
 * first word, and by one with the instruction again. Three ways lead to it:
 *
 *   register	puts the uprobe into the tree, then visits all VMAs on i_mmap
 *   mmap	puts the VMA on i_mmap, then asks the tree (uprobe_mmap): one of the two sees the
 *		other
 *   fork	copies the breakpoints with the page tables, and keeps register out meanwhile
 *		(dup_mmap_sem): it has either been to the parent before, or finds the child
 *
 * An mm knows whether it may have breakpoints (MMF_HAS_UPROBES); unregister passes those over that
 * have none. What unmaps a page with one does not look for others, but asks for it to be looked up
 * (uprobe_munmap, MMF_RECALC_UPROBES) at the next trap that belongs to nobody.
 *
 * A trap runs the instruction out of line, in a page that the mm gets at its first one (xol_area):
 * here the page and the copy are there, its mapping is not, for nothing is executed. It goes in
 * mmput(), before anything else, and a child has one of its own.
 *
 * Locking. One registration at a time (uprobe_register: the kernel has a rwsem for each uprobe),
 * outside dup_mmap_sem, which is outside mmap_sem. Breakpoints come and go with mmap_sem held for
 * writing. uprobes_treelock guards the tree and the consumers. mm->xol_area is set with mmap_sem
 * for writing, once, and read without.
 *
 * Oracle. oracle_epoch is odd while a registration or its end is under way. A program that reads
 * its text while the epoch stands still finds what is registered; a trap, looked at under mmap_sem,
 * that no uprobe in the tree explains is nobody's. An mm where memory ran out is excused
 * (MMF_ORACLE_UPROBE_FAILED): the kernel leaves such breakpoints out as well.
 */
#ifndef MM_UPROBES_H
#define MM_UPROBES_H

#include "mm/mm_types.h"

struct machine;

/* mm->flags (v3.14 include/linux/sched.h), and the oracle's. */
#define MMF_HAS_UPROBES (1u << 19)
#define MMF_RECALC_UPROBES (1u << 20)
#define MMF_ORACLE_UPROBE_FAILED (1u << 31)

/* What traps: x86's int3, eight times. */
#define UPROBE_SWBP 0xccccccccccccccccULL

/* An empty tree. 0 or -ENOMEM. */
int uprobes_setup(struct machine *m);

/* mmap: breakpoints for @vma, which is on its file's i_mmap. mmap_sem for writing. Without memory
 * they are left out. */
void uprobe_mmap(struct vm_area_struct *vma);

/* (D2) [start, end) of @vma is unmapped. */
void uprobe_munmap(struct vm_area_struct *vma, u64 start, u64 end);

/* fork: around the copy of an mm, outside both mmap_sems; and between. */
void uprobe_start_dup_mmap(void);
void uprobe_dup_mmap(struct mm_struct *mm, const struct mm_struct *oldmm);
void uprobe_end_dup_mmap(void);

/* (B1) The last user is gone: what traps have left in the mm. */
void uprobe_clear_state(struct mm_struct *mm);

/* Are there uprobes, or may @mm have breakpoints? */
bool uprobe_possible(const struct mm_struct *mm);

/* For the audit of a quiet machine: adds the references on pages that XOL areas hold to @refs,
 * which has a number for each frame. */
void uprobes_count_refs(struct machine *m, u32 *refs);

#endif
