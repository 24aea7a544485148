// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vocabulary for memory that two vCPUs share. Every such access goes through here (or through
 * a lock built on it); a plain access to shared memory is a bug even where it happens to work.
 *
 * Under the threads executor these are C11 atomics. Under the explorer each one is a decision
 * point first: it knows the address, the kind of access and the source line, and another vCPU may
 * be chosen to run before the access takes effect. The access itself is then one indivisible step,
 * made where it stands with the memory order that is written there: so ThreadSanitizer sees under
 * the explorer what it would see under threads.
 *
 * Ordering, with the kernel's meaning (Documentation/memory-barriers.txt of v3.14):
 *   READ_ONCE, WRITE_ONCE	none
 *   smp_load_acquire		later accesses stay behind it
 *   smp_store_release		earlier accesses stay before it
 *   xchg, cmpxchg, atomic_*	full barrier on both sides (x86: locked instructions)
 *   atomic_inc, atomic_dec ... without a result: on x86 locked too, a full barrier
 *   smp_mb			full barrier
 * ThreadSanitizer does not model stand-alone fences, so smp_mb is a locked operation on a word of
 * the vCPU's own, and nothing here may depend on it to publish plain data.
 *
 * Operands are scalars of at most eight bytes.
 */
#ifndef ENGINE_ACCESS_H
#define ENGINE_ACCESS_H

#include "engine/types.h"
#include "engine/vcpu.h"

/* What a decision point is about to do. */
enum access_kind {
	ACCESS_LOAD,
	ACCESS_STORE,
	ACCESS_RMW,   /* locked read-modify-write */
	ACCESS_FENCE, /* smp_mb */
	ACCESS_LOCK,  /* attempt to take a lock */
	ACCESS_UNLOCK,
	ACCESS_EXEC, /* a point in the code, no memory: user instruction, safepoint */
};

/* One decision point in the source. All of them stand in the section mmt_sites, which gives each
 * an index (site_index) that is the same in every run of one build. Aligned to its size: compilers
 * align objects of this size as they like, and the section has to be an array. */
struct site {
	const char *file;
	const char *func;
	u32 line;
	u16 kind;
	u16 size; /* bytes of the access; 0: not told: a store that cannot wait in a buffer */
} __attribute__((aligned(32)));

#define MMT_SITE_SIZED(access, size)                                                               \
	({                                                                                         \
		static const struct site mmt_site __attribute__((section("mmt_sites"), used)) = {  \
			__FILE__, __func__, __LINE__, (access), (size)};                           \
		&mmt_site;                                                                         \
	})
#define MMT_SITE(access) MMT_SITE_SIZED(access, 0)

/* The explorer's side (engine/explore.c): returns when the access is to be made. True: what a load
 * finds in memory must go through explore_view(). */
bool explore_point(const volatile void *addr, const struct site *site);

/* What the running vCPU sees at @addr, of so many bytes, where memory has @value: under TSO another
 * vCPU's store there may not be visible yet (engine/explore_tso.h). */
u64 explore_view(const volatile void *addr, u64 value, u32 size);

/* The running vCPU's stores become visible, as by a locked instruction; no decision point. */
void explore_drain(void);

#define explore_hook(addr, access)                                                                 \
	do {                                                                                       \
		if (unlikely(exploring()))                                                         \
			explore_point((addr), MMT_SITE_SIZED((access), sizeof(*(addr))));          \
	} while (0)

/* A value of x's type, without qualifiers, so that temporaries can be assigned. */
#define unqual_typeof(x) __typeof__(((void)0, (x)))

/* explore_view() of what was loaded from p. */
#define mmt_view(p, v) ((unqual_typeof(*(p)))explore_view((p), (u64)(v), sizeof(*(p))))

/*
 * Address and operands are evaluated once, and before the decision point: whatever decision points
 * they contain come before it, and the access follows it at once.
 */
#define mmt_load(p, order)                                                                         \
	({                                                                                         \
		__auto_type _ld_p = (p);                                                           \
		_Static_assert(sizeof(*_ld_p) <= 8, "shared accesses are for scalars");            \
		unqual_typeof(*_ld_p) _ld_v;                                                       \
		if (unlikely(exploring())) {                                                       \
			bool _ld_view =                                                            \
				explore_point(_ld_p, MMT_SITE_SIZED(ACCESS_LOAD, sizeof(*_ld_p))); \
			_ld_v = __atomic_load_n(_ld_p, (order));                                   \
			if (unlikely(_ld_view))                                                    \
				_ld_v = mmt_view(_ld_p, _ld_v);                                    \
		} else {                                                                           \
			_ld_v = __atomic_load_n(_ld_p, (order));                                   \
		}                                                                                  \
		_ld_v;                                                                             \
	})

#define READ_ONCE(x) mmt_load(&(x), __ATOMIC_RELAXED)
#define smp_load_acquire(p) mmt_load((p), __ATOMIC_ACQUIRE)

#define mmt_store(p, v, order)                                                                     \
	do {                                                                                       \
		__auto_type _st_p = (p);                                                           \
		unqual_typeof(*_st_p) _st_v = (v);                                                 \
		_Static_assert(sizeof(*_st_p) <= 8, "shared accesses are for scalars");            \
		explore_hook(_st_p, ACCESS_STORE);                                                 \
		__atomic_store_n(_st_p, _st_v, (order));                                           \
	} while (0)

