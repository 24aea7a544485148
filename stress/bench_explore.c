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
#include "stress/search_state.h"
#include "tlbshoot/tlb.h"

/* The program of issue-sized exploration: one zapper, three accessors, 8 pages, 4 vCPUs. */
#define EXPLORE_VCPUS 4
#define EXPLORE_PAGES 64
#define EXPLORE_REGION 8

/* Rounds of the program in a schedule of explore-steps: set-up and exits weigh under a hundredth.
 */
#define EXPLORE_ROUNDS 64

/* The project's requirements. */
#define GOAL_STEPS_PER_SECOND 20e6
#define GOAL_STEPS_FACTOR 2.0 /* pct and pos against random */
#define GOAL_SCHEDULES_PER_SECOND 50e3
#define GOAL_TWO_WORKERS 1.9
#define GOAL_BUILD_NS 20e3
#define GOAL_MEMORY_BYTES (1024.0 * 1024 * 1024)
#define MEMORY_VCPUS 256
#define MEMORY_PAGES 1000000

/* What a measure runs and counts. */
struct explore_variant {
	const char *strategy;
	u32 rounds;
	bool coverage; /* as `explore` does: class and coverage of each schedule (search_state.h) */
	bool steps;    /* counted are decision points, not schedules */
	bool only_build;
	bool two; /* two workers, each on a CPU of its own */
};

/* A machine with what it needs to be explored. */
struct explore {
	const struct explore_variant *variant;
	struct machine *m;
	struct strategy *strategy;
	struct search_state state;
	struct inode *image;
	u64 base;
	u64 seed;
	u32 to_come, to_start, to_finish; /* tasks; atomic */
	struct wait_queue_head start_line;
};

/* Waits, awake, each task on a CPU of its own, until all are here; is it the last one? */
static bool line_up(u32 *missing)
{
	struct spin s = {0};
	bool last;

	preempt_disable(); /* the CPU's other tasks go elsewhere */
	last = !atomic_dec_return(missing);
	while (!last && READ_ONCE(*missing))
		cpu_relax_on(missing, &s);
	preempt_enable();
	return last;
}

/* The schedule lasts from here until all have come to finish(): set-up and exits are quiet, and so
 * is waking up for the start. */
static void start(struct explore *x)
{
	if (atomic_dec_return(&x->to_come))
		wait_event(&x->start_line, !READ_ONCE(x->to_come));
	else
		wake_up_all(&x->start_line);
	if (line_up(&x->to_start))
		explore_quiet(false);
}

static void finish(struct explore *x)
{
	if (line_up(&x->to_finish))
		explore_quiet(true);
	sys_exit(0);
}

static void accessor(void *arg)
{
	struct explore *x = arg;

	start(x);
	for (u32 round = 0; round < x->variant->rounds; round++) {
		for (u32 i = 0; i < EXPLORE_REGION; i++)
			(void)user_write(x->base + ((u64)i << PAGE_SHIFT), i);
	}
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
	for (u32 round = 0; round < x->variant->rounds; round++)
		(void)sys_madvise_dontneed(x->base, EXPLORE_REGION << PAGE_SHIFT);
	finish(x);
}

static void explore_free(struct explore *x)
{
	if (x->m && x->m->smp)
		smp_teardown(x->m);
	machine_destroy(x->m);
	strategy_destroy(x->strategy);
	search_state_destroy(&x->state);
	free(x);
}

static struct explore *explore_new(const struct explore_variant *variant)
{
	struct machine_config config = {.nr_vcpus = EXPLORE_VCPUS, .quiet_start = true};
	struct machine_ops ops = {0};
	/* Lines of its own: two workers must not share any. */
	struct explore *x = aligned_alloc(CACHE_LINE, round_up_to(sizeof(*x), CACHE_LINE));
	int err;

	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->variant = variant;
	smp_machine_ops(&ops);
	err = search_state_init(&x->state);
	x->m = machine_create(&config, &ops);
	x->strategy = strategy_create(variant->strategy);
	if (!x->m || !x->strategy || err ||
	    (variant->coverage && search_state_watch(&x->state, x->m))) {
		explore_free(x);
		return NULL;
	}
	return x;
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
	x->to_come = EXPLORE_VCPUS;
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

/* One schedule; the items that it counts for, negative for none: it went wrong. */
static double one_schedule(struct explore *x)
{
	if (reset(x) || build(x))
		return -1;
	if (x->variant->only_build)
		return 1;
	if (machine_run(x->m, EXECUTOR_EXPLORE, x->strategy) != MACHINE_FINISHED)
		return -1;
	if (x->variant->coverage)
		search_state_add(&x->state, x->m);
	return x->variant->steps ? (double)x->m->explored.steps : 1;
}

/* One worker, or two: the one of the calling thread and its sibling. */
struct explore_pair {
	const struct bench_env *env;
	struct explore *first, *second;
	struct bench_sibling sibling;
	bool failed;
	double items, seconds; /* the sibling's */
};

static void second_worker(struct bench_sibling *self, void *arg)
{
	struct explore_pair *p = arg;
	u64 begin = bench_now_ns();

	p->items = 0;
	while (bench_sibling_should_run(self) && !p->failed) {
		double items = one_schedule(p->second);

		p->failed = items < 0;
		p->items += items;
	}
	p->seconds = (double)(bench_now_ns() - begin) * 1e-9;
}

static void explore_teardown_side(void *ctx)
{
	struct explore_pair *p = ctx;

	if (p->second)
		bench_sibling_stop(&p->sibling);
	if (p->first)
		explore_free(p->first);
	if (p->second)
		explore_free(p->second);
	free(p);
}

static int explore_setup_side(const struct bench_env *env, const void *arg, void **ctx,
			      struct bench_error *err)
{
	const struct explore_variant *variant = arg;
	struct explore_pair *p = calloc(1, sizeof(*p));

