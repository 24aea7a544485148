// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sampling strategies: what they are called and take, that they are repeatable and finish
 * whatever waits in whatever way, and that each of them samples what it promises to.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/strategy_choice.h"
#include "tests/engine_machine.h"

static const char *const sampling[] = {"random", "pct", "pct:1",    "pct:3",
				       "pos",	 "urw", "portfolio"};

/* Strategies of the test run below the emulated CPUs, as those of the engine do (explore.h). */
#define BELOW_TSAN __attribute__((no_sanitize_thread))

static void create_with(struct bare_machine *b, const struct bare_program *p, const char *strategy)
{
	bare_create(b, p, 1);
	strategy_destroy(b->strategy);
	b->strategy = strategy_create(strategy);
	cr_assert_not_null(b->strategy, "%s", strategy);
}

/* One more schedule; false if it did not finish. */
static bool next_schedule(struct bare_machine *b, const struct bare_program *p, u64 seed)
{
	bare_reset(b, p, seed);
	return bare_explore(b) == MACHINE_FINISHED;
}

/* --- Names and parameters ------------------------------------------------------------------------
 */

Test(engine_strategy, texts)
{
	static const char *const good[] = {
		"random", "pct",       "pct:1", "pct:100",	    "pct:1-4",
		"pos",	  "portfolio", "urw",	"portfolio:random", "portfolio:pct:1-4,pos,pos",
		"pct:7-7"};
	static const char *const bad[] = {
		"",
		"rand",
		"randomly",
		"random:1",
		"pct:0",
		"pct:101",
		"pct:3x",
		"pct:-1",
		"pct:4-1",
		"pct:1-",
		"pct:1-2-3",
		"pct:1-101",
		"pct: 1",
		"pct:99999999999999",
		"pos:2",
		"urw:1",
		"PCT:3",
		"portfolio:",
		"portfolio:,",
		"portfolio:random,",
		"portfolio:random,,pos",
		"portfolio:portfolio",
		"portfolio:nothing",
		"portfolio:pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos,pos"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct strategy *s = strategy_create(good[i]);

		cr_expect_null(strategy_refusal(good[i]), "%s %s", good[i],
			       strategy_refusal(good[i]));
		cr_expect_not_null(s, "%s", good[i]);
		strategy_destroy(s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_not_null(strategy_refusal(bad[i]), "'%s' is taken", bad[i]);
		cr_expect_null(strategy_create(bad[i]), "'%s' is made", bad[i]);
	}
}

/* --- A program in which everything happens: locks, spinning, sleeping, interrupts, choices -------
 */

#define MIXED_CPUS 4
#define MIXED_ROUNDS 5

struct mixed {
	u64 words[4]; /* atomic */
	u64 lock;     /* atomic */
	u64 finished; /* atomic */
	u64 handled;  /* atomic */
};

static void mixed_interrupt(struct vcpu *v, u32 bits)
{
	struct mixed *x = shared_of(v);

	if (bits & PENDING_CALL_FUNCTION)
		atomic_inc(&x->handled);
}

static void mixed_main(struct vcpu *v)
{
	struct mixed *x = shared_of(v);
	struct machine *m = v->machine;

	v->preempt_count = 0;
	for (u32 i = 0; i < MIXED_ROUNDS; i++) {
		struct spin spin = {0};

		(void)vcpu_raise(&m->vcpus[(v->id + 1) % m->nr_vcpus], PENDING_CALL_FUNCTION);
		while (xchg(&x->lock, 1)) {
			while (READ_ONCE(x->lock))
				cpu_relax_on(&x->lock, &spin);
		}
		WRITE_ONCE(x->words[i % 4],
			   READ_ONCE(x->words[(i + 1) % 4]) + machine_choose(CHOICE_DATA, 100));
		smp_store_release(&x->lock, 0);
	}
	if (atomic_inc_return(&x->finished) < m->nr_vcpus) {
		while (READ_ONCE(x->finished) < m->nr_vcpus) {
			local_irq_disable();
			vcpu_halt();
		}
	} else {
		for (u32 i = 0; i < m->nr_vcpus; i++)
			(void)vcpu_raise(&m->vcpus[i], PENDING_RESCHEDULE);
	}
}

static const struct bare_program mixed = {
	.cpus = MIXED_CPUS,
	.vcpu_main = mixed_main,
	.interrupt = mixed_interrupt,
	.shared_bytes = sizeof(struct mixed),
};

/* Hands every question on, and looks at the answers. */
struct checked {
	struct strategy base;
	struct strategy *inner;
	u64 wrong;
};

BELOW_TSAN static void checked_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct checked *c = (struct checked *)s;

	c->inner->ops->begin(c->inner, seed, nr_vcpus);
}

