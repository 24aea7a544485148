// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The explorer: repeatable runs, decision points, interrupts, waiting, deadlock, ends.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine_machine.h"

EVENT_DESC(ev_saw, 94, 0, "saw", "%llu, at %llu");

/* --- A program in which much happens ------------------------------------------------------------
 */

#define BUSY_CPUS 3
#define BUSY_ROUNDS 6

struct busy {
	u64 words[8]; /* atomic */
	u64 lock;     /* atomic */
	u64 handled;  /* atomic */
	u64 in_lock;  /* under lock */
	u64 finished; /* atomic */
};

static void busy_interrupt(struct vcpu *v, u32 bits)
{
	struct busy *b = shared_of(v);

	if (bits & PENDING_CALL_FUNCTION)
		atomic_inc(&b->handled);
}

static void busy_main(struct vcpu *v)
{
	struct busy *b = shared_of(v);
	struct machine *m = v->machine;

	v->preempt_count = 0;
	for (u32 i = 0; i < BUSY_ROUNDS; i++) {
		u32 w = random_below(&v->rng, ARRAY_SIZE(b->words));
		struct spin spin = {0};
		u32 flags;

		event_record(&ev_saw, READ_ONCE(b->words[w]), w);
		WRITE_ONCE(b->words[w],
			   READ_ONCE(b->words[(w + 1) % 8]) + machine_choose(CHOICE_DATA, 100));
		atomic_add(3, &b->words[(w + 3) % 8]);
		(void)vcpu_raise(&m->vcpus[random_below(&v->rng, m->nr_vcpus)],
				 PENDING_CALL_FUNCTION);
		flags = local_irq_save();
		while (xchg(&b->lock, 1)) {
			while (READ_ONCE(b->lock))
				cpu_relax_on(&b->lock, &spin);
		}
		b->in_lock++;
		safepoint();
		smp_store_release(&b->lock, 0);
		local_irq_restore(flags);
	}
	/* Everybody sleeps until the last one comes. */
	if (atomic_inc_return(&b->finished) < m->nr_vcpus) {
		while (READ_ONCE(b->finished) < m->nr_vcpus) {
			local_irq_disable();
			vcpu_halt();
		}
	} else {
		for (u32 i = 0; i < m->nr_vcpus; i++)
			(void)vcpu_raise(&m->vcpus[i], PENDING_RESCHEDULE);
	}
}

static const struct bare_program busy = {
	.cpus = BUSY_CPUS,
	.vcpu_main = busy_main,
	.interrupt = busy_interrupt,
	.shared_bytes = sizeof(struct busy),
};

/* What identifies a run: all its decisions and events are in the history hash. */
struct fingerprint {
	u64 steps, switches, preemptions, history;
	u64 events; /* over the rings: what, when and the numbers */
	struct busy result;
};

static struct fingerprint fingerprint_of(const struct bare_machine *b)
{
	struct fingerprint f = {
		.steps = b->m->explored.steps,
		.switches = b->m->explored.switches,
		.preemptions = b->m->explored.preemptions,
		.history = b->m->explored.history,
		.result = *(const struct busy *)b->shared,
	};

	for (u32 cpu = 0; cpu < b->m->nr_vcpus; cpu++) {
		const struct event_ring *ring = &b->m->vcpus[cpu].events;

		for (u64 i = 0; i < ring->head && i < EVENT_RING_SIZE; i++) {
			const struct event *e = &ring->slots[i];

			f.events = f.events * 31 + (e->time ^ e->a << 20 ^ e->b << 40 ^ cpu);
		}
	}
	return f;
}

static struct fingerprint run_new(const struct bare_program *p, u64 seed)
{
	struct bare_machine b;
	struct fingerprint f;

	bare_create(&b, p, seed);
	bare_expect_finished(&b, bare_explore(&b));
	f = fingerprint_of(&b);
	bare_destroy(&b);
	return f;
}

