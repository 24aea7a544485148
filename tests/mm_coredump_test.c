// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Core dumps (seed_path A7, B4): what is dumped, who waits for whom, and what an exec, a group
 * exit, SIGKILL and another dump do against it.
 */
#include "mm_life_seeds.h"

#include "mm/coredump.h"
#include "smp/signal.h"

/* Seeds explored a test: a second or two, also where each step takes longer. */
#ifdef __SANITIZE_THREAD__
#define SEEDS 50
#else
#define SEEDS 150
#endif
/* For the planted bugs: many times what the rarest of them needed. */
#define BUG_SEEDS 4000
#define PAGES 192
#define MARK 0x1234

/* For the planted bugs: fewer CPUs than tasks, so that who is preempted in a window of a few steps
 * stays there. */
static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = PAGES, .seed = 1};
static const struct life_config three_cpus = {.nr_vcpus = 3, .nr_pages = PAGES, .seed = 1};

/* Any of @counters (0: end) that stays at zero over all seeds is a row that was not walked. */
static void run_seeds(const struct life_config *config, void (*entry)(void *),
		      const enum vmstat_item *counters)
{
	struct life_config c = *config;
	u64 sums[NR_VMSTAT_ITEMS] = {0};
	struct life l = {0};

	for (c.seed = 1; c.seed <= SEEDS; c.seed++) {
		expect_clean(&l, life_round(&l, &c, 1, entry, EXECUTOR_EXPLORE));
		for (u32 i = 0; counters[i]; i++)
			sums[i] += vmstat_sum(l.m, counters[i]);
	}
	for (u32 i = 0; counters[i]; i++)
		cr_expect_gt(sums[i], 0, "%s", vmstat_names[counters[i]]);
	life_destroy(&l);
}

/* ---- what is dumped ---- */

#define DUMPED_PAGES_MAX 16

struct core {
	u32 nr;
	u64 addr[DUMPED_PAGES_MAX];
	bool hole[DUMPED_PAGES_MAX];
	u64 word[DUMPED_PAGES_MAX]; /* the first */
};

static void keep_page(void *arg, u64 addr, const u64 *words)
{
	struct core *core = arg;

	EXPECT(core->nr < DUMPED_PAGES_MAX);
	EXPECT(!core->nr || core->addr[core->nr - 1] < addr);
	core->addr[core->nr] = addr;
	core->hole[core->nr] = !words;
	core->word[core->nr++] = words ? words[0] : 0;
}

static void forget_page(void *arg, u64 addr, const u64 *words)
{
	(void)arg;
	(void)addr;
	(void)words;
}

static const struct coredump_params forget = {forget_page, NULL};

static int place_of(const struct core *core, u64 addr)
{
	for (u32 i = 0; i < core->nr; i++) {
		if (core->addr[i] == addr)
			return (int)i;
	}
	return -1;
}

/* Text and data are of the file, of which the data has been written to; of three anonymous pages
 * one has been written, one read; of three others none. */
static void dumps_its_memory(void *arg)
{
	struct life *l = arg;
	struct core core = {.nr = 0};
	const struct coredump_params params = {keep_page, &core};
	s64 used, unused;
	u64 value;
	int at;

	EXPECT(sys_execve(&l->image) == 0);
	/* A page between them: they are not to be merged. */
	used = sys_mmap(0, 3 * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);
	unused = sys_mmap((u64)used + 4 * PAGE_SIZE, 3 * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);
	EXPECT(used > 0 && unused > 0);
	EXPECT(user_write(current->mm->start_data, MARK) == 0);
	EXPECT(user_write((u64)used + PAGE_SIZE, MARK + 1) == 0);
	EXPECT(user_read((u64)used + 2 * PAGE_SIZE, &value) == 0 && value == 0);
	EXPECT(do_coredump(&params) == 0);
	EXPECT(current->signal->flags == SIGNAL_GROUP_EXIT && !current->signal->group_exit_task);
	EXPECT(!current->mm->core_state && (current->flags & PF_DUMPCORE));
	/* The header's page, the data, the arguments. */
	EXPECT(place_of(&core, current->mm->start_code) == 0 && !core.hole[0]);
	at = place_of(&core, current->mm->start_data);
	EXPECT(at > 0 && !core.hole[at] && core.word[at] == MARK);
	EXPECT(place_of(&core, current->mm->arg_start) > 0);
	at = place_of(&core, (u64)used);
	EXPECT(at > 0 && core.hole[at] && !core.hole[at + 1] && core.hole[at + 2]);
	EXPECT(core.word[at + 1] == MARK + 1);
	/* Nothing was ever written there. */
	EXPECT(place_of(&core, (u64)unused) < 0);
	sys_exit_group(SIGABRT_NUMBER);
}