BELOW_TSAN static u32 checked_pick(struct strategy *s, const struct decision *d)
{
	struct checked *c = (struct checked *)s;
	u32 cpu = c->inner->ops->pick(c->inner, d);

	c->wrong += cpu >= 64 || !(d->runnable & (1ULL << cpu));
	return cpu;
}

BELOW_TSAN static u32 checked_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	struct checked *c = (struct checked *)s;
	u32 value = c->inner->ops->choose(c->inner, kind, cpu, n);

	c->wrong += value >= n;
	return value;
}

BELOW_TSAN static void checked_yielded(struct strategy *s, u32 cpu)
{
	struct checked *c = (struct checked *)s;

	if (c->inner->ops->yielded)
		c->inner->ops->yielded(c->inner, cpu);
}

BELOW_TSAN static void checked_end(struct strategy *s, const struct explore_stats *stats)
{
	struct checked *c = (struct checked *)s;

	if (c->inner->ops->end)
		c->inner->ops->end(c->inner, stats);
}

BELOW_TSAN static void checked_destroy(struct strategy *s)
{
	strategy_destroy(((struct checked *)s)->inner);
}

static const struct strategy_ops checked_ops = {
	.name = "checked",
	.begin = checked_begin,
	.pick = checked_pick,
	.choose = checked_choose,
	.yielded = checked_yielded,
	.end = checked_end,
	.destroy = checked_destroy,
};

Test(engine_strategy, answers_are_possible_ones)
{
	for (size_t i = 0; i < ARRAY_SIZE(sampling); i++) {
		struct checked c = {.base.ops = &checked_ops,
				    .inner = strategy_create(sampling[i])};
		struct bare_machine b;

		bare_create(&b, &mixed, 1);
		strategy_destroy(b.strategy);
		b.strategy = &c.base;
		for (u64 seed = 1; seed <= REPEAT(400); seed++)
			cr_assert(next_schedule(&b, &mixed, seed), "%s, seed %llu", sampling[i],
				  (unsigned long long)seed);
		cr_assert_eq(c.wrong, 0, "%s", sampling[i]);
		bare_destroy(&b);
	}
}

/* The histories of the first @nr schedules; how many differ from each other. */
static u32 histories(const char *strategy, u64 *history, u32 nr)
{
	struct bare_machine b;
	u32 distinct = 0;

	create_with(&b, &mixed, strategy);
	for (u32 i = 0; i < nr; i++) {
		u32 same = 0;

		cr_assert(next_schedule(&b, &mixed, 100 + i));
		history[i] = b.m->explored.history;
		while (same < i && history[same] != history[i])
			same++;
		distinct += same == i;
	}
	bare_destroy(&b);
	return distinct;
}

Test(engine_strategy, same_seeds_same_schedules)
{
	enum { NR = 60 };

	for (size_t i = 0; i < ARRAY_SIZE(sampling); i++) {
		u64 first[NR], again[NR];
		u32 distinct = histories(sampling[i], first, NR);

		histories(sampling[i], again, NR);
		cr_assert_eq(memcmp(first, again, sizeof(first)), 0, "%s", sampling[i]);
		cr_assert_gt(distinct, NR * 9 / 10, "%s: %u", sampling[i], distinct);
	}
}

