// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guides: what is noted is what was done, following it does the same, and an edited one still means
 * what it meant.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/guide.h"
#include "engine/recording.h"
#include "tests/engine_machine.h"

/* A counter that is not added to in one step: updates get lost, and data that is drawn. */
#define CPUS 3
#define ROUNDS 8

struct counted {
	u64 counter; /* atomic, and yet torn: read, then written */
	u64 locked;  /* under lock */
	u64 lock;    /* atomic */
	u64 done;    /* atomic */
	u64 handled; /* atomic */
};

static void count_interrupt(struct vcpu *v, u32 bits)
{
	struct counted *c = shared_of(v);

	(void)bits;
	atomic_inc(&c->handled);
}

static void count_main(struct vcpu *v)
{
	struct counted *c = shared_of(v);
	struct machine *m = v->machine;

	v->preempt_count = 0;
	for (u32 i = 0; i < ROUNDS; i++) {
		struct spin spin = {0};
		u64 seen = READ_ONCE(c->counter);
		u32 flags;

		WRITE_ONCE(c->counter, seen + 1 + machine_choose(CHOICE_DATA, 3));
		(void)vcpu_raise(&m->vcpus[(v->id + 1) % CPUS], PENDING_CALL_FUNCTION);
		flags = local_irq_save();
		while (xchg(&c->lock, 1)) {
			while (READ_ONCE(c->lock))
				cpu_relax_on(&c->lock, &spin);
		}
		c->locked++;
		safepoint();
		smp_store_release(&c->lock, 0);
		local_irq_restore(flags);
	}
	if (atomic_inc_return(&c->done) < m->nr_vcpus) {
		while (READ_ONCE(c->done) < m->nr_vcpus) {
			local_irq_disable();
			vcpu_halt();
		}
	} else {
		for (u32 i = 0; i < m->nr_vcpus; i++)
			(void)vcpu_raise(&m->vcpus[i], PENDING_RESCHEDULE);
	}
}

static const struct bare_program counting = {
	.cpus = CPUS,
	.vcpu_main = count_main,
	.interrupt = count_interrupt,
	.shared_bytes = sizeof(struct counted),
};

static struct bare_machine b;

static void create(void)
{
	bare_create(&b, &counting, 1);
}

static void destroy(void)
{
	bare_destroy(&b);
}

TestSuite(guide, .init = create, .fini = destroy);

/* One schedule with @strategy, which is noted in @g. Returns its history. */
static u64 run_noted(struct strategy *strategy, u64 seed, struct guide *g)
{
	struct strategy *note = strategy_guide_note_create(strategy, g);
	enum machine_end end;

	cr_assert_not_null(note);
	bare_reset(&b, &counting, seed);
	end = machine_run(b.m, EXECUTOR_EXPLORE, note);
	strategy_destroy(note);
	bare_expect_finished(&b, end);
	cr_assert_not(g->lost);
	return b.m->explored.history;
}

static u64 follow(const struct guide *g, u64 seed, const struct guide_noise *noise,
		  struct guide *noted)
{
	struct strategy *s = strategy_guide_create(g);
	u64 history;

	cr_assert_not_null(s);
	if (noise)
		strategy_guide_noise(s, noise);
	history = run_noted(s, seed, noted);
	strategy_destroy(s);
	return history;
}

static u32 entries_of_kind(const struct guide *g, u32 kind)
{
	u32 nr = 0;

	for (u32 i = 0; i < g->nr; i++)
		nr += g->entries[i].kind == kind;
	return nr;
}

Test(guide, notes_what_the_explorer_records)
{
	struct guide g = {0};

	for (u64 seed = 1; seed <= REPEAT(100); seed++) {
		u64 plain, noted = run_noted(b.strategy, seed, &g);
		const struct recording *r = &b.m->recorded;
		u32 preempted;

		cr_assert_eq(g.nr, r->nr);
		for (u32 i = 0; i < g.nr; i++) {
			bool picks = r->choices[i].kind == RECORDED_PICK;

			cr_assert_eq(g.entries[i].value, r->choices[i].value);
			if (picks)
				cr_assert(g.entries[i].kind == GUIDE_PREEMPT ||
					  g.entries[i].kind == GUIDE_HANDOVER);
			else
				cr_assert_eq(g.entries[i].kind, r->choices[i].kind);
		}
		/* Who begins is asked for like a preemption, and is none. */
		preempted = entries_of_kind(&g, GUIDE_PREEMPT);
		preempted -= g.nr && g.entries[0].kind == GUIDE_PREEMPT && !g.entries[0].step &&
			     !r->choices[0].at;
		cr_assert_eq(preempted, b.m->explored.preemptions);
		/* Who is noted does not notice. */
		bare_reset(&b, &counting, seed);
		bare_expect_finished(&b, bare_explore(&b));
		plain = b.m->explored.history;
		cr_assert_eq(noted, plain);
	}
	guide_destroy(&g);
}

