// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arena and the object caches in it.
 */
#include <string.h>
#include <sys/resource.h>

#include "tests/engine_machine.h"

#ifdef __SANITIZE_ADDRESS__
int __asan_address_is_poisoned(const volatile void *addr);
#endif

#define ARENA_BYTES (1ULL << 20)

static bool all_bytes(const void *p, u64 size, u8 value)
{
	const u8 *bytes = p;

	for (u64 i = 0; i < size; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

Test(engine_arena, gives_aligned_zeroed_memory)
{
	struct arena a;
	char *last = NULL;

	cr_assert_eq(arena_create(&a, ARENA_BYTES), 0);
	for (u64 align = 1; align <= 4096; align *= 2) {
		char *p = arena_alloc(&a, 100, align);

		cr_assert_not_null(p);
		cr_assert_eq((u64)p % align, 0);
		cr_assert_geq(p, last);
		cr_assert(all_bytes(p, 100, 0));
		memset(p, 0xaa, 100);
		last = p + 100;
	}
	arena_destroy(&a);
}

Test(engine_arena, offsets_name_addresses)
{
	struct arena a;
	char outside;
	char *p;

	cr_assert_eq(arena_create(&a, ARENA_BYTES), 0);
	p = arena_alloc(&a, 10, 8);
	cr_assert_neq(arena_offset(&a, p), 0);
	cr_assert_eq(arena_offset(&a, p + 3), arena_offset(&a, p) + 3);
	cr_assert_eq(arena_offset(&a, &outside), 0);
	cr_assert_eq(arena_offset(&a, NULL), 0);
	cr_assert_eq(arena_offset(&a, a.base + ARENA_BYTES), 0);
	arena_destroy(&a);
}

Test(engine_arena, says_no_when_it_is_full)
{
	struct arena a;

	cr_assert_eq(arena_create(&a, ARENA_BYTES), 0);
	cr_assert_null(arena_alloc(&a, ARENA_BYTES, 1));
	cr_assert_not_null(arena_alloc(&a, ARENA_BYTES / 2, 1));
	cr_assert_null(arena_alloc(&a, ARENA_BYTES / 2, 1));
	cr_assert_null(arena_alloc(&a, ~0ULL - 10, 1), "size plus offset wraps");
	cr_assert_not_null(arena_alloc(&a, 100, 1), "a refusal takes nothing");
	arena_destroy(&a);
}

Test(engine_arena, says_no_when_the_host_does)
{
	struct arena a;

	/* More than any address space has. */
	cr_assert_neq(arena_create(&a, 1ULL << 60), 0);
	arena_destroy(&a);
}

Test(engine_arena, reset_hands_out_the_same_memory_again)
{
	struct arena a;
	char *first, *again;

	cr_assert_eq(arena_create(&a, ARENA_BYTES), 0);
	first = arena_alloc(&a, 1000, 64);
	memset(first, 0x55, 1000);
	arena_reset(&a);
	again = arena_alloc_dirty(&a, 1000, 64);
	cr_assert_eq(again, first);
	cr_assert(all_bytes(again, 1000, 0x55), "dirty memory is not touched");
	arena_reset(&a);
	again = arena_alloc(&a, 1000, 64);
	cr_assert_eq(again, first);
	cr_assert(all_bytes(again, 1000, 0));
	arena_destroy(&a);
}

/* --- Caches, from the host's thread ----------------------------------------------------------- */

static void nothing(struct vcpu *v)
{
	(void)v;
}

static const struct bare_program idle = {.cpus = 2, .vcpu_main = nothing};

#define OBJECT_BYTES 40

Test(engine_arena, last_freed_is_reused_first)
{
	struct bare_machine b;
	struct kmem_cache *c;
	void *object[3];

	bare_create(&b, &idle, 1);
	c = kmem_cache_create(b.m, "object", OBJECT_BYTES, 8);
	cr_assert_not_null(c);
	for (u32 i = 0; i < 3; i++)
		object[i] = kmem_cache_alloc(c);
	cr_assert_eq(kmem_cache_in_use(c), 3);
	kmem_cache_free(c, object[1]);
	kmem_cache_free(c, object[0]);
	cr_assert_eq(kmem_cache_in_use(c), 1);
	cr_assert_eq(kmem_cache_alloc(c), object[0]);
	cr_assert_eq(kmem_cache_alloc(c), object[1]);
	cr_assert_eq(kmem_cache_in_use(c), 3);
	bare_destroy(&b);
}

/* What the last user left stays, to the last byte: a stale user meets the new owner's data, and
 * the cache's own link is out of its reach. */
Test(engine_arena, contents_survive_until_zalloc)
{
	struct bare_machine b;
	struct kmem_cache *c;
	void *object;

	bare_create(&b, &idle, 1);
	c = kmem_cache_create(b.m, "object", OBJECT_BYTES, 64);
	object = kmem_cache_alloc(c);
	cr_assert_eq((u64)object % 64, 0);
	memset(object, 0x77, OBJECT_BYTES);
	kmem_cache_free(c, object);
	cr_assert_eq(kmem_cache_alloc(c), object);
	cr_assert(all_bytes(object, OBJECT_BYTES, 0x77));
	kmem_cache_free(c, object);
	cr_assert_eq(kmem_cache_zalloc(c), object);
	cr_assert(all_bytes(object, OBJECT_BYTES, 0));
	bare_destroy(&b);
}

Test(engine_arena, cache_says_no_when_the_arena_is_full)
{
	struct bare_machine b;
	struct kmem_cache *c;
	void *last = NULL, *object;
	u64 nr = 0;

	bare_create(&b, &idle, 1);
	c = kmem_cache_create(b.m, "big", 1 << 20, 8);
	while ((object = kmem_cache_alloc(c))) {
		last = object;
		nr++;
	}
	cr_assert_gt(nr, 10);
	cr_assert_eq(kmem_cache_in_use(c), (s64)nr);
	cr_assert_null(kmem_cache_zalloc(c));
	kmem_cache_free(c, last);
	cr_assert_eq(kmem_cache_alloc(c), last);
	bare_destroy(&b);
}

#ifdef __SANITIZE_ADDRESS__
Test(engine_arena, free_objects_are_poisoned)
{
	struct bare_machine b;
	struct kmem_cache *c;
	char *object;

	bare_create(&b, &idle, 1);
	c = kmem_cache_create(b.m, "object", OBJECT_BYTES, 8);
	object = kmem_cache_alloc(c);
	cr_assert_not(__asan_address_is_poisoned(object));
	kmem_cache_free(c, object);
	cr_assert(__asan_address_is_poisoned(object));
	cr_assert(__asan_address_is_poisoned(object + OBJECT_BYTES - 1));
	cr_assert_eq(kmem_cache_alloc(c), object);
	cr_assert_not(__asan_address_is_poisoned(object));
	kmem_cache_free(c, object);
	/* The next machine's memory is not this one's grave. */
	bare_reset(&b, &idle, 2);
	cr_assert_not(__asan_address_is_poisoned(object));
	bare_destroy(&b);
}
#endif

/* A host that gives less address space than is asked for by default; sanitizers need more than any
 * limit here leaves. */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
static struct machine *create_with_address_space(u64 bytes)
{
	struct machine_config config = {.nr_vcpus = 2};
	struct machine_ops ops = {.vcpu_main = nothing};
	struct rlimit limit = {bytes, bytes};

	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	return machine_create(&config, &ops);
}

Test(engine_arena, machine_takes_what_the_host_gives)
{
	struct machine *m = create_with_address_space(4 * MACHINE_ARENA_BYTES_MIN);

	cr_assert_not_null(m);
	cr_assert_geq(m->arena.reserved, MACHINE_ARENA_BYTES_MIN);
	cr_assert_lt(m->arena.reserved, 4 * MACHINE_ARENA_BYTES_MIN);
	machine_destroy(m);
}

Test(engine_arena, machine_says_no_when_the_host_gives_too_little)
{
	cr_assert_null(create_with_address_space(MACHINE_ARENA_BYTES_MIN / 2));
}
#endif

/* --- Caches, from vCPUs ----------------------------------------------------------------------- */

/* Objects that wander: each vCPU takes some from a common bag or from the cache, stamps what it
 * takes, and puts some into the bag, where others find and free them. */
#define BAG 256
#define TURNS 400

struct object {
	u64 owner; /* vCPU + 1 that holds it; plain: it is alone with it */
	char payload[24];
};

struct bag {
	struct kmem_cache *cache;
	struct object *objects[BAG];
};

/* Nobody else stamps it meanwhile. */
static void stamp(struct vcpu *v, struct object *mine)
{
	mine->owner = v->id + 1;
	safepoint();
	EXPECT(mine->owner == v->id + 1);
}

static void wander(struct vcpu *v)
{
	struct bag *bag = shared_of(v);

	for (u32 i = 0; i < TURNS; i++) {
		struct object **place = &bag->objects[random_below(&v->rng, BAG)];
		struct object *mine = NULL;

		if (random_below(&v->rng, 2)) {
			mine = kmem_cache_alloc(bag->cache);
			EXPECT(mine);
			stamp(v, mine);
		}
		mine = xchg(place, mine);
		if (mine) {
			stamp(v, mine);
			kmem_cache_free(bag->cache, mine);
		}
	}
}

static void bag_create(struct bare_machine *b)
{
	struct bag *bag = b->shared;

	bag->cache = kmem_cache_create(b->m, "object", sizeof(struct object), 8);
	cr_assert_not_null(bag->cache);
}

static void bag_check(const struct bare_machine *b)
{
	const struct bag *bag = b->shared;
	s64 left = 0;

	for (u32 i = 0; i < BAG; i++)
		left += bag->objects[i] != NULL;
	cr_assert_eq(kmem_cache_in_use(bag->cache), left);
}

static const struct bare_program wanderers = {
	.cpus = 4, .vcpu_main = wander, .shared_bytes = sizeof(struct bag)};

Test(engine_arena, no_object_has_two_owners)
{
	struct bare_machine b;

	bare_create(&b, &wanderers, 1);
	for (u64 seed = 1; seed <= REPEAT(40); seed++) {
		for (u32 threads = 0; threads < 2; threads++) {
			bag_create(&b);
			bare_expect_finished(&b, threads ? bare_threads(&b) : bare_explore(&b));
			bag_check(&b);
			bare_reset(&b, &wanderers, seed + 1);
		}
	}
	bare_destroy(&b);
}

/* One vCPU takes, another gives back: the shared list carries the surplus home, so that the first
 * does not have to ask the arena again and again. */
#define FLOW 2000

static void one_way(struct vcpu *v)
{
	struct bag *bag = shared_of(v);
	struct spin spin = {0};

	for (u32 i = 0; i < FLOW; i++) {
		struct object **place = &bag->objects[i % 4];

		if (v->id == 0) {
			struct object *o = kmem_cache_alloc(bag->cache);

			EXPECT(o);
			while (READ_ONCE(*place))
				cpu_relax_on(place, &spin);
			smp_store_release(place, o);
		} else {
			struct object *o;

			while (!(o = smp_load_acquire(place)))
				cpu_relax_on(place, &spin);
			kmem_cache_free(bag->cache, o);
			WRITE_ONCE(*place, NULL);
		}
	}
}

Test(engine_arena, surplus_flows_back)
{
	static const struct bare_program flow = {
		.cpus = 2, .vcpu_main = one_way, .shared_bytes = sizeof(struct bag)};
	struct bare_machine b;
	struct bag *bag;
	u64 before;

	for (u32 threads = 0; threads < 2; threads++) {
		bare_create(&b, &flow, 1);
		bag_create(&b);
		bag = b.shared;
		before = b.m->arena.used;
		bare_expect_finished(&b, threads ? bare_threads(&b) : bare_explore(&b));
		cr_assert_eq(kmem_cache_in_use(bag->cache), 0);
		/* At most both vCPUs' own lists, and what is on its way. */
		cr_assert_leq(b.m->arena.used - before, 4 * KMEM_CPU_LIMIT * bag->cache->size);
		bare_destroy(&b);
	}
}
