// SPDX-License-Identifier: GPL-2.0-or-later
/* The layout of a spinlock, for structures that embed one. Operations: smp/spinlock.h. */
#ifndef SMP_SPINLOCK_TYPES_H
#define SMP_SPINLOCK_TYPES_H

#include "engine/types.h"
#include "engine/vcpu.h"
#include "smp/lock_class.h"

typedef struct spinlock {
	u32 locked; /* 0 or 1 */
	u16 class;  /* enum lock_class */
	u16 owner;  /* vCPU of the holder + 1; for reports */
} spinlock_t;

static inline void spin_lock_init(spinlock_t *l, enum lock_class class)
{
	l->class = (u16) class;
	l->owner = 0;
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELAXED);
}

#endif
