// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inter-processor interrupts that call a function (seed_path E4). Each vCPU has a queue of
 * requests; a request that finds the queue empty raises the interrupt; the handler takes the whole
 * queue, with interrupts off, runs each request and acknowledges it. The sender waits with
 * interrupts enabled, so that two vCPUs that interrupt each other both get on.
 *
 * A request carries its arguments in its own cache line: what the target has to fetch is its queue
 * head and one line a request.
 *
 * Rules, checked: not with interrupts off (two senders would wait for each other forever), not
 * from an interrupt handler.
 */
#ifndef SMP_IPI_H
#define SMP_IPI_H

#include "engine/machine.h"

#define CALL_ARGS 4
struct call_args {
	u64 v[CALL_ARGS];
};

typedef void (*smp_call_func_t)(const struct call_args *args);

/* One request; one exists for each pair of sender and target. */
struct call_single_data {
	struct call_single_data *next;
	smp_call_func_t func;
	struct call_args args;
	u32 locked; /* 1 from queueing to acknowledgement */
	u32 sender;
} __line_aligned;

/*
 * Runs func(args) on every vCPU in @mask (CPU_WORDS words) that is online, but the caller's, and
 * returns when all have acknowledged. Preemption must be off. Returns the number of vCPUs
 * interrupted.
 */
u32 smp_call_function_many(const u64 *mask, smp_call_func_t func, const struct call_args *args);

/* Asks @cpu to look at its run queue soon. */
void smp_send_reschedule(u32 cpu);

/* The interrupt handler of PENDING_CALL_FUNCTION. */
void generic_smp_call_function_interrupt(void);

#endif