Test(mm_coredump, what_was_written_is_dumped)
{
	life_both(&two_cpus, 1, dumps_its_memory);
}

/* ---- who waits, and what the parent is told ---- */

static void use_memory_until_killed(void *arg)
{
	(void)arg;
	while (!return_to_user()) {
		s64 addr = sys_mmap(0, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);

		EXPECT(user_write(current->mm->start_data, current->pid) == 0);
		if (addr > 0)
			EXPECT(sys_munmap((u64)addr, PAGE_SIZE) == 0);
		yield();
	}
	sys_exit(0);
}

/* They are at their end when the dump begins. */
static void uses_memory_once(void *arg)
{
	(void)arg;
	if (!return_to_user())
		EXPECT(user_write(current->mm->start_data, current->pid) == 0);
	sys_exit(0);
}

/* For longer with other seeds. */
static void let_others_go_first(const struct life *l)
{
	for (u64 i = 0; i < l->m->config.seed % 50 * 8; i++)
		yield();
}

static void new_users(struct life *l, u32 flags, u32 nr, void (*entry)(void *))
{
	while (nr--) {
		s64 pid = sys_clone(flags, "user", entry, l, NULL);

		EXPECT(pid > 0 || (pid == -EINTR && return_to_user()));
	}
}

static void aborts(void *arg)
{
	(void)arg;
	if (!return_to_user())
		sys_abort(&forget);
	sys_exit(0);
}

static void uses_memory_and_aborts(void *arg)
{
	for (u32 i = 0; i < 4; i++)
		EXPECT(user_write(current->mm->start_data, current->pid) == 0);
	aborts(arg);
}

static void dumps_among_others(void *arg)
{
	new_users(arg, CLONE_A_THREAD, 1, use_memory_until_killed);
	new_users(arg, CLONE_VM, 1, use_memory_until_killed);
	aborts(arg);
}

static void dumps_while_others_exit(void *arg)
{
	new_users(arg, CLONE_A_THREAD, 1, uses_memory_once);
	new_users(arg, CLONE_VM, 1, uses_memory_once);
	uses_memory_and_aborts(arg);
}

/* What a process that begins as @entry ends with. */
static u32 code_of(struct life *l, void (*entry)(void *), bool kill)
{
	u32 code = ~0u;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "dumper", entry, l, NULL);
	EXPECT(pid > 0);
	if (kill) {
		let_others_go_first(l);
		/* It may have gone already. */
		(void)sys_kill((u32)pid);
	}
	EXPECT(sys_waitpid((u32)pid, &code) == pid);
	return code;
}

static void others_wait(void *arg)
{
	EXPECT(code_of(arg, dumps_among_others, false) == (SIGABRT_NUMBER | CORE_DUMPED));
	sys_exit(0);
}

static const enum vmstat_item dumped[] = {VMSTAT_coredump, VMSTAT_coredump_waited_for,
					  VMSTAT_coredump_pages, 0};

Test(mm_coredump, all_that_use_the_mm_wait_for_the_dumper)
{
	life_both(&two_cpus, 1, others_wait);
	run_seeds(&three_cpus, others_wait, dumped);
}

