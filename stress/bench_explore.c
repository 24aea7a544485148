// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bench_explore.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/strategy.h"
#include "mm/mm.h"
#include "mm/page_alloc.h"
#include "mm/syscalls.h"
#include "smp/sched.h"
#include "smp/wait.h"
#include "tlbshoot/tlb.h"

/* The program of issue-sized exploration: one zapper, three accessors, 8 pages, 4 vCPUs. */
#define EXPLORE_VCPUS 4
#define EXPLORE_PAGES 64
#define EXPLORE_REGION 8

/* The project's requirements. */
#define GOAL_STEPS_PER_SECOND 15e6
#define GOAL_BUILD_NS 20e3
#define GOAL_MEMORY_BYTES (1024.0 * 1024 * 1024)
#define MEMORY_VCPUS 256
#define MEMORY_PAGES 1000000

struct explore {
	struct machine *m;
	struct strategy *strategy;
	const char *kind;
	struct inode *image;
	u64 base;
	u64 seed;
	u32 to_start, to_finish; /* tasks; atomic */
	struct wait_queue_head start_line;
};

/* The schedule lasts from here until all have passed finish(): set-up and exits are quiet. */
static void start(struct explore *x)
{
	if (atomic_dec_return(&x->to_start)) {
		wait_event(&x->start_line, !READ_ONCE(x->to_start));
		return;
	}
	wake_up_all(&x->start_line);
	explore_quiet(false);
}

static void finish(struct explore *x)
{
	if (!atomic_dec_return(&x->to_finish))
		explore_quiet(true);
	sys_exit(0);
}

static void accessor(void *arg)
{
	struct explore *x = arg;

	start(x);
	for (u32 i = 0; i < EXPLORE_REGION; i++)
		(void)user_write(x->base + ((u64)i << PAGE_SHIFT), i);
	finish(x);
}

static void zapper(void *arg)
{
	struct explore *x = arg;
	struct exec_image image = {.file = x->image, .text_pages = 1, .stack_pages = 1};

	if (sys_execve(&image))
		sys_exit(1);
	x->base = (u64)sys_mmap(0, EXPLORE_REGION << PAGE_SHIFT, VM_READ | VM_WRITE, NULL, 0);
	for (u32 i = 0; i < EXPLORE_REGION; i++)
		(void)user_write(x->base + ((u64)i << PAGE_SHIFT), i);
	for (u32 i = 1; i < EXPLORE_VCPUS; i++)
		(void)sys_clone(CLONE_VM, "accessor", accessor, x, NULL);
	start(x);
	(void)sys_madvise_dontneed(x->base, EXPLORE_REGION << PAGE_SHIFT);
	finish(x);
}

static int explore_setup_side(const struct bench_env *env, const void *arg, void **ctx,
			      struct bench_error *err)
{
	struct machine_config config = {.nr_vcpus = EXPLORE_VCPUS, .quiet_start = true};
	struct machine_ops ops = {0};
	struct explore *x = calloc(1, sizeof(*x));

	(void)env;
	if (!x)
		return bench_fail(err, "out of host memory");
	x->kind = arg;
	smp_machine_ops(&ops);
	x->m = machine_create(&config, &ops);
	x->strategy = strategy_create("random");
	if (!x->m || !x->strategy) {
		strategy_destroy(x->strategy);
		machine_destroy(x->m);
		free(x);
		return bench_fail(err, "out of host memory");
	}
	*ctx = x;
	return 0;
}

static int build(struct explore *x)
{
	struct mm_options options = {
		.nr_pages = EXPLORE_PAGES,
		.geometry = tlb_geometry_find("tiny"),
	};
	struct task_struct *t;

	if (mm_setup(x->m, &options))
		return -1;
	x->to_start = EXPLORE_VCPUS;
	x->to_finish = EXPLORE_VCPUS;
	init_waitqueue_head(&x->start_line);
	x->image = inode_create(x->m, "image", 2);
	t = x->image ? task_create(x->m, "zapper", PF_KTHREAD, 0, zapper, x) : NULL;
	if (!t)
		return -1;
	wake_up_new_task(t);
	return 0;
}

static int reset(struct explore *x)
{
	struct machine_config config = x->m->config;

	if (!x->m->smp)
		return 0;
	config.seed = ++x->seed;
	smp_teardown(x->m);
	return machine_reset(x->m, &config);
}

