// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of one machine, and the object caches in it.
 *
 * Everything an emulated machine owns lies in one contiguous range of host addresses, so that the
 * offset of an object from the start of its arena is the same in every run of one seed: that is
 * what events and decision points record in place of addresses. The range is reserved once and
 * the host gives it pages as they are touched.
 *
 * arena_alloc() only ever grows. Objects that come and go (mm_struct, vm_area_struct, task_struct,
 * page tables) come from a kmem_cache: freed objects are reused at once, last freed first, by the
 * vCPU that freed them, so that a use after free meets a new owner soon.
 *
 * Locking: none for the caller. Under threads, arena_alloc is one atomic addition; a cache's list
 * belongs to its vCPU and is only touched with preemption off; what overflows goes to a shared
 * list under the cache's own host lock, which is never held across a decision point.
 * Errors: NULL when the reservation is used up.
 */
#ifndef ENGINE_ARENA_H
#define ENGINE_ARENA_H

#include "engine/types.h"

struct machine;

struct arena {
	char *base;
	u64 reserved;  /* bytes of address space */
	u64 used;      /* bytes handed out; changed atomically */
	bool recycled; /* memory beyond @used may hold an earlier machine's bytes */
};

/* Reserves @bytes of address space. Returns 0 or -ENOMEM. */
int arena_create(struct arena *a, u64 bytes);
void arena_destroy(struct arena *a);

/* Hands everything out anew: an earlier machine's memory is reused without a system call. */
void arena_reset(struct arena *a);

/* @align is a power of two. The memory is zero. */
void *arena_alloc(struct arena *a, u64 size, u64 align);

/* The same without zeroing where the host's memory was used before; contents undefined. */
void *arena_alloc_dirty(struct arena *a, u64 size, u64 align);

/* What events and the explorer record in place of @p; 0 for addresses outside the arena. */
static inline u64 arena_offset(const struct arena *a, const volatile void *p)
{
	u64 offset = (u64)((const volatile char *)p - a->base);

	/* Without a branch: which accesses are to stacks no predictor can know. */
	return offset & -(u64)(offset < a->reserved);
}

/* Objects each vCPU keeps before it gives half of them to the shared list. */
#define KMEM_CPU_LIMIT 64

struct kmem_cpu_list {
	void *free; /* linked through the object's last word */
	u32 nr;
	s64 allocated; /* objects taken less objects given back by this vCPU */
	char pad[CACHE_LINE - 24];
} __line_aligned;

struct kmem_cache {
	const char *name;
	struct machine *machine;
	u32 size, align;
	u32 lock;     /* host lock; guards shared */
	void *shared; /* changed under lock, atomically: may be compared with NULL without */
	struct kmem_cpu_list *cpu; /* one a vCPU */
	struct kmem_cache *next;   /* all caches of the machine */
	/* Readers may look at a freed object and find out that it is none of theirs: its memory is
	 * always an object of this cache (the kernel's SLAB_DESTROY_BY_RCU). AddressSanitizer is
	 * not told of its frees. Set by who makes the cache, before its first use. */
	bool type_stable;
};

/* Creates a cache of objects of @size bytes; lives as long as the machine. */
struct kmem_cache *kmem_cache_create(struct machine *m, const char *name, u32 size, u32 align);

/* NULL without memory. kmem_cache_alloc leaves what the last user left; zalloc clears it. */
void *kmem_cache_alloc(struct kmem_cache *c);
void *kmem_cache_zalloc(struct kmem_cache *c);
void kmem_cache_free(struct kmem_cache *c, void *object);

/* Objects in use. Exact only while the machine is quiet. */
s64 kmem_cache_in_use(const struct kmem_cache *c);

#endif
