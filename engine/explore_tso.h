// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * x86-TSO under the explorer: a store buffer for each vCPU. Private to engine/; the parts above
 * know READ_ONCE, smp_mb and so on (engine/access.h), and docs/memory-models.md says what they mean
 * here.
 *
 * The buffers are inverted. A store changes memory at once, and what the buffer keeps is the value
 * that was there before: until the store is drained, loads of the other vCPUs are shown that old
 * value in place of what memory says. So the vCPU that stored sees its own stores without looking
 * anywhere (store forwarding), plain accesses of memory that one vCPU owns for the moment are right
 * as they are, and the sanitizers see every access where it is made.
 *
 * Rules (P. Sewell, S. Sarkar, S. Owens, F. Zappa Nardelli, M. O. Myreen: x86-TSO, CACM 53(7),
 * 2010):
 *  - a vCPU's stores are drained in the order in which they were made;
 *  - locked instructions and fences first drain the buffer of their own vCPU, and so do interrupts
 *    on their way in and out, waiting, halting, and everything else that serializes (SDM vol. 3A,
 *    11.10);
 *  - the oldest store of any buffer may be drained at any decision point: CHOICE_DRAIN, asked again
 *    until nothing more is to be drained there.
 *
 * Narrower than x86-TSO in two places, wider in none. Whoever stores to an address, or changes it
 * by a locked instruction, first makes visible what another vCPU's buffer has for it, and all that
 * is older: two buffers never have a store to the same byte, and stores to one address become
 * visible in the order in which they were made. And a store to memory outside the arena (a task's
 * stack), or whose size the decision point does not know, drains its vCPU's buffer and is visible
 * at once.
 *
 * Nothing is buffered in quiet stretches. What the oracle stores (oracle_enter()) and what
 * init_once stores is visible at once: it is not memory that two vCPUs share at that moment.
 *
 * Locking: none; one thread explores. A vCPU that waits or sleeps has an empty buffer; what one
 * that has ended leaves is drained like any other, at the latest when nobody can go on.
 */
#ifndef ENGINE_EXPLORE_TSO_H
#define ENGINE_EXPLORE_TSO_H

#include "engine/types.h"

struct explorer;
struct machine;
struct site;
struct vcpu;

/* Skylake's (Haswell has 42): Intel 64 and IA-32 Architectures Optimization Reference Manual, the
 * tables of the microarchitectures' buffers. A full buffer drains its oldest store. */
#define STORE_BUFFER_SIZE 56

struct buffered_store {
	const volatile void *addr;
	u64 old; /* what the other vCPUs still see there */
	u32 size;
};

struct store_buffer {
	u32 first, nr; /* a ring: the oldest, and how many */
	struct buffered_store stores[STORE_BUFFER_SIZE];
};

/* The buffers of all vCPUs, empty; they belong to the machine's memory. NULL without room. */
struct store_buffer *store_buffers_begin(struct machine *m);

/* The decisions about draining, at a decision point where some buffer is not empty. */
void tso_decide(struct explorer *x, struct vcpu *v);

/* @v makes this access now. True if it is a load and some other vCPU's buffer is not empty: then
 * explore_view() has the last word on the value. */
bool tso_access(struct explorer *x, struct vcpu *v, const volatile void *addr,
		const struct site *site);

/* Makes all stores of @v visible. Does nothing under sequential consistency. */
void tso_drain(struct explorer *x, struct vcpu *v);

/* All stores of all vCPUs. */
void tso_drain_all(struct explorer *x);

#endif
