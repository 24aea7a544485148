// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/spinlock.h"

void spin_lock_slow(spinlock_t *l)
{
	struct spin spin = {0};

	do {
		/* Interrupts are taken in here if they are enabled: the holder may be waiting for
		 * us to acknowledge one. */
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax_on(&l->locked, &spin);
		explore_hook(&l->locked, ACCESS_LOCK);
	} while (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE));
}
