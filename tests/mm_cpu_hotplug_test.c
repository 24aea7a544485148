// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a CPU that goes offline has of memory: a borrowed mm, translations, pages in its pagevecs
 * and lists, a stock of charges (seed_path E5). All of it goes.
 */
#include "mm_life_machine.h"

#include "mm/cpu_hotplug.h"
#include "smp/hotplug.h"
#include "tests/support/test_machine.h"
#include "tlbshoot/knobs.h"

#define SMALL_PAGES 128
#define SEEDS REPEAT(500)
#define REGION_PAGES 4
#define PLACE 0x10000000ULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static const u64 cpu1[CPU_WORDS] = {1u << 1};

/* One round; @rcu: page tables are freed by RCU. A task alone is bound to CPU 1. */
static enum machine_end round_of(struct life *l, const struct life_config *c, bool first, u32 nr,
				 void (*entry)(void *), bool rcu, enum executor executor)
{
	if (first)
		life_create(l, c);
	else
		life_again(l, c);
	l->m->mm->table_free_rcu = rcu;
	l->m->tlb->table_free_rcu = rcu;
	for (u32 i = 0; i < nr; i++) {
		struct task_struct *t = life_task(l, i + 1, entry);

		if (nr == 1)
			t->cpus_allowed = cpu1;
	}
	return life_run(l, executor);
}

/* Silent in all schedules and on threads, whichever way page tables are freed. */
static void run_silent(u32 nr_vcpus, u32 nr, void (*entry)(void *), u32 seeds)
{
	struct life_config config = small;
	struct life l = {0};

	config.nr_vcpus = nr_vcpus;
	for (config.seed = 1; config.seed <= seeds; config.seed++)
		expect_clean(&l, round_of(&l, &config, config.seed == 1, nr, entry, config.seed % 2,
					  EXECUTOR_EXPLORE));
	for (u32 i = 0; i < 2; i++)
		expect_clean(&l, round_of(&l, &config, false, nr, entry, i, EXECUTOR_THREADS));
	life_destroy(&l);
}

/* With @knob planted some schedule ends in one of @slugs. */
static void expect_found(u32 knob, const char *slugs, u32 nr, void (*entry)(void *))
{
	struct life_config config = small;
	struct life l = {0};
	bool found = false;

	config.knob = knob;
	for (config.seed = 1; config.seed <= SEEDS && !found; config.seed++) {
		found = round_of(&l, &config, config.seed == 1, nr, entry, false,
				 EXECUTOR_EXPLORE) == MACHINE_VIOLATION;
		if (found)
			cr_assert_not_null(strstr(slugs, life_slug(&l)), "%s: %s", life_slug(&l),
					   l.m->violations.first.message);
	}
	cr_assert(found, "%s: not found", slugs);
	life_destroy(&l);
}

static bool is_first(void)
{
	return current->pid == 1;
}

/* --- What it has kept ------------------------------------------------------------------------- */

/* Leaves pages in the pagevecs, lists and stock of CPU 1, then sends it away. */
static void leave_pages(void *arg)
{
	struct life *l = arg;
	u64 free_before;
	bool some = false;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_mmap(PLACE, REGION_PAGES * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0) == PLACE);
	EXPECT(smp_processor_id() == 1);
	for (u32 i = 0; i < REGION_PAGES; i++)
		EXPECT(user_write(PLACE + i * PAGE_SIZE, 1) == 0);
	some = lru_nr_waiting(l->m, 1) || pcp_nr_pages(l->m, 1) || memcg_stock_of(l->m, 1);
	free_before = nr_free_pages(l->m);
	EXPECT(cpu_down(1) == 0);
	EXPECT(smp_processor_id() == 0);
	EXPECT(lru_nr_waiting(l->m, 1) == 0);
	EXPECT(pcp_nr_pages(l->m, 1) == 0);
	EXPECT(memcg_stock_of(l->m, 1) == 0);
	EXPECT(nr_free_pages(l->m) >= free_before);
	EXPECT(some);
	EXPECT(cpu_up(1) == 0);
	for (u32 i = 0; i < REGION_PAGES; i++)
		EXPECT(user_write(PLACE + i * PAGE_SIZE, 2) == 0);
	sys_exit(0);
}

Test(mm_cpu_hotplug, what_it_has_kept_goes_back)
{
	run_silent(2, 1, leave_pages, SEEDS);
}

Test(mm_cpu_hotplug, pages_that_are_left_in_a_pagevec_are_found)
{
	expect_found(KNOB_OFFLINE_KEEPS_PAGEVEC, "offline-cpu-pages", 1, leave_pages);
}

/* --- What it has borrowed --------------------------------------------------------------------- */

/* A program that ends: its last CPU keeps the structure, until that goes offline. */
static void end_and_be_left(void *arg)
{
	struct life *l = arg;

	if (!is_first()) {
		EXPECT(sys_execve(&l->image) == 0);
		EXPECT(user_write(current->mm->start_data, 1) == 0);
		sys_exit(0);
	}
	while (vmstat_sum(l->m, VMSTAT_mmput_last) == 0 || atomic_read(&l->m->smp->nr_tasks) > 2)
		yield();
	EXPECT(cpu_down(1) == 0);
	EXPECT(rq_of(l->m, 1)->idle->active_mm == l->m->mm->init_mm);
	EXPECT(!loaded_context(&l->m->vcpus[1]));
	EXPECT(cpu_up(1) == 0);
	sys_exit(0);
}

Test(mm_cpu_hotplug, the_idle_task_leaves_what_it_has_borrowed)
{
	run_silent(2, 2, end_and_be_left, SEEDS);
}

/* --- Against everything ----------------------------------------------------------------------- */

static void zap(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 2; i++) {
		EXPECT(user_write(PLACE + i * PAGE_SIZE, i) == 0);
		EXPECT(sys_madvise_dontneed(PLACE, REGION_PAGES * PAGE_SIZE) == 0);
		yield();
	}
	sys_exit(0);
}

/* Threads of one mm that zap and unmap, while a kernel thread takes their CPUs away. */
static void storm(void *arg)
{
	struct life *l = arg;

	if (is_first()) {
		for (u32 i = 0; i < 2; i++) {
			for (u32 cpu = 1; cpu < l->m->nr_vcpus; cpu++)
				EXPECT(cpu_down(cpu) == 0);
			yield();
			for (u32 cpu = 1; cpu < l->m->nr_vcpus; cpu++)
				EXPECT(cpu_up(cpu) == 0);
		}
		sys_exit(0);
	}
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_mmap(PLACE, REGION_PAGES * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0) == PLACE);
	EXPECT(sys_clone(CLONE_VM, "zap", zap, l, NULL) > 0);
	EXPECT(user_write(PLACE, 1) == 0);
	EXPECT(sys_madvise_dontneed(PLACE, PAGE_SIZE) == 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(sys_munmap(PLACE, REGION_PAGES * PAGE_SIZE) == 0);
	sys_exit(0);
}

Test(mm_cpu_hotplug, flushes_do_without_offline_cpus)
{
	run_silent(3, 3, storm, SEEDS);
}

Test(mm_cpu_hotplug, a_bit_that_stays_in_the_mask_is_found)
{
	expect_found(KNOB_OFFLINE_KEEPS_MASK, "offline-cpu-in-mask", 2, storm);
}

Test(mm_cpu_hotplug, a_tlb_that_is_kept_is_found)
{
	expect_found(KNOB_OFFLINE_KEEPS_TLB, "offline-cpu-tlb cpu-not-in-mask stale-tlb-at-free", 2,
		     storm);
}
