// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bench_emulated.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"
#include "mm/syscalls.h"
#include "smp/rcu.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "stress/bench_explore.h"
#include "tlbshoot/tlb.h"

/* Frames of the benches' machines: the largest measure has 16384 pages in two address spaces. */
#define BENCH_PAGES 65536

/* Between two looks at the clock a task does at least so many pages. */
#define BENCH_PAGES_A_LOOK 512

/* As host_baseline's and the host side's measures: pages of fork's parent and exit's child. */
#define FORK_PAGES 16384
#define EXIT_PAGES 4096

struct emulated;

/* One variant: what the acting task does, and the answering one if there is one. */
struct variant {
	void (*act)(struct emulated *e);
	void (*answer)(struct emulated *e);
	u32 pages; /* an operation */
};

struct emulated {
	const struct bench_env *env;
	const struct variant *variant;
	struct machine *m;
	struct inode *image;
	u64 start_ns; /* of the sample */
	u64 limit_ns;
	double seconds, items;
	double answer_seconds, answer_items;
	u64 base;	/* of the region */
	u32 ready;	/* the answering task runs; atomic */
	u32 stop;	/* it should end; atomic */
	int pin_failed; /* atomic */
};

static struct exec_image small_image(const struct emulated *e)
{
	return (struct exec_image){
		.file = e->image,
		.text_pages = 1,
		.data_pages = 1,
		.bss_pages = 1,
		.stack_pages = 1,
		.argument_pages = 1,
	};
}

static u64 map_region(u32 pages)
{
	/* Each region has page tables of its own, as on the host side. */
	u64 len = round_up_to((u64)pages << PAGE_SHIFT, PMD_SIZE);
	s64 addr = sys_mmap(0, len + PMD_SIZE, VM_READ | VM_WRITE, NULL, 0);

	BUG_ON(addr < 0, "bench: no memory for a region");
	return round_up_to((u64)addr, PMD_SIZE);
}

static void touch(u64 base, u32 pages)
{
	for (u32 i = 0; i < pages; i++)
		(void)user_write(base + ((u64)i << PAGE_SHIFT), i + 1);
}

static bool time_left(const struct emulated *e)
{
	return bench_now_ns() < e->limit_ns;
}

/* Faults and zaps @pages until the time is over; the pages done. */
static double fault_zap_loop(struct emulated *e, u64 base, u32 pages, double *seconds)
{
	u32 look = max(1u, BENCH_PAGES_A_LOOK / pages);
	u64 begin = bench_now_ns(), end;
	double done = 0;

	do {
		for (u32 n = 0; n < look; n++) {
			touch(base, pages);
			(void)sys_madvise_dontneed(base, (u64)pages << PAGE_SHIFT);
			(void)return_to_user();
		}
		done += (double)look * pages;
		end = bench_now_ns();
	} while (end < e->limit_ns);
	*seconds = (double)(end - begin) * 1e-9;
	return done;
}

static void act_fault_zap(struct emulated *e)
{
	e->items = fault_zap_loop(e, e->base, e->variant->pages, &e->seconds);
}

static void answer_fault_zap(struct emulated *e)
{
	u64 base = map_region(e->variant->pages);

	atomic_set(&e->ready, 1);
	e->answer_items = fault_zap_loop(e, base, e->variant->pages, &e->answer_seconds);
}

static void act_shared(struct emulated *e)
{
	u32 pages = e->variant->pages;
	u64 begin = bench_now_ns(), zapped = vmstat_sum(e->m, VMSTAT_pgzap);

	while (time_left(e)) {
		for (u32 n = 0; n < BENCH_PAGES_A_LOOK / pages; n++) {
			(void)sys_madvise_dontneed(e->base, (u64)pages << PAGE_SHIFT);
			(void)return_to_user();
		}
	}
	e->items = (double)(vmstat_sum(e->m, VMSTAT_pgzap) - zapped);
	e->seconds = (double)(bench_now_ns() - begin) * 1e-9;
}

static void answer_shared(struct emulated *e)
{
	atomic_set(&e->ready, 1);
	while (!READ_ONCE(e->stop)) {
		touch(e->base, e->variant->pages);
		(void)return_to_user();
	}
}

/* One word of its own, again and again: the vCPU is in user mode. */
static void answer_spin(struct emulated *e)
{
	u64 base = map_region(1);

	atomic_set(&e->ready, 1);
	while (!READ_ONCE(e->stop)) {
		for (u32 i = 0; i < 64; i++)
			(void)user_write(base, i);
		(void)return_to_user();
	}
}

