// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dfs:B and dpor on machines small enough to count by hand: how many schedules there are with so
 * many deviations, how many classes, and that both see all outcomes.
 */
#include <string.h>

#include "tests/engine_search.h"

/* dpor and a dfs without an effective bound see the same: returns what dpor saw. */
static struct search agree(const struct bare_program *p)
{
	struct search all = search(p, "dfs:16"), reduced = search(p, "dpor:all");

	cr_expect_eq(reduced.outcomes, all.outcomes, "%llu outcomes, %llu by dfs (%llu schedules)",
		     (unsigned long long)reduced.outcomes, (unsigned long long)all.outcomes,
		     (unsigned long long)all.schedules);
	cr_expect_eq(reduced.classes, all.classes, "%llu classes, %llu by dfs (%llu schedules)",
		     (unsigned long long)reduced.classes, (unsigned long long)all.classes,
		     (unsigned long long)all.schedules);
	cr_expect_leq(reduced.schedules, all.schedules);
	return reduced;
}

/* --- Writers -------------------------------------------------------------------------------- */

static void write_own(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->id], 1);
	WRITE_ONCE(words[v->id], 2);
}

static void write_same(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[0], v->id + 1);
}

static void write_same_twice(struct vcpu *v)
{
	write_same(v);
	write_same(v);
}

Test(engine_systematic, independent_writers_are_one_class)
{
	for (u32 cpus = 1; cpus <= 4; cpus++) {
		struct bare_program p = {.cpus = cpus,
					 .vcpu_main = write_own,
					 .shared_bytes = SHARED_WORDS * sizeof(u64)};
		struct search s = search(&p, "dpor:all");

		cr_expect_eq(s.schedules, 1, "%u writers: %s", cpus, s.bound);
		cr_expect_eq(s.classes, 1);
	}
}

Test(engine_systematic, writers_of_one_word_are_a_class_for_each_order)
{
	static const u64 factorial[] = {1, 1, 2, 6, 24};

	for (u32 cpus = 1; cpus <= 4; cpus++) {
		struct bare_program p = {.cpus = cpus,
					 .vcpu_main = write_same,
					 .shared_bytes = SHARED_WORDS * sizeof(u64)};
		struct search s = search(&p, "dpor:all");

		cr_expect_eq(s.classes, factorial[cpus], "%u writers: %llu classes", cpus,
			     (unsigned long long)s.classes);
		cr_expect_eq(s.schedules, factorial[cpus], "%u writers: %s", cpus, s.bound);
	}
}

Test(engine_systematic, two_writes_of_two_are_six_orders)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = write_same_twice,
					      .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search s = agree(&p);

	cr_expect_eq(s.classes, 6);
	cr_expect_eq(s.schedules, 6, "%s", s.bound);
}

/* --- Readers -------------------------------------------------------------------------------- */

/* One writer, the others read: a class for each set of readers that came before. */
static void write_or_read(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id == 0)
		WRITE_ONCE(words[0], 1);
	else
		words[v->id] = 1 + READ_ONCE(words[0]);
}

Test(engine_systematic, readers_do_not_depend_on_each_other)
{
	for (u32 cpus = 2; cpus <= 4; cpus++) {
		struct bare_program p = {.cpus = cpus,
					 .vcpu_main = write_or_read,
					 .shared_bytes = SHARED_WORDS * sizeof(u64)};
		struct search s = search(&p, "dpor:all");

		cr_expect_eq(s.classes, 1ULL << (cpus - 1));
		cr_expect_eq(s.outcomes, 1ULL << (cpus - 1));
	}
}

/* Store buffering (SB): three outcomes and classes under sequential consistency. */
static void store_buffering(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->id], 1);
	words[2 + v->id] = 1 + READ_ONCE(words[1 - v->id]);
}

Test(engine_systematic, store_buffering_has_three_classes)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = store_buffering,
					      .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search s = agree(&p);

	cr_expect_eq(s.outcomes, 3);
	cr_expect_eq(s.classes, 3);
	cr_expect_eq(s.schedules, 3, "%s", s.bound);
}

/* The writer of the paper's figure 3: source sets and sleep sets where persistent sets fall short.
 */
