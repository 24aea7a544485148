// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dpor against dfs on small drawn programs of bare vCPUs: nothing that the one sees escapes the
 * other, with a bound and without.
 */
#include <stdio.h>

#include "tests/engine_search.h"

enum drawn_op {
	DRAWN_LOAD,
	DRAWN_STORE,
	DRAWN_ADD,
	DRAWN_LOCKED,
	DRAWN_RAISE,
	DRAWN_MASKED,
	NR_DRAWN
};

/* Each is some thousand schedules, which AddressSanitizer makes 20 times slower. Under
 * ThreadSanitizer it is the beginning of each that costs, about half a millisecond a vCPU: a new
 * fiber of TSan's, whose state, 785,664 bytes in gcc 12, __tsan_create_fiber() maps and clears and
 * __tsan_destroy_fiber() unmaps. For the first four programs dfs:3 needs 15,912 schedules and 26 s
 * of processor time there, dfs:2 needs 2,290 and 3 s. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define DRAWN_PROGRAMS 4
#else
#define DRAWN_PROGRAMS 400
#endif
#ifdef __SANITIZE_THREAD__
#define DRAWN_BOUND 2
#else
#define DRAWN_BOUND 3
#endif

#define DRAWN_CPUS 3
#define DRAWN_OPS 3
#define DRAWN_WORDS 2

struct drawn {
	u32 lock, pad;
	u64 words[DRAWN_WORDS];
	/* What each vCPU has seen: a number in which every value that it read counts. */
	u64 seen[DRAWN_CPUS];
};

static void saw(struct vcpu *v, u64 value)
{
	struct drawn *d = shared_of(v);

	d->seen[v->id] = d->seen[v->id] * 31 + value + 1;
}

static void drawn_interrupt(struct vcpu *v, u32 bits)
{
	struct drawn *d = shared_of(v);

	if (!(bits & PENDING_CALL_FUNCTION))
		return;
	saw(v, READ_ONCE(d->words[0]) + 100);
	WRITE_ONCE(d->words[1], 7 + v->id);
}

static void drawn_op(struct vcpu *v, u32 op, u32 word)
{
	struct drawn *d = shared_of(v);
	u32 flags;

	switch (op) {
	case DRAWN_LOAD:
		saw(v, READ_ONCE(d->words[word]));
		break;
	case DRAWN_STORE:
		WRITE_ONCE(d->words[word], v->id + 1);
		break;
	case DRAWN_ADD:
		saw(v, atomic_add_return(10, &d->words[word]));
		break;
	case DRAWN_LOCKED:
		bare_lock(&d->lock);
		WRITE_ONCE(d->words[word], READ_ONCE(d->words[word]) * 2 + v->id + 1);
		bare_unlock(&d->lock);
		break;
	case DRAWN_RAISE:
		(void)vcpu_raise(&v->machine->vcpus[(v->id + 1) % v->machine->nr_vcpus],
				 PENDING_CALL_FUNCTION);
		break;
	default:
		flags = local_irq_save();
		saw(v, READ_ONCE(d->words[word]));
		WRITE_ONCE(d->words[1 - word], 20 + v->id);
		local_irq_restore(flags);
	}
}

/* The machine's seed is the same for all schedules of a program: it draws the program. */
static void run_drawn(struct vcpu *v)
{
	struct rng rng = v->rng;
	u32 n = v->machine->nr_vcpus == 2 ? DRAWN_OPS : DRAWN_OPS - 1;

	v->preempt_count = 0;
	for (u32 i = 0; i < n; i++) {
		u32 op = random_below(&rng, NR_DRAWN), word = random_below(&rng, DRAWN_WORDS);

		drawn_op(v, op, word);
	}
	/* What is pending is taken at last, as by a CPU that goes idle. */
	local_irq_disable();
	(void)vcpu_raise(v, PENDING_RESCHEDULE);
	vcpu_halt();
}

static const struct strategy_place alone = {0, 1};

static struct bare_program drawn_program(u64 seed)
{
	return (struct bare_program){.cpus = 2 + seed % 2,
				     .vcpu_main = run_drawn,
				     .interrupt = drawn_interrupt,
				     .shared_bytes = sizeof(struct drawn)};
}

