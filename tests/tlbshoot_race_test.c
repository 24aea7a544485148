// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shootdowns against accesses, switches and each other, under both executors: sound ones are
 * silent, and each planted bug is found.
 */
#include "tests/tlbshoot_machine.h"

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