static int explore_run_side(void *ctx, double seconds, struct bench_sample *out,
			    struct bench_error *err)
{
	struct explore *x = ctx;
	bool only_build = !strcmp(x->kind, "build");
	bool steps = !strcmp(x->kind, "steps");
	u64 begin = bench_now_ns(), limit = begin + (u64)(seconds * 1e9);

	do {
		for (u32 n = 0; n < 16; n++) {
			if (reset(x) || build(x))
				return bench_fail(err, "the machine could not be built");
			if (only_build) {
				out->items++;
				continue;
			}
			if (machine_run(x->m, EXECUTOR_EXPLORE, x->strategy) != MACHINE_FINISHED)
				return bench_fail(err, "the machine stopped: %s",
						  x->m->violations.first.message);
			out->items += steps ? (double)x->m->explored.steps : 1;
		}
	} while (bench_now_ns() < limit);
	out->seconds = (double)(bench_now_ns() - begin) * 1e-9;
	return 0;
}

static void explore_teardown_side(void *ctx)
{
	struct explore *x = ctx;

	if (x->m->smp)
		smp_teardown(x->m);
	machine_destroy(x->m);
	strategy_destroy(x->strategy);
	free(x);
}

static int memory_setup(const struct bench_env *env, const void *arg, void **ctx,
			struct bench_error *err)
{
	(void)env;
	(void)arg;
	(void)err;
	*ctx = NULL;
	return 0;
}

/* Host pages that this process has in memory. */
static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size, resident = 0;

	if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* A machine whose every frame has been handed out once, and every page fully used. */
static int memory_run(void *ctx, double seconds, struct bench_sample *out, struct bench_error *err)
{
	struct machine_config config = {.nr_vcpus = MEMORY_VCPUS};
	struct mm_options options = {.nr_pages = MEMORY_PAGES, .gather_batches = ~0u};
	struct machine_ops ops = {0};
	double before = resident_bytes();
	struct machine *m;
	struct page *p;

	(void)ctx;
	(void)seconds;
	smp_machine_ops(&ops);
	options.geometry = tlb_geometry_find("haswell");
	m = machine_create(&config, &ops);
	if (!m || mm_setup(m, &options)) {
		machine_destroy(m);
		return bench_fail(err, "no host memory for the machine");
	}
	vcpu_set_current(&m->vcpus[0]);
	while ((p = alloc_page(PAGE_USER)))
		clear_user_page(p);
	vcpu_set_current(NULL);
	out->items = 1;
	out->seconds = 1;
	/* What the machine has been given counts, touched or not. */
	out->bytes = max(resident_bytes() - before, (double)m->arena.used);
	smp_teardown(m);
	machine_destroy(m);
	return 0;
}

static void memory_teardown(void *ctx)
{
	(void)ctx;
}

static const struct bench_side steps_side = {explore_setup_side, explore_run_side,
					     explore_teardown_side, "steps"};
static const struct bench_side schedules_side = {explore_setup_side, explore_run_side,
						 explore_teardown_side, "schedules"};
static const struct bench_side build_side = {explore_setup_side, explore_run_side,
					     explore_teardown_side, "build"};
static const struct bench_side memory_side = {memory_setup, memory_run, memory_teardown, NULL};

size_t bench_append_explore(struct bench_measure *measures, size_t n)
{
	measures[n++] = (struct bench_measure){
		.name = "explore-steps",
		.item = "step",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "decision points of explored schedules: one zapper, three accessors, 4 CPUs",
		.emulated = &steps_side,
		.goal_value = GOAL_STEPS_PER_SECOND,
	};
	measures[n++] = (struct bench_measure){
		.name = "explore-schedules",
		.item = "schedule",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "whole explored schedules of the same program, machine built and torn down",
		.emulated = &schedules_side,
	};
	measures[n++] = (struct bench_measure){
		.name = "machine-build",
		.item = "machine",
		.kind = BENCH_NS_PER_ITEM,
		.says = "build-up and teardown of a machine of 4 CPUs and 64 pages",
		.emulated = &build_side,
		.goal_value = GOAL_BUILD_NS,
	};
	measures[n++] = (struct bench_measure){
		.name = "machine-memory",
		.item = "machine",
		.kind = BENCH_BYTES_PER_ITEM,
		.says = "host memory of a machine of 256 CPUs and a million pages, all touched",
		.emulated = &memory_side,
		.goal_value = GOAL_MEMORY_BYTES,
	};
	return n;
}
