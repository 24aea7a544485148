// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bench_cacheline.h"

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <x86intrin.h>
#endif

#define NS_PER_SECOND 1e9
/* Two lines apart: x86 prefetches the neighbour of a line (Intel optimization manual, spatial
 * prefetcher), and two words on such a pair of lines would travel together. */
#define LINE_DISTANCE 128
/* Some 10 us, far beyond an answer from a CPU that runs. */
#define LOOKS_BEFORE_YIELD 20000
/* So many operations between two looks at the clock. */
#define ROUND_TRIPS 1000
#define OPERATIONS 10000

/*
 * The acting thread asks with odd numbers 1, 3, 5, ...; the answer to n is n + 1. With two
 * lines the question stands in `asked` and the answer in `answered`; with one line both do in
 * `asked`.
 */
struct cacheline_ctx {
	alignas(LINE_DISTANCE) _Atomic uint64_t asked;
	alignas(LINE_DISTANCE) _Atomic uint64_t answered;
	alignas(LINE_DISTANCE) const struct bench_env *env;
	_Atomic uint64_t *answer; /* &asked or &answered */
	uint64_t last_answer;
	struct bench_sibling sibling;
};

/*
 * Looks until *@word is @value. Nothing but the load stands in the inner loop: with more there,
 * the CPU no longer fetches the line for the store that follows while it still waits for the
 * load, and one line costs as much as two. Returns false when @self is to stop.
 */
static inline bool look_for(_Atomic uint64_t *word, uint64_t value,
			    const struct bench_sibling *self)
{
	for (;;) {
		/* Acquire, and release in the stores: the order that a mailbox needs; free of
		 * charge on x86. */
		for (int looks = 0; looks < LOOKS_BEFORE_YIELD; looks++)
			if (atomic_load_explicit(word, memory_order_acquire) == value)
				return true;
		if (self && !bench_sibling_should_run(self))
			return false;
		sched_yield();
	}
}

static void answer_beside(struct bench_sibling *self, void *arg)
{
	struct cacheline_ctx *ctx = arg;
	_Atomic uint64_t *answer = ctx->answer;
	uint64_t question = ctx->last_answer + 1;

	while (look_for(&ctx->asked, question, self)) {
		atomic_store_explicit(answer, question + 1, memory_order_release);
		question += 2;
	}
}

static void round_trips(struct cacheline_ctx *ctx, int n)
{
	_Atomic uint64_t *answer = ctx->answer;
	uint64_t question = ctx->last_answer + 1;

	for (int i = 0; i < n; i++) {
		atomic_store_explicit(&ctx->asked, question, memory_order_release);
		look_for(answer, question + 1, NULL);
		question += 2;
	}
	ctx->last_answer = question - 1;
}

static int cacheline_run(void *arg, double seconds, struct bench_sample *out,
			 struct bench_error *err)
{
	struct cacheline_ctx *ctx = arg;
	uint64_t start, now, deadline;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	bench_sibling_run(&ctx->sibling);
	start = bench_now_ns();
	deadline = start + (uint64_t)(seconds * NS_PER_SECOND);
	do {
		round_trips(ctx, ROUND_TRIPS);
		out->items += ROUND_TRIPS;
		now = bench_now_ns();
	} while (now < deadline);
	out->seconds = (double)(now - start) / NS_PER_SECOND;
	bench_sibling_park(&ctx->sibling);
	bench_unpin(ctx->env);
	return 0;
}

static int cacheline_setup(const struct bench_env *env, const void *arg, void **out,
			   struct bench_error *err)
{
	const int *lines = arg;
	struct cacheline_ctx *ctx = aligned_alloc(LINE_DISTANCE, sizeof(*ctx));

	if (!ctx)
		return bench_fail(err, "no memory for the measure");
	memset(ctx, 0, sizeof(*ctx));
	atomic_init(&ctx->asked, 0);
	atomic_init(&ctx->answered, 0);
	ctx->env = env;
	ctx->answer = *lines == 1 ? &ctx->asked : &ctx->answered;
	if (bench_sibling_start(&ctx->sibling, env, answer_beside, ctx, err)) {
		free(ctx);
		return -1;
	}
	*out = ctx;
	return 0;
}

static void cacheline_teardown(void *arg)
{
	struct cacheline_ctx *ctx = arg;

	bench_sibling_stop(&ctx->sibling);
	free(ctx);
}

/* ---- One CPU by itself ---------------------------------------------------------------------- */

struct alone_ctx {
	const struct bench_env *env;
	void (*operations)(struct alone_ctx *ctx);
	alignas(LINE_DISTANCE) _Atomic uint64_t counter;
};

static void atomic_adds(struct alone_ctx *ctx)
{
	for (int i = 0; i < OPERATIONS; i++)
		atomic_fetch_add_explicit(&ctx->counter, 1, memory_order_seq_cst);
}

#ifdef __x86_64__
static void timestamps(struct alone_ctx *ctx)
{
	uint64_t last = 0;

	/* The intrinsic is volatile: none of them is dropped. */
	for (int i = 0; i < OPERATIONS; i++)
		last = __rdtsc();
	atomic_store_explicit(&ctx->counter, last, memory_order_relaxed);
}
#endif

static int alone_setup(const struct bench_env *env, const void *arg, void **out,
		       struct bench_error *err)
{
	struct alone_ctx *ctx;
	void (*operations)(struct alone_ctx *) = atomic_adds;

	if (arg) {
#ifdef __x86_64__
		operations = timestamps;
#else
		return bench_fail(err, "reads the time stamp counter of x86-64");
#endif
	}
	ctx = aligned_alloc(LINE_DISTANCE, sizeof(*ctx));
	if (!ctx)
		return bench_fail(err, "no memory for the measure");
	memset(ctx, 0, sizeof(*ctx));
	atomic_init(&ctx->counter, 0);
	ctx->env = env;
	ctx->operations = operations;
	*out = ctx;
	return 0;
}

static int alone_run(void *arg, double seconds, struct bench_sample *out, struct bench_error *err)
{
	struct alone_ctx *ctx = arg;
	uint64_t start, now, deadline;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	start = bench_now_ns();
	deadline = start + (uint64_t)(seconds * NS_PER_SECOND);
	do {
		ctx->operations(ctx);
		out->items += OPERATIONS;
		now = bench_now_ns();
	} while (now < deadline);
	out->seconds = (double)(now - start) / NS_PER_SECOND;
	bench_unpin(ctx->env);
	return 0;
}

/* ---- The sides ------------------------------------------------------------------------------ */

static const int one_line = 1, two_lines = 2;
static const char time_stamp_counter[] = "tsc";

const struct bench_side bench_cacheline_one = {
	.setup = cacheline_setup,
	.run = cacheline_run,
	.teardown = cacheline_teardown,
	.arg = &one_line,
};

const struct bench_side bench_cacheline_two = {
	.setup = cacheline_setup,
	.run = cacheline_run,
	.teardown = cacheline_teardown,
	.arg = &two_lines,
};

const struct bench_side bench_atomic_add = {
	.setup = alone_setup,
	.run = alone_run,
	.teardown = free,
};

const struct bench_side bench_timestamp = {
	.setup = alone_setup,
	.run = alone_run,
	.teardown = free,
	.arg = time_stamp_counter,
};