Test(engine_strategy, schedules_replay_without_their_strategy)
{
	for (size_t i = 0; i < ARRAY_SIZE(sampling); i++) {
		struct bare_machine b;

		create_with(&b, &mixed, sampling[i]);
		for (u64 seed = 1; seed <= REPEAT(100); seed++) {
			struct recording r = {0};
			struct bare_machine replayed = b;
			u64 history;

			cr_assert(next_schedule(&b, &mixed, seed));
			history = b.m->explored.history;
			cr_assert_eq(recording_copy(&r, &b.m->recorded), 0);
			replayed.strategy = strategy_replay_create(&r, NULL, 0);
			cr_assert(next_schedule(&replayed, &mixed, seed));
			cr_assert_not(strategy_replay_state(replayed.strategy)->diverged);
			cr_assert_eq(b.m->explored.history, history, "%s, seed %llu", sampling[i],
				     (unsigned long long)seed);
			strategy_destroy(replayed.strategy);
			recording_destroy(&r);
		}
		bare_destroy(&b);
	}
}

/* --- Waiting without saying so -------------------------------------------------------------------
 */

static void wait_blindly(struct vcpu *v)
{
	u64 *flags = shared_of(v);

	WRITE_ONCE(flags[v->id], 1);
	for (u32 i = 0; i < v->machine->nr_vcpus; i++) {
		while (!READ_ONCE(flags[i]))
			;
	}
}

Test(engine_strategy, blind_loops_end)
{
	static const struct bare_program p = {
		.cpus = 4, .vcpu_main = wait_blindly, .shared_bytes = 4 * sizeof(u64)};

	for (size_t i = 0; i < ARRAY_SIZE(sampling); i++) {
		struct bare_machine b;

		create_with(&b, &p, sampling[i]);
		for (u64 seed = 1; seed <= REPEAT(100); seed++)
			cr_assert(next_schedule(&b, &p, seed), "%s, seed %llu", sampling[i],
				  (unsigned long long)seed);
		bare_destroy(&b);
	}
}

/* --- pct -----------------------------------------------------------------------------------------
 */

#define WRITES 20

static void write_often(struct vcpu *v)
{
	u64 *words = shared_of(v);

	for (u32 i = 0; i < WRITES; i++)
		WRITE_ONCE(words[v->id], i);
}

Test(engine_strategy, pct_preempts_less_often_than_its_depth)
{
	static const struct bare_program p = {
		.cpus = 4, .vcpu_main = write_often, .shared_bytes = 4 * sizeof(u64)};
	static const struct {
		const char *text;
		u64 most;
	} depth[] = {{"pct:1", 0}, {"pct:2", 1}, {"pct:4", 3}};

	for (size_t i = 0; i < ARRAY_SIZE(depth); i++) {
		struct bare_machine b;
		u64 most = 0;

		create_with(&b, &p, depth[i].text);
		for (u64 seed = 1; seed <= 200; seed++) {
			cr_assert(next_schedule(&b, &p, seed));
			most = max(most, b.m->explored.preemptions);
		}
		cr_assert_eq(most, depth[i].most, "%s: %llu preemptions", depth[i].text,
			     (unsigned long long)most);
		bare_destroy(&b);
	}
}

/* Long alone, then both for a while. Whoever ends while the other one is in the middle says so. */
static void alone_then_together(struct vcpu *v)
{
	u64 *words = shared_of(v);
	struct spin spin = {0};
	u64 other;

	if (v->id == 0) {
		while (!READ_ONCE(words[4]))
			cpu_relax_on(&words[4], &spin);
		for (u32 i = 0; i < 2000; i++)
			WRITE_ONCE(words[3], i);
		(void)vcpu_raise(&v->machine->vcpus[1], PENDING_RESCHEDULE);
	} else {
		WRITE_ONCE(words[4], 1);
		local_irq_disable();
		vcpu_halt();
	}
	for (u32 i = 1; i <= WRITES; i++)
		WRITE_ONCE(words[v->id], i);
	other = oracle_read(words[!v->id]);
	if (other && other < WRITES)
		init_once(words[2], 1);
}

