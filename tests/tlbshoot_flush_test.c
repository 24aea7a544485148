// SPDX-License-Identifier: GPL-2.0-or-later
/* Masks, lazy TLB, shootdowns: what is sent and counted, what is refused, what the audit sees. */
#include "tests/tlbshoot_machine.h"
#include "tlbshoot/tlb_private.h"

static u64 counted(enum vmstat_item item)
{
	return vmstat_sum(this_vcpu()->machine, item);
}

static bool in_mask(const struct mm_struct *mm, u32 cpu)
{
	return test_bit(cpu, mm->context.cpumask);
}

/* --- Waiting for each other ------------------------------------------------------------------- */

/* How far the tasks of a test have got; t->data points to it. */
static void set_stage(struct test_machine *t, u32 stage)
{
	smp_store_release((u32 *)t->data, stage);
}

static void wait_for_stage(struct test_machine *t, u32 stage)
{
	struct spin spin = {0};

	while (smp_load_acquire((u32 *)t->data) < stage)
		cpu_relax_on(t->data, &spin);
}

/* --- What one CPU does ------------------------------------------------------------------------ */

static void mask_follows_switches(void *arg)
{
	struct test_machine *t = arg;
	struct mm_struct *a = t->mm[0], *b = t->mm[1];
	u32 irqs;

	EXPECT(in_mask(a, 0) && !in_mask(b, 0));
	EXPECT(loaded_context(this_vcpu()) == &a->context);
	EXPECT(loaded_state(this_vcpu()) == TLBSTATE_OK);
	EXPECT(rd(PAGE(0)) == 0);
	/* exec: the new mm has nothing mapped there. */
	preempt_disable();
	activate_mm(&a->context, &b->context);
	current->mm = current->active_mm = b;
	preempt_enable();
	EXPECT(!in_mask(a, 0) && in_mask(b, 0));
	EXPECT(rd(PAGE(0)) == (PF_FAULT | PF_USER));
	test_exit_mm();
	EXPECT(in_mask(b, 0) && loaded_state(this_vcpu()) == TLBSTATE_LAZY);
	/* Lazy, left, and lazy again: nothing more happens. */
	leave_mm();
	EXPECT(!in_mask(b, 0) && !loaded_context(this_vcpu()));
	leave_mm();
	irqs = local_irq_save();
	switch_mm(&b->context, &t->init_mm->context);
	current->active_mm = t->init_mm;
	local_irq_restore(irqs);
	EXPECT(!loaded_context(this_vcpu()) && loaded_state(this_vcpu()) == TLBSTATE_OK);
}

Test(flush, mask_follows_switches)
{
	run_alone(test_config(1), map_forty, mask_follows_switches, NULL);
}

/* True if @va was cached. */
static bool cached(u64 va)
{
	u64 before = this_vcpu()->counters[VMSTAT_tlb_miss];

	EXPECT(rd(va) == 0);
	return this_vcpu()->counters[VMSTAT_tlb_miss] == before;
}

static void counts(u64 all, u64 one)
{
	u64 seen_all = counted(VMSTAT_nr_tlb_local_flush_all);
	u64 seen_one = counted(VMSTAT_nr_tlb_local_flush_one);

	BUG_ON(seen_all != all || seen_one != one,
	       "expected %llu full and %llu single flushes, counted %llu and %llu",
	       (unsigned long long)all, (unsigned long long)one, (unsigned long long)seen_all,
	       (unsigned long long)seen_one);
}

