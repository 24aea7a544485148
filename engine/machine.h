// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct machine: everything one emulated machine owns. Two machines in one process do not notice
 * each other; there is no other mutable state anywhere.
 *
 * The engine knows its own fields and carries opaque pointers for the parts above it. A part
 * fills its pointer when it is set up and plugs its functions into machine_ops.
 *
 * Life: machine_create(), set-up by the parts (on the calling thread, no vCPU runs yet),
 * machine_run() until the machine is finished or stopped, look at the results, then
 * machine_reset() for another round on the same memory, or machine_destroy().
 */
#ifndef ENGINE_MACHINE_H
#define ENGINE_MACHINE_H

#include "engine/arena.h"
#include "engine/fiber.h"
#include "engine/recording.h"
#include "engine/types.h"
#include "engine/vcpu.h"
#include "engine/violation.h"

struct explore_coverage;
struct lockdep;
struct mm_machine;
struct placement;
struct smp_machine;
struct strategy;
struct tlb_machine;
struct world;

enum executor {
	EXECUTOR_THREADS, /* a pthread a vCPU, real parallelism */
	EXECUTOR_EXPLORE, /* all vCPUs on the calling thread, a strategy chooses */
};

/* Emulated CPUs: the explorer keeps sets of them in one word. */
#define MAX_VCPUS 1024
#define MAX_VCPUS_EXPLORE 64
#define CPU_WORDS (MAX_VCPUS / 64)

/* Planted deviations ("bugs"): one bit each, off by default. The lists are in each part's knobs.h;
 * each part has its own range of bits. */
#define KNOB_WORDS 2
#define KNOBS_SMP 0
#define KNOBS_TLBSHOOT 16
#define KNOBS_MM 32

/* What the engine calls in the parts above it. All of them run on the vCPU concerned. */
struct machine_ops {
	/* The vCPU's idle loop; returns when the machine has finished. */
	void (*vcpu_main)(struct vcpu *v);
	/* threads: the vCPUs' pthreads are about to be made. */
	void (*threads_prepare)(struct machine *m);
	/* threads: the vCPU's pthread has started / is about to end. */
	void (*vcpu_online)(struct vcpu *v);
	void (*vcpu_offline)(struct vcpu *v);
	/* The vCPU is about to sleep, or, explored, to spin with preemption on; threads: it has
	 * woken up (extended quiescence). */
	void (*vcpu_sleep)(struct vcpu *v);
	void (*vcpu_wake)(struct vcpu *v);
	/* Interrupts are enabled and @bits of vcpu.pending were set (and are now clear). */
	void (*interrupt)(struct vcpu *v, u32 bits);
	/* need_resched is set, preemption is allowed. */
	void (*preempt)(struct vcpu *v);
	/* threads: called by machine_run()'s thread every MONITOR_INTERVAL_MS. */
	void (*monitor)(struct machine *m);
	/* A line that says what the vCPU is doing, for reports: "pid 7 (exec) in mmput". */
	int (*describe)(const struct vcpu *v, char *buf, size_t size);
};

#define MONITOR_INTERVAL_MS 50

struct machine_config {
	u32 nr_vcpus;
	u32 stack_size;	 /* bytes a task's stack; 0 for MACHINE_STACK_SIZE */
	u64 arena_bytes; /* reservation; 0: MACHINE_ARENA_BYTES, or less if the host refuses */
	u64 seed;
	u64 knobs[KNOB_WORDS];
	u64 max_steps;	   /* explore: decision points before "no progress"; 0: no limit */
	bool quiet_start;  /* explore: begins as explore_quiet(true) (engine/executor.h) */
	bool tso;	   /* explore: x86-TSO (docs/memory-models.md) */
	u32 stall_seconds; /* threads: a vCPU without progress for so long is a soft lockup; 0 off
			    */
	void *user;	   /* for the ops */
};

/* The deepest path (exec, fault, notifier, report) needs under 12 KiB in opt builds; sanitizers
 * grow frames several times, and print their own reports on the stack they find. */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MACHINE_STACK_SIZE (64u << 10)
#else
#define MACHINE_STACK_SIZE (256u << 10)
#endif
#define MACHINE_ARENA_BYTES (64ULL << 30)
#define MACHINE_ARENA_BYTES_MIN (1ULL << 30) /* 256 vCPUs and a million pages */

/* Facts about an explored run, for replays and statistics. */
struct explore_stats {
	u64 steps;	 /* decision points */
	u64 switches;	 /* times another vCPU went on */
	u64 preemptions; /* of them, though the one before could have gone on */
	u64 history;	 /* hash over all decisions and events, in order */
};