Test(engine_strategy, pct_spends_no_change_point_where_there_is_no_choice)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = alone_then_together, .shared_bytes = 5 * sizeof(u64)};
	struct bare_machine b;
	u32 in_the_middle = 0;

	create_with(&b, &p, "pct:2");
	/* The estimate of the length comes down from its first guess. */
	for (u64 seed = 1; seed <= 300; seed++) {
		cr_assert(next_schedule(&b, &p, seed));
		in_the_middle += seed > 100 && ((const u64 *)b.shared)[2];
	}
	/* Out of 200, though only one step in fifty has a choice. */
	cr_assert_gt(in_the_middle, 100, "%u", in_the_middle);
	bare_destroy(&b);
}

/* --- pos -----------------------------------------------------------------------------------------
 */

#define PRIVATE_STEPS 30

/* CPU0 comes to the word late, CPU1 at once; who is first? */
static void come_late(struct vcpu *v)
{
	u64 *words = shared_of(v);

	for (u32 i = 0; v->id == 0 && i < PRIVATE_STEPS; i++)
		WRITE_ONCE(words[1], i);
	(void)cmpxchg(&words[0], 0, 1 + v->id);
}

static u32 late_one_first(const char *strategy, u32 schedules)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = come_late, .shared_bytes = 2 * sizeof(u64)};
	struct bare_machine b;
	u32 nr = 0;

	create_with(&b, &p, strategy);
	for (u64 seed = 1; seed <= schedules; seed++) {
		cr_assert(next_schedule(&b, &p, seed));
		nr += *(u64 *)b.shared == 1;
	}
	bare_destroy(&b);
	return nr;
}

Test(engine_strategy, pos_delays_one_access_for_long)
{
	/* All of CPU0's draws are higher than CPU1's one: one schedule in PRIVATE_STEPS + 2. */
	u32 nr = late_one_first("pos", 3000);

	cr_assert(nr > 45 && nr < 200, "%u of 3000", nr);
	cr_assert_eq(late_one_first("random", 3000), 0);
}

/* --- urw -----------------------------------------------------------------------------------------
 */

#define MANY 10

static void count_into(struct vcpu *v)
{
	u64 *words = shared_of(v);

	if (v->id == 0) {
		for (u32 i = 0; i < MANY; i++)
			atomic_inc(&words[0]);
	} else {
		init_once(words[1], atomic_add_return(MANY + 1, &words[0]) - (MANY + 1));
	}
}

/* After how many of CPU0's increments CPU1 comes: how often each. */
static void when_it_comes(const char *strategy, u32 schedules, u32 slots[MANY + 1])
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = count_into, .shared_bytes = 2 * sizeof(u64)};
	struct bare_machine b;

	memset(slots, 0, (MANY + 1) * sizeof(slots[0]));
	create_with(&b, &p, strategy);
	for (u64 seed = 1; seed <= schedules; seed++) {
		cr_assert(next_schedule(&b, &p, seed));
		slots[((const u64 *)b.shared)[1]]++;
	}
	bare_destroy(&b);
}

Test(engine_strategy, urw_makes_interleavings_equally_likely)
{
	u32 slots[MANY + 1];

	/* 200 in each of eleven. */
	when_it_comes("urw", 2200, slots);
	for (u32 i = 0; i <= MANY; i++)
		cr_expect(slots[i] > 100 && slots[i] < 400, "after %u: %u", i, slots[i]);
	/* Where each step is a coin toss half of them come first. */
	when_it_comes("random", 2200, slots);
	cr_assert_gt(slots[0], 400);
	cr_assert_lt(slots[MANY], 20);
}

/* --- portfolio -----------------------------------------------------------------------------------
 */