Test(guide, following_does_the_same)
{
	struct guide g = {0}, again = {0};

	for (u64 seed = 1; seed <= REPEAT(200); seed++) {
		u64 first = run_noted(b.strategy, seed, &g);

		cr_assert_gt(g.nr, 10u);
		cr_assert_eq(follow(&g, seed, NULL, &again), first, "seed %llu",
			     (unsigned long long)seed);
		cr_assert_eq(again.nr, g.nr);
		cr_assert_eq(memcmp(again.entries, g.entries, g.nr * sizeof(*g.entries)), 0);
		cr_assert_eq(again.picks, g.picks);
	}
	guide_destroy(&g);
	guide_destroy(&again);
}

Test(guide, an_empty_one_is_the_default)
{
	struct guide none = {0}, noted = {0};

	(void)follow(&none, 1, NULL, &noted);
	cr_expect_eq(noted.nr, 0u);
	cr_expect_eq(b.m->recorded.nr, 0u);
	cr_expect_eq(b.m->explored.preemptions, 0u);
	cr_expect_gt(noted.picks, 0u);
	guide_destroy(&noted);
}

/* Without one entry, everything before it is as it was, and nothing is made up. */
Test(guide, an_entry_less_changes_nothing_before_it)
{
	struct guide g = {0}, less = {0}, again = {0};

	(void)run_noted(b.strategy, 7, &g);
	for (u32 without = 0; without < g.nr; without++) {
		cr_assert_eq(guide_copy(&less, &g), 0);
		memmove(less.entries + without, less.entries + without + 1,
			(less.nr - without - 1) * sizeof(*less.entries));
		less.nr--;
		(void)follow(&less, 7, NULL, &again);
		cr_assert_leq(again.nr, less.nr);
		cr_assert_eq(memcmp(again.entries, g.entries, without * sizeof(*g.entries)), 0,
			     "without entry %u", without);
	}
	guide_destroy(&g);
	guide_destroy(&less);
	guide_destroy(&again);
}

/* What comes of any guide is a schedule that can be replayed exactly. */
Test(guide, whatever_comes_of_it_can_be_replayed)
{
	struct guide g = {0}, noted = {0}, replayed = {0};

	for (u64 seed = 1; seed <= REPEAT(100); seed++) {
		struct guide_noise noise = {
			.move = 8, .drop = 4, .preemptions = 3, .picks = 100, .free = seed & 1};
		struct recording r = {0};
		struct strategy *s;
		u64 history;

		(void)run_noted(b.strategy, seed, &g);
		history = follow(&g, seed, &noise, &noted);
		cr_assert_eq(recording_copy(&r, &b.m->recorded), 0);
		s = strategy_replay_create(&r, NULL, 0);
		cr_assert_eq(run_noted(s, seed, &replayed), history);
		cr_assert_not(strategy_replay_state(s)->diverged);
		strategy_destroy(s);
		recording_destroy(&r);
	}
	guide_destroy(&g);
	guide_destroy(&noted);
	guide_destroy(&replayed);
}

/* Garbage is passed over. */
Test(guide, entries_that_cannot_be_are_passed_over)
{
	struct guide_entry entries[] = {
		{.cpu = 1000, .step = 1, .value = 1, .kind = GUIDE_PREEMPT},
		{.cpu = 0, .step = 3, .value = 63, .kind = GUIDE_PREEMPT},
		{.cpu = 0, .step = 3, .value = ~0u, .kind = GUIDE_PREEMPT},
		{.cpu = 1, .step = 0, .value = 100, .kind = CHOICE_DATA},
		{.cpu = 2, .step = ~0u, .value = 1, .kind = GUIDE_HANDOVER},
		{.cpu = 2, .step = 5, .value = 1, .nth = 9, .kind = 200},
	};
	struct guide g = {.entries = entries, .nr = ARRAY_SIZE(entries)}, noted = {0};

	(void)follow(&g, 1, NULL, &noted);
	cr_expect_eq(noted.nr, 0u);
	guide_destroy(&noted);
}

Test(guide, noise_is_another_for_each_salt_and_the_same_for_one)
{
	struct guide none = {0}, noted = {0};
	u64 distinct = 0, last = 0;

	for (u64 salt = 1; salt <= 50; salt++) {
		struct guide_noise noise = {.preemptions = 2, .picks = 60, .salt = salt};
		u64 one = follow(&none, 1, &noise, &noted);

		cr_assert_leq(entries_of_kind(&noted, GUIDE_PREEMPT), 2u);
		cr_assert_eq(one, follow(&none, 1, &noise, &noted));
		distinct += one != last;
		last = one;
	}
	cr_expect_gt(distinct, 40u);
	guide_destroy(&noted);
}