static void exit_against_dump(void *arg)
{
	EXPECT(code_of(arg, dumps_while_others_exit, false) == (SIGABRT_NUMBER | CORE_DUMPED));
	sys_exit(0);
}

Test(mm_coredump, who_exits_waits_or_has_gone)
{
	life_both(&two_cpus, 1, exit_against_dump);
	run_seeds(&three_cpus, exit_against_dump, dumped);
}

/* SIGKILL is for the group: the other process has to end by itself. */
static void dumps_among_its_threads(void *arg)
{
	new_users(arg, CLONE_A_THREAD, 1, use_memory_until_killed);
	new_users(arg, CLONE_VM, 1, uses_memory_once);
	aborts(arg);
}

static void dumper_is_killed(void *arg)
{
	u32 code = code_of(arg, dumps_among_its_threads, true);

	EXPECT(code == SIGKILL_NUMBER || code == (SIGABRT_NUMBER | CORE_DUMPED));
	sys_exit(0);
}

Test(mm_coredump, sigkill_cuts_a_dump_short)
{
	life_both(&two_cpus, 1, dumper_is_killed);
	run_seeds(&three_cpus, dumper_is_killed, dumped);
}

/* ---- races ---- */

static void execs(void *arg)
{
	struct life *l = arg;
	int err = return_to_user() ? -EAGAIN : sys_execve(&l->image);

	EXPECT(!err || ((err == -EINTR || err == -EAGAIN) && return_to_user()));
	sys_exit(0);
}

static void dumps_while_others_exec(void *arg)
{
	new_users(arg, CLONE_VM, 2, execs);
	aborts(arg);
}

static void exec_against_dump(void *arg)
{
	EXPECT(code_of(arg, dumps_while_others_exec, false) == (SIGABRT_NUMBER | CORE_DUMPED));
	sys_exit(0);
}

static const enum vmstat_item refused_exec[] = {VMSTAT_coredump, VMSTAT_exec_core_dump, 0};

Test(mm_coredump, an_exec_gives_up)
{
	life_both(&two_cpus, 1, exec_against_dump);
	run_seeds(&three_cpus, exec_against_dump, refused_exec);
}

/* A thread execs: whoever is first under siglock has its way. */
static void dumps_while_a_thread_execs(void *arg)
{
	new_users(arg, CLONE_A_THREAD, 1, execs);
	let_others_go_first(arg);
	aborts(arg);
}

static void exec_against_dump_in_group(void *arg)
{
	u32 code = code_of(arg, dumps_while_a_thread_execs, false);

	EXPECT(!code || code == (SIGABRT_NUMBER | CORE_DUMPED));
	sys_exit(0);
}

static const enum vmstat_item either[] = {VMSTAT_coredump, VMSTAT_exec_takeover, 0};

Test(mm_coredump, a_dump_and_an_exec_of_one_group_do_not_mix)
{
	life_both(&two_cpus, 1, exec_against_dump_in_group);
	run_seeds(&three_cpus, exec_against_dump_in_group, either);
}

/* Threads of one group and a task of another: one of them dumps. */
static void dumps_against_others(void *arg)
{
	new_users(arg, CLONE_A_THREAD, 1, aborts);
	new_users(arg, CLONE_VM, 1, aborts);
	aborts(arg);
}

static void several_dumps(void *arg)
{
	u32 code = code_of(arg, dumps_against_others, false);

	/* The other process' dump ends this one with SIGABRT, too, and no core of its own. */
	EXPECT((code & ~CORE_DUMPED) == SIGABRT_NUMBER);
	EXPECT(vmstat_sum(current->machine, VMSTAT_coredump) <= 2);
	sys_exit(0);
}

static const enum vmstat_item refused[] = {VMSTAT_coredump, VMSTAT_coredump_refused, 0};

Test(mm_coredump, one_of_several_dumps_an_mm)
{
	life_both(&two_cpus, 1, several_dumps);
	run_seeds(&three_cpus, several_dumps, refused);
}

