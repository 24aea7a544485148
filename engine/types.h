// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Integer names, branch hints and the few compiler idioms that every part uses.
 * Nothing here has state.
 */
#ifndef ENGINE_TYPES_H
#define ENGINE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __cold_path __attribute__((cold, noinline))
#define __noinline __attribute__((noinline))
#define __always_inline_fn inline __attribute__((always_inline))

/* One cache line of every x86-64, arm64 and riscv64 server part (Intel SDM vol. 3, 12.1). */
#define CACHE_LINE 64
#define __line_aligned __attribute__((aligned(CACHE_LINE)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define min(a, b)                                                                                  \
	({                                                                                         \
		__auto_type _min_a = (a);                                                          \
		__auto_type _min_b = (b);                                                          \
		_min_a < _min_b ? _min_a : _min_b;                                                 \
	})
#define max(a, b)                                                                                  \
	({                                                                                         \
		__auto_type _max_a = (a);                                                          \
		__auto_type _max_b = (b);                                                          \
		_max_a > _max_b ? _max_a : _max_b;                                                 \
	})

static inline u64 round_up_to(u64 value, u64 power_of_two)
{
	return (value + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