static struct search search_drawn(u64 seed, const char *name, struct search_set *classes)
{
	struct bare_program p = drawn_program(seed);
	struct search s = search_sets(&p, seed, name, &alone, OUTCOMES_MAX, classes, NULL);

	cr_expect(s.exhausted, "program %llu, %s: %s", (unsigned long long)seed, name, s.bound);
	return s;
}

Test(engine_drawn, all_their_outcomes)
{
	u64 programs = DRAWN_PROGRAMS, compared = 0;
	char dfs[16];

	snprintf(dfs, sizeof(dfs), "dfs:%u", DRAWN_BOUND);
	for (u64 seed = 1; seed <= programs; seed++) {
		struct search reduced = search_drawn(seed, "dpor:all", NULL);
		struct search all = search_drawn(seed, dfs, NULL);

		/* So few deviations need not reach all that there is. */
		cr_expect_geq(reduced.outcomes, all.outcomes,
			      "program %llu: %llu outcomes, %llu by dfs; %s",
			      (unsigned long long)seed, (unsigned long long)reduced.outcomes,
			      (unsigned long long)all.outcomes, reduced.bound);
		compared++;
	}
	cr_expect_eq(compared, programs);
}

/* A round with a bound leaves no class out that a schedule within the bound has. (Where a vCPU
 * tried in vain to take a lock makes classes only for dfs: those that dpor has are compared.) */
Test(engine_drawn, a_bounded_round_has_the_classes_of_its_bound)
{
	u64 schedules[2] = {0};

	for (u64 seed = 1; seed <= DRAWN_PROGRAMS; seed++) {
		struct search_set known;

		search_drawn(seed, "dpor:all", &known);
		for (u32 bound = 0; bound <= DRAWN_BOUND; bound++) {
			struct search_set of_all, of_reduced;
			struct search all, reduced;
			char name[16];

			snprintf(name, sizeof(name), "dfs:%u", bound);
			all = search_drawn(seed, name, &of_all);
			search_keep(&of_all, &known);
			snprintf(name, sizeof(name), "dpor:%u", bound);
			reduced = search_drawn(seed, name, &of_reduced);
			cr_expect_eq(search_missing(&of_all, &of_reduced), 0,
				     "program %llu, bound %u: %llu of %llu classes missing; %s",
				     (unsigned long long)seed, bound,
				     (unsigned long long)search_missing(&of_all, &of_reduced),
				     (unsigned long long)of_all.nr, reduced.bound);
			cr_expect_geq(reduced.outcomes, all.outcomes,
				      "program %llu, bound %u: %llu outcomes, dfs %llu",
				      (unsigned long long)seed, bound,
				      (unsigned long long)reduced.outcomes,
				      (unsigned long long)all.outcomes);
			schedules[0] += all.schedules;
			schedules[1] += reduced.schedules;
			free(of_all.values);
			free(of_reduced.values);
		}
		free(known.values);
	}
	cr_expect_lt(schedules[1], schedules[0], "%llu, dfs %llu", (unsigned long long)schedules[1],
		     (unsigned long long)schedules[0]);
}

/* The rounds end with all classes. (They have some of vain attempts besides.) */
Test(engine_drawn, rounds_end_where_no_rounds_do)
{
	for (u64 seed = 1; seed <= DRAWN_PROGRAMS / 4; seed++) {
		struct search_set straight, rounds;

		search_drawn(seed, "dpor:all", &straight);
		search_drawn(seed, "dpor", &rounds);
		cr_expect_eq(search_missing(&straight, &rounds), 0, "program %llu: %llu, %llu",
			     (unsigned long long)seed, (unsigned long long)straight.nr,
			     (unsigned long long)rounds.nr);
		free(straight.values);
		free(rounds.values);
	}
}

/* --- Schedules that end before all is done ------------------------------------------------------
 */

/* Two of three vCPUs end the schedule when they are through. Only what they have seen counts, since
 * how far the third one comes before is no matter. */
#define CUT_OFF_CPUS 3
#define CUT_OFF_OPS 2
#define CUT_OFF_PROGRAMS (DRAWN_PROGRAMS / 4)
#define BUFFERED_PROGRAMS (DRAWN_PROGRAMS * 35 / 100)