static void expect_same(const struct fingerprint *a, const struct fingerprint *b, u64 seed)
{
	cr_assert_eq(a->steps, b->steps, "seed %llu: %llu and %llu steps", (unsigned long long)seed,
		     (unsigned long long)a->steps, (unsigned long long)b->steps);
	cr_assert_eq(a->history, b->history, "seed %llu: histories differ",
		     (unsigned long long)seed);
	cr_assert_eq(memcmp(a, b, sizeof(*a)), 0, "seed %llu", (unsigned long long)seed);
}

Test(engine_explore, same_seed_same_run)
{
	struct fingerprint a = run_new(&busy, 42), b = run_new(&busy, 42);

	expect_same(&a, &b, 42);
	cr_assert_eq(a.result.in_lock, BUSY_CPUS * BUSY_ROUNDS);
	cr_assert_gt(a.steps, BUSY_CPUS * BUSY_ROUNDS * 6);
	cr_assert_gt(a.switches, 0);
	cr_assert_gt(a.preemptions, 0);
	cr_assert_leq(a.preemptions, a.switches);
}

#define SEEDS 1000

/* A second pass over the same seeds, on machines with another past. */
Test(engine_explore, thousand_seeds_replay_and_differ)
{
	static const struct bare_program *p = &busy;
	struct fingerprint *first = calloc(SEEDS, sizeof(*first));
	struct bare_machine b;
	u64 seeds = REPEAT(SEEDS - 1), same = 0;

	cr_assert_not_null(first);
	bare_create(&b, p, 1);
	for (u64 seed = 1; seed <= seeds; seed++) {
		bare_reset(&b, p, seed);
		bare_expect_finished(&b, bare_explore(&b));
		first[seed - 1] = fingerprint_of(&b);
		for (u64 other = 1; other < seed; other++)
			same += first[other - 1].history == first[seed - 1].history;
	}
	cr_assert_eq(same, 0);
	for (u64 seed = seeds; seed >= 1; seed--) {
		struct fingerprint f;

		bare_reset(&b, p, seed);
		bare_expect_finished(&b, bare_explore(&b));
		f = fingerprint_of(&b);
		expect_same(&f, &first[seed - 1], seed);
	}
	bare_destroy(&b);
	free(first);
}

/* Its memory is full of another run's, the number of vCPUs was another: no difference. */
Test(engine_explore, reset_is_as_good_as_new)
{
	struct bare_program larger = busy;
	struct bare_machine b;

	larger.cpus = BUSY_CPUS + 2;
	bare_create(&b, &larger, 5);
	for (u64 seed = 1; seed <= 10; seed++) {
		struct fingerprint f, new = run_new(&busy, seed);

		bare_expect_finished(&b, bare_explore(&b));
		bare_reset(&b, &busy, seed);
		bare_expect_finished(&b, bare_explore(&b));
		f = fingerprint_of(&b);
		expect_same(&f, &new, seed);
		bare_reset(&b, &busy, seed);
		bare_expect_finished(&b, bare_explore(&b));
		f = fingerprint_of(&b);
		expect_same(&f, &new, seed);
		bare_reset(&b, &larger, seed);
	}
	bare_destroy(&b);
}

/* --- Two machines at once -----------------------------------------------------------------------
 */

struct side {
	u64 first_seed, seeds;
	struct fingerprint *prints;
};

static void *explore_side(void *arg)
{
	struct side *s = arg;
	struct bare_machine b;

	bare_create(&b, &busy, s->first_seed);
	for (u64 i = 0; i < s->seeds; i++) {
		bare_reset(&b, &busy, s->first_seed + i);
		bare_expect_finished(&b, bare_explore(&b));
		s->prints[i] = fingerprint_of(&b);
	}
	bare_destroy(&b);
	return NULL;
}

