// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress/bench_host.h"

#include "stress/bench_host_region.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The clock is read once for about so many pages: 1 us each on the kernel that was measured,
 * so that 30 ns of clock disappear and a run ends within a millisecond of its time. */
#define PAGES_BETWEEN_CLOCKS 1024
/* Long against a hand-over between threads (10 us), short against the machine's drift. */
#define SLICE_NS 5000000u
#define NS_PER_SECOND 1e9
#define CACHE_LINE 64

struct region_variant {
	size_t pages; /* an operation */
	int nr_regions;
	/* What the thread on the second CPU does; NULL where there is none. */
	void (*sibling)(struct bench_sibling *self, void *ctx);
};

struct region_ctx {
	const struct bench_env *env;
	const struct region_variant *variant;
	struct host_region region[BENCH_CPUS];
	struct bench_sibling sibling;
	bool has_sibling;

	/* Written by the sibling while it runs, read by the owner when it is parked. */
	alignas(CACHE_LINE) uint64_t sibling_pages;
	uint64_t sibling_ns;
	int sibling_errno;
	volatile uint64_t touched;
};

static void region_teardown(void *arg)
{
	struct region_ctx *ctx = arg;

	if (ctx->has_sibling)
		bench_sibling_stop(&ctx->sibling);
	for (int i = 0; i < ctx->variant->nr_regions; i++)
		host_region_unmap(&ctx->region[i]);
	free(ctx);
}

static int region_setup(const struct bench_env *env, const void *arg, void **out,
			struct bench_error *err)
{
	const struct region_variant *variant = arg;
	struct region_ctx *ctx = aligned_alloc(CACHE_LINE, sizeof(*ctx));

	if (!ctx)
		return bench_fail(err, "no memory for the measure");
	memset(ctx, 0, sizeof(*ctx));
	ctx->env = env;
	ctx->variant = variant;
	for (int i = 0; i < variant->nr_regions; i++)
		if (host_region_map(&ctx->region[i], variant->pages, env->page_size, err))
			goto fail;
	if (variant->sibling) {
		if (bench_sibling_start(&ctx->sibling, env, variant->sibling, ctx, err))
			goto fail;
		ctx->has_sibling = true;
	}
	*out = ctx;
	return 0;
fail:
	region_teardown(ctx);
	return -1;
}

static uint64_t deadline_after(uint64_t start, double seconds)
{
	return start + (uint64_t)(seconds * NS_PER_SECOND);
}

static int clocks_every(size_t pages)
{
	return pages < PAGES_BETWEEN_CLOCKS ? (int)(PAGES_BETWEEN_CLOCKS / pages) : 1;
}

/* ---- Write fault and zap, one thread and two ----------------------------------------------- */

static int write_and_zap(struct host_region *region)
{
	host_region_write(region);
	return host_region_zap(region);
}

/* The acting thread: until @deadline. Returns the pages it zapped, *@ended the time after. */
static uint64_t write_and_zap_until(struct region_ctx *ctx, uint64_t deadline, uint64_t *ended,
				    int *error)
{
	struct host_region *region = &ctx->region[0];
	int between = clocks_every(region->pages);
	uint64_t operations = 0;

	do {
		for (int i = 0; i < between && !*error; i++)
			*error = write_and_zap(region);
		operations += (uint64_t)between;
		*ended = bench_now_ns();
	} while (*ended < deadline && !*error);
	return operations * region->pages;
}

static void write_and_zap_beside(struct bench_sibling *self, void *arg)
{
	struct region_ctx *ctx = arg;
	uint64_t start = bench_now_ns(), operations = 0;
	int error = 0;

	while (bench_sibling_should_run(self) && !error) {
		error = write_and_zap(&ctx->region[1]);
		operations++;
	}
	ctx->sibling_ns = bench_now_ns() - start;
	ctx->sibling_pages = operations * ctx->region[1].pages;
	ctx->sibling_errno = error;
}

/*
 * Each thread has a clock of its own, so that the few microseconds in which only one of them
 * runs don't count for both: the rates are added, and items and seconds formed to give their
 * sum.
 */
static int fault_zap_run(void *arg, double seconds, struct bench_sample *out,
			 struct bench_error *err)
{
	struct region_ctx *ctx = arg;
	uint64_t start, ended, pages;
	double rate;
	int error = 0;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	if (ctx->has_sibling)
		bench_sibling_run(&ctx->sibling);
	start = bench_now_ns();
	pages = write_and_zap_until(ctx, deadline_after(start, seconds), &ended, &error);
	out->items = (double)pages;
	out->seconds = (double)(ended - start) / NS_PER_SECOND;
	if (ctx->has_sibling) {
		bench_sibling_park(&ctx->sibling);
		if (!error)
			error = ctx->sibling_errno;
		rate = out->items / out->seconds;
		rate += (double)ctx->sibling_pages / ((double)ctx->sibling_ns / NS_PER_SECOND);
		out->items += (double)ctx->sibling_pages;
		out->seconds = out->items / rate;
	}
	bench_unpin(ctx->env);
	if (error)
		return bench_fail(err, "madvise: %s", strerror(error));
	return 0;
}

/* ---- One zaps what the other faults back ---------------------------------------------------- */

static uint64_t minor_faults_of_this_thread(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)usage.ru_minflt;
}

/*
 * Each minor fault of this thread makes one absent page present: it is the only one that
 * touches the region, it only writes, and the kernel counts a fault once however often it has
 * to be retried.
 */
static void write_beside(struct bench_sibling *self, void *arg)
{
	struct region_ctx *ctx = arg;
	uint64_t faults = minor_faults_of_this_thread();

	while (bench_sibling_should_run(self))
		host_region_write(&ctx->region[0]);
	ctx->sibling_pages = minor_faults_of_this_thread() - faults;
}