static void ranges(void *arg)
{
	struct test_machine *t = arg;
	struct mm_context *ctx = &t->mm[0]->context;

	EXPECT(rd(PAGE(1)) == 0 && rd(PAGE(2)) == 0 && rd(PAGE(3)) == 0);
	flush_tlb_page(ctx, PAGE(2) + 5);
	counts(0, 1);
	EXPECT(cached(PAGE(1)) && cached(PAGE(3)) && !cached(PAGE(2)));
	/* Widened to whole pages, never less than asked. */
	flush_tlb_mm_range(ctx, PAGE(1) + PAGE_SIZE - 1, PAGE(2) + 1);
	counts(0, 3);
	EXPECT(!cached(PAGE(1)) && !cached(PAGE(2)) && cached(PAGE(3)));
	/* Empty. */
	flush_tlb_mm_range(ctx, PAGE(1), PAGE(1));
	flush_tlb_mm_range(ctx, PAGE(2), PAGE(1));
	counts(0, 3);
	EXPECT(cached(PAGE(1)) && cached(PAGE(2)));
	/* The ceiling. */
	flush_tlb_mm_range(ctx, PAGE(4), PAGE(4 + TLB_SINGLE_PAGE_FLUSH_CEILING));
	counts(0, 3 + TLB_SINGLE_PAGE_FLUSH_CEILING);
	EXPECT(cached(PAGE(1)));
	flush_tlb_mm_range(ctx, PAGE(4), PAGE(5 + TLB_SINGLE_PAGE_FLUSH_CEILING));
	counts(1, 3 + TLB_SINGLE_PAGE_FLUSH_CEILING);
	EXPECT(!cached(PAGE(1)));
	flush_tlb_mm(ctx);
	counts(2, 3 + TLB_SINGLE_PAGE_FLUSH_CEILING);
	EXPECT(!cached(PAGE(1)));
	/* Another mm's flush is no business of this TLB. */
	flush_tlb_mm(&t->mm[1]->context);
	counts(2, 3 + TLB_SINGLE_PAGE_FLUSH_CEILING);
	EXPECT(cached(PAGE(1)));
	EXPECT(counted(VMSTAT_nr_tlb_remote_flush) == 0);
	test_exit_mm();
}

Test(flush, ranges)
{
	run_alone(test_config(1), map_forty, ranges, NULL);
}

/* Freeing tables drops the paging-structure caches even where the range is empty. */
static void tables(void *arg)
{
	struct test_machine *t = arg;
	struct mm_context *ctx = &t->mm[0]->context;
	pteval_t *pmd = test_entry(t, t->mm[0], PAGE(0), 1, false);
	pteval_t was = *pmd;

	EXPECT(rd(PAGE(0)) == 0 && cached(PAGE(0)));
	tlb_change_begin(ctx);
	WRITE_ONCE(*pmd, 0);
	flush_tlb_tables(ctx, PAGE(0), PAGE(0));
	EXPECT(rd(PAGE(1)) == (PF_FAULT | PF_USER));
	flush_tlb_tables(ctx, PAGE(0), PAGE(1));
	EXPECT(rd(PAGE(0)) == (PF_FAULT | PF_USER));
	tlb_change_end(ctx);
	WRITE_ONCE(*pmd, was);
	EXPECT(rd(PAGE(0)) == 0);
	test_exit_mm();
}

Test(flush, tables)
{
	run_alone(test_config(1), map_forty, tables, NULL);
}

static void nesting(void *arg)
{
	struct test_machine *t = arg;
	struct mm_context *ctx = &t->mm[0]->context;

	tlb_change_begin(ctx);
	EXPECT(!tlb_change_nested(ctx));
	tlb_change_begin(ctx);
	EXPECT(tlb_change_nested(ctx));
	tlb_change_end(ctx);
	EXPECT(!tlb_change_nested(ctx));
	tlb_change_end(ctx);
	test_exit_mm();
	tlb_change_end(ctx);
	EXPECT(!"reached");
}

Test(flush, nested_changes)
{
	run_alone(test_config(1), map_forty, nesting, "kernel-bug");
}

static void switch_with_irqs_on(void *arg)
{
	struct test_machine *t = arg;

	switch_mm(&t->mm[0]->context, &t->mm[1]->context);
	EXPECT(!"reached");
}

Test(flush, switch_with_interrupts_on_is_refused)
{
	run_alone(test_config(1), map_forty, switch_with_irqs_on, "kernel-bug");
}

static void switch_from_another(void *arg)
{
	struct test_machine *t = arg;

	activate_mm(&t->mm[1]->context, &t->mm[1]->context);
	EXPECT(!"reached");
}

Test(flush, switch_from_what_is_not_active_is_refused)
{
	run_alone(test_config(1), map_forty, switch_from_another, "kernel-bug");
}

static void leave_while_running(void *arg)
{
	(void)arg;
	leave_mm();
	EXPECT(!"reached");
}

Test(flush, leaving_a_running_mm_is_refused)
{
	run_alone(test_config(1), map_forty, leave_while_running, "kernel-bug");
}