Test(engine_explore, machines_in_two_threads_do_not_notice_each_other)
{
	u64 seeds = REPEAT(300);
	struct side side[2];
	pthread_t thread[2];

	for (u32 i = 0; i < 2; i++) {
		side[i] = (struct side){1000 * i, seeds, calloc(seeds, sizeof(struct fingerprint))};
		cr_assert_not_null(side[i].prints);
	}
	for (u32 i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, explore_side, &side[i]), 0);
	for (u32 i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (u32 i = 0; i < 2; i++) {
		struct side alone = {1000 * i, seeds, calloc(seeds, sizeof(struct fingerprint))};

		cr_assert_not_null(alone.prints);
		explore_side(&alone);
		for (u64 n = 0; n < seeds; n++)
			expect_same(&alone.prints[n], &side[i].prints[n], n);
		free(alone.prints);
		free(side[i].prints);
	}
}

/* --- Stores are seen, in every order
 * -------------------------------------------------------------- */

struct litmus {
	u64 x, y; /* atomic */
	u64 seen[2];
};

/* Message passing: y is written after x, so who sees y sees x. */
static void message_passing(struct vcpu *v)
{
	struct litmus *l = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(l->x, 1);
		smp_store_release(&l->y, 1);
	} else {
		l->seen[1] = smp_load_acquire(&l->y);
		l->seen[0] = READ_ONCE(l->x);
	}
}

Test(engine_explore, stores_become_visible_in_program_order)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = message_passing, .shared_bytes = sizeof(struct litmus)};
	u32 outcomes[2][2] = {{0}};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	for (u64 seed = 1; seed <= 200; seed++) {
		const struct litmus *l = b.shared;

		bare_expect_finished(&b, bare_explore(&b));
		outcomes[l->seen[1]][l->seen[0]]++;
		bare_reset(&b, &p, seed + 1);
	}
	/* All interleavings happen, and only those. */
	cr_assert_gt(outcomes[0][0], 0);
	cr_assert_gt(outcomes[0][1], 0);
	cr_assert_gt(outcomes[1][1], 0);
	cr_assert_eq(outcomes[1][0], 0);
	bare_destroy(&b);
}

/* A read-modify-write is one step; a read and a write are two, and what happens between is lost. */
static void count_two_ways(struct vcpu *v)
{
	struct litmus *l = shared_of(v);

	for (u32 i = 0; i < 10; i++) {
		atomic_inc(&l->x);
		WRITE_ONCE(l->y, READ_ONCE(l->y) + 1);
	}
}

Test(engine_explore, only_locked_operations_are_one_step)
{
	static const struct bare_program p = {
		.cpus = 3, .vcpu_main = count_two_ways, .shared_bytes = sizeof(struct litmus)};
	struct bare_machine b;
	u32 lost = 0;

	bare_create(&b, &p, 1);
	for (u64 seed = 1; seed <= 50; seed++) {
		const struct litmus *l = b.shared;

		bare_expect_finished(&b, bare_explore(&b));
		cr_assert_eq(l->x, 30);
		cr_assert_leq(l->y, 30);
		lost += l->y < 30;
		bare_reset(&b, &p, seed + 1);
	}
	cr_assert_gt(lost, 40);
	bare_destroy(&b);
}

/* Each operand is evaluated once, and its own decision points come before the access's. */
struct once {
	u64 a, b;
	u32 evaluated;
};

static u64 *pointer_once(struct once *o)
{
	o->evaluated++;
	return &o->a;
}

