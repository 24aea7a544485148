// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The class of a schedule: the same for schedules that differ in the order of independent steps
 * only, another for all others; and what was reached and interleaved.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/explore_coverage.h"
#include "tests/engine_machine.h"

/* Strategies are below what ThreadSanitizer looks at (engine/explore.h). */
#ifdef __SANITIZE_THREAD__
#define BELOW_TSAN __attribute__((no_sanitize_thread))
#else
#define BELOW_TSAN
#endif

/* Makes the picks that stand in a script; by default where it has ended or cannot be followed. */
struct scripted {
	struct strategy base;
	const char *picks; /* a digit each */
	u32 answer;	   /* to every choice */
};

BELOW_TSAN static void scripted_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	(void)s;
	(void)seed;
	(void)nr_vcpus;
}

BELOW_TSAN static u32 scripted_pick(struct strategy *s, const struct decision *d)
{
	struct scripted *p = (struct scripted *)s;
	u32 next = *p->picks ? (u32)(*p->picks++ - '0') : 64;

	return next < 64 && d->runnable >> next & 1 ? next : decision_default(d);
}

BELOW_TSAN static u32 scripted_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	(void)kind;
	(void)cpu;
	return ((struct scripted *)s)->answer % n;
}

static void scripted_destroy(struct strategy *s)
{
	(void)s;
}

static const struct strategy_ops scripted_ops = {
	.name = "scripted",
	.begin = scripted_begin,
	.pick = scripted_pick,
	.choose = scripted_choose,
	.destroy = scripted_destroy,
};

/* A machine with coverage on, to be run again and again. */
struct covered {
	struct bare_machine b;
	const struct bare_program *program;
	bool fresh;
};

static void covered_create(struct covered *c, const struct bare_program *program)
{
	c->program = program;
	bare_create(&c->b, program, 0);
	cr_assert_eq(explore_coverage_on(c->b.m), 0);
	c->fresh = true;
}

static u64 class_under(struct covered *c, struct strategy *s, u64 seed)
{
	if (!c->fresh)
		bare_reset(&c->b, c->program, seed);
	c->fresh = false;
	bare_expect_finished(&c->b, machine_run(c->b.m, EXECUTOR_EXPLORE, s));
	return c->b.m->coverage->class_hash;
}

static u64 class_of(struct covered *c, const char *picks, u32 answer)
{
	struct scripted s = {.base.ops = &scripted_ops, .picks = picks, .answer = answer};

	return class_under(c, &s.base, 0);
}

/* How many classes the random strategy meets. */
static u32 classes_of(const struct bare_program *program, u32 seeds)
{
	u64 seen[64];
	struct covered c;
	u32 nr = 0;

	covered_create(&c, program);
	for (u32 seed = 0; seed < seeds; seed++) {
		u64 hash = class_under(&c, c.b.strategy, seed);
		u32 i = 0;

		while (i < nr && seen[i] != hash)
			i++;
		if (i == nr) {
			cr_assert_lt(nr, ARRAY_SIZE(seen));
			seen[nr++] = hash;
		}
	}
	bare_destroy(&c.b);
	return nr;
}

/* --- Programs ----------------------------------------------------------------------------------
 */

static void write_mine(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->id], 1);
}

static void write_same(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[0], v->id);
}

static void read_same(struct vcpu *v)
{
	u64 *words = shared_of(v);

	(void)READ_ONCE(words[0]);
}

static void read_or_write_same(struct vcpu *v)
{
	if (v->id)
		read_same(v);
	else
		write_same(v);
}

/* Store buffering: each writes its word, then reads the other's. */
static void write_then_read(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->id], 1);
	(void)READ_ONCE(words[1 - v->id]);
}

static void write_halves(struct vcpu *v)
{
	u32 *halves = shared_of(v);

	WRITE_ONCE(halves[v->id], 1);
}

static const struct bare_program two_own = {.cpus = 2, .vcpu_main = write_mine, .shared_bytes = 64};
static const struct bare_program two_same = {
	.cpus = 2, .vcpu_main = write_same, .shared_bytes = 64};

/* --- Classes -----------------------------------------------------------------------------------
 */

Test(coverage, the_order_of_independent_steps_makes_no_class)
{
	struct covered c;
	u64 one;

	covered_create(&c, &two_own);
	one = class_of(&c, "0011", 0);
	cr_assert_eq(class_of(&c, "1100", 0), one);
	cr_assert_eq(class_of(&c, "0101", 0), one);
	bare_destroy(&c.b);
}

