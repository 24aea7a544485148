// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The accesses that an explored vCPU makes. In a file of its own because it is built with
 * ThreadSanitizer's instrumentation while the explorer is not: these are the accesses that races
 * are made of.
 */
#include "engine/access.h"

#include "engine/violation.h"

u64 explore_load(const volatile void *addr, u32 size, const struct site *site)
{
	explore_point(addr, site);
	switch (size) {
	case 1:
		return __atomic_load_n((const volatile u8 *)addr, __ATOMIC_ACQUIRE);
	case 2:
		return __atomic_load_n((const volatile u16 *)addr, __ATOMIC_ACQUIRE);
	case 4:
		return __atomic_load_n((const volatile u32 *)addr, __ATOMIC_ACQUIRE);
	case 8:
		return __atomic_load_n((const volatile u64 *)addr, __ATOMIC_ACQUIRE);
	}
	BUG_ON(true, "access of %u bytes at %s:%u", size, site->file, site->line);
	return 0;
}

void explore_store(volatile void *addr, u32 size, u64 value, const struct site *site)
{
	explore_point(addr, site);
	switch (size) {
	case 1:
		__atomic_store_n((volatile u8 *)addr, (u8)value, __ATOMIC_RELEASE);
		return;
	case 2:
		__atomic_store_n((volatile u16 *)addr, (u16)value, __ATOMIC_RELEASE);
		return;
	case 4:
		__atomic_store_n((volatile u32 *)addr, (u32)value, __ATOMIC_RELEASE);
		return;
	case 8:
		__atomic_store_n((volatile u64 *)addr, value, __ATOMIC_RELEASE);
		return;
	}
	BUG_ON(true, "access of %u bytes at %s:%u", size, site->file, site->line);
}