#define WRITE_ONCE(x, v) mmt_store(&(x), (v), __ATOMIC_RELAXED)
#define smp_store_release(p, v) mmt_store((p), (v), __ATOMIC_RELEASE)

#define xchg(p, v)                                                                                 \
	({                                                                                         \
		__auto_type _xc_p = (p);                                                           \
		unqual_typeof(*_xc_p) _xc_v = (v);                                                 \
		explore_hook(_xc_p, ACCESS_RMW);                                                   \
		__atomic_exchange_n(_xc_p, _xc_v, __ATOMIC_SEQ_CST);                               \
	})

/* Returns the value found; the exchange took place if it equals @old. */
#define cmpxchg(p, old, new)                                                                       \
	({                                                                                         \
		__auto_type _cx_p = (p);                                                           \
		unqual_typeof(*_cx_p) _cx_old = (old);                                             \
		unqual_typeof(*_cx_p) _cx_new = (new);                                             \
		explore_hook(_cx_p, ACCESS_RMW);                                                   \
		__atomic_compare_exchange_n(_cx_p, &_cx_old, _cx_new, false, __ATOMIC_SEQ_CST,     \
					    __ATOMIC_SEQ_CST);                                     \
		_cx_old;                                                                           \
	})

#define mmt_fetch(op, p, v)                                                                        \
	({                                                                                         \
		__auto_type _fe_p = (p);                                                           \
		unqual_typeof(*_fe_p) _fe_v = (unqual_typeof(*_fe_p))(v);                          \
		explore_hook(_fe_p, ACCESS_RMW);                                                   \
		__atomic_##op(_fe_p, _fe_v, __ATOMIC_SEQ_CST);                                     \
	})

#define atomic_read(p) READ_ONCE(*(p))
#define atomic_set(p, v) WRITE_ONCE(*(p), (v))
#define atomic_add_return(v, p) mmt_fetch(add_fetch, p, v)
#define atomic_sub_return(v, p) mmt_fetch(sub_fetch, p, v)
#define atomic_fetch_or(v, p) mmt_fetch(fetch_or, p, v)
#define atomic_fetch_and(v, p) mmt_fetch(fetch_and, p, v)
#define atomic_add(v, p) ((void)atomic_add_return(v, p))
#define atomic_sub(v, p) ((void)atomic_sub_return(v, p))
#define atomic_inc(p) atomic_add(1, p)
#define atomic_dec(p) atomic_sub(1, p)
#define atomic_inc_return(p) atomic_add_return(1, p)
#define atomic_dec_return(p) atomic_sub_return(1, p)
#define atomic_dec_and_test(p) (atomic_sub_return(1, p) == 0)

/* Adds 1 unless the counter is zero; true if it did. */
#define atomic_inc_not_zero(p)                                                                     \
	({                                                                                         \
		__auto_type _nz_p = (p);                                                           \
		unqual_typeof(*_nz_p) _nz_v = READ_ONCE(*_nz_p);                                   \
		for (;;) {                                                                         \
			unqual_typeof(*_nz_p) _nz_seen;                                            \
			if (!_nz_v)                                                                \
				break;                                                             \
			_nz_seen = cmpxchg(_nz_p, _nz_v, _nz_v + 1);                               \
			if (_nz_seen == _nz_v)                                                     \
				break;                                                             \
			_nz_v = _nz_seen;                                                          \
		}                                                                                  \
		_nz_v != 0;                                                                        \
	})

/* Bitmaps of u64 words, such as CPU masks. set_bit and clear_bit are locked: full barriers. */
#define set_bit(nr, map) ((void)atomic_fetch_or(1ULL << ((nr)&63), &(map)[(nr) >> 6]))
#define clear_bit(nr, map) ((void)atomic_fetch_and(~(1ULL << ((nr)&63)), &(map)[(nr) >> 6]))
#define test_bit(nr, map) (!!(READ_ONCE((map)[(nr) >> 6]) & (1ULL << ((nr)&63))))
#define test_and_set_bit(nr, map)                                                                  \
	(!!(atomic_fetch_or(1ULL << ((nr)&63), &(map)[(nr) >> 6]) & (1ULL << ((nr)&63))))

static __always_inline_fn void smp_mb_at(const struct site *site)
{
	if (unlikely(exploring()))
		explore_point(NULL, site);
#ifdef __x86_64__
	__asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
#define smp_mb() smp_mb_at(MMT_SITE(ACCESS_FENCE))

/* For the oracle only: looks at shared memory without being a decision point, and sees what the
 * running vCPU sees. */
#define oracle_read(x)                                                                             \
	({                                                                                         \
		__auto_type _or_p = &(x);                                                          \
		unqual_typeof(*_or_p) _or_v = __atomic_load_n(_or_p, __ATOMIC_RELAXED);            \
		if (unlikely(buffering_stores()))                                                  \
			_or_v = mmt_view(_or_p, _or_v);                                            \
		_or_v;                                                                             \
	})

/* For structures that no other vCPU can reach yet (being set up, or owned). */
#define init_once(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

extern const struct site __start_mmt_sites[], __stop_mmt_sites[];
static inline u32 site_index(const struct site *s)
{
	return (u32)(s - __start_mmt_sites);
}

#endif
