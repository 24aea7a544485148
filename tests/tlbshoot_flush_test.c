// SPDX-License-Identifier: GPL-2.0-or-later
/* Masks, lazy TLB, shootdowns: what is sent and counted, races under both executors, planted bugs.
 */
#include "tests/tlbshoot_machine.h"
#include "tlbshoot/tlb_private.h"

static u64 counted(enum vmstat_item item)
{
	return vmstat_sum(this_vcpu()->machine, item);
}

static u32 rd(u64 va)
{
	u64 value = 0;

	return cpu_access(va, TLB_READ, &value);
}

static u32 wr(u64 va, u64 value)
{
	return cpu_access(va, TLB_WRITE, &value);
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

static void map_forty(struct test_machine *t)
{
	t->data = arena_alloc(&t->m->arena, CACHE_LINE, CACHE_LINE);
	for (u32 i = 0; i < 40; i++)
		map_page(t, t->mm[0], PAGE(i), USER_RW);
}

/* Zaps @nr pages from @first on, and gives their frames back. */
static void zap(struct test_machine *t, struct mm_struct *mm, u32 first, u32 nr)
{
	u64 pfns[64], n = 0;

	tlb_change_begin(&mm->context);
	for (u32 i = first; i < first + nr; i++) {
		pteval_t old = xchg(test_pte(t, mm, PAGE(i)), 0);

		if (old & PTE_PRESENT)
			pfns[n++] = pte_pfn(old);
	}
	flush_tlb_mm_range(&mm->context, PAGE(first), PAGE(first + nr));
	while (n)
		frame_release(t->m, pfns[--n]);
	tlb_change_end(&mm->context);
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

/* Runs @a on CPU0 and @b on CPU1, both of mm[0], under both executors. */
static void run_two(struct test_config c, void (*a)(void *), void (*b)(void *))
{
	for (u32 executor = EXECUTOR_THREADS; executor <= EXECUTOR_EXPLORE; executor++) {
		struct strategy plain = {.ops = &plain_ops};
		struct test_machine t;

		test_create(&t, &c);
		map_forty(&t);
		test_task(&t, 0, t.mm[0], a);
		test_task(&t, 1, t.mm[0], b);
		machine_run(t.m, executor, &plain);
		cr_assert_null(found_violation(&t), "executor %u: %s: %s", executor,
			       found_violation(&t), t.m->violations.first.message);
		tlb_oracle_audit(t.m);
		cr_assert_null(found_violation(&t), "audit: %s", t.m->violations.first.message);
		test_destroy(&t);
	}
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

/* A TLB in which no page evicts another. */
static struct test_config big_config(u32 nr_vcpus)
{
	struct test_config c = test_config(nr_vcpus);

	c.geometry = tlb_geometry_find("haswell");
	return c;
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

/* --- Races ------------------------------------------------------------------------------------ */

#define STORM_PAGES 4
/* Entries without a page that a zap passes on its way: time in which others run. */
#define STORM_HOLES 12
#define STORM_VCPUS 3

#define STORM_TASKS 5

/* How much each task does. */
struct storm {
	u32 zaps;
	u32 accesses; /* between two yields */
	u32 yields;   /* 0: until the zapper is done, which begins when all run (threads) */
	u32 started;  /* atomic */
	u32 done;     /* atomic */
};

static struct storm *storm_of(const struct test_machine *t)
{
	return t->data;
}

/* Another round after @rounds? */
static bool storm_goes_on(struct storm *s, u32 rounds)
{
	return s->yields ? rounds < s->yields : !READ_ONCE(s->done);
}

/* Exchanges the frames of one to three pages of the two mms: both ptes go, both are flushed, the
 * frames are freed, taken again, and mapped the other way round. */
static void exchange(struct test_machine *t, u32 first, u32 nr)
{
	u64 pfns[NR_MMS][STORM_PAGES];

	for (u32 k = 0; k < NR_MMS; k++) {
		struct mm_context *ctx = &t->mm[k]->context;

		tlb_change_begin(ctx);
		for (u32 i = 0; i < STORM_HOLES; i++)
			EXPECT(!READ_ONCE(*test_pte(t, t->mm[k], PAGE(STORM_PAGES + i))));
		for (u32 i = 0; i < nr; i++)
			pfns[k][i] = pte_pfn(xchg(test_pte(t, t->mm[k], PAGE(first + i)), 0));
		if (nr == 1)
			flush_tlb_page(ctx, PAGE(first));
		else
			flush_tlb_mm_range(ctx, PAGE(first), PAGE(first + nr));
		for (u32 i = 0; i < nr; i++)
			frame_release(t->m, pfns[k][i]);
		tlb_change_end(ctx);
	}
	for (u32 k = 0; k < NR_MMS; k++) {
		for (u32 i = 0; i < nr; i++) {
			u64 pfn = pfns[1 - k][i];

			frame_take_data(&t->m->tlb->mem, pfn);
			frame_clear(frame_of(&t->m->tlb->mem, pfn));
			WRITE_ONCE(*test_pte(t, t->mm[k], PAGE(first + i)), pfn_pte(pfn, USER_RW));
		}
	}
}

static void storm_zapper(void *arg)
{
	struct test_machine *t = arg;
	struct storm *s = storm_of(t);

	atomic_inc(&s->started);
	while (!s->yields && READ_ONCE(s->started) < STORM_TASKS)
		yield();
	for (u32 i = 0; i < s->zaps; i++) {
		u32 nr = 1 + i % 3;

		exchange(t, i % (STORM_PAGES - nr + 1), nr);
		cond_resched();
	}
	WRITE_ONCE(s->done, 1);
	test_exit_mm();
}

/* Each mm writes its own number: nothing else may ever be read, but the zero of a new page. */
static void storm_user(void *arg)
{
	struct test_machine *t = arg;
	struct storm *s = storm_of(t);
	u64 id = current->mm->context.id;

	atomic_inc(&s->started);
	for (u32 y = 0; storm_goes_on(s, y); y++) {
		for (u32 i = 0; i < s->accesses; i++) {
			u64 value = id;

			cpu_access(PAGE((i + y) % STORM_PAGES), TLB_WRITE, &value);
			value = 0;
			if (!cpu_access(PAGE(i % STORM_PAGES), TLB_READ, &value))
				EXPECT(value == 0 || value == id);
		}
		yield();
	}
	test_exit_mm();
}

static void storm_kthread(void *arg)
{
	struct storm *s = storm_of(arg);

	atomic_inc(&s->started);
	for (u32 y = 0; storm_goes_on(s, y); y++)
		yield();
}

static void storm_map(struct test_machine *t, const struct storm *s)
{
	t->data = arena_alloc(&t->m->arena, sizeof(*s), CACHE_LINE);
	*storm_of(t) = *s;
	for (u32 k = 0; k < NR_MMS; k++) {
		for (u32 i = 0; i < STORM_PAGES; i++)
			map_page(t, t->mm[k], PAGE(i), USER_RW);
	}
}

static const struct storm small_storm = {.zaps = 3, .accesses = 2, .yields = 3};
static const struct storm big_storm = {.zaps = 60, .accesses = 20};

/* CPU0 zaps; CPU1 switches between both mms; CPU2 goes lazy again and again. */
static void storm_tasks(struct test_machine *t, const struct storm *s)
{
	storm_map(t, s);
	test_task(t, 0, t->mm[0], storm_zapper);
	test_task(t, 1, t->mm[0], storm_user);
	test_task(t, 1, t->mm[1], storm_user);
	test_task(t, 2, t->mm[0], storm_user);
	test_task(t, 2, NULL, storm_kthread);
}

static void small_storm_tasks(struct test_machine *t)
{
	storm_tasks(t, &small_storm);
}

#define SILENT_SEEDS 1000

static void explore_is_silent(const struct tlb_policy *policy)
{
	struct test_config c = test_config(STORM_VCPUS);
	struct campaign found;
	const char *slug;

	c.policy = policy;
	slug = explore_seeds(c, small_storm_tasks, SILENT_SEEDS, &found);
	cr_assert_null(slug, "%s: seed %llu: %s: %s", policy->name, (unsigned long long)found.seed,
		       slug, found.message);
}

Test(flush, explored_storm_is_silent_v313)
{
	explore_is_silent(tlb_policy_find("v3.13"));
}

Test(flush, explored_storm_is_silent_broadcast)
{
	explore_is_silent(tlb_policy_find("broadcast"));
}

static void threads_are_silent(const struct tlb_policy *policy, const char *geometry)
{
	struct test_config c = test_config(STORM_VCPUS);
	struct test_machine t;

	c.policy = policy;
	c.geometry = tlb_geometry_find(geometry);
	test_create(&t, &c);
	storm_tasks(&t, &big_storm);
	machine_run(t.m, EXECUTOR_THREADS, NULL);
	cr_assert_null(found_violation(&t), "%s: %s", policy->name, t.m->violations.first.message);
	tlb_oracle_audit(t.m);
	cr_assert_null(found_violation(&t), "audit: %s", t.m->violations.first.message);
	/* Something did happen. */
	cr_assert_gt(vmstat_sum(t.m, VMSTAT_nr_tlb_remote_flush_received), 0);
	cr_assert_gt(vmstat_sum(t.m, VMSTAT_nr_mm_switches), 0);
	cr_assert_gt(vmstat_sum(t.m, VMSTAT_nr_lazy_entries), 0);
	cr_assert_gt(vmstat_sum(t.m, VMSTAT_nr_tlb_lazy_leave), 0);
	test_destroy(&t);
}

Test(flush, storm_on_threads_v313)
{
	threads_are_silent(tlb_policy_find("v3.13"), "haswell");
}

Test(flush, storm_on_threads_v313_tiny)
{
	threads_are_silent(tlb_policy_find("v3.13"), "tiny");
}

Test(flush, storm_on_threads_broadcast)
{
	threads_are_silent(tlb_policy_find("broadcast"), "haswell");
}

/* Two CPUs that shoot at each other. */
static void zap_own_half(void *arg)
{
	struct test_machine *t = arg;
	u32 half = smp_processor_id() * 20;

	for (u32 i = 0; i < 20; i++) {
		EXPECT(rd(PAGE(half + i)) == 0);
		rd(PAGE(20 - half + i));
		zap(t, t->mm[0], half + i, 1);
	}
	test_exit_mm();
}

Test(flush, shootdowns_cross)
{
	run_two(test_config(2), zap_own_half, zap_own_half);
}

static void crossing(struct test_machine *t)
{
	map_forty(t);
	test_task(t, 0, t->mm[0], zap_own_half);
	test_task(t, 1, t->mm[0], zap_own_half);
}

/* And a third that is lazy, and leaves while the other of the two may be flushing. */
static void read_some_and_end(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 40; i += 8)
		rd(PAGE(i));
	test_exit_mm();
}

static void crossing_with_lazy(struct test_machine *t)
{
	crossing(t);
	test_task(t, 2, t->mm[0], read_some_and_end);
}

Test(flush, shootdowns_cross_at_a_lazy_cpu)
{
	struct campaign found;
	const char *slug = explore_seeds(test_config(3), crossing_with_lazy, 300, &found);

	cr_assert_null(slug, "seed %llu: %s: %s", (unsigned long long)found.seed, slug,
		       found.message);
}

/* Both CPUs zap the same pages. What one has cleared and not yet flushed, a third may use, also
 * when the other's flush of it has just ended. */
static void zap_everything(void *arg)
{
	struct test_machine *t = arg;

	for (u32 i = 0; i < 4; i++)
		zap(t, t->mm[0], 8 * i, 8);
	test_exit_mm();
}

static void read_everything(void *arg)
{
	(void)arg;
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < 32; i++)
			rd(PAGE(i));
	}
	test_exit_mm();
}

static void parallel_zaps(struct test_machine *t)
{
	map_forty(t);
	test_task(t, 0, t->mm[0], zap_everything);
	test_task(t, 1, t->mm[0], zap_everything);
	test_task(t, 2, t->mm[0], read_everything);
}

Test(flush, parallel_zaps_of_the_same_pages)
{
	struct test_config c = big_config(3);
	struct campaign found;
	const char *slug = explore_seeds(c, parallel_zaps, 300, &found);

	cr_assert_null(slug, "seed %llu: %s: %s", (unsigned long long)found.seed, slug,
		       found.message);
}

/* One flushes everything again and again: what the other has cleared and not yet flushed may be
 * cached when such a flush ends. */
static void flush_everything(void *arg)
{
	struct test_machine *t = arg;
	struct mm_context *ctx = &t->mm[0]->context;

	for (u32 i = 0; i < 20; i++) {
		tlb_change_begin(ctx);
		flush_tlb_mm(ctx);
		tlb_change_end(ctx);
	}
	test_exit_mm();
}

static void zap_beside_flushes(struct test_machine *t)
{
	map_forty(t);
	test_task(t, 0, t->mm[0], zap_everything);
	test_task(t, 1, t->mm[0], flush_everything);
	test_task(t, 2, t->mm[0], read_everything);
}

Test(flush, zap_beside_full_flushes)
{
	struct test_config c = big_config(3);
	struct campaign found;
	const char *slug = explore_seeds(c, zap_beside_flushes, 300, &found);

	cr_assert_null(slug, "seed %llu: %s: %s", (unsigned long long)found.seed, slug,
		       found.message);
}

Test(flush, shootdowns_cross_explored)
{
	struct campaign found;
	const char *slug = explore_seeds(test_config(2), crossing, 100, &found);

	cr_assert_null(slug, "seed %llu: %s: %s", (unsigned long long)found.seed, slug,
		       found.message);
}

#define REPLAY_SEEDS 100

Test(flush, same_seed_same_history)
{
	struct strategy *random = strategy_random_create();
	struct test_config c = test_config(STORM_VCPUS);
	u64 history[REPLAY_SEEDS], distinct = 0;
	struct test_machine t;

	test_create(&t, &c);
	for (u32 round = 0; round < 2; round++) {
		for (u64 seed = 0; seed < REPLAY_SEEDS; seed++) {
			c.machine.seed = seed;
			test_reset(&t, &c);
			small_storm_tasks(&t);
			machine_run(t.m, EXECUTOR_EXPLORE, random);
			if (round)
				cr_assert_eq(history[seed], t.m->explored.history, "seed %llu",
					     (unsigned long long)seed);
			history[seed] = t.m->explored.history;
			distinct += seed && history[seed] != history[seed - 1];
		}
	}
	cr_assert_gt(distinct, REPLAY_SEEDS);
	test_destroy(&t);
	strategy_destroy(random);
}

/* --- Planted bugs ----------------------------------------------------------------------------- */

/* Each is found within this many schedules of the storm; without it they are silent (above). */
#define PLANTED_SEEDS SILENT_SEEDS

static void is_found(u32 knob)
{
	struct test_config c = test_config(STORM_VCPUS);
	struct campaign found;
	const char *slug;

	knob_set(c.machine.knobs, knob);
	slug = explore_seeds(c, small_storm_tasks, PLANTED_SEEDS, &found);
	cr_assert_not_null(slug, "not found within %u seeds", PLANTED_SEEDS);
	cr_log_info("seed %llu: %s: %s", (unsigned long long)found.seed, slug, found.message);
	/* What the CPU does with it is the oracle's business here, never a consequence elsewhere.
	 */
	cr_assert(strstr(slug, "tlb") || strstr(slug, "mask"), "found as %s: %s", slug,
		  found.message);
}

Test(flush, planted_flush_range_short)
{
	is_found(KNOB_FLUSH_RANGE_SHORT);
}

Test(flush, planted_flush_skips_cpu)
{
	is_found(KNOB_FLUSH_SKIPS_CPU);
}

Test(flush, planted_switch_mm_bit_late)
{
	is_found(KNOB_SWITCH_BIT_LATE);
}

Test(flush, planted_lazy_cpu_not_flushed)
{
	is_found(KNOB_LAZY_SKIPPED);
}

Test(flush, planted_flush_compares_current)
{
	is_found(KNOB_FLUSH_COMPARES_CURRENT);
}

Test(flush, planted_flush_mask_early)
{
	is_found(KNOB_FLUSH_MASK_EARLY);
}
