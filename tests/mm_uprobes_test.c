// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Breakpoints in programs: who has them, and what becomes of them and of what traps leave behind
 * (seed_path B1, D2).
 */
#include "mm_life_seeds.h"

#include <errno.h>

#include "mm/uprobes.h"

#define SEEDS 300
/* Until what is planted has been found. */
#define PLANTED_SEEDS 5000
#define SMALL_PAGES 160
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

/* The first page of the program's text. */
static int executes(const struct life *l)
{
	return user_execute(ELF_TEXT_START, l->prog, 0);
}

static s64 map_library(const struct life *l)
{
	struct file *f = file_open(l->prog);
	s64 addr;

	EXPECT(f);
	addr = sys_mmap(0, PAGE_SIZE, VM_READ | VM_EXEC, f, 0);
	fput(f);
	EXPECT(addr > 0);
	return addr;
}

static void registers(void *arg)
{
	struct life *l = arg;
	s64 anon;

	EXPECT(sys_uprobe_register(l->prog, LIFE_FILE_PAGES) == -EINVAL);
	EXPECT(sys_uprobe_unregister(l->prog, 0) == -ENOENT);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(executes(l) == 0);
	anon = current->mm->rss[MM_ANONPAGES] + current->rss_stat.count[MM_ANONPAGES];
	/* Who maps it already. */
	EXPECT(sys_uprobe_register(l->prog, 0) == 0);
	EXPECT(current->mm->flags & MMF_HAS_UPROBES);
	EXPECT(current->mm->rss[MM_ANONPAGES] + current->rss_stat.count[MM_ANONPAGES] == anon + 1);
	EXPECT(!current->mm->xol_area);
	EXPECT(executes(l) == 1);
	EXPECT(current->mm->xol_area);
	/* Two consumers, one breakpoint; the first to go leaves it. */
	EXPECT(sys_uprobe_register(l->prog, 0) == 0);
	EXPECT(sys_uprobe_unregister(l->prog, 0) == 0);
	EXPECT(executes(l) == 1);
	/* Who maps it from now on; its area is its own. */
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(!current->mm->xol_area && life_cache_in_use(l->m, "xol_area") == 0);
	EXPECT(executes(l) == 1);
	EXPECT(life_cache_in_use(l->m, "xol_area") == 1);
	EXPECT(sys_uprobe_unregister(l->prog, 0) == 0);
	EXPECT(executes(l) == 0);
	EXPECT(life_cache_in_use(l->m, "uprobe") == 0 && life_cache_in_use(l->m, "map_info") == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_uprobe_hit) == 3);
	sys_exit(0);
}

Test(mm_uprobes, text_traps_while_a_uprobe_is_registered)
{
	life_both(&small, 1, registers);
}

static void unmaps(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm;
	s64 library;
	u64 word;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	EXPECT(sys_uprobe_register(l->prog, 0) == 0);
	library = map_library(l);
	EXPECT(user_execute((u64)library, l->prog, 0) == 1);
	EXPECT(!(mm->flags & MMF_RECALC_UPROBES));
	EXPECT(sys_munmap((u64)library, PAGE_SIZE) == 0);
	/* One has gone: whether there are others is not known before somebody asks. */
	EXPECT((mm->flags & MMF_RECALC_UPROBES) && (mm->flags & MMF_HAS_UPROBES));
	EXPECT(executes(l) == 1);
	/* No breakpoints come where programs write; they go wherever they are. */
	library = map_library(l);
	EXPECT(sys_mprotect((u64)library, PAGE_SIZE, VM_READ | VM_WRITE) == 0);
	EXPECT(sys_uprobe_unregister(l->prog, 0) == 0);
	EXPECT(executes(l) == 0);
	EXPECT(sys_uprobe_register(l->prog, 0) == 0);
	EXPECT(executes(l) == 1);
	EXPECT(sys_mprotect((u64)library, PAGE_SIZE, VM_READ | VM_EXEC) == 0);
	EXPECT(user_read((u64)library, &word) == 0 && word != UPROBE_SWBP);
	EXPECT(sys_uprobe_unregister(l->prog, 0) == 0);
	sys_exit(0);
}

Test(mm_uprobes, unmapping_one_leaves_the_others)
{
	life_both(&small, 1, unmaps);
}

static void child(void *arg)
{
	struct life *l = arg;

	EXPECT((current->mm->flags & MMF_HAS_UPROBES) && !current->mm->xol_area);
	EXPECT(executes(l) == 1);
	EXPECT(current->mm->xol_area);
	sys_exit(0);
}

static void forks(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_uprobe_register(l->prog, 0) == 0);
	EXPECT(executes(l) == 1);
	EXPECT(sys_clone(0, "child", child, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(executes(l) == 1);
	/* A breakpoint that nobody takes back goes with its mm. */
	sys_exit(0);
}

Test(mm_uprobes, a_child_has_the_breakpoints_and_an_area_of_its_own)
{
	life_both(&small, 1, forks);
}

/* ---- races ---- */

static void forked(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 2; i++)
		(void)executes(l);
	sys_exit(0);
}