/* Clones that are under way are counted, or do not happen. */
static void clones_and_works(void *arg)
{
	s64 pid = return_to_user()
			  ? -EINTR
			  : sys_clone(CLONE_VM, "late", use_memory_until_killed, arg, NULL);

	EXPECT(pid > 0 || pid == -EINTR);
	use_memory_until_killed(arg);
}

static void dumps_while_others_clone(void *arg)
{
	new_users(arg, CLONE_VM, 2, clones_and_works);
	aborts(arg);
}

static void clone_against_dump(void *arg)
{
	EXPECT(code_of(arg, dumps_while_others_clone, false) == (SIGABRT_NUMBER | CORE_DUMPED));
	sys_exit(0);
}

Test(mm_coredump, a_clone_is_counted_or_refused)
{
	life_both(&two_cpus, 1, clone_against_dump);
	run_seeds(&three_cpus, clone_against_dump, dumped);
}

Test(mm_coredump, a_clone_that_escapes_is_found)
{
	life_found(&two_cpus, KNOB_CLONE_ESCAPES_KILL, clone_against_dump, BUG_SEEDS,
		   "core-dump-alone");
}

/* Kernel threads that have adopted the mm, and readers, use it while it is dumped. */
static void outsiders_and_dumper(void *arg)
{
	struct life *l = arg;

	if (current->pid == 1) {
		EXPECT(sys_execve(&l->image) == 0);
		dumps_among_others(arg);
	}
	for (u32 i = 0; i < (exploring() ? 4 : 400); i++) {
		(void)sys_adopt_mm(1);
		(void)sys_peek_mm(1);
		(void)return_to_user();
	}
	sys_exit(0);
}

Test(mm_coredump, readers_and_adopters_do_not_mind)
{
	struct life_config c = three_cpus;
	struct life l = {0};

	for (c.seed = 1; c.seed <= SEEDS; c.seed++)
		expect_clean(&l, life_round(&l, &c, 2, outsiders_and_dumper,
					    c.seed == 1 ? EXECUTOR_THREADS : EXECUTOR_EXPLORE));
	life_destroy(&l);
}

/* ---- planted, and what each check says ---- */

Test(mm_coredump, an_exec_that_leaves_is_found)
{
	life_found(&two_cpus, KNOB_EXEC_IGNORES_CORE_DUMP, exec_against_dump, BUG_SEEDS,
		   "deadlock");
}

Test(mm_coredump, an_exit_that_misses_the_dump_is_found)
{
	life_found(&two_cpus, KNOB_EXIT_MISSES_CORE_DUMP, exit_against_dump, BUG_SEEDS, "deadlock");
}

Test(mm_coredump, an_exit_that_does_not_wait_is_found)
{
	life_found(&two_cpus, KNOB_EXIT_LEAVES_CORE_DUMP, others_wait, BUG_SEEDS,
		   "core-dump-alone");
}

Test(mm_coredump, a_dump_that_stops_its_group_only_is_found)
{
	life_found(&two_cpus, KNOB_CORE_OWN_GROUP_ONLY, others_wait, BUG_SEEDS, "core-dump-alone");
}

Test(mm_coredump, a_count_that_comes_late_is_found)
{
	life_found(&two_cpus, KNOB_CORE_COUNTED_LATE, exit_against_dump, BUG_SEEDS, "deadlock");
}

static void comes_back_while_dumped(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	init_once(current->mm->oracle_dumping, 1);
	(void)return_to_user();
	sys_exit(0);
}

static void maps_while_dumped(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	init_once(current->mm->oracle_dumping, 1);
	(void)sys_mmap(0, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);
	sys_exit(0);
}

Test(mm_coredump, who_goes_on_while_a_core_is_dumped_is_noticed)
{
	life_found(&two_cpus, 0, comes_back_while_dumped, BUG_SEEDS, "user-code-while-dumped");
	life_found(&two_cpus, 0, maps_while_dumped, BUG_SEEDS, "vmas-change-while-dumped");
}