Test(coverage, the_order_of_dependent_steps_makes_a_class)
{
	struct covered c;
	u64 one, other;

	covered_create(&c, &two_same);
	one = class_of(&c, "000000", 0);
	other = class_of(&c, "111111", 0);
	cr_assert_neq(one, other);
	/* The same order at other steps. */
	cr_assert_eq(class_of(&c, "010000", 0), one);
	cr_assert_eq(class_of(&c, "101111", 0), other);
	bare_destroy(&c.b);
}

Test(coverage, a_class_is_the_same_in_another_machine)
{
	struct covered a, b;

	covered_create(&a, &two_same);
	covered_create(&b, &two_same);
	(void)class_of(&b, "1", 0);
	cr_assert_eq(class_of(&a, "01", 0), class_of(&b, "01", 0));
	bare_destroy(&a.b);
	bare_destroy(&b.b);
}

Test(coverage, programs_have_as_many_classes_as_executions)
{
	static const struct {
		struct bare_program program;
		u32 classes;
	} known[] = {
		{{.cpus = 4, .vcpu_main = write_mine, .shared_bytes = 64}, 1},
		{{.cpus = 4, .vcpu_main = read_same, .shared_bytes = 64}, 1},
		{{.cpus = 2, .vcpu_main = write_halves, .shared_bytes = 64}, 1},
		{{.cpus = 2, .vcpu_main = write_same, .shared_bytes = 64}, 2},
		{{.cpus = 3, .vcpu_main = write_same, .shared_bytes = 64}, 6},
		{{.cpus = 4, .vcpu_main = write_same, .shared_bytes = 64}, 24},
		/* Each reader stands before the write or behind it. */
		{{.cpus = 4, .vcpu_main = read_or_write_same, .shared_bytes = 64}, 8},
		/* Both read 0 is impossible. */
		{{.cpus = 2, .vcpu_main = write_then_read, .shared_bytes = 64}, 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		cr_assert_eq(classes_of(&known[i].program, 300), known[i].classes, "program %zu",
			     i);
}

static void ask(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id == 0)
		words[1] = machine_choose(CHOICE_DATA, 10);
	READ_ONCE(words[0]);
}

Test(coverage, the_answer_of_a_choice_is_part_of_the_class)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = ask, .shared_bytes = 64};
	struct covered c;
	u64 one;

	covered_create(&c, &program);
	one = class_of(&c, "01", 1);
	cr_assert_neq(class_of(&c, "01", 2), one);
	cr_assert_neq(class_of(&c, "01", 0), one);
	cr_assert_eq(class_of(&c, "10", 1), one);
	bare_destroy(&c.b);
}

/* CPU 0 raises an interrupt, CPU 1 makes two accesses of its own. */
static void raise_or_work(struct vcpu *v)
{
	u64 *words = shared_of(v);

	v->preempt_count = 0;
	if (v->id == 0) {
		vcpu_raise(&v->machine->vcpus[1], PENDING_RESCHEDULE);
		return;
	}
	WRITE_ONCE(words[1], 1);
	WRITE_ONCE(words[2], 1);
	WRITE_ONCE(words[3], 1);
	local_irq_disable();
}

Test(coverage, where_an_interrupt_is_taken_is_part_of_the_class)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = raise_or_work, .shared_bytes = 64};

	/* Before each of three accesses, or not at all: four places. */
	cr_assert_eq(classes_of(&program, 400), 4);
}

static void touch_same(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->id], 1);
	explore_touch(&words[4], true);
}

Test(coverage, what_is_touched_counts_where_it_is_asked_for)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = touch_same, .shared_bytes = 64};
	struct covered c;

	covered_create(&c, &program);
	cr_assert_neq(class_of(&c, "000", 0), class_of(&c, "111", 0));
	c.b.m->coverage->touches = false;
	cr_assert_eq(class_of(&c, "000", 0), class_of(&c, "111", 0));
	bare_destroy(&c.b);
}

/* Which of two words CPU 1 writes is up to a choice of no consequence for the class itself. */
static void write_one_of_two(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->machine->config.seed & 1], v->id);
}

Test(coverage, the_address_is_part_of_the_class)
{
	static const struct bare_program program = {
		.cpus = 1, .vcpu_main = write_one_of_two, .shared_bytes = 64};
	struct scripted s = {.base.ops = &scripted_ops, .picks = ""};
	struct covered c;
	u64 even;

	covered_create(&c, &program);
	even = class_under(&c, &s.base, 0);
	cr_assert_neq(class_under(&c, &s.base, 1), even);
	cr_assert_eq(class_under(&c, &s.base, 2), even);
	bare_destroy(&c.b);
}

static void read_then_end(struct vcpu *v)
{
	u64 *words = shared_of(v);

	/* CPU 0 writes once; CPU 1 reads, and nothing that it does later tells when. */
	if (v->id)
		(void)READ_ONCE(words[0]);
	else
		xchg(&words[0], 1);
}