/* Nothing is freed and nothing used: the look at the end of the flush finds it. */
static void protect_and_miss_one(void *arg)
{
	struct test_machine *t = arg;
	pteval_t *pte = test_pte(t, t->mm[0], PAGE(0));

	EXPECT(wr(PAGE(0), 1) == 0);
	tlb_change_begin(&t->mm[0]->context);
	WRITE_ONCE(*pte, *pte & ~PTE_RW);
	flush_tlb_page(&t->mm[0]->context, PAGE(0));
	EXPECT(!exploring());
	tlb_change_end(&t->mm[0]->context);
	/* Threads do not look there, but at uses. */
	for (u32 i = 0; i <= TLB_CHECK_INTERVAL; i++)
		EXPECT(wr(PAGE(0), 1) == 0);
	EXPECT(!"reached");
}

Test(flush, excess_after_a_flush_is_seen)
{
	struct test_config c = test_config(1);

	knob_set(c.machine.knobs, KNOB_FLUSH_RANGE_SHORT);
	run_alone(c, map_forty, protect_and_miss_one, "tlb-exceeds-pagetable");
}

/* The same for an entry that begins before the range. */
#define HUGE_VA (4 * PUD_SIZE)

static void protect_huge_and_miss_it(void *arg)
{
	struct test_machine *t = arg;
	pteval_t *pmd = test_entry(t, t->mm[0], HUGE_VA, 1, false);

	EXPECT(wr(HUGE_VA, 1) == 0);
	tlb_change_begin(&t->mm[0]->context);
	WRITE_ONCE(*pmd, *pmd & ~PTE_RW);
	flush_tlb_page(&t->mm[0]->context, HUGE_VA + 5 * PAGE_SIZE);
	EXPECT(!"reached");
}

static void explored_huge_protection(struct test_machine *t)
{
	map_huge(t, t->mm[0], HUGE_VA, USER_RW);
	test_task(t, 0, t->mm[0], protect_huge_and_miss_it);
}

Test(flush, excess_of_a_huge_entry_is_seen)
{
	struct test_config c = test_config(1);
	struct campaign found;

	knob_set(c.machine.knobs, KNOB_FLUSH_RANGE_SHORT);
	cr_assert_str_eq(explore_seeds(c, explored_huge_protection, 1, &found),
			 "tlb-exceeds-pagetable");
}

/* --- Policies --------------------------------------------------------------------------------- */

Test(flush, named_policies)
{
	cr_assert_str_eq(tlb_policies[0]->name, "v3.13");
	cr_assert_not_null(tlb_policy_find("broadcast"));
	cr_assert_null(tlb_policy_find("v9.99"));
	for (u32 i = 0; tlb_policies[i]; i++)
		cr_assert_not_null(tlb_policies[i]->what);
}

static void broadcast(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(rd(PAGE(1)) == 0);
	flush_tlb_page(&t->mm[0]->context, PAGE(2));
	EXPECT(!cached(PAGE(1)));
	test_exit_mm();
	EXPECT(!in_mask(t->mm[0], 0) && !loaded_context(this_vcpu()));
}

Test(flush, broadcast_drops_everything_and_is_never_lazy)
{
	struct test_config c = test_config(1);

	c.policy = tlb_policy_find("broadcast");
	run_alone(c, map_forty, broadcast, NULL);
}

/* --- Two CPUs --------------------------------------------------------------------------------- */

/* CPU1 of the tests below: a user that ends, whereupon its CPU idles, lazily. */
static void read_and_end(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(rd(PAGE(0)) == 0);
	test_exit_mm();
	set_stage(t, 1);
}

static void shoot_lazy(void *arg)
{
	struct test_machine *t = arg;

	wait_for_stage(t, 1);
	EXPECT(in_mask(t->mm[0], 1));
	zap(t, t->mm[0], 0, 1);
	/* The lazy CPU has answered by leaving, and is not bothered again. */
	EXPECT(!in_mask(t->mm[0], 1));
	EXPECT(counted(VMSTAT_nr_tlb_lazy_leave) == 1);
	zap(t, t->mm[0], 1, 1);
	EXPECT(counted(VMSTAT_nr_tlb_remote_flush) == 1);
	EXPECT(counted(VMSTAT_nr_tlb_remote_flush_received) == 1);
	EXPECT(counted(VMSTAT_nr_ipi_sent) == 1);
	test_exit_mm();
}

Test(flush, lazy_cpu_leaves)
{
	run_two(test_config(2), shoot_lazy, read_and_end);
}

/* Sleeps, is shot down while its CPU is lazy, and comes back to the same mm. */
static void sleep_and_come_back(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(rd(PAGE(0)) == 0 && wr(PAGE(1), 5) == 0);
	set_current_state(TASK_UNINTERRUPTIBLE);
	set_stage(t, 1);
	schedule();
	EXPECT(in_mask(t->mm[0], 1) && loaded_context(this_vcpu()) == &t->mm[0]->context);
	EXPECT(loaded_state(this_vcpu()) == TLBSTATE_OK);
	EXPECT(rd(PAGE(0)) == (PF_FAULT | PF_USER));
	EXPECT(!cached(PAGE(1)));
	test_exit_mm();
}