static void evaluate(struct vcpu *v)
{
	struct once *o = shared_of(v);

	EXPECT(xchg(pointer_once(o), 5) == 0 && o->evaluated == 1);
	EXPECT(cmpxchg(pointer_once(o), 5, 6) == 5 && o->evaluated == 2);
	EXPECT(cmpxchg(pointer_once(o), 5, 7) == 6 && o->evaluated == 3);
	EXPECT(atomic_add_return(4, pointer_once(o)) == 10 && o->evaluated == 4);
	EXPECT(smp_load_acquire(pointer_once(o)) == 10 && o->evaluated == 5);
	smp_store_release(pointer_once(o), 11);
	EXPECT(READ_ONCE(*pointer_once(o)) == 11 && o->evaluated == 7);
	EXPECT(atomic_inc_not_zero(pointer_once(o)) && o->a == 12 && o->evaluated == 8);
	atomic_add(READ_ONCE(o->a), &o->b);
	EXPECT(o->b == 12);
	set_bit(3, &o->b);
	EXPECT(o->b == 12 && test_bit(2, &o->b) && !test_bit(4, &o->b));
	clear_bit(3, &o->b);
	EXPECT(o->b == 4 && !test_and_set_bit(0, &o->b) && test_and_set_bit(0, &o->b));
}

Test(engine_explore, operands_are_evaluated_once)
{
	static const struct bare_program p = {
		.cpus = 1, .vcpu_main = evaluate, .shared_bytes = sizeof(struct once)};

	for (u32 threads = 0; threads < 2; threads++) {
		struct bare_machine b;

		bare_create(&b, &p, 1);
		bare_expect_finished(&b, threads ? bare_threads(&b) : bare_explore(&b));
		bare_destroy(&b);
	}
}

/* --- Interrupts ----------------------------------------------------------------------------------
 */

struct irq {
	u64 raised; /* atomic */
	u32 off;    /* plain, of CPU 1: interrupts are off now */
	u64 taken, taken_while_off, taken_in_between;
};

static void note_interrupt(struct vcpu *v, u32 bits)
{
	struct irq *i = shared_of(v);

	EXPECT(irqs_disabled());
	EXPECT(v->in_interrupt == 1);
	if (bits & PENDING_CALL_FUNCTION) {
		i->taken++;
		i->taken_while_off += i->off;
		i->taken_in_between += !i->off;
	}
	/* Handlers have decision points, too; none of them is an interrupt. */
	safepoint();
	safepoint();
}

static void raise_or_mask(struct vcpu *v)
{
	struct irq *i = shared_of(v);

	if (v->id == 0) {
		for (u32 n = 0; n < 20; n++) {
			(void)vcpu_raise(&v->machine->vcpus[1], PENDING_CALL_FUNCTION);
			atomic_inc(&i->raised);
		}
		return;
	}
	for (u32 n = 0; n < 20; n++) {
		u32 outer = local_irq_save(), inner;

		i->off = 1;
		safepoint();
		inner = local_irq_save();
		safepoint();
		local_irq_restore(inner); /* still off */
		safepoint();
		i->off = 0;
		local_irq_restore(outer);
		safepoint();
		safepoint();
	}
	/* What is pending now has to be taken while we wait, even if nobody stores anything. */
	while (READ_ONCE(i->raised) < 20) {
		struct spin spin = {0};

		cpu_relax_on(&i->raised, &spin);
	}
	while (oracle_read(v->pending))
		safepoint();
	EXPECT(i->taken > 0);
}

Test(engine_explore, interrupts_wait_while_they_are_off)
{
	static const struct bare_program p = {.cpus = 2,
					      .vcpu_main = raise_or_mask,
					      .interrupt = note_interrupt,
					      .shared_bytes = sizeof(struct irq)};
	struct bare_machine b;
	u64 between = 0;

	bare_create(&b, &p, 1);
	for (u64 seed = 1; seed <= REPEAT(400); seed++) {
		const struct irq *i = b.shared;
		bool threads = seed % 4 == 0;

		bare_expect_finished(&b, threads ? bare_threads(&b) : bare_explore(&b));
		cr_assert_eq(i->taken_while_off, 0);
		cr_assert_leq(i->taken, 20);
		between += i->taken_in_between;
		bare_reset(&b, &p, seed + 1);
	}
	cr_assert_gt(between, 0);
	bare_destroy(&b);
}

/* --- Waiting -------------------------------------------------------------------------------------
 */

#define LONG_WAIT 2000

struct wait {
	u64 flag;  /* atomic */
	u64 other; /* atomic */
};

