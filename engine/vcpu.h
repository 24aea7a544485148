// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct vcpu: one emulated CPU as the engine sees it, and how running code finds its own.
 *
 * Ownership. The first lines belong to the vCPU alone: only code running on it touches them, so
 * they are plain fields. The line marked "shared" is written by other vCPUs and is only accessed
 * through engine/access.h. The parts above hang their per-CPU state off the opaque pointers.
 *
 * The current vCPU. `mmt_current` is the only thread-local of the project: a pointer to the
 * current vCPU whose lowest bits say that this vCPU is run by the explorer, whether its stores are
 * buffered (TSO), and whether anybody wants to hear explore_touch(). A task is a fiber and may go
 * on on another pthread after any switch, and a compiler may keep the address of a thread-local
 * across a call, so it is read by an instruction of its own each time, never through C (x86-64), or
 * through a function that is not inlined (elsewhere).
 */
#ifndef ENGINE_VCPU_H
#define ENGINE_VCPU_H

#include "engine/event.h"
#include "engine/fiber.h"
#include "engine/random.h"
#include "engine/types.h"

struct explorer;
struct machine;
struct mm_percpu;
struct rq;
struct task_struct;
struct tlb;

/* Interrupt sources: bits of vcpu.pending. */
enum vcpu_pending {
	PENDING_CALL_FUNCTION = 1u << 0, /* requests wait in this vCPU's call-function queue */
	PENDING_RESCHEDULE = 1u << 1,	 /* a task was made runnable here that should run soon */
	PENDING_RCU = 1u << 2,		 /* grace periods have ended: callbacks wait to be run */
	PENDING_TICK = 1u << 3,		 /* the periodic tick */
	PENDING_STOP = 1u << 4,		 /* the machine stops; taken even with interrupts off */
};

/* What the explorer knows of a vCPU. */
enum vcpu_run_state {
	VCPU_RUNNING,  /* can be chosen */
	VCPU_SPINNING, /* waits for a store to spin_addr, or a deliverable interrupt */
	VCPU_HALTED,   /* idle: waits for any interrupt */
	VCPU_DONE,     /* its main function has returned */
};

struct vcpu {
	/* Owned by this vCPU; no lock. */
	struct machine *machine;
	struct fiber *fiber; /* what runs, or ran when another vCPU was chosen */
	struct task_struct *current_task;
	struct tlb *tlb;
	struct rq *rq;
	struct mm_percpu *mm;
	u32 id;
	u32 preempt_count; /* preemption is off while not zero */
	u32 irqs_off;	   /* 1 while interrupts are disabled */
	u32 in_interrupt;  /* nesting of interrupt handlers (0 or 1) */
	u32 oracle_depth;  /* inside the oracle: accesses are no decision points */
	u32 need_resched;  /* schedule() at the next preemption point */
	u32 nr_waiting;	   /* tasks queued here; written under the rq lock by anybody, atomic */
	u32 ticks;	   /* safepoints left until the next tick (threads) */
	u32 rcu_nesting;   /* rcu_read_lock depth of the running task */
	u64 progress;	   /* system calls and context switches: what the watchdog looks at */
	u32 softirq;	   /* deferred work waits for run_softirq() (smp/rcu.h) */
	u64 *counters;	   /* this vCPU's vmstat counters (smp/vmstat.h) */
	struct explorer *explorer; /* NULL under the threads executor */
	struct event_ring events;
	struct rng rng;

	/* Explorer's own; touched only by the one thread that explores. Under threads run_state
	 * says only whether the vCPU's thread has ended (VCPU_DONE); atomic there. */
	enum vcpu_run_state run_state;
	const volatile void *spin_addr;
	const struct site *site; /* the decision point it stands at */

	struct fiber main_fiber;
	struct fiber host_fiber; /* the pthread's own stack: where a stopped vCPU goes */

	/* Shared: other vCPUs set bits and wake us. */
	__line_aligned u32 pending;
	u32 halted;	  /* futex word: 1 while this pthread sleeps in vcpu_halt() */
	void *call_queue; /* call-function requests, newest first (smp/ipi.h) */
	char pad[CACHE_LINE - 16];
} __line_aligned;

extern __thread u64 mmt_current;
#define MMT_CURRENT_EXPLORE 1ULL
#define MMT_CURRENT_TSO 2ULL
#define MMT_CURRENT_TOUCH 4ULL
#define MMT_CURRENT_BITS 7ULL

/* Sets the calling thread's current vCPU; NULL for none. */
void vcpu_set_current(struct vcpu *v);

#ifdef __x86_64__
static __always_inline_fn u64 vcpu_current_word(void)
{
	u64 word;

	__asm__ volatile("movq %%fs:mmt_current@tpoff, %0" : "=r"(word));
	return word;
}

/* A fiber never changes its executor, so the compiler may keep this answer. */
static __always_inline_fn bool exploring(void)
{
	bool yes;

	__asm__("testb $1, %%fs:mmt_current@tpoff" : "=@ccnz"(yes));
	return yes;
}

/* Nor its memory model: does it run under the explorer with store buffers? */
static __always_inline_fn bool buffering_stores(void)
{
	bool yes;

	__asm__("testb $2, %%fs:mmt_current@tpoff" : "=@ccnz"(yes));
	return yes;
}

/* Nor who looks on. */
static __always_inline_fn bool touches_matter(void)
{
	bool yes;

	__asm__("testb $4, %%fs:mmt_current@tpoff" : "=@ccnz"(yes));
	return yes;
}
#else
u64 vcpu_current_word(void);
static inline bool exploring(void)
{
	return vcpu_current_word() & MMT_CURRENT_EXPLORE;
}
static inline bool buffering_stores(void)
{
	return vcpu_current_word() & MMT_CURRENT_TSO;
}
static inline bool touches_matter(void)
{
	return vcpu_current_word() & MMT_CURRENT_TOUCH;
}
#endif

static __always_inline_fn struct vcpu *this_vcpu(void)
{
	return (struct vcpu *)(vcpu_current_word() & ~MMT_CURRENT_BITS);
}

static __always_inline_fn u32 smp_processor_id(void)
{
	return this_vcpu()->id;
}

#endif