static void runs_and_forks(void *arg)
{
	struct life *l = arg;
	s64 library;

	for (u32 i = 0; i < 2; i++) {
		EXPECT(sys_execve(&l->image) == 0);
		EXPECT(sys_clone(0, "forked", forked, l, NULL) > 0);
		(void)executes(l);
		library = map_library(l);
		(void)user_execute((u64)library, l->prog, 0);
		EXPECT(sys_munmap((u64)library, PAGE_SIZE) == 0);
		(void)executes(l);
		EXPECT(sys_wait(NULL) > 0);
	}
	atomic_set(&l->count, 1);
	sys_exit(0);
}

static void traces(void *arg)
{
	struct life *l = arg;

	while (!READ_ONCE(l->count)) {
		EXPECT(sys_uprobe_register(l->prog, 0) == 0);
		(void)return_to_user();
		yield();
		EXPECT(sys_uprobe_unregister(l->prog, 0) == 0);
		(void)return_to_user();
		yield();
	}
	sys_exit(0);
}

static void program_and_tracer(void *arg)
{
	if (current->pid == 1)
		runs_and_forks(arg);
	else
		traces(arg);
}

Test(mm_uprobes, registration_races_with_exec_fork_and_unmap)
{
	life_explore(&small, 2, program_and_tracer, SEEDS);
	life_threads(&small, 2, program_and_tracer, THREADED_RUNS);
}

/* ---- text on its way out ---- */

/* A page of the program that nobody maps but who maps it here: who registers then does not wait for
 * the mm that unmaps it. */
#define OWN_PAGE 3

struct own_text {
	struct life *l;
	u64 addr;
	struct completion in_tlb, registered;
};

static void runs_it(void *arg)
{
	struct own_text *t = arg;

	EXPECT(user_execute(t->addr, t->l->prog, OWN_PAGE) == 0);
	complete(&t->in_tlb);
	wait_for_completion(&t->registered);
	(void)user_execute(t->addr, t->l->prog, OWN_PAGE);
	sys_exit(0);
}

static void registers_it(void *arg)
{
	struct own_text *t = arg;

	EXPECT(sys_uprobe_register(t->l->prog, OWN_PAGE) == 0);
	complete(&t->registered);
	sys_exit(0);
}

static void unmaps_it(void *arg)
{
	struct own_text t = {.l = arg};
	struct file *f;
	s64 addr;

	EXPECT(sys_execve(&t.l->image) == 0);
	f = file_open(t.l->prog);
	EXPECT(f);
	addr = sys_mmap(0, PAGE_SIZE, VM_READ | VM_EXEC, f, OWN_PAGE);
	fput(f);
	EXPECT(addr > 0);
	t.addr = (u64)addr;
	init_completion(&t.in_tlb);
	init_completion(&t.registered);
	EXPECT(sys_clone(CLONE_VM, "runs", runs_it, &t, NULL) > 0);
	wait_for_completion(&t.in_tlb);
	EXPECT(sys_clone(CLONE_VM, "registers", registers_it, &t, NULL) > 0);
	EXPECT(sys_munmap(t.addr, PAGE_SIZE) == 0);
	EXPECT(sys_wait(NULL) > 0 && sys_wait(NULL) > 0);
	EXPECT(sys_uprobe_unregister(t.l->prog, OWN_PAGE) == 0);
	sys_exit(0);
}

/* Between the end of its entry and the flush another CPU runs the page from its TLB, without the
 * breakpoint of a uprobe that has been registered meanwhile. One preemption, of who unmaps it, is
 * enough. */
Test(mm_uprobes, text_that_is_being_unmapped_need_not_trap)
{
	struct strategy *s = strategy_create("pct:2");
	struct life_config config = small;
	struct life l = {0};

	config.nr_vcpus = 3;
	for (u64 seed = 1; seed <= SEEDS; seed++) {
		config.seed = seed;
		if (seed == 1)
			life_create(&l, &config);
		else
			life_again(&l, &config);
		life_task(&l, 0, unmaps_it);
		life_auditor(&l);
		expect_clean(&l, machine_run(l.m, EXECUTOR_EXPLORE, s));
	}
	life_destroy(&l);
	strategy_destroy(s);
}

Test(mm_uprobes, what_is_forgotten_or_not_kept_out_is_found)
{
	cr_expect_neq(life_finds(&small, KNOB_UPROBE_STATE_KEPT, 2, program_and_tracer,
				 PLANTED_SEEDS, "mm-not-torn-down"),
		      0);
	cr_expect_neq(life_finds(&small, KNOB_UPROBE_FORK_UNLOCKED, 2, program_and_tracer,
				 PLANTED_SEEDS, "uprobe-missed uprobe-stray"),
		      0);
	cr_expect_neq(life_finds(&small, KNOB_UPROBE_MUNMAP_FORGETS, 2, program_and_tracer,
				 PLANTED_SEEDS, "uprobe-stray"),
		      0);
}