/* CPU 1 waits for a flag while CPU 0 does much else. */
static void wait_for_flag(struct vcpu *v)
{
	struct wait *w = shared_of(v);
	struct spin spin = {0};

	if (v->id == 0) {
		for (u32 i = 0; i < LONG_WAIT; i++)
			WRITE_ONCE(w->other, i);
		smp_store_release(&w->flag, 1);
	} else {
		while (!smp_load_acquire(&w->flag))
			cpu_relax_on(&w->flag, &spin);
	}
}

Test(engine_explore, waiting_costs_no_steps)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = wait_for_flag, .shared_bytes = sizeof(struct wait)};
	struct bare_machine b;

	bare_create(&b, &p, 3);
	bare_expect_finished(&b, bare_explore(&b));
	/* CPU 1 looks once before and once after the flag is set. */
	cr_assert_leq(b.m->explored.steps, LONG_WAIT + 1 + 2);
	bare_destroy(&b);
}

/* The oracle takes a lock, too: who waits for that one is told when it lets go. */
struct oracle {
	u64 lock_a, lock_b; /* atomic */
};

static void lock_word(u64 *word)
{
	struct spin spin = {0};

	while (xchg(word, 1)) {
		while (READ_ONCE(*word))
			cpu_relax_on(word, &spin);
	}
}

static void lock_from_the_oracle(struct vcpu *v)
{
	struct oracle *o = shared_of(v);

	if (v->id == 0) {
		oracle_enter();
		lock_word(&o->lock_a);
		lock_word(&o->lock_b); /* may have to wait, holding the first */
		smp_store_release(&o->lock_b, 0);
		smp_store_release(&o->lock_a, 0);
		oracle_exit();
	} else {
		u64 *mine = v->id == 1 ? &o->lock_a : &o->lock_b;

		lock_word(mine);
		safepoint();
		smp_store_release(mine, 0);
	}
}

Test(engine_explore, the_oracle_wakes_who_waits_for_its_locks)
{
	static const struct bare_program p = {.cpus = 3,
					      .vcpu_main = lock_from_the_oracle,
					      .shared_bytes = sizeof(struct oracle)};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	for (u64 seed = 1; seed <= REPEAT(300); seed++) {
		bare_expect_finished(&b, bare_explore(&b));
		bare_reset(&b, &p, seed + 1);
	}
	bare_destroy(&b);
}

/* --- Deadlock ------------------------------------------------------------------------------------
 */

static void deadly_embrace(struct vcpu *v)
{
	struct oracle *o = shared_of(v);
	u64 *first = v->id ? &o->lock_b : &o->lock_a, *second = v->id ? &o->lock_a : &o->lock_b;

	lock_word(first);
	lock_word(second);
	smp_store_release(second, 0);
	smp_store_release(first, 0);
}

/* Found where it happens, not where it might: whether it does depends on the seed alone. */
Test(engine_explore, deadlock_is_seen_exactly)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = deadly_embrace, .shared_bytes = sizeof(struct oracle)};
	u32 dead = 0, fine = 0;
	struct bare_machine b;

	bare_create(&b, &p, 1);
	for (u64 seed = 1; seed <= 100; seed++) {
		const struct oracle *o = b.shared;
		enum machine_end end = bare_explore(&b);

		if (end == MACHINE_DEADLOCK) {
			dead++;
			cr_assert(o->lock_a && o->lock_b);
			cr_assert_str_eq(b.m->violations.first.invariant->slug, "deadlock");
			cr_assert_not_null(strstr(b.m->violations.first.message, "CPU1 spins in"));
			cr_assert_lt(b.m->explored.steps, 20);
		} else {
			fine++;
			cr_assert_eq(end, MACHINE_FINISHED);
			cr_assert_eq(b.m->violations.nr, 0);
		}
		bare_reset(&b, &p, seed + 1);
	}
	cr_assert_gt(dead, 10);
	cr_assert_gt(fine, 10);
	bare_destroy(&b);
}

