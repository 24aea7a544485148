// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Machines of bare vCPUs, for tests of engine/: each vCPU runs one function of the test's, there
 * are no tasks. What a test shares between vCPUs lies in the machine's arena.
 */
#ifndef TESTS_ENGINE_MACHINE_H
#define TESTS_ENGINE_MACHINE_H

#include <criterion/criterion.h>

#include "engine/executor.h"
#include "engine/machine.h"
#include "engine/strategy.h"

#define EXPECT(cond) BUG_ON(!(cond), "line %d: expected %s", __LINE__, #cond)

/* Far more decision points than any program here needs. */
#define ENGINE_MAX_STEPS 1000000

/* Enough for the vCPUs' rings and what the tests share. */
#define ENGINE_ARENA_BYTES (64ULL << 20)

/* A vCPU that gets nowhere for so long is stuck, not just without a core. */
#define ENGINE_STALL_SECONDS 60

/* Repetitions, fewer where a sanitizer makes them slow. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define REPEAT(n) ((n) / 20 + 1)
#else
#define REPEAT(n) (n)
#endif

static inline void no_interrupt(struct vcpu *v, u32 bits)
{
	(void)v;
	(void)bits;
}

static inline void no_preemption(struct vcpu *v)
{
	(void)v;
}

/* One program: what each vCPU runs, on how many, and the bytes they share. */
struct bare_program {
	u32 cpus;
	void (*vcpu_main)(struct vcpu *v);
	void (*interrupt)(struct vcpu *v, u32 bits); /* may be NULL */
	u64 shared_bytes;
	u64 max_steps; /* 0: ENGINE_MAX_STEPS */
	bool tso;
};

struct bare_machine {
	struct machine *m;
	struct strategy *strategy;
	void *shared;
};

static inline void *shared_of(const struct vcpu *v)
{
	return v->machine->config.user;
}

static inline struct machine_config bare_config(const struct bare_program *p, u64 seed)
{
	return (struct machine_config){
		.nr_vcpus = p->cpus,
		.seed = seed,
		.arena_bytes = ENGINE_ARENA_BYTES,
		.max_steps = p->max_steps ? p->max_steps : ENGINE_MAX_STEPS,
		.stall_seconds = ENGINE_STALL_SECONDS,
		.tso = p->tso,
	};
}

static inline void bare_share(struct bare_machine *b, const struct bare_program *p)
{
	b->shared = arena_alloc(&b->m->arena, p->shared_bytes + 1, CACHE_LINE);
	cr_assert_not_null(b->shared);
	b->m->config.user = b->shared;
}

static inline void bare_create(struct bare_machine *b, const struct bare_program *p, u64 seed)
{
	struct machine_config config = bare_config(p, seed);
	struct machine_ops ops = {
		.vcpu_main = p->vcpu_main,
		.interrupt = p->interrupt ? p->interrupt : no_interrupt,
		.preempt = no_preemption,
	};

	b->m = machine_create(&config, &ops);
	b->strategy = strategy_random_create();
	cr_assert_not_null(b->m);
	cr_assert_not_null(b->strategy);
	bare_share(b, p);
}

static inline void bare_reset(struct bare_machine *b, const struct bare_program *p, u64 seed)
{
	struct machine_config config = bare_config(p, seed);

	cr_assert_eq(machine_reset(b->m, &config), 0);
	bare_share(b, p);
}

static inline void bare_destroy(struct bare_machine *b)
{
	machine_destroy(b->m);
	strategy_destroy(b->strategy);
}

static inline enum machine_end bare_explore(const struct bare_machine *b)
{
	return machine_run(b->m, EXECUTOR_EXPLORE, b->strategy);
}

static inline enum machine_end bare_threads(const struct bare_machine *b)
{
	return machine_run(b->m, EXECUTOR_THREADS, NULL);
}

/* The run must have finished without a violation. */
static inline void bare_expect_finished(const struct bare_machine *b, enum machine_end end)
{
	violation_print(stderr, b->m, 40);
	cr_assert_eq(end, MACHINE_FINISHED, "seed %llu ended with %d",
		     (unsigned long long)b->m->config.seed, end);
}

#endif