static void paper_example(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(words[0], 1);
	} else if (v->id == 1) {
		words[4] = 1 + READ_ONCE(words[1]);
		words[5] = 1 + READ_ONCE(words[0]);
	} else {
		words[6] = 1 + READ_ONCE(words[2]);
		words[7] = 1 + READ_ONCE(words[0]);
	}
}

Test(engine_systematic, source_sets_need_no_redundant_schedule)
{
	static const struct bare_program p = {
		.cpus = 3, .vcpu_main = paper_example, .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search s = agree(&p);

	cr_expect_eq(s.classes, 4);
	cr_expect_leq(s.schedules, 5, "%s", s.bound);
}

/* --- Locks and waiting ---------------------------------------------------------------------- */

struct locked {
	u32 lock, pad;
	u64 count, order;
};

static void count_locked(struct vcpu *v)
{
	struct locked *l = shared_of(v);

	bare_lock(&l->lock);
	WRITE_ONCE(l->count, READ_ONCE(l->count) + 1);
	l->order = l->order * 10 + v->id + 1;
	bare_unlock(&l->lock);
}

static void count_locked_twice(struct vcpu *v)
{
	count_locked(v);
	count_locked(v);
}

Test(engine_systematic, a_lock_is_a_class_for_each_order_of_its_holders)
{
	static const u64 factorial[] = {1, 1, 2, 6, 24};
	static const struct bare_program twice = {
		.cpus = 2, .vcpu_main = count_locked_twice, .shared_bytes = sizeof(struct locked)};
	struct search s;

	for (u32 cpus = 1; cpus <= 4; cpus++) {
		struct bare_program p = {.cpus = cpus,
					 .vcpu_main = count_locked,
					 .shared_bytes = sizeof(struct locked)};

		s = search(&p, "dpor:all");
		cr_expect_eq(s.outcomes, factorial[cpus], "%u holders: %llu", cpus,
			     (unsigned long long)s.outcomes);
		cr_expect_eq(s.schedules, factorial[cpus], "%u holders: %s", cpus, s.bound);
	}
	s = search(&twice, "dpor:all");
	cr_expect_eq(s.outcomes, 6);
	cr_expect_eq(s.schedules, 6, "%s", s.bound);
}

/* A spinner neither hangs a search nor ends it. */
static void pass_on(struct vcpu *v)
{
	u64 *words = shared_of(v);
	struct spin spin = {0};

	if (v->id == 0) {
		WRITE_ONCE(words[1], 1);
		WRITE_ONCE(words[0], 1);
	} else {
		while (!READ_ONCE(words[0]))
			cpu_relax_on(&words[0], &spin);
		words[2 + v->id] = READ_ONCE(words[1]);
	}
}

Test(engine_systematic, who_spins_waits_for_the_store)
{
	for (u32 cpus = 2; cpus <= 4; cpus++) {
		struct bare_program p = {.cpus = cpus,
					 .vcpu_main = pass_on,
					 .shared_bytes = SHARED_WORDS * sizeof(u64)};
		struct search s = search(&p, "dpor:all");

		cr_expect_eq(s.ends[MACHINE_FINISHED], s.schedules);
		cr_expect_eq(s.outcomes, 1);
		/* Each has looked before the store or not. */
		cr_expect_eq(s.classes, 1ULL << (cpus - 1));
	}
}

static void dine(struct vcpu *v)
{
	struct locked *l = shared_of(v);

	bare_lock(&l[v->id].lock);
	bare_lock(&l[1 - v->id].lock);
	bare_unlock(&l[1 - v->id].lock);
	bare_unlock(&l[v->id].lock);
}

Test(engine_systematic, a_deadlock_is_found)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = dine, .shared_bytes = 2 * sizeof(struct locked)};

	cr_expect_gt(search(&p, "dpor:all").ends[MACHINE_DEADLOCK], 0);
	cr_expect_gt(search(&p, "dfs:1").ends[MACHINE_DEADLOCK], 0);
	cr_expect_eq(search(&p, "dfs:0").ends[MACHINE_DEADLOCK], 0);
}

/* --- Interrupts ----------------------------------------------------------------------------- */

