// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel threads that adopt an mm and drop it again (use_mm, unuse_mm; seed_path E2), while its own
 * tasks unmap what they read, free the page tables, exec and exit: by interrupts and by RCU.
 */
#include "mm_life_machine.h"

#include "tests/support/test_machine.h"

#define SMALL_PAGES 128
#define SEEDS REPEAT(300)
#define ROUNDS 3
#define PLACE 0x10000000ULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

/* Pages and their table come and go. */
static void owner(struct life *l)
{
	EXPECT(sys_execve(&l->image) == 0);
	for (u32 i = 0; i < ROUNDS; i++) {
		EXPECT(sys_mmap(PLACE, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0) == PLACE);
		EXPECT(user_write(PLACE, i) == 0);
		(void)return_to_user();
		EXPECT(sys_munmap(PLACE, PAGE_SIZE) == 0);
	}
	if (current->pid % 2)
		EXPECT(sys_execve(&l->image) == 0);
	sys_exit(0);
}

/* What is there may be read; what is not gives a fault; what is read was there. */
static void adopter(struct life *l)
{
	struct mm_struct *mm;
	u64 v;

	for (u32 i = 0; i < ROUNDS; i++) {
		struct task_struct *t;

		mm = NULL;
		rcu_read_lock();
		spin_lock(&l->m->smp->tasklist_lock);
		cds_list_for_each_entry(t, &l->m->smp->all_tasks, all_node) {
			if (!mm && t != current)
				mm = get_task_mm(t);
		}
		spin_unlock(&l->m->smp->tasklist_lock);
		rcu_read_unlock();
		if (mm) {
			use_mm(mm);
			EXPECT(user_read(PLACE, &v) || v < ROUNDS);
			yield(); /* back perhaps on another CPU */
			EXPECT(current->active_mm == mm);
			EXPECT(user_read(PLACE, &v) || v < ROUNDS);
			unuse_mm(mm);
			mmput(mm);
		}
		yield();
		preempt_disable();
		mm_check_alive(current->active_mm, __func__);
		preempt_enable();
	}
	sys_exit(0);
}

static void owners_and_adopters(void *arg)
{
	if (current->pid <= 2)
		owner(arg);
	else
		adopter(arg);
}

static enum machine_end round_of(struct life *l, const struct life_config *c, bool first, bool rcu,
				 enum executor executor)
{
	if (first)
		life_create(l, c);
	else
		life_again(l, c);
	l->m->mm->table_free_rcu = rcu;
	l->m->tlb->table_free_rcu = rcu;
	for (u32 i = 0; i < 4; i++)
		life_task(l, i, owners_and_adopters);
	return life_run(l, executor);
}

static void run_silent(bool rcu)
{
	struct life_config config = small;
	struct life l = {0};

	for (config.seed = 1; config.seed <= SEEDS; config.seed++)
		expect_clean(&l, round_of(&l, &config, config.seed == 1, rcu, EXECUTOR_EXPLORE));
	for (u32 i = 0; i < REPEAT(20); i++)
		expect_clean(&l, round_of(&l, &config, false, rcu, EXECUTOR_THREADS));
	life_destroy(&l);
}

Test(mm_adopt, against_flushes_and_tables_freed_by_interrupts)
{
	run_silent(false);
}

Test(mm_adopt, against_flushes_and_tables_freed_by_rcu)
{
	run_silent(true);
}

static void expect_found(u32 knob, const char *slugs)
{
	struct life_config config = small;
	struct life l = {0};
	bool found = false;

	config.knob = knob;
	for (config.seed = 1; config.seed <= SEEDS && !found; config.seed++) {
		found = round_of(&l, &config, config.seed == 1, config.seed % 2,
				 EXECUTOR_EXPLORE) == MACHINE_VIOLATION;
		if (found)
			cr_assert_not_null(strstr(slugs, life_slug(&l)), "%s: %s", life_slug(&l),
					   l.m->violations.first.message);
	}
	cr_assert(found, "%s: not found", slugs);
	life_destroy(&l);
}

Test(mm_adopt, who_does_not_become_lazy_is_found)
{
	expect_found(KNOB_UNUSE_MM_NOT_LAZY, "kernel-thread-not-lazy");
}

Test(mm_adopt, a_reference_that_is_not_taken_is_found)
{
	expect_found(KNOB_USE_MM_NOT_PINNED, "mm-use-after-free mm-freed-in-use bad-rss-counter");
}
