// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Scanners of registered address spaces: ksmd and khugepaged (v3.14 mm/ksm.c, mm/huge_memory.c,
 * which have this twice; v6.1 mm/mm_slot.h).
 *
 * An mm is registered by madvise(MADV_MERGEABLE) or madvise(MADV_HUGEPAGE) of a VMA
 * (madvise_flags.c), and by fork of one that is; of its VMAs the scanner looks at those with the
 * advice. A slot on the scanner's list holds mm_count, never mm_users. A scanner has a cursor: the
 *slot that it works on, and the address that it has come to. It walks the page tables of a mm that
 *it is no user of; what keeps exit_mmap() away is this:
 *
 *   scanner	takes mmap_sem for reading, looks at mm_users (ksm_test_exit), and walks only if it
 *		is not zero; it looks again wherever it has let mmap_sem go
 *   mmput()	mm_users has reached zero; then, before exit_mmap(), mm_slots_exit(): a slot that is
 *		not the cursor's is unhooked; otherwise mmap_sem is taken for writing and dropped:
 *		who is inside comes out, and who comes later sees that mm_users is zero
 *
 * A slot of KSM that has items (pages that it knows, by address) is not unhooked in mmput() but
 * moved behind the cursor; the scanner frees it when it comes there, and with it perhaps the mm.
 * What the scanners would do with the pages that they find (merge, collapse) is not there: ksmd
 * takes a reference of each page for a moment, khugepaged takes mmap_sem for writing and looks
 * again.
 *
 * Locking. turn (a mutex) stands for there being one thread of each kind; lock guards list, cursor
 * and mm->slots[]; a slot's nr_items belongs to the scanner while the cursor is on it, else to
 * lock. turn is taken outside mmap_sem, lock inside. Everything here may sleep.
 *
 * Oracle. mm->oracle_scanners counts scanners that walk, mm->oracle_torn_down says that exit_mmap()
 * has begun; never both (mm_slots_check_left()).
 */
#ifndef MM_MM_SLOTS_H
#define MM_MM_SLOTS_H

#include "mm/mm_types.h"

struct machine;

/* mm->flags, one bit a scanner: registered (v3.14 include/linux/sched.h). */
#define MMF_VM_MERGEABLE (1u << 16)
#define MMF_VM_HUGEPAGE (1u << 17)

/* Both lists, empty. 0 or -ENOMEM. */
int mm_slots_setup(struct machine *m);

/* The bit of vm_flags without which the scanner passes a VMA over. */
u32 mm_slots_vm_flag(enum mm_scanner which);

/* Registers @mm, once. mmap_sem for writing. 0 or -ENOMEM. */
int mm_slots_enter(struct mm_struct *mm, enum mm_scanner which);

/* fork: @mm is registered where @oldmm is. Both mmap_sems for writing. 0 or -ENOMEM. */
int mm_slots_fork(struct mm_struct *mm, const struct mm_struct *oldmm);

/* The last user is gone, exit_mmap() comes next: nobody walks @mm from here on. */
void mm_slots_exit(struct mm_struct *mm, enum mm_scanner which);

/* For the oracle, between mm_slots_exit() and exit_mmap(): reports a scanner that is inside, and
 * from now on one that comes in. */
void mm_slots_check_left(struct mm_struct *mm);

/* For the audit of a quiet machine: references that slots hold on @mm. */
u32 mm_slots_refs(const struct mm_struct *mm);

/* The same, when all tasks have gone: what is left waits for its scanner, and is all there is.
 * Reports a violation. */
void mm_slots_audit_leaks(struct machine *m);

#endif