static void note_where(struct vcpu *v, u32 bits)
{
	u64 *words = shared_of(v);

	(void)bits;
	words[8] = 1 + words[1];
	WRITE_ONCE(words[9], 1);
}

/* The interrupt can come before each of the steps of CPU1, or at its end. */
static void interrupt_steps(struct vcpu *v)
{
	u64 *words = shared_of(v);
	u32 flags;

	if (v->id == 0) {
		(void)vcpu_raise(&v->machine->vcpus[1], PENDING_CALL_FUNCTION);
		return;
	}
	words[1] = 1;
	safepoint();
	words[1] = 2;
	safepoint();
	words[1] = 3;
	flags = local_irq_save();
	safepoint();
	words[1] = 4;
	safepoint();
	words[1] = 5;
	local_irq_restore(flags);
	safepoint();
	words[1] = 6;
	local_irq_disable();
	vcpu_halt();
}

Test(engine_systematic, an_interrupt_comes_wherever_it_can)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = interrupt_steps,
					      .interrupt = note_where,
					      .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search all = search(&p, "dfs:16"), reduced = search(&p, "dpor:all");

	/* Seen at 1, 2, 5 and at the end. */
	cr_expect_eq(all.outcomes, 4);
	cr_expect_eq(reduced.outcomes, 4, "%llu: %s", (unsigned long long)reduced.outcomes,
		     reduced.bound);
	cr_expect_leq(reduced.schedules, 8, "%s", reduced.bound);
}

/* The sender does something after it: the interrupt may be late. */
static void interrupt_late(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id == 0) {
		(void)vcpu_raise(&v->machine->vcpus[1], PENDING_CALL_FUNCTION);
		WRITE_ONCE(words[0], 1);
		words[10] = READ_ONCE(words[9]);
		return;
	}
	words[1] = 1;
	words[2] = READ_ONCE(words[0]);
	words[1] = 2;
	words[3] = READ_ONCE(words[0]);
	words[1] = 3;
	local_irq_disable();
	vcpu_halt();
}

Test(engine_systematic, an_interrupt_may_be_late)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = interrupt_late,
					      .interrupt = note_where,
					      .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search all = search(&p, "dfs:16"), reduced = search(&p, "dpor:all");

	cr_expect_eq(reduced.outcomes, all.outcomes, "%llu, %llu by dfs: %s",
		     (unsigned long long)reduced.outcomes, (unsigned long long)all.outcomes,
		     reduced.bound);
	cr_expect_lt(reduced.schedules, all.schedules / 4, "%s", reduced.bound);
}

/* --- Choices -------------------------------------------------------------------------------- */

static void choose_data(struct vcpu *v)
{
	u64 *words = shared_of(v);
	u64 mine = machine_choose(CHOICE_DATA, 3);

	WRITE_ONCE(words[0], mine * 10 + v->id);
	words[1 + v->id] = 1 + machine_choose(CHOICE_ALLOC_FAIL, 2);
}

Test(engine_systematic, choices_have_all_their_values)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = choose_data, .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search all = search(&p, "dfs:16"), reduced = search(&p, "dpor:all");

	/* 9 pairs of values, 4 of failures, 2 orders of the stores. */
	cr_expect_leq(reduced.schedules, 72, "%s", reduced.bound);
	cr_expect_eq(reduced.classes, all.classes);
	cr_expect_eq(search(&p, "dpor:all+no-tlb").schedules, reduced.schedules);
}

/* --- Bounds --------------------------------------------------------------------------------- */

static u64 choose(u64 n, u64 k)
{
	u64 result = 1;

	for (u64 i = 1; i <= k; i++)
		result = result * (n - k + i) / i;
	return result;
}

#define STRAIGHT_STEPS 7

static void straight(struct vcpu *v)
{
	u64 *words = shared_of(v);

	for (u32 i = 0; i < STRAIGHT_STEPS; i++)
		WRITE_ONCE(words[v->id], i);
}

/*
 * Two vCPUs with n steps each, cut into pieces: who begins is free, c preemptions cut one of them
 * into ceil((c + 1) / 2) pieces and more. Counted: a schedule is a word of n + n (with the end of
 * each a step, too: from the last access to the end nobody stops a vCPU).
 */