Test(coverage, a_write_behind_a_read_is_another_write)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = read_then_end, .shared_bytes = 64};
	struct covered c;
	u64 tip;

	covered_create(&c, &program);
	(void)class_of(&c, "0000", 0);
	tip = c.b.m->coverage->tip[0];
	(void)class_of(&c, "1111", 0);
	cr_assert_neq(c.b.m->coverage->tip[0], tip);
	bare_destroy(&c.b);
}

static void quiet_then_not(struct vcpu *v)
{
	write_same(v);
	if (!v->id)
		explore_quiet(true);
	write_same(v);
	write_same(v);
}

Test(coverage, quiet_stretches_do_not_count)
{
	static const struct bare_program program = {
		.cpus = 1, .vcpu_main = quiet_then_not, .shared_bytes = 64};
	struct covered c;
	u64 word = 0;
	u64 tip;

	covered_create(&c, &program);
	(void)class_of(&c, "", 0);
	cr_assert_eq(c.b.m->explored.steps, 1);
	tip = c.b.m->coverage->tip[0];
	for (u32 i = 0; i <= c.b.m->coverage->mask; i++)
		word += c.b.m->coverage->words[i].written != 0;
	cr_assert_eq(word, 1);
	cr_assert_neq(tip, 0);
	bare_destroy(&c.b);
}

/* Was @word, of the shared ones, written as part of the schedule? */
static bool write_counts(const struct covered *c, const u64 *word)
{
	const struct explore_coverage *coverage = c->b.m->coverage;
	u64 address = arena_offset(&c->b.m->arena, word);

	for (u32 i = 0; i <= coverage->mask; i++) {
		const struct coverage_word *w = &coverage->words[i];

		if ((w->tag & ((1ULL << COVERAGE_ADDRESS_BITS) - 1)) == address && w->written)
			return true;
	}
	return false;
}

static void one_ends_it(struct vcpu *v)
{
	u64 *words = shared_of(v);

	xchg(&words[8 * v->id], 1);
	if (!v->id)
		explore_quiet(true);
}

/* CPU 1 stands before its write when CPU 0 ends the schedule, and makes it after the end. */
Test(coverage, what_comes_after_the_end_does_not_count)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = one_ends_it, .shared_bytes = 256};
	struct covered c;
	const u64 *words;

	covered_create(&c, &program);
	(void)class_of(&c, "100", 0);
	words = c.b.shared;
	cr_assert(write_counts(&c, &words[0]));
	cr_assert_not(write_counts(&c, &words[8]));
	cr_assert_eq(words[8], 1);
	bare_destroy(&c.b);
}

/* CPU 1 is in a handler, taken before its own write, when CPU 0 ends the schedule. */
static void ended_in_a_handler(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id) {
		xchg(&words[8], 1);
		return;
	}
	(void)vcpu_raise(&v->machine->vcpus[1], PENDING_CALL_FUNCTION);
	xchg(&words[0], 1);
	explore_quiet(true);
}

static void handle_with_two_writes(struct vcpu *v, u32 bits)
{
	u64 *words = shared_of(v);

	if (!(bits & PENDING_CALL_FUNCTION))
		return;
	xchg(&words[16], 1);
	xchg(&words[24], 1);
}

Test(coverage, nor_does_what_an_interrupt_has_put_off_until_then)
{
	static const struct bare_program program = {.cpus = 2,
						    .vcpu_main = ended_in_a_handler,
						    .interrupt = handle_with_two_writes,
						    .shared_bytes = 256};
	struct covered c;
	const u64 *words;

	covered_create(&c, &program);
	/* CPU 1 comes to its write, CPU 0 raises, CPU 1 takes it and makes the first write. */
	(void)class_of(&c, "1001100", 1);
	words = c.b.shared;
	cr_assert(write_counts(&c, &words[0]));
	cr_assert(write_counts(&c, &words[16]));
	cr_assert_not(write_counts(&c, &words[24]));
	cr_assert_not(write_counts(&c, &words[8]));
	cr_assert_eq(words[8] + words[16] + words[24], 3);
	bare_destroy(&c.b);
}

/* --- Many addresses ----------------------------------------------------------------------------
 */

#define MANY 5000

/* Each word is written by CPU 0 and read by CPU 1, who comes later. */
static void write_or_read_many(struct vcpu *v)
{
	u64 *words = shared_of(v);

	for (u32 i = 0; i < MANY; i++) {
		if (v->id)
			(void)READ_ONCE(words[i]);
		else
			WRITE_ONCE(words[i], 1);
	}
}