static void act_one_zap(struct emulated *e)
{
	double ns = 0, calls = 0;

	while (time_left(e)) {
		for (u32 n = 0; n < 64; n++) {
			u64 begin, end;

			touch(e->base, 1);
			begin = bench_now_ns();
			(void)sys_madvise_dontneed(e->base, PAGE_SIZE);
			end = bench_now_ns();
			ns += (double)(end - begin) - e->env->clock_pair_ns;
			calls++;
			(void)return_to_user();
		}
	}
	e->items = calls;
	e->seconds = ns * 1e-9;
}

static void act_exec(struct emulated *e)
{
	struct exec_image image = small_image(e);
	u64 begin = bench_now_ns();

	do {
		for (u32 n = 0; n < 32; n++) {
			int err = sys_execve(&image);

			BUG_ON(err, "bench: exec failed: %d", err);
			(void)return_to_user();
		}
		e->items += 32;
	} while (time_left(e));
	e->seconds = (double)(bench_now_ns() - begin) * 1e-9;
}

static void child_exits(void *arg)
{
	(void)arg;
	sys_exit(0);
}

static void act_fork(struct emulated *e)
{
	u64 begin;

	touch(e->base, FORK_PAGES);
	begin = bench_now_ns();
	do {
		BUG_ON(sys_clone(0, "child", child_exits, NULL, NULL) < 0, "bench: fork failed");
		(void)sys_wait(NULL);
		(void)return_to_user();
		e->items += FORK_PAGES;
	} while (time_left(e));
	e->seconds = (double)(bench_now_ns() - begin) * 1e-9;
}

static void child_touches(void *arg)
{
	struct emulated *e = arg;

	touch(e->base, EXIT_PAGES);
	e->start_ns = bench_now_ns();
	sys_exit(0);
}

static void act_exit(struct emulated *e)
{
	double ns = 0;

	do {
		BUG_ON(sys_clone(0, "child", child_touches, e, NULL) < 0, "bench: fork failed");
		(void)sys_wait(NULL);
		ns += (double)(bench_now_ns() - e->start_ns);
		(void)return_to_user();
		e->items += EXIT_PAGES;
	} while (time_left(e));
	e->seconds = ns * 1e-9;
}

/* ---- the machine ---- */

static void answer_main(void *arg)
{
	struct emulated *e = arg;

	e->variant->answer(e);
	sys_exit(0);
}

static void act_main(void *arg)
{
	struct emulated *e = arg;
	struct exec_image image = small_image(e);
	int err = sys_execve(&image);

	BUG_ON(err, "bench: exec failed: %d", err);
	e->base = map_region(max(e->variant->pages, (u32)FORK_PAGES));
	if (e->variant->answer) {
		BUG_ON(sys_clone(CLONE_VM, "answer", answer_main, e, NULL) < 0,
		       "bench: clone failed");
		while (!smp_load_acquire(&e->ready))
			yield();
	}
	e->variant->act(e);
	WRITE_ONCE(e->stop, 1);
	if (e->variant->answer)
		(void)sys_wait(NULL);
	sys_exit(0);
}

static void pinned_online(struct vcpu *v)
{
	struct emulated *e = v->machine->config.user;

	if (bench_pin(e->env, (int)v->id % e->env->nr_cpus, NULL))
		__atomic_store_n(&e->pin_failed, 1, __ATOMIC_RELAXED);
	rcu_vcpu_online(v);
}

static int emulated_setup(const struct bench_env *env, const void *arg, void **ctx,
			  struct bench_error *err)
{
	const struct variant *variant = arg;
	struct emulated *e = calloc(1, sizeof(*e));
	struct machine_ops ops = {0};
	struct machine_config config = {.nr_vcpus = variant->answer ? 2 : 1, .user = e};

	if (!e)
		return bench_fail(err, "out of host memory");
	if (variant->answer && env->nr_cpus < 2) {
		free(e);
		return bench_fail(err, "needs two CPUs");
	}
	e->env = env;
	e->variant = variant;
	smp_machine_ops(&ops);
	ops.vcpu_online = pinned_online;
	e->m = machine_create(&config, &ops);
	if (!e->m) {
		free(e);
		return bench_fail(err, "no host memory for the machine");
	}
	*ctx = e;
	return 0;
}