static void shoot_and_wake(void *arg)
{
	struct test_machine *t = arg;
	struct task_struct *other;
	u32 left = 0;

	wait_for_stage(t, 1);
	/* Until it is off its CPU, it answers as a user and stays in the mask. */
	for (u32 i = 1; left == 0; i++) {
		zap(t, t->mm[0], 0, 1);
		left = !in_mask(t->mm[0], 1);
		cond_resched();
	}
	EXPECT(counted(VMSTAT_nr_tlb_lazy_leave) == 1);
	cds_list_for_each_entry(other, &t->m->smp->all_tasks, all_node) {
		if (other != current)
			EXPECT(wake_up_process(other));
	}
	test_exit_mm();
}

Test(flush, lazy_cpu_comes_back)
{
	run_two(test_config(2), shoot_and_wake, sleep_and_come_back);
}

static void read_until_zapped(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(rd(PAGE(0)) == 0 && rd(PAGE(1)) == 0 && rd(PAGE(2)) == 0);
	set_stage(t, 1);
	while (rd(PAGE(0)) == 0)
		;
	/* Only what was asked for is gone. */
	EXPECT(cached(PAGE(1)) && cached(PAGE(2)));
	test_exit_mm();
	set_stage(t, 2);
}

static void shoot_running(void *arg)
{
	struct test_machine *t = arg;

	wait_for_stage(t, 1);
	zap(t, t->mm[0], 0, 1);
	EXPECT(in_mask(t->mm[0], 1));
	EXPECT(counted(VMSTAT_nr_tlb_remote_flush) == 1);
	EXPECT(counted(VMSTAT_nr_tlb_remote_flush_received) == 1);
	EXPECT(counted(VMSTAT_nr_tlb_local_flush_one) == 1);
	wait_for_stage(t, 2);
	test_exit_mm();
}

Test(flush, running_cpu_is_interrupted)
{
	run_two(big_config(2), shoot_running, read_until_zapped);
}

/* --- The audit -------------------------------------------------------------------------------- */

static void lazy_and_quiet(struct test_machine *t)
{
	struct strategy plain = {.ops = &plain_ops};
	const struct test_config c = test_config(2);

	test_create(t, &c);
	map_forty(t);
	test_task(t, 1, t->mm[0], read_and_end);
	machine_run(t->m, EXECUTOR_EXPLORE, &plain);
	tlb_oracle_audit(t->m);
	cr_assert_null(found_violation(t), "%s", t->m->violations.first.message);
}

Test(flush, audit_sees_an_excess)
{
	struct test_machine t;

	lazy_and_quiet(&t);
	*test_pte(&t, t.mm[0], PAGE(0)) = 0;
	tlb_oracle_audit(t.m);
	cr_assert_str_eq(found_violation(&t), "tlb-exceeds-pagetable");
	test_destroy(&t);
}

Test(flush, audit_sees_a_stale_walk_cache)
{
	struct test_machine t;

	lazy_and_quiet(&t);
	t.m->vcpus[1].tlb->nr_huge = 0;
	memset(t.m->vcpus[1].tlb->small.tags, 0, sizeof(u64));
	*test_entry(&t, t.mm[0], PAGE(0), 2, false) = 0;
	tlb_oracle_audit(t.m);
	cr_assert_str_eq(found_violation(&t), "tlb-exceeds-pagetable");
	cr_assert_not_null(strstr(t.m->violations.first.message, "paging-structure cache"));
	test_destroy(&t);
}

Test(flush, audit_sees_a_missing_bit)
{
	struct test_machine t;

	lazy_and_quiet(&t);
	t.mm[0]->context.cpumask[0] = 0;
	tlb_oracle_audit(t.m);
	cr_assert_str_eq(found_violation(&t), "cpu-not-in-mask");
	test_destroy(&t);
}

Test(flush, audit_sees_an_unfinished_change)
{
	struct test_machine t;

	lazy_and_quiet(&t);
	t.mm[0]->context.flush_pending = 1;
	tlb_oracle_audit(t.m);
	cr_assert_str_eq(found_violation(&t), "tlb-change-unfinished");
	test_destroy(&t);
}
