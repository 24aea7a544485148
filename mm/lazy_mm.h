// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reference of a lazy-TLB borrower: a task without an mm runs on the page tables of active_mm
 * and keeps the structure and the page directory with one mm_count. Named as in v6.4
 * (mmgrab_lazy_tlb); v3.14 has plain mm_count operations at these places.
 */
#ifndef MM_LAZY_MM_H
#define MM_LAZY_MM_H

#include "mm/knobs.h"
#include "mm/mm.h"

static inline void mmgrab_lazy_tlb(struct mm_struct *mm)
{
	if (planted(KNOB_LAZY_NOT_PINNED))
		return;
	mmgrab(mm);
}

/* Does not sleep. Not with interrupts off: it may be the last reference. */
static inline void mmdrop_lazy_tlb(struct mm_struct *mm)
{
	if (planted(KNOB_LAZY_NOT_PINNED))
		return;
	mmdrop(mm);
}

#endif
