// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Planted deviations of this part (see smp/knobs.h for the form).
 */
#ifndef TLBSHOOT_KNOBS_H
#define TLBSHOOT_KNOBS_H

#include "engine/machine.h"

#define TLBSHOOT_KNOBS(X)                                                                          \
	X(FLUSH_RANGE_SHORT, "flush-range-short", "a ranged flush leaves out its last page")       \
	X(FLUSH_SKIPS_CPU, "flush-skips-cpu",                                                      \
	  "the highest CPU is left out of the shootdown's IPI mask")                               \
	X(SWITCH_BIT_LATE, "switch-mm-bit-late",                                                   \
	  "switch_mm sets the CPU's mask bit after it has loaded the page directory")              \
	X(LAZY_SKIPPED, "lazy-cpu-not-flushed",                                                    \
	  "lazy CPUs are not interrupted and do not remember that they must flush")                \
	X(FLUSH_COMPARES_CURRENT, "flush-compares-current-mm",                                     \
	  "the shootdown handler compares with current->mm instead of the loaded mm")              \
	X(FLUSH_MASK_EARLY, "flush-mask-early",                                                    \
	  "the CPU mask is sampled before the page table is changed")                              \
	X(SWITCH_NO_BARRIER, "switch-mm-no-barrier",                                               \
	  "switch_mm has no barrier between the CPU's mask bit and its use of the page tables "    \
	  "(TSO)")                                                                                 \
	X(OFFLINE_KEEPS_MASK, "offline-keeps-mask-bit",                                            \
	  "a CPU that goes offline stays in the mask of the mm that it has borrowed")              \
	X(OFFLINE_KEEPS_TLB, "offline-keeps-tlb",                                                  \
	  "a CPU that goes offline keeps its root and its TLB")

enum tlbshoot_knob {
	TLBSHOOT_KNOB_FIRST = KNOBS_TLBSHOOT - 1,
#define X(id, slug, what) KNOB_##id,
	TLBSHOOT_KNOBS(X)
#undef X
};

#endif