struct member {
	struct strategy base;
	u32 begun, ended, last; /* schedules; number of the vCPUs' steps seen */
	u32 lasts;		/* schedules after which it is exhausted; 0: never */
	bool *destroyed;
};

BELOW_TSAN static void member_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	(void)seed;
	(void)nr_vcpus;
	((struct member *)s)->begun++;
}

BELOW_TSAN static u32 member_pick(struct strategy *s, const struct decision *d)
{
	(void)s;
	return decision_default(d);
}

BELOW_TSAN static u32 member_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	(void)s;
	(void)kind;
	(void)cpu;
	(void)n;
	return 0;
}

BELOW_TSAN static void member_step(struct strategy *s, u32 cpu, const struct pending_access *a,
				   u64 history)
{
	(void)cpu;
	(void)a;
	(void)history;
	((struct member *)s)->last++;
}

BELOW_TSAN static void member_end(struct strategy *s, const struct explore_stats *stats)
{
	struct member *m = (struct member *)s;

	(void)stats;
	m->ended++;
	s->exhausted = m->ended == m->lasts;
}

BELOW_TSAN static void member_destroy(struct strategy *s)
{
	*((struct member *)s)->destroyed = true;
}

#define MEMBER_OPS                                                                                 \
	.name = "member", .begin = member_begin, .pick = member_pick, .choose = member_choose,     \
	.end = member_end, .destroy = member_destroy

static const struct strategy_ops member_ops = {MEMBER_OPS};
static const struct strategy_ops watching_member_ops = {MEMBER_OPS, .step = member_step};

Test(engine_strategy, portfolio_takes_turns)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = write_often, .shared_bytes = 2 * sizeof(u64)};
	bool destroyed[3] = {false, false, false};
	struct member m[3] = {
		{.base.ops = &member_ops, .destroyed = &destroyed[0]},
		{.base.ops = &watching_member_ops, .lasts = 2, .destroyed = &destroyed[1]},
		{.base.ops = &member_ops, .lasts = 5, .destroyed = &destroyed[2]},
	};
	struct strategy *inner[3] = {&m[0].base, &m[1].base, &m[2].base};
	struct bare_machine b;
	char bound[200];

	bare_create(&b, &p, 1);
	strategy_destroy(b.strategy);
	b.strategy = strategy_portfolio_of(inner, 3, 4);
	cr_assert_not_null(b.strategy);
	for (u64 seed = 1; seed <= 2; seed++)
		cr_assert(next_schedule(&b, &p, seed));
	/* It began with the second. */
	cr_assert(m[0].begun == 0 && m[1].begun == 1 && m[2].begun == 1);
	cr_assert_eq(m[1].last, 2 * WRITES, "%u steps", m[1].last);
	for (u64 seed = 3; seed <= 18; seed++)
		cr_assert(next_schedule(&b, &p, seed));
	cr_assert(m[0].begun == 11 && m[1].begun == 2 && m[2].begun == 5, "%u %u %u", m[0].begun,
		  m[1].begun, m[2].begun);
	cr_assert(m[0].ended == 11 && m[1].ended == 2 && m[2].ended == 5);
	cr_assert_not(b.strategy->exhausted);
	b.strategy->ops->bound(b.strategy, bound, sizeof(bound));
	cr_assert_not_null(strstr(bound, "11 schedules of member"), "%s", bound);
	/* Too little room is no reason to write elsewhere. */
	b.strategy->ops->bound(b.strategy, bound, 10);
	cr_assert_eq(strlen(bound), 9);
	m[0].lasts = 12;
	cr_assert(next_schedule(&b, &p, 19));
	cr_assert(b.strategy->exhausted);
	bare_destroy(&b);
	cr_assert(destroyed[0] && destroyed[1] && destroyed[2]);
}

Test(engine_strategy, portfolio_costs_no_steps_that_nobody_watches)
{
	struct strategy *s = strategy_create("portfolio");

	cr_assert_null(s->ops->step);
	cr_assert_null(s->ops->touch);
	strategy_destroy(s);
}

