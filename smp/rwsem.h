// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reader-writer semaphores: tasks that cannot get one sleep. Fair: the queue is first in, first
 * out, and a reader that comes after a waiting writer waits behind it.
 *
 * Readers count themselves in a slot of their vCPU, so that page faults on different vCPUs do not
 * write to one cache line (a reader costs two locked instructions on a line of its own; with one
 * shared count, two vCPUs would pay two line transfers, 280 ns here, a fault). A reader may leave
 * on another vCPU than it came on; only the sum over all slots counts.
 *
 * Ordering:
 *   (A) reader: count in slot (locked) ... read slow		pairs with
 *   (B) writer: set slow (xchg) ... sum up the slots
 * Either the reader sees slow set and goes to the queue, or the writer sees its count and waits.
 *   (C) reader leaving: count down (locked) ... read slow	pairs with (B)
 * Either the reader sees slow and wakes the writer, or the writer's sum is without it. The sum is
 * read with acquire: the writer comes after what the readers it no longer counts have done.
 *   (D) writer leaving: clear slow (release)		pairs with the reader's load of slow
 * (acquire) A reader that finds slow clear takes no lock: this alone shows it what the last writer
 * wrote.
 *
 * slow is set while a writer holds the lock or anybody waits, and changes under lock only.
 */
#ifndef SMP_RWSEM_H
#define SMP_RWSEM_H

#include <urcu/list.h>

#include "smp/sched.h"

/* Beyond this, vCPUs share slots. */
#define RWSEM_MAX_SLOTS 32

struct rwsem_slot {
	u32 readers; /* atomic; only the sum over the slots means something */
	char pad[CACHE_LINE - 4];
} __line_aligned;

struct rw_semaphore {
	struct rwsem_slot *slots;
	u32 slot_mask;		    /* number of slots - 1, a power of two less one */
	u32 slow;		    /* atomic; written under lock */
	u16 class;		    /* enum lock_class */
	struct task_struct *writer; /* holds it for writing; under lock */
	spinlock_t lock;
	struct cds_list_head waiters; /* under lock */
};

/* Bytes of slots that a semaphore of a machine with @nr_vcpus needs, line aligned. */
u32 rwsem_slots_bytes(u32 nr_vcpus);

/* @slots: rwsem_slots_bytes() bytes, line aligned. */
void init_rwsem(struct rw_semaphore *s, void *slots, u32 nr_vcpus, enum lock_class class);

void down_read(struct rw_semaphore *s);
bool down_read_trylock(struct rw_semaphore *s);
void up_read(struct rw_semaphore *s);
void down_write(struct rw_semaphore *s);
/* Inside another one of its class (fork). */
void down_write_nested(struct rw_semaphore *s, enum lock_class class);
void up_write(struct rw_semaphore *s);
void up_write_nested(struct rw_semaphore *s, enum lock_class class);

/* For the oracle: held by anybody at all? Exact when the machine is quiet. */
bool rwsem_is_locked(const struct rw_semaphore *s);

#endif
