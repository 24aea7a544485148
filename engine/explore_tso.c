// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/explore_tso.h"

#include <string.h>

#include "engine/explore.h"
#include "engine/explore_coverage.h"

/* Tells a drained store from a step in the history hash: no source file has so many lines. */
#define HISTORY_DRAINED (1ULL << 31)

/* The word of a lock (ACCESS_LOCK, ACCESS_UNLOCK), whoever's lock it is. */
#define LOCK_WORD_SIZE ((u32)sizeof(u32))

struct store_buffer *store_buffers_begin(struct machine *m)
{
	if (!m->store_buffers)
		m->store_buffers = arena_alloc_dirty(
			&m->arena, m->nr_vcpus * sizeof(struct store_buffer), CACHE_LINE);
	for (u32 i = 0; m->store_buffers && i < m->nr_vcpus; i++)
		m->store_buffers[i].first = m->store_buffers[i].nr = 0;
	return m->store_buffers;
}

static struct buffered_store *nth_store(struct store_buffer *b, u32 n)
{
	u32 i = b->first + n;

	return &b->stores[i < STORE_BUFFER_SIZE ? i : i - STORE_BUFFER_SIZE];
}

/* The oldest store of @cpu becomes visible. */
static void drain_one(struct explorer *x, u32 cpu)
{
	struct store_buffer *b = &x->buffers[cpu];
	const volatile void *addr = b->stores[b->first].addr;
	u64 offset = arena_offset(&x->machine->arena, addr);

	if (++b->first == STORE_BUFFER_SIZE)
		b->first = 0;
	if (!--b->nr)
		x->buffered &= ~(1ULL << cpu);
	explore_note((u64)cpu << 56 ^ HISTORY_DRAINED << 32 ^ offset);
	if (x->coverage) {
		machinery_begin();
		coverage_drain(x->coverage, cpu, offset);
		machinery_end();
	}
	if (x->strategy->ops->touch) {
		machinery_begin();
		x->strategy->ops->touch(x->strategy, cpu, offset, true);
		machinery_end();
	}
	if (x->spinning)
		explore_stored(x, addr);
}

static void drain_cpu(struct explorer *x, u32 cpu)
{
	while (x->buffers[cpu].nr)
		drain_one(x, cpu);
}

void tso_drain(struct explorer *x, struct vcpu *v)
{
	if (x->buffered & (1ULL << v->id))
		drain_cpu(x, v->id);
}

void tso_drain_all(struct explorer *x)
{
	while (x->buffered)
		drain_cpu(x, (u32)__builtin_ctzll(x->buffered));
}

static inline bool overlaps(const struct buffered_store *s, const volatile void *addr, u32 size)
{
	const volatile char *a = addr, *b = s->addr;

	return a < b + s->size && b < a + size;
}

/* How many stores of @b, from the oldest, must go until none is left of what overlaps. */
static u32 nr_until_clear(struct store_buffer *b, const volatile void *addr, u32 size)
{
	u32 n = b->nr;

	while (n && !overlaps(nth_store(b, n - 1), addr, size))
		n--;
	return n;
}

/* What other vCPUs have stored there becomes visible, and what they stored before. */
static void drain_others(struct explorer *x, const struct vcpu *v, const volatile void *addr,
			 u32 size)
{
	for (u64 left = x->buffered & ~(1ULL << v->id); left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		for (u32 n = nr_until_clear(&x->buffers[cpu], addr, size); n; n--)
			drain_one(x, cpu);
	}
}

static u64 memory_value(const volatile void *addr, u32 size)
{
	switch (size) {
	case 1:
		return *(const volatile u8 *)addr;
	case 2:
		return *(const volatile u16 *)addr;
	case 4:
		return *(const volatile u32 *)addr;
	default:
		return *(const volatile u64 *)addr;
	}
}

/* The store itself is made by the caller, at once. */
static void buffer_store(struct explorer *x, const struct vcpu *v, const volatile void *addr,
			 u32 size)
{
	struct store_buffer *b = &x->buffers[v->id];

	if (b->nr == STORE_BUFFER_SIZE)
		drain_one(x, v->id);
	*nth_store(b, b->nr++) = (struct buffered_store){
		.addr = addr,
		.old = memory_value(addr, size),
		.size = size,
	};
	x->buffered |= 1ULL << v->id;
}

static void store(struct explorer *x, struct vcpu *v, const volatile void *addr, u32 size)
{
	if (x->buffered & ~(1ULL << v->id))
		drain_others(x, v, addr, size ? size : 1);
	if (likely(size && arena_offset(&x->machine->arena, addr))) {
		buffer_store(x, v, addr, size);
		return;
	}
	tso_drain(x, v);
	if (x->spinning)
		explore_stored(x, addr);
}

static void locked(struct explorer *x, struct vcpu *v, const volatile void *addr, u32 size)
{
	tso_drain(x, v);
	if (x->buffered)
		drain_others(x, v, addr, size);
	if (x->spinning)
		explore_stored(x, addr);
}

bool tso_access(struct explorer *x, struct vcpu *v, const volatile void *addr,
		const struct site *site)
{
	switch ((enum access_kind)site->kind) {
	case ACCESS_LOAD:
		return (x->buffered & ~(1ULL << v->id)) != 0;
	case ACCESS_STORE:
		store(x, v, addr, site->size);
		break;
	case ACCESS_UNLOCK:
		store(x, v, addr, LOCK_WORD_SIZE);
		break;
	case ACCESS_RMW:
		locked(x, v, addr, site->size ? site->size : 1);
		break;
	case ACCESS_LOCK:
		locked(x, v, addr, LOCK_WORD_SIZE);
		break;
	case ACCESS_FENCE:
		tso_drain(x, v);
		break;
	case ACCESS_EXEC:
		break;
	}
	return false;
}

void tso_decide(struct explorer *x, struct vcpu *v)
{
	/* As many as the strategy likes, from as many buffers: between two accesses of one vCPU
	 * any number of other vCPUs' stores may become visible. */
	while (x->buffered) {
		u32 choice = explore_choose(v, CHOICE_DRAIN, 1 + runnable_count(x->buffered));

		if (!choice)
			break;
		drain_one(x, runnable_nth(x->buffered, choice - 1));
	}
}

u64 explore_view(const volatile void *addr, u64 value, u32 size)
{
	const struct vcpu *v = this_vcpu();
	struct explorer *x = v->explorer;

	for (u64 left = x->buffered & ~(1ULL << v->id); left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);
		struct store_buffer *b = &x->buffers[cpu];
		const struct buffered_store *oldest = NULL;

		for (u32 i = 0; i < b->nr; i++) {
			const struct buffered_store *s = nth_store(b, i);

			if (likely(!overlaps(s, addr, size)))
				continue;
			if (unlikely(s->addr != addr || s->size != size)) {
				/* Parts of the value are of different ages: no longer. Memory is
				 * what all of them have come to. */
				drain_others(x, v, addr, size);
				return value;
			}
			if (!oldest)
				oldest = s;
		}
		/* No other buffer has any of these bytes. */
		if (oldest)
			return oldest->old;
	}
	return value;
}

void explore_drain(void)
{
	struct vcpu *v = this_vcpu();

	if (v->explorer)
		tso_drain(v->explorer, v);
}