Test(coverage, a_schedule_may_have_many_addresses)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = write_or_read_many, .shared_bytes = MANY * sizeof(u64)};
	struct covered c;
	u64 before, behind;

	covered_create(&c, &program);
	before = class_of(&c, "0", 0);
	behind = class_of(&c, "1", 0);
	cr_assert_neq(before, behind);
	cr_assert_eq(class_of(&c, "0", 0), before); /* in a table that has grown */
	cr_assert_eq(class_of(&c, "1", 0), behind);
	cr_assert(!c.b.m->coverage->lost);
	bare_destroy(&c.b);
}

Test(coverage, the_table_outlives_its_epochs)
{
	struct covered c;
	u64 one;

	covered_create(&c, &two_same);
	one = class_of(&c, "000000", 0);
	cr_assert_eq(c.b.m->coverage->epoch, 1);
	/* What the first schedule left is not found again in the next one of its number. */
	c.b.m->coverage->epoch = COVERAGE_EPOCHS - 1;
	cr_assert_eq(class_of(&c, "000000", 0), one);
	cr_assert_eq(c.b.m->coverage->epoch, 1);
	cr_assert_eq(class_of(&c, "000000", 0), one);
	bare_destroy(&c.b);
}

/* --- Coverage ----------------------------------------------------------------------------------
 */

static void writes(u64 *word)
{
	WRITE_ONCE(*word, 1);
}

static void reads(u64 *word)
{
	(void)READ_ONCE(*word);
}

static void never(u64 *word)
{
	WRITE_ONCE(*word, 2);
}

static void writer_or_reader(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id == 0)
		writes(&words[0]);
	else
		reads(&words[0]);
	if (v->id > 2)
		never(&words[0]);
	reads(&words[1]);
}

static u32 site_in(const char *func)
{
	for (u32 i = 0; i < coverage_sites(); i++) {
		if (!strcmp(__start_mmt_sites[i].func, func))
			return i;
	}
	cr_assert_fail("no site in %s", func);
	return 0;
}

Test(coverage, pairs_are_neighbours_at_an_address_and_one_writes)
{
	static const struct bare_program program = {
		.cpus = 3, .vcpu_main = writer_or_reader, .shared_bytes = 64};
	u32 w = site_in("writes"), r = site_in("reads"), n = site_in("never");
	struct explore_coverage *cov;
	struct covered c;

	covered_create(&c, &program);
	cov = c.b.m->coverage;
	(void)class_of(&c, "00000", 0); /* CPU 0 to its end, then the others */
	cr_assert(coverage_has_site(cov, w));
	cr_assert(coverage_has_site(cov, r));
	cr_assert(!coverage_has_site(cov, n));
	cr_assert_eq(cov->nr_reached, 2);
	cr_assert(coverage_has_pair(cov, w, r));
	cr_assert(!coverage_has_pair(cov, r, w));
	cr_assert(!coverage_has_pair(cov, r, r), "two reads");
	cr_assert_eq(cov->nr_pairs, 1, "what nobody had accessed makes no pair");
	cr_assert_eq(cov->nr_fresh, 3);
	coverage_seen(cov);

	(void)class_of(&c, "11111111", 0); /* CPU 1 first: kept over the reset, and added to */
	cr_assert(coverage_has_pair(cov, w, r));
	cr_assert(coverage_has_pair(cov, r, w));
	cr_assert_eq(cov->nr_pairs, 2);
	cr_assert_eq(cov->nr_fresh, 1);
	bare_destroy(&c.b);
}

Test(coverage, one_vcpu_makes_no_pair)
{
	static const struct bare_program program = {
		.cpus = 1, .vcpu_main = quiet_then_not, .shared_bytes = 64};
	struct covered c;

	covered_create(&c, &program);
	(void)class_of(&c, "", 0);
	cr_assert_eq(c.b.m->coverage->nr_pairs, 0);
	cr_assert_eq(c.b.m->coverage->nr_reached, 1);
	bare_destroy(&c.b);
}

static void own_twice(struct vcpu *v)
{
	u64 *words = shared_of(v);

	WRITE_ONCE(words[v->id], 1);
	WRITE_ONCE(words[v->id], 2);
}

Test(coverage, accesses_of_ones_own_make_no_pair)
{
	static const struct bare_program program = {
		.cpus = 2, .vcpu_main = own_twice, .shared_bytes = 64};
	struct covered c;

	covered_create(&c, &program);
	(void)class_of(&c, "01010101", 0);
	cr_assert_eq(c.b.m->coverage->nr_pairs, 0);
	cr_assert_eq(c.b.m->coverage->nr_reached, 2);
	bare_destroy(&c.b);
}

Test(coverage, what_is_off_is_not_there)
{
	struct bare_machine b;

	bare_create(&b, &two_same, 1);
	bare_expect_finished(&b, bare_explore(&b));
	cr_assert_null(b.m->coverage);
	bare_destroy(&b);
}