/* A member that must always get the same seed does not make the others repeat themselves. */
Test(engine_strategy, portfolio_of_one_seed)
{
	bool destroyed = false;
	struct member m = {.base = {.ops = &member_ops, .one_seed = true}, .destroyed = &destroyed};
	struct strategy *inner[2] = {&m.base, strategy_random_create()};
	u64 history[3];
	struct bare_machine b;

	bare_create(&b, &mixed, 1);
	strategy_destroy(b.strategy);
	b.strategy = strategy_portfolio_of(inner, 2, 1);
	cr_assert(b.strategy->one_seed);
	for (u32 i = 0; i < 3; i++) {
		cr_assert(next_schedule(&b, &mixed, 7));
		history[i] = b.m->explored.history;
	}
	cr_assert_eq(m.begun, 1);
	cr_assert_neq(history[0], history[2]);
	bare_destroy(&b);
}

Test(engine_strategy, portfolio_of_missing_members)
{
	bool destroyed = false;
	struct member m = {.base.ops = &member_ops, .destroyed = &destroyed};
	struct strategy *inner[2] = {&m.base, NULL};

	cr_assert_null(strategy_portfolio_of(inner, 2, 0));
	cr_assert(destroyed);
	cr_assert_null(strategy_portfolio_of(inner, 0, 0));
}

Test(engine_strategy, workers_begin_with_different_members)
{
	u64 history[2];

	for (u32 worker = 0; worker < 2; worker++) {
		struct strategy_place place = {worker, 2};
		struct bare_machine b;

		bare_create(&b, &mixed, 1);
		strategy_destroy(b.strategy);
		b.strategy = strategy_create_at("portfolio:random,pos", &place);
		cr_assert(next_schedule(&b, &mixed, 1));
		history[worker] = b.m->explored.history;
		bare_destroy(&b);
	}
	cr_assert_neq(history[0], history[1]);
}

/* --- What the machine does of its own accord -----------------------------------------------------
 */

Test(engine_strategy, habits_differ_from_schedule_to_schedule)
{
	enum { SCHEDULES = 300, ASKED = 1000 };
	u32 prompt = 0, late = 0, never_drained = 0, at_once_drained = 0;
	u32 ticks_least = ASKED, ticks_most = 0;

	for (u64 seed = 1; seed <= SCHEDULES; seed++) {
		struct choice_habits h;
		u32 ticks = 0, drained = 0, asked = 1;

		choice_habits_begin(&h, seed, 4);
		while (!choice_habits_answer(&h, CHOICE_INTERRUPT, 3, 2))
			cr_assert_lt(asked++, 1u << 10, "an interrupt is never taken");
		prompt += asked == 1;
		late += asked > 50;
		for (u32 i = 0; i < ASKED; i++) {
			u32 d = choice_habits_answer(&h, CHOICE_DRAIN, 0, 3);

			cr_assert_lt(d, 3);
			drained += d > 0;
			ticks += choice_habits_answer(&h, CHOICE_TICK, 0, 2);
			cr_assert_lt(choice_habits_answer(&h, CHOICE_WAKE, 0, 5), 5);
			cr_assert_lt(choice_habits_answer(&h, CHOICE_TLB_EVICT, 0, 1), 1);
			cr_assert_eq(choice_habits_answer(&h, CHOICE_DRAIN, 0, 1), 0);
		}
		never_drained += drained < 10;
		at_once_drained += drained == ASKED;
		ticks_least = min(ticks_least, ticks);
		ticks_most = max(ticks_most, ticks);
	}
	cr_assert(prompt > 60 && late > 5, "%u at once, %u late", prompt, late);
	cr_assert(never_drained > 10 && at_once_drained > 10, "%u and %u", never_drained,
		  at_once_drained);
	cr_assert(ticks_least < 40 && ticks_most > 200, "%u to %u", ticks_least, ticks_most);
}