/*
 * Somebody who looks on at an explored run, step by step; not told of quiet stretches. Must not
 * change anything. Called on the vCPU's fiber, before the access is made.
 */
struct explore_observer {
	void *arg;
	void (*step)(void *arg, u64 step, const struct vcpu *v,
		     const struct pending_access *access);
	/* Each event that is recorded, after it was put into the vCPU's ring. */
	void (*event)(void *arg, u64 step, const struct vcpu *v, const struct event *event);
};

/* Why the machine stopped. */
enum machine_end {
	MACHINE_FINISHED, /* all vCPUs' main functions returned */
	MACHINE_VIOLATION,
	MACHINE_DEADLOCK,    /* explore: nothing can run, nothing will */
	MACHINE_NO_PROGRESS, /* explore: max_steps reached; threads: soft lockup */
	MACHINE_STOPPED,     /* machine_stop() by the owner */
};

struct machine {
	struct machine_config config;
	struct machine_ops ops;
	enum executor executor;
	struct arena arena;
	struct fiber_stack_pool *stacks;
	struct vcpu *vcpus; /* config.nr_vcpus of them */
	u32 nr_vcpus;
	struct kmem_cache *caches;
	u64 knobs[KNOB_WORDS]; /* read-only while running */
	u32 spin_rounds;       /* threads: polls of a wait before it gives way; read-only too */

	struct smp_machine *smp;
	struct lockdep *lockdep;
	struct tlb_machine *tlb;
	struct mm_machine *mm;
	struct fail_alloc *fail_alloc;	   /* smp/: which allocations fail; NULL: none is told to */
	struct world *world;		   /* stress/: the tasks' programs and what they know */
	const struct placement *placement; /* where vCPUs sit; owned by the caller; may be NULL */

	struct violations violations;
	struct explore_stats explored;		 /* of the last explored run */
	struct recording recorded;		 /* its choices */
	struct store_buffer *store_buffers;	 /* explore, TSO (engine/explore_tso.h) */
	const struct explore_observer *observer; /* owned by the caller; may be NULL */
	struct explore_coverage *coverage;	 /* explore_coverage_on(); NULL: off */
	__line_aligned u32 stopping; /* one of enum machine_end, + 1; set once, by cmpxchg */
	u32 vcpus_left;		     /* threads: vCPUs that still run */
};

/* NULL without memory, or for a number of vCPUs that is not from 1 to MAX_VCPUS. */
struct machine *machine_create(const struct machine_config *config, const struct machine_ops *ops);
void machine_destroy(struct machine *m);

/*
 * Makes @m as machine_create() would have left it, on the memory and the stacks it has: arena_bytes
 * and stack_size stay what they were. Stacks that unfinished tasks hold must have been released by
 * the parts above before. Returns 0, or -ENOMEM: then all that can be done is machine_destroy().
 */
int machine_reset(struct machine *m, const struct machine_config *config);

/* Runs the machine to its end. @strategy is for EXECUTOR_EXPLORE only, which takes at most
 * MAX_VCPUS_EXPLORE vCPUs. */
enum machine_end machine_run(struct machine *m, enum executor executor, struct strategy *strategy);

/* Asks a running machine to stop; from any thread, also from outside. The first reason stays. The
 * vCPUs leave at their next decision point (explore), safepoint or wait (threads). */
void machine_stop(struct machine *m, enum machine_end why);

/* Leaves the emulated machine for good on this vCPU: back to its thread's own stack. */
__attribute__((noreturn)) void vcpu_leave(void);

/* Not 0: it is stopping. For who tests several words at once. */
static inline u32 machine_stop_word(const struct machine *m)
{
	return __atomic_load_n(&m->stopping, __ATOMIC_RELAXED);
}

static inline bool machine_stopping(const struct machine *m)
{
	return machine_stop_word(m) != 0;
}

/* Is deviation @knob planted in the current machine? */
static __always_inline_fn bool planted(u32 knob)
{
	return unlikely(this_vcpu()->machine->knobs[knob >> 6] & (1ULL << (knob & 63)));
}

/* The same for code that sets @m up, where no machine is current. */
static inline bool knob_given(const struct machine *m, u32 knob)
{
	return m->knobs[knob >> 6] & (1ULL << (knob & 63));
}

static inline void knob_set(u64 *knobs, u32 knob)
{
	knobs[knob >> 6] |= 1ULL << (knob & 63);
}

#endif