	if (!p)
		return bench_fail(err, "out of host memory");
	p->env = env;
	p->first = explore_new(variant);
	if (!p->first) {
		explore_teardown_side(p);
		return bench_fail(err, "out of host memory");
	}
	if (variant->two) {
		struct explore *second = explore_new(variant);

		if (!second) {
			explore_teardown_side(p);
			return bench_fail(err, "out of host memory");
		}
		if (bench_sibling_start(&p->sibling, env, second_worker, p, err)) {
			explore_free(second);
			explore_teardown_side(p);
			return -1;
		}
		p->second = second;
	}
	*ctx = p;
	return 0;
}

static int explore_run_side(void *ctx, double seconds, struct bench_sample *out,
			    struct bench_error *err)
{
	struct explore_pair *p = ctx;
	struct explore *x = p->first;
	u64 begin, limit, now;
	double items = 0;

	if (bench_pin(p->env, 0, err))
		return -1;
	if (p->second)
		bench_sibling_run(&p->sibling);
	begin = bench_now_ns();
	limit = begin + (u64)(seconds * 1e9);
	do {
		items = one_schedule(x);
		out->items += items;
		now = bench_now_ns();
	} while (items >= 0 && now < limit);
	out->seconds = (double)(now - begin) * 1e-9;
	if (p->second) {
		bench_sibling_park(&p->sibling);
		/* The sibling's rate for as long as the first one worked. */
		out->items += p->items / p->seconds * out->seconds;
	}
	bench_unpin(p->env);
	if (items < 0 || p->failed)
		return bench_fail(err, "the machine stopped: %s", x->m->violations.first.message);
	return 0;
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

#define EXPLORE_SIDE(name, ...)                                                                    \
	static const struct explore_variant name##_variant = {__VA_ARGS__};                        \
	static const struct bench_side name##_side = {explore_setup_side, explore_run_side,        \
						      explore_teardown_side, &name##_variant}

EXPLORE_SIDE(steps, .strategy = "random", .rounds = EXPLORE_ROUNDS, .coverage = true,
	     .steps = true);
EXPLORE_SIDE(bare, .strategy = "random", .rounds = EXPLORE_ROUNDS, .steps = true);
EXPLORE_SIDE(pct, .strategy = "pct:3", .rounds = EXPLORE_ROUNDS, .coverage = true, .steps = true);
EXPLORE_SIDE(pos, .strategy = "pos", .rounds = EXPLORE_ROUNDS, .coverage = true, .steps = true);
EXPLORE_SIDE(schedules, .strategy = "random", .rounds = 1, .coverage = true);
EXPLORE_SIDE(workers, .strategy = "random", .rounds = 1, .coverage = true, .two = true);
EXPLORE_SIDE(build, .strategy = "random", .only_build = true);
static const struct bench_side memory_side = {memory_setup, memory_run, memory_teardown, NULL};

size_t bench_append_explore(struct bench_measure *measures, size_t n)
{
	measures[n++] = (struct bench_measure){
		.name = "explore-steps",
		.item = "step",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "decision points of explored schedules, each with its class and coverage: one "
			"zapper, three accessors, 4 CPUs",
		.emulated = &steps_side,
		.goal_value = GOAL_STEPS_PER_SECOND,
	};
	measures[n++] = (struct bench_measure){
		.name = "explore-steps-bare",
		.item = "step",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "the same without class and coverage",
		.emulated = &bare_side,
	};
	measures[n++] = (struct bench_measure){
		.name = "explore-steps-pct",
		.item = "step",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "explore-steps under the strategy pct:3",
		.emulated = &pct_side,
		.bound = {.of = "explore-steps", .factor = GOAL_STEPS_FACTOR},
	};
	measures[n++] = (struct bench_measure){
		.name = "explore-steps-pos",
		.item = "step",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "explore-steps under the strategy pos",
		.emulated = &pos_side,
		.bound = {.of = "explore-steps", .factor = GOAL_STEPS_FACTOR},
	};
	measures[n++] = (struct bench_measure){
		.name = "explore-schedules",
		.item = "schedule",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "whole explored schedules of the same program: machine built, run, looked at "
			"and torn down",
		.emulated = &schedules_side,
		.goal_value = GOAL_SCHEDULES_PER_SECOND,
	};
	measures[n++] = (struct bench_measure){
		.name = "explore-workers",
		.item = "schedule",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "explore-schedules by two workers on two CPUs; beside it, in the host's "
			"column, by one",
		.emulated = &workers_side,
		.host = &schedules_side,
		.goal_ratio = GOAL_TWO_WORKERS,
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
