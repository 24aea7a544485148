// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Planted deviations of this part: each is one wrong step at the exact spot in the code, off by
 * default. X(identifier, slug, what is wrong, where the slug is tested).
 */
#ifndef SMP_KNOBS_H
#define SMP_KNOBS_H

#include "engine/machine.h"

#define SMP_KNOBS(X)                                                                               \
	X(IPI_ACK_EARLY, "ipi-ack-before-flush",                                                   \
	  "the call-function handler acknowledges a request before it has run it")                 \
	X(IPI_WAIT_IRQS_OFF, "ipi-wait-irqs-off",                                                  \
	  "a shootdown disables interrupts while it waits for acknowledgements")                   \
	X(RWSEM_LOST_WAKEUP, "rwsem-lost-wakeup",                                                  \
	  "the last reader out of mmap_sem does not wake the waiting writer")                      \
	X(RCU_NO_GRACE, "rcu-free-without-grace-period",                                           \
	  "call_rcu runs its callback at once instead of after a grace period")                    \
	X(CLONE_ESCAPES_KILL, "clone-escapes-kill",                                                \
	  "clone of a thread does not look whether its group is being ended")                      \
	X(OFFLINE_LEAVES_TASK, "offline-leaves-task",                                              \
	  "a CPU that goes offline leaves the last task of its run queue there")                   \
	X(OFFLINE_NO_GRACE, "offline-no-grace-period",                                             \
	  "a CPU goes offline while others that saw it online still send it interrupts")           \
	X(OFFLINE_NOT_QUIESCENT, "offline-not-quiescent",                                          \
	  "RCU is not told that an offline CPU reads nothing")

enum smp_knob {
	SMP_KNOB_FIRST = KNOBS_SMP - 1,
#define X(id, slug, what) KNOB_##id,
	SMP_KNOBS(X)
#undef X
};

#endif
