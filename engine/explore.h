// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The explorer: all vCPUs of one machine on one thread, every choice made by a strategy. Private
 * to engine/; the parts above use engine/executor.h.
 *
 * The explorer, the strategies and the event rings are built without ThreadSanitizer: they are the
 * machinery below the emulated CPUs, shared by fibers that TSan must treat as unordered threads.
 * The accesses of the emulated kernel themselves are made where they stand in the source, with the
 * memory order that is written there, and are instrumented.
 */
#ifndef ENGINE_EXPLORE_H
#define ENGINE_EXPLORE_H

#include "engine/executor.h"
#include "engine/recording.h"
#include "engine/strategy.h"

/*
 * Around calls into strategies, coverage and observers. They keep memory of their own, in which
 * fibers that TSan takes for unordered threads follow each other; being built without
 * instrumentation is not enough where they call malloc() or memcpy(), which TSan intercepts.
 */
#ifdef __SANITIZE_THREAD__
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static inline void machinery_begin(void)
{
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

static inline void machinery_end(void)
{
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}
#else
static inline void machinery_begin(void)
{
}

static inline void machinery_end(void)
{
}
#endif

/* What wants to see every step (explorer.watch). */
#define WATCH_STRATEGY 1u /* strategy_ops.step */
#define WATCH_OBSERVER 2u /* machine.observer */

struct explorer {
	struct decision d; /* d.runnable is kept up to date all the time */
	struct machine *machine;
	struct strategy *strategy;
	struct recording *recorded;
	struct explore_coverage *coverage; /* NULL: off */
	u64 current_bits;		   /* MMT_CURRENT_... of its vCPUs */
	u32 watch;
	bool tso;   /* machine_config.tso */
	bool quiet; /* nobody interferes: every choice is the default, nothing counts */
	const struct site *raced; /* race_report.h: where; NULL: no report is waiting */
	u64 max_steps;
	u64 quiet_steps; /* that there have been, when quiet_left has come to 0 */
	u64 quiet_left;	 /* until somebody else has its turn */
	u64 spinning;	 /* vCPUs in VCPU_SPINNING */
	u64 spun_on;	 /* spin_bit() of what they look at, and perhaps of more */
	u64 buffered;	 /* TSO: vCPUs whose store buffer is not empty */
	struct store_buffer *buffers;
	u32 nr_done;
	enum machine_end end;
	struct explore_stats stats;
	struct fiber host;
	struct pending_access pending[MAX_VCPUS_EXPLORE];
};

enum machine_end explore_run(struct machine *m, struct strategy *strategy);
enum machine_end threads_run(struct machine *m);

/* The explorer's half of the calls in executor.h. */
void explore_relax_on(struct vcpu *v, const volatile void *addr);
void explore_halt(struct vcpu *v);
void explore_raised(struct vcpu *target);
void explore_interrupted(struct vcpu *v);
u32 explore_choose(struct vcpu *v, enum choice kind, u32 n);
__attribute__((noreturn)) void explore_leave(struct vcpu *v);

/* After a store, an RMW or an unlock (TSO: when it has become visible): whoever spins on @addr may
 * look again. */
void explore_stored(struct explorer *x, const volatile void *addr);

/* Tells machine.observer. */
void explore_observe_event(struct vcpu *v, const struct event *e);

/* Odd 64-bit constant of the history hash: FNV-1a's prime, 64 bit. */
#define HISTORY_PRIME 0x100000001b3ULL

static inline void history_mix(struct explorer *x, u64 value)
{
	x->stats.history = (x->stats.history ^ value) * HISTORY_PRIME;
	x->stats.history ^= x->stats.history >> 32;
}

/* Runs what is pending, without asking. */
void vcpu_run_interrupts(struct vcpu *v);

#endif