static void sleep_unwoken(struct vcpu *v)
{
	if (v->id == 0) {
		local_irq_disable();
		vcpu_halt();
	}
}

Test(engine_explore, sleeping_for_ever_is_a_deadlock)
{
	static const struct bare_program p = {.cpus = 2, .vcpu_main = sleep_unwoken};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	cr_assert_eq(bare_explore(&b), MACHINE_DEADLOCK);
	cr_assert_not_null(strstr(b.m->violations.first.message, "CPU0 idle"));
	bare_destroy(&b);
}

/* --- Sizes that cannot be ----------------------------------------------------------------------
 */

Test(engine_explore, impossible_numbers_of_vcpus_are_refused)
{
	static const struct bare_program most = {.cpus = MAX_VCPUS_EXPLORE,
						 .vcpu_main = sleep_unwoken};
	static const struct bare_program too_many = {.cpus = MAX_VCPUS_EXPLORE + 1,
						     .vcpu_main = sleep_unwoken};
	struct machine_config none = {0}, more = {.nr_vcpus = MAX_VCPUS + 1};
	struct machine_ops ops = {0};
	struct bare_machine b;

	cr_assert_null(machine_create(&none, &ops));
	cr_assert_null(machine_create(&more, &ops));
	bare_create(&b, &most, 1);
	cr_assert_eq(bare_explore(&b), MACHINE_DEADLOCK);
	bare_destroy(&b);
	bare_create(&b, &too_many, 1);
	cr_assert_eq(bare_explore(&b), MACHINE_STOPPED);
	cr_assert_str_eq(b.m->violations.first.message, "65 vCPUs to explore, expected at most 64");
	bare_destroy(&b);
}

/* --- Livelock ------------------------------------------------------------------------------------
 */

static void turn_in_circles(struct vcpu *v)
{
	(void)v;
	for (;;)
		safepoint();
}

Test(engine_explore, max_steps_end_a_livelock)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = turn_in_circles, .max_steps = 5000};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	cr_assert_eq(bare_explore(&b), MACHINE_NO_PROGRESS);
	cr_assert_eq(b.m->explored.steps, 5000);
	bare_destroy(&b);
}

/* --- Choices -------------------------------------------------------------------------------------
 */

static void choose_much(struct vcpu *v)
{
	u64 *count = shared_of(v);

	for (u32 i = 0; i < 1000; i++) {
		u32 data = machine_choose(CHOICE_DATA, 10);

		EXPECT(data < 10);
		count[data]++;
		count[10] += machine_choose(CHOICE_ALLOC_FAIL, 2);
	}
}

Test(engine_explore, choices_are_in_range_and_fault_injection_is_rare)
{
	static const struct bare_program p = {
		.cpus = 1, .vcpu_main = choose_much, .shared_bytes = 11 * sizeof(u64)};
	struct bare_machine b;
	const u64 *count;

	bare_create(&b, &p, 1);
	count = b.shared;
	bare_expect_finished(&b, bare_explore(&b));
	for (u32 i = 0; i < 10; i++)
		cr_assert_gt(count[i], 50);
	cr_assert(count[10] > 0 && count[10] < 100, "%llu failures", (unsigned long long)count[10]);
	bare_destroy(&b);
	/* Under threads nothing special happens by itself. */
	bare_create(&b, &p, 1);
	count = b.shared;
	bare_expect_finished(&b, bare_threads(&b));
	cr_assert_eq(count[10], 0);
	bare_destroy(&b);
}

Test(engine_explore, strategies_have_names)
{
	for (const char *const *name = strategy_names; *name; name++) {
		struct strategy *s = strategy_create(*name);

		cr_assert_not_null(s);
		cr_assert_str_eq(s->ops->name, *name);
		strategy_destroy(s);
	}
	cr_assert_null(strategy_create("no such strategy"));
	strategy_destroy(NULL);
}