static u64 interleavings(u64 n, u64 preemptions)
{
	u64 sum = 0;

	/* Runs alternate; with r runs in all the last of each vCPU ends with its end, which costs
	 * nothing: r - 2 preemptions, as the runs that are not last. */
	for (u64 first = 0; first < 2; first++) {
		u64 runs = preemptions + 2;
		u64 a = (runs + 1) / 2, b = runs / 2;

		sum += choose(n - 1, a - 1) * choose(n - 1, b - 1);
	}
	return sum;
}

Test(engine_systematic, dfs_counts_are_those_of_the_formula)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = straight, .shared_bytes = SHARED_WORDS * sizeof(u64)};
	u64 sum = 0;

	for (u32 bound = 0; bound <= 4; bound++) {
		char name[16], expected[32];
		struct search s;

		snprintf(name, sizeof(name), "dfs:%u", bound);
		s = search(&p, name);
		/* n accesses are n + 1 pieces of code: a vCPU can be stopped before each access. */
		sum += interleavings(STRAIGHT_STEPS + 1, bound);
		cr_expect_eq(s.schedules, sum, "dfs:%u: %llu schedules, expected %llu", bound,
			     (unsigned long long)s.schedules, (unsigned long long)sum);
		snprintf(expected, sizeof(expected), "with at most %u deviations", bound);
		cr_expect(strstr(s.bound, expected), "%s", s.bound);
	}
}

/* All of them, when the bound is large enough: the binomial, and each once. */
Test(engine_systematic, dfs_runs_each_schedule_once)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = write_same_twice,
					      .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search s = search(&p, "dfs:16");

	cr_expect_eq(s.schedules, choose(6, 3));
	cr_expect(strstr(s.bound, "any number of deviations"), "%s", s.bound);
}

Test(engine_systematic, workers_share_the_schedules_without_overlap)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = straight, .shared_bytes = SHARED_WORDS * sizeof(u64)};
	u64 alone = search(&p, "dfs:2").schedules;

	for (u32 workers = 2; workers <= 3; workers++) {
		u64 sum = 0;

		for (u32 i = 0; i < workers; i++)
			sum += search_at(&p, "dfs:2", i, workers, OUTCOMES_MAX).schedules;
		/* The default schedule is run by each. */
		cr_expect_eq(sum, alone + workers - 1, "%u workers: %llu, one: %llu", workers,
			     (unsigned long long)sum, (unsigned long long)alone);
	}
}

Test(engine_systematic, an_unfinished_search_says_so)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = straight, .shared_bytes = SHARED_WORDS * sizeof(u64)};
	struct search s = search_at(&p, "dfs:2", 0, 1, 20);

	cr_expect_not(s.exhausted);
	cr_expect(strstr(s.bound, "not exhausted"), "%s", s.bound);
	s = search_at(&(struct bare_program){.cpus = 2,
					     .vcpu_main = write_same_twice,
					     .shared_bytes = SHARED_WORDS * sizeof(u64)},
		      "dpor", 0, 1, 3);
	cr_expect_not(s.exhausted);
	cr_expect(strstr(s.bound, "not exhausted"), "%s", s.bound);
}

Test(engine_systematic, parameters)
{
	cr_expect_null(strategy_refusal("dfs"));
	cr_expect_null(strategy_refusal("dfs:0"));
	cr_expect_null(strategy_refusal("dfs:16"));
	cr_expect_null(strategy_refusal("dpor"));
	cr_expect_null(strategy_refusal("dpor:no-tlb"));
	cr_expect_not_null(strategy_refusal("dfs:17"));
	cr_expect_not_null(strategy_refusal("dfs:-1"));
	cr_expect_not_null(strategy_refusal("dfs:2x"));
	cr_expect_not_null(strategy_refusal("dfs:99999999999"));
	cr_expect_null(strategy_refusal("dpor:all"));
	cr_expect_null(strategy_refusal("dpor:2"));
	cr_expect_null(strategy_refusal("dpor:16+no-tlb"));
	cr_expect_null(strategy_refusal("dpor:no-tlb+0"));
	cr_expect_not_null(strategy_refusal("dpor:17"));
	cr_expect_not_null(strategy_refusal("dpor:99999999999"));
	cr_expect_not_null(strategy_refusal("dpor:-1"));
	cr_expect_not_null(strategy_refusal("dpor:2x"));
	cr_expect_not_null(strategy_refusal("dpor:2+"));
	cr_expect_not_null(strategy_refusal("dpor:+2"));
	cr_expect_not_null(strategy_refusal("dpor:2+2"));
	cr_expect_not_null(strategy_refusal("dpor:2+all"));
	cr_expect_not_null(strategy_refusal("dpor:no-tlb+no-tlb"));
}

