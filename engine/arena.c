// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "engine/arena.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/access.h"
#include "engine/executor.h"
#include "engine/machine.h"
#include "engine/vcpu.h"

#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(const volatile void *addr, size_t size);
void __asan_unpoison_memory_region(const volatile void *addr, size_t size);
#define poison(p, n) __asan_poison_memory_region((p), (n))
#define unpoison(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

/* Does nobody else use the arena at the same time? Before a machine runs there is no vCPU. */
static inline bool used_alone(void)
{
#ifdef __SANITIZE_THREAD__
	return false;
#else
	return !this_vcpu() || exploring();
#endif
}

int arena_create(struct arena *a, u64 bytes)
{
	*a = (struct arena){.reserved = bytes};
	a->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->base == MAP_FAILED) {
		a->base = NULL;
		return -ENOMEM;
	}
	/* Offset 0 means "outside": never hand it out. */
	a->used = CACHE_LINE;
	return 0;
}

void arena_destroy(struct arena *a)
{
	if (!a->base)
		return;
	unpoison(a->base, a->used);
	munmap(a->base, a->reserved);
	*a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
	unpoison(a->base, a->used);
	a->used = CACHE_LINE;
	a->recycled = true;
}

void *arena_alloc_dirty(struct arena *a, u64 size, u64 align)
{
	u64 start, end, old = __atomic_load_n(&a->used, __ATOMIC_RELAXED);

	/* Where it lies says the order of all who come here. The address is nobody else's. */
	explore_touch(a->base + 1, true);
	do {
		start = round_up_to(old, align);
		end = start + size;
		if (end > a->reserved || end < start)
			return NULL;
		if (used_alone()) {
			a->used = end;
			break;
		}
	} while (!__atomic_compare_exchange_n(&a->used, &old, end, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return a->base + start;
}

/* Not inlined: a machine is made of some forty of these, and where the size is known the compiler
 * clears by a string instruction, which takes longer to begin than memset(). */
__noinline void *arena_alloc(struct arena *a, u64 size, u64 align)
{
	void *p = arena_alloc_dirty(a, size, align);

	if (p && a->recycled)
		memset(p, 0, size);
	return p;
}

struct kmem_cache *kmem_cache_create(struct machine *m, const char *name, u32 size, u32 align)
{
	struct kmem_cache *c = arena_alloc(&m->arena, sizeof(*c), CACHE_LINE);

	if (!c)
		return NULL;
	c->name = name;
	c->machine = m;
	c->align = max(align, (u32)sizeof(void *));
	c->size = (u32)round_up_to(size + sizeof(void *), c->align);
	c->cpu = arena_alloc(&m->arena, m->nr_vcpus * sizeof(*c->cpu), CACHE_LINE);
	if (!c->cpu)
		return NULL;
	c->next = m->caches;
	m->caches = c;
	return c;
}

/* The link lies behind the object, where a stale user of the object does not reach it. */
static inline void **link_of(const struct kmem_cache *c, void *object)
{
	return (void **)((char *)object + c->size - sizeof(void *));
}

/* Never held across a decision point, so the holder always runs on. */
static void shared_lock(struct kmem_cache *c)
{
	while (__atomic_exchange_n(&c->lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void shared_unlock(struct kmem_cache *c)
{
	__atomic_store_n(&c->lock, 0, __ATOMIC_RELEASE);
}

/* Under the lock; refill() looks at it without. */
static void set_shared(struct kmem_cache *c, void *object)
{
	__atomic_store_n(&c->shared, object, __ATOMIC_RELAXED);
}

static void *refill(struct kmem_cache *c, struct kmem_cpu_list *list)
{
	void *object = NULL;

	/* Which object it is says the order of all vCPUs that come here. */
	explore_touch(&c->shared, true);
	if (__atomic_load_n(&c->shared, __ATOMIC_RELAXED)) {
		shared_lock(c);
		for (u32 i = 0; c->shared && i < KMEM_CPU_LIMIT / 2; i++) {
			if (object) {
				*link_of(c, object) = list->free;
				list->free = object;
				list->nr++;
			}
			object = c->shared;
			set_shared(c, *link_of(c, object));
		}
		shared_unlock(c);
	}
	if (!object)
		object = arena_alloc_dirty(&c->machine->arena, c->size, c->align);
	return object;
}

static inline struct kmem_cpu_list *own_list(const struct kmem_cache *c, struct vcpu *v)
{
	return &c->cpu[v ? v->id : 0];
}

void *kmem_cache_alloc(struct kmem_cache *c)
{
	struct vcpu *v = this_vcpu();
	struct kmem_cpu_list *list = own_list(c, v);
	void *object = list->free;

	if (likely(object)) {
		list->free = *link_of(c, object);
		list->nr--;
	} else {
		object = refill(c, list);
		if (!object)
			return NULL;
	}
	list->allocated++;
	if (!c->type_stable)
		unpoison(object, c->size - sizeof(void *));
	return object;
}

void *kmem_cache_zalloc(struct kmem_cache *c)
{
	void *object = kmem_cache_alloc(c);

	if (object)
		memset(object, 0, c->size - sizeof(void *));
	return object;
}

static void spill(struct kmem_cache *c, struct kmem_cpu_list *list)
{
	/* Whoever gets them must not find stores of their former life still on their way. */
	if (unlikely(buffering_stores()))
		explore_drain();
	explore_touch(&c->shared, true);
	shared_lock(c);
	for (u32 i = 0; i < KMEM_CPU_LIMIT / 2; i++) {
		void *object = list->free;

		list->free = *link_of(c, object);
		list->nr--;
		*link_of(c, object) = c->shared;
		set_shared(c, object);
	}
	shared_unlock(c);
}

void kmem_cache_free(struct kmem_cache *c, void *object)
{
	struct vcpu *v = this_vcpu();
	struct kmem_cpu_list *list = own_list(c, v);

	if (!c->type_stable)
		poison(object, c->size - sizeof(void *));
	*link_of(c, object) = list->free;
	list->free = object;
	list->allocated--;
	if (unlikely(++list->nr > KMEM_CPU_LIMIT))
		spill(c, list);
}

s64 kmem_cache_in_use(const struct kmem_cache *c)
{
	s64 n = 0;

	for (u32 i = 0; i < c->machine->nr_vcpus; i++)
		n += c->cpu[i].allocated;
	return n;
}