struct cut_off {
	struct drawn drawn;
	u64 through;
	u64 gone; /* atomic; not explored */
};

static void forget_the_rest(struct cut_off *c)
{
	c->drawn.seen[CUT_OFF_CPUS - 1] = 0;
	memset(c->drawn.words, 0, sizeof(c->drawn.words));
}

static void run_cut_off(struct vcpu *v)
{
	struct cut_off *c = shared_of(v);
	struct rng rng = v->rng;
	u32 last = CUT_OFF_CPUS - 1;
	u64 seen;

	v->preempt_count = 0;
	for (u32 i = 0; i < CUT_OFF_OPS; i++) {
		u32 op = random_below(&rng, NR_DRAWN), word = random_below(&rng, DRAWN_WORDS);

		drawn_op(v, op, word);
	}
	seen = c->drawn.seen[v->id];
	if (v->id != last && atomic_add_return(1, &c->through) == last)
		explore_quiet(true);
	local_irq_disable();
	(void)vcpu_raise(v, PENDING_RESCHEDULE);
	vcpu_halt();
	/* What interrupts have seen after the end is no matter either. */
	if (v->id != last)
		c->drawn.seen[v->id] = seen;
	if (__atomic_add_fetch(&c->gone, 1, __ATOMIC_ACQ_REL) == CUT_OFF_CPUS)
		forget_the_rest(c);
}

/* What @name sees of program @seed is to be among what @reduced sees; adds up their schedules. */
static void compare_cut_off(u64 seed, bool tso, const char *name, const char *reduced,
			    u64 *schedules)
{
	struct bare_program p = {.cpus = CUT_OFF_CPUS,
				 .vcpu_main = run_cut_off,
				 .interrupt = drawn_interrupt,
				 .shared_bytes = sizeof(struct cut_off),
				 .tso = tso};
	struct search_set of_all, of_reduced;
	struct search one = search_sets(&p, seed, name, &alone, OUTCOMES_MAX, NULL, &of_all);
	struct search two = search_sets(&p, seed, reduced, &alone, OUTCOMES_MAX, NULL, &of_reduced);
	u64 missing = search_missing(&of_all, &of_reduced);

	cr_expect(one.exhausted && two.exhausted, "program %llu", (unsigned long long)seed);
	cr_expect_eq(missing, 0, "program %llu: %llu of %llu outcomes of %s missing; %s",
		     (unsigned long long)seed, (unsigned long long)missing,
		     (unsigned long long)of_all.nr, name, two.bound);
	schedules[0] += one.schedules;
	schedules[1] += two.schedules;
	free(of_all.values);
	free(of_reduced.values);
}

Test(engine_drawn, what_stood_at_the_end_could_have_come_before)
{
	u64 rounds[2] = {0}, straight[2] = {0};

	for (u64 seed = 1; seed <= CUT_OFF_PROGRAMS; seed++) {
		char name[16], reduced[16];

		for (u32 bound = 0; bound <= DRAWN_BOUND; bound++) {
			snprintf(name, sizeof(name), "dfs:%u", bound);
			snprintf(reduced, sizeof(reduced), "dpor:%u", bound);
			compare_cut_off(seed, false, name, reduced, rounds);
		}
		compare_cut_off(seed, false, name, "dpor:all", straight);
	}
	cr_expect_lt(rounds[1], rounds[0], "%llu, dfs %llu", (unsigned long long)rounds[1],
		     (unsigned long long)rounds[0]);
}

Test(engine_drawn, so_it_is_with_store_buffers)
{
	u64 schedules[2] = {0};

	for (u64 seed = 1; seed <= BUFFERED_PROGRAMS; seed++) {
		for (u32 bound = 0; bound <= 2; bound++) {
			char name[16], reduced[16];

			snprintf(name, sizeof(name), "dfs:%u", bound);
			snprintf(reduced, sizeof(reduced), "dpor:%u", bound);
			compare_cut_off(seed, true, name, reduced, schedules);
		}
	}
	cr_expect_lt(schedules[1], schedules[0], "%llu, dfs %llu", (unsigned long long)schedules[1],
		     (unsigned long long)schedules[0]);
}