static int shared_region_run(void *arg, double seconds, struct bench_sample *out,
			     struct bench_error *err)
{
	struct region_ctx *ctx = arg;
	uint64_t start, now, deadline;
	int error = 0, between;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	between = clocks_every(ctx->region[0].pages);
	bench_sibling_run(&ctx->sibling);
	start = bench_now_ns();
	deadline = deadline_after(start, seconds);
	do {
		for (int i = 0; i < between && !error; i++)
			error = host_region_zap(&ctx->region[0]);
		now = bench_now_ns();
	} while (now < deadline && !error);
	bench_sibling_park(&ctx->sibling);
	/* Leaves the region empty, as each run has to find it. */
	if (!error)
		error = host_region_zap(&ctx->region[0]);
	bench_unpin(ctx->env);

	out->items = (double)ctx->sibling_pages;
	out->seconds = (double)(now - start) / NS_PER_SECOND;
	if (error)
		return bench_fail(err, "madvise: %s", strerror(error));
	return 0;
}

/* ---- The zap of one page, with and without a shootdown -------------------------------------- */

/* In user mode, in this process: what a shootdown has to interrupt. */
static void spin_beside(struct bench_sibling *self, void *arg)
{
	struct region_ctx *ctx = arg;

	while (bench_sibling_should_run(self))
		ctx->touched++;
}

struct zap_time {
	uint64_t ns; /* in the calls, the clock's own time included */
	uint64_t calls;
};

static int time_zaps(struct region_ctx *ctx, uint64_t deadline, struct zap_time *sum)
{
	struct host_region *region = &ctx->region[0];
	uint64_t before, after;
	int error;

	do {
		host_region_write(region);
		before = bench_now_ns();
		error = host_region_zap(region);
		after = bench_now_ns();
		sum->ns += after - before;
		sum->calls++;
	} while (after < deadline && !error);
	return error;
}

static double zap_seconds(const struct region_ctx *ctx, const struct zap_time *sum)
{
	return ((double)sum->ns - (double)sum->calls * ctx->env->clock_pair_ns) / NS_PER_SECOND;
}

static int zap_run(void *arg, double seconds, struct bench_sample *out, struct bench_error *err)
{
	struct region_ctx *ctx = arg;
	struct zap_time sum = {0};
	int error;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	if (ctx->has_sibling)
		bench_sibling_run(&ctx->sibling);
	error = time_zaps(ctx, deadline_after(bench_now_ns(), seconds), &sum);
	if (ctx->has_sibling)
		bench_sibling_park(&ctx->sibling);
	bench_unpin(ctx->env);

	out->items = (double)sum.calls;
	out->seconds = zap_seconds(ctx, &sum);
	if (error)
		return bench_fail(err, "madvise: %s", strerror(error));
	return 0;
}

static int shootdown_run(void *arg, double seconds, struct bench_sample *out,
			 struct bench_error *err)
{
	struct region_ctx *ctx = arg;
	struct zap_time quiet = {0}, answered = {0};
	uint64_t deadline;
	int error = 0;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	deadline = deadline_after(bench_now_ns(), seconds);
	do {
		error = time_zaps(ctx, bench_now_ns() + SLICE_NS, &quiet);
		bench_sibling_run(&ctx->sibling);
		if (!error)
			error = time_zaps(ctx, bench_now_ns() + SLICE_NS, &answered);
		bench_sibling_park(&ctx->sibling);
	} while (bench_now_ns() < deadline && !error);
	bench_unpin(ctx->env);

	/* The cost of one; zero or less where noise ate the difference, and then not used. */
	out->items = 1;
	out->seconds = zap_seconds(ctx, &answered) / (double)answered.calls -
		       zap_seconds(ctx, &quiet) / (double)quiet.calls;
	if (error)
		return bench_fail(err, "madvise: %s", strerror(error));
	return 0;
}

/* ---- The sides ------------------------------------------------------------------------------ */

static const struct region_variant one_page = {1, 1, NULL};
static const struct region_variant few_pages = {BENCH_FEW_PAGES, 1, NULL};
static const struct region_variant many_pages = {BENCH_MANY_PAGES, 1, NULL};
static const struct region_variant few_pages_each = {BENCH_FEW_PAGES, 2, write_and_zap_beside};
static const struct region_variant many_pages_each = {BENCH_MANY_PAGES, 2, write_and_zap_beside};
static const struct region_variant few_pages_shared = {BENCH_FEW_PAGES, 1, write_beside};
static const struct region_variant one_page_answered = {1, 1, spin_beside};

#define REGION_SIDE(name, run_function, variant)                                                   \
	const struct bench_side name = {                                                           \
		.setup = region_setup,                                                             \
		.run = run_function,                                                               \
		.teardown = region_teardown,                                                       \
		.arg = &(variant),                                                                 \
	}

REGION_SIDE(bench_host_fault_zap_one, fault_zap_run, one_page);
REGION_SIDE(bench_host_fault_zap_few, fault_zap_run, few_pages);
REGION_SIDE(bench_host_fault_zap_many, fault_zap_run, many_pages);
REGION_SIDE(bench_host_own_regions_few, fault_zap_run, few_pages_each);
REGION_SIDE(bench_host_own_regions_many, fault_zap_run, many_pages_each);
REGION_SIDE(bench_host_shared_region, shared_region_run, few_pages_shared);
REGION_SIDE(bench_host_zap_quiet, zap_run, one_page);
REGION_SIDE(bench_host_zap_shootdown, zap_run, one_page_answered);
REGION_SIDE(bench_host_shootdown_alone, shootdown_run, one_page_answered);