/* --- Schedules that end before all is done ------------------------------------------------------
 */

#define HELD 3

struct held {
	u32 lock, pad;
	u64 word, seen;
};

/* CPU 0 ends the schedule while it holds the lock, before which CPU 1 may stand then. */
static void end_with_the_lock(struct vcpu *v)
{
	struct held *h = shared_of(v);

	if (v->id) {
		bare_lock(&h->lock);
		WRITE_ONCE(h->word, 1);
		bare_unlock(&h->lock);
		return;
	}
	for (u32 i = 1; i <= HELD; i++) {
		bare_lock(&h->lock);
		h->seen = h->seen * 2 + READ_ONCE(h->word);
		if (i == HELD)
			explore_quiet(true);
		bare_unlock(&h->lock);
	}
}

Test(engine_systematic, who_stands_before_a_lock_at_the_end_could_have_had_it)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = end_with_the_lock, .shared_bytes = sizeof(struct held)};

	/* CPU 1 has it before one of CPU 0's times, or never. */
	cr_expect_eq(search(&p, "dfs:1").outcomes, HELD + 1);
	cr_expect_eq(search(&p, "dpor:1").outcomes, HELD + 1);
	cr_expect_eq(search(&p, "dpor:all").outcomes, HELD + 1);
}

struct buffered {
	u64 flag, other, p, y;
	u64 seen[2];
};

/* When CPU 1 ends the schedule CPU 0 may stand before its read, with a store in its buffer, which
 * the end makes visible: it stands there nevertheless. */
static void end_with_a_full_buffer(struct vcpu *v)
{
	struct buffered *b = shared_of(v);
	struct spin spin = {0};

	if (!v->id) {
		xchg(&b->flag, 1);
		WRITE_ONCE(b->other, 1);
		b->seen[0] = READ_ONCE(b->p);
		WRITE_ONCE(b->y, 1);
		return;
	}
	while (!READ_ONCE(b->flag))
		cpu_relax_on(&b->flag, &spin);
	xchg(&b->p, 1);
	b->seen[1] = xchg(&b->y, 2);
	explore_quiet(true);
}

Test(engine_systematic, a_store_that_the_end_makes_visible_moves_nobody)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = end_with_a_full_buffer,
					      .shared_bytes = sizeof(struct buffered),
					      .tso = true};
	struct search s = search(&p, "dfs:2");

	cr_expect_eq(s.outcomes, 4);
	cr_expect_eq(search(&p, "dpor:2").outcomes, s.outcomes);
	cr_expect_eq(search(&p, "dpor:all").outcomes, s.outcomes);
}

/* More than dpor keeps of one schedule (DPOR_EVENTS_MAX). */
#define LONG_EACH 600000

static void write_long(struct vcpu *v)
{
	u64 *words = shared_of(v);

	for (u64 i = 0; i < LONG_EACH; i++)
		WRITE_ONCE(words[8 * v->id], i);
}

Test(engine_systematic, of_a_very_long_schedule_the_end_is_not_searched)
{
	struct bare_program p = {.cpus = 2,
				 .vcpu_main = write_long,
				 .shared_bytes = SHARED_WORDS * sizeof(u64),
				 .max_steps = 4 * LONG_EACH};
	struct search s;

	s = search_at(&p, "dpor:0", 0, 1, 3);
	cr_expect(s.exhausted);
	cr_expect_eq(s.ends[MACHINE_FINISHED], s.schedules);
	cr_expect(strstr(s.bound, "the end of a very long schedule is not searched"), "%s",
		  s.bound);
}