static int machine_setup(struct emulated *e)
{
	struct mm_options options = {
		.nr_pages = BENCH_PAGES,
		.geometry = tlb_geometry_find("haswell"),
		.gather_batches = ~0u,
	};
	struct task_struct *t;

	if (mm_setup(e->m, &options))
		return -ENOMEM;
	e->image = inode_create(e->m, "image", 8);
	t = e->image ? task_create(e->m, "act", PF_KTHREAD, 0, act_main, e) : NULL;
	if (!t)
		return -ENOMEM;
	wake_up_new_task(t);
	return 0;
}

static int emulated_run(void *ctx, double seconds, struct bench_sample *out,
			struct bench_error *err)
{
	struct emulated *e = ctx;
	enum machine_end end;

	if (e->m->smp) {
		struct machine_config config = e->m->config;

		smp_teardown(e->m);
		if (machine_reset(e->m, &config))
			return bench_fail(err, "no host memory for the machine");
	}
	e->items = e->seconds = e->answer_items = e->answer_seconds = 0;
	e->ready = e->stop = 0;
	if (machine_setup(e))
		return bench_fail(err, "the machine has no memory");
	e->limit_ns = bench_now_ns() + (u64)(seconds * 1e9);
	end = machine_run(e->m, EXECUTOR_THREADS, NULL);
	if (end != MACHINE_FINISHED)
		return bench_fail(err, "the machine stopped: %s",
				  e->m->violations.ready ? e->m->violations.first.message
							 : "no violation");
	if (e->pin_failed)
		return bench_fail(err, "vCPUs could not be pinned");
	out->items = e->items;
	out->seconds = e->seconds;
	if (e->answer_items > 0) {
		/* Two loops side by side: the rates are added. */
		out->items = e->items / e->seconds + e->answer_items / e->answer_seconds;
		out->seconds = 1;
	}
	return 0;
}

static void emulated_teardown(void *ctx)
{
	struct emulated *e = ctx;

	if (e->m->smp)
		smp_teardown(e->m);
	machine_destroy(e->m);
	free(e);
}

#define VARIANT(name, ...)                                                                         \
	static const struct variant name##_variant = {__VA_ARGS__};                                \
	static const struct bench_side name = {emulated_setup, emulated_run, emulated_teardown,    \
					       &name##_variant}

VARIANT(fault_zap_one, .act = act_fault_zap, .pages = 1);
VARIANT(fault_zap_few, .act = act_fault_zap, .pages = 16);
VARIANT(fault_zap_many, .act = act_fault_zap, .pages = 512);
VARIANT(own_regions_few, .act = act_fault_zap, .answer = answer_fault_zap, .pages = 16);
VARIANT(own_regions_many, .act = act_fault_zap, .answer = answer_fault_zap, .pages = 512);
VARIANT(shared_region, .act = act_shared, .answer = answer_shared, .pages = 16);
VARIANT(zap_quiet, .act = act_one_zap, .pages = 1);
VARIANT(zap_shootdown, .act = act_one_zap, .answer = answer_spin, .pages = 1);
VARIANT(exec, .act = act_exec, .pages = 1);
VARIANT(fork_exit, .act = act_fork, .pages = 1);
VARIANT(exit_touched, .act = act_exit, .pages = 1);

static const struct {
	const char *name;
	const struct bench_side *side;
} sides[] = {
	{"fault-zap-1", &fault_zap_one},
	{"fault-zap-16", &fault_zap_few},
	{"fault-zap-512", &fault_zap_many},
	{"own-regions-16", &own_regions_few},
	{"own-regions-512", &own_regions_many},
	{"shared-region-16", &shared_region},
	{"zap-quiet", &zap_quiet},
	{"zap-shootdown", &zap_shootdown},
	{"exec", &exec},
	{"fork-exit", &fork_exit},
	{"exit-touched", &exit_touched},
};

size_t bench_plug_emulated(struct bench_measure *measures, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		measures[bench_index(measures, n, sides[i].name)].emulated = sides[i].side;
	return bench_append_explore(measures, n);
}

static const char *const measure_names[] = {
	"fault-zap-1",	     "fault-zap-16",
	"fault-zap-512",     "own-regions-16",
	"own-regions-512",   "shared-region-16",
	"zap-quiet",	     "zap-shootdown",
	"shootdown",	     "exec",
	"fork-exit",	     "exit-touched",
	"cache-line-one",    "cache-line-two",
	"atomic-add",	     "timestamp",
	"explore-steps",     "explore-steps-bare",
	"explore-steps-pct", "explore-steps-pos",
	"explore-schedules", "explore-workers",
	"machine-build",     "machine-memory",
};
const struct name_list bench_measure_names = {"measure", measure_names, ARRAY_SIZE(measure_names)};
