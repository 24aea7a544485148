// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * x86-TSO: litmus tests. Each is a program of a few accesses on each vCPU; its outcomes (what the
 * loads saw, as digits) are counted over many seeds, and the set of those that came up is compared
 * with the set that the model allows: nothing else ever, and all of them some time. Sources of the
 * allowed sets: P. Sewell et al., x86-TSO (CACM 53(7), 2010), whose examples have the same names;
 * Intel SDM vol. 3A, 8.2.3; AMD64 APM vol. 2, 7.2.
 */
#include <string.h>

#include "engine/recording.h"
#include "tests/engine_machine.h"

#define LITMUS_CPUS 4
#define LITMUS_LOADS 6
/* Enough for all outcomes; under sanitizers, where each is slow, only for those that must not be.
 */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define LITMUS_SEEDS 100
#define ALL_OUTCOMES_SEEN false
#else
#define LITMUS_SEEDS 20000
#define ALL_OUTCOMES_SEEN true
#endif
#define OUTCOMES_MAX 64

struct litmus_memory {
	u64 x __attribute__((aligned(CACHE_LINE)));
	u64 y __attribute__((aligned(CACHE_LINE)));
	union {
		u64 word;
		u32 half[2];
	} mixed __attribute__((aligned(CACHE_LINE)));
	u64 lock __attribute__((aligned(CACHE_LINE)));
	u64 finished __attribute__((aligned(CACHE_LINE)));
	/* Not the model's: seen by all at once. */
	u64 inside;
	u32 saw[LITMUS_LOADS];
};

/* What came of all seeds. */
struct outcomes {
	char text[OUTCOMES_MAX][LITMUS_LOADS + 1];
	u32 nr;
};

static void outcome_add(struct outcomes *o, const struct litmus_memory *mem, u32 loads)
{
	char text[LITMUS_LOADS + 1] = "";

	for (u32 i = 0; i < loads; i++)
		text[i] = (char)('0' + mem->saw[i]);
	for (u32 i = 0; i < o->nr; i++) {
		if (!strcmp(o->text[i], text))
			return;
	}
	cr_assert_lt(o->nr, OUTCOMES_MAX);
	strcpy(o->text[o->nr++], text);
}

static bool listed(const char *list, const char *text)
{
	const char *at = strstr(list, text);

	return at && (at == list || at[-1] == ' ');
}

static struct machine_config litmus_config(const struct bare_program *p, u64 seed, bool tso)
{
	struct machine_config config = bare_config(p, seed);

	config.tso = tso;
	return config;
}

/* The outcomes of @p, which makes @loads loads, are exactly those in @allowed. */
static void expect_outcomes(const struct bare_program *p, bool tso, u32 loads, const char *allowed)
{
	struct bare_machine b;
	struct outcomes seen = {.nr = 0};
	u32 nr_allowed = 1;

	bare_create(&b, p, 0);
	for (u64 seed = 0; seed < LITMUS_SEEDS; seed++) {
		struct machine_config config = litmus_config(p, seed, tso);

		cr_assert_eq(machine_reset(b.m, &config), 0);
		bare_share(&b, p);
		memset(b.shared, 0, p->shared_bytes);
		bare_expect_finished(&b, bare_explore(&b));
		outcome_add(&seen, b.shared, loads);
	}
	bare_destroy(&b);
	for (u32 i = 0; i < seen.nr; i++)
		cr_expect(listed(allowed, seen.text[i]), "%s: %s is not allowed",
			  tso ? "TSO" : "SC", seen.text[i]);
	for (const char *c = allowed; *c; c++)
		nr_allowed += *c == ' ';
	cr_expect(seen.nr == nr_allowed || !ALL_OUTCOMES_SEEN, "%s: saw %u of %u outcomes (%s)",
		  tso ? "TSO" : "SC", seen.nr, nr_allowed, allowed);
}

#define LITMUS(name, cpus_)                                                                        \
	static const struct bare_program name = {                                                  \
		.cpus = (cpus_),                                                                   \
		.vcpu_main = name##_main,                                                          \
		.shared_bytes = sizeof(struct litmus_memory),                                      \
	}

/* --- SB: store buffering (SDM 8.2.3.4), and what forbids it --------------------------------------
 */

static void sb_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	WRITE_ONCE(*own, 1);
	m->saw[v->id] = (u32)READ_ONCE(*other);
}
LITMUS(sb, 2);

Test(tso, store_buffering)
{
	expect_outcomes(&sb, false, 2, "01 10 11");
	expect_outcomes(&sb, true, 2, "00 01 10 11");
}

static void sb_fence_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	WRITE_ONCE(*own, 1);
	smp_mb();
	m->saw[v->id] = (u32)READ_ONCE(*other);
}
LITMUS(sb_fence, 2);

static void sb_xchg_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	(void)xchg(own, 1);
	m->saw[v->id] = (u32)READ_ONCE(*other);
}
LITMUS(sb_xchg, 2);

/* A locked instruction on any word will do, also one that changes nothing. */
static void sb_other_rmw_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	WRITE_ONCE(*own, 1);
	(void)cmpxchg(&m->lock, 5, 6);
	m->saw[v->id] = (u32)READ_ONCE(*other);
}
LITMUS(sb_other_rmw, 2);

Test(tso, fences_and_locked_instructions_forbid_it)
{
	expect_outcomes(&sb_fence, true, 2, "01 10 11");
	expect_outcomes(&sb_xchg, true, 2, "01 10 11");
	expect_outcomes(&sb_other_rmw, true, 2, "01 10 11");
}

/* One side's fence is not enough. */
static void sb_one_fence_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	WRITE_ONCE(*own, 1);
	if (v->id)
		smp_mb();
	m->saw[v->id] = (u32)READ_ONCE(*other);
}
LITMUS(sb_one_fence, 2);

/* Release and acquire are a plain store and a plain load. */
static void sb_release_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	smp_store_release(own, 1);
	m->saw[v->id] = (u32)smp_load_acquire(other);
}
LITMUS(sb_release, 2);

Test(tso, less_does_not)
{
	expect_outcomes(&sb_one_fence, true, 2, "00 01 10 11");
	expect_outcomes(&sb_release, true, 2, "00 01 10 11");
}

/* --- MP, LB, IRIW, CoRR: what stays in order -----------------------------------------------------
 */

static void mp_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->x, 1);
		WRITE_ONCE(m->y, 1);
	} else {
		m->saw[0] = (u32)READ_ONCE(m->y);
		m->saw[1] = (u32)READ_ONCE(m->x);
	}
}
LITMUS(mp, 2);

static void lb_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	m->saw[v->id] = (u32)READ_ONCE(*other);
	WRITE_ONCE(*own, 1);
}
LITMUS(lb, 2);

/* All agree on the order of two stores by different vCPUs. */
static void iriw_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	switch (v->id) {
	case 0:
		WRITE_ONCE(m->x, 1);
		break;
	case 1:
		WRITE_ONCE(m->y, 1);
		break;
	case 2:
		m->saw[0] = (u32)READ_ONCE(m->x);
		m->saw[1] = (u32)READ_ONCE(m->y);
		break;
	default:
		m->saw[2] = (u32)READ_ONCE(m->y);
		m->saw[3] = (u32)READ_ONCE(m->x);
	}
}
LITMUS(iriw, 4);

static void corr_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->x, 1);
		WRITE_ONCE(m->x, 2);
	} else {
		m->saw[0] = (u32)READ_ONCE(m->x);
		m->saw[1] = (u32)READ_ONCE(m->x);
	}
}
LITMUS(corr, 2);

Test(tso, other_orders_are_kept)
{
	for (u32 tso = 0; tso < 2; tso++) {
		expect_outcomes(&mp, tso, 2, "00 01 11");
		expect_outcomes(&lb, tso, 2, "00 01 10");
		/* All but 1010. */
		expect_outcomes(&iriw, tso, 4,
				"0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1011 1100 1101 "
				"1110 1111");
		expect_outcomes(&corr, tso, 2, "00 01 02 11 12 22");
	}
}

/* --- Forwarding: a vCPU sees its own stores before others do -------------------------------------
 */

/* SDM 8.2.3.5: each sees its own store, and not yet the other's. */
static void forward_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	WRITE_ONCE(*own, 1);
	m->saw[2 * v->id] = (u32)READ_ONCE(*own);
	m->saw[2 * v->id + 1] = (u32)READ_ONCE(*other);
}
LITMUS(forward, 2);

/* n6 of the paper: CPU0 sees its own store of x before CPU1 does. */
static void n6_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->x, 1);
		m->saw[0] = (u32)READ_ONCE(m->x);
		m->saw[1] = (u32)READ_ONCE(m->y);
	} else {
		WRITE_ONCE(m->y, 2);
		WRITE_ONCE(m->x, 2);
	}
	/* The last one looks at the end. */
	if (atomic_inc_return(&m->finished) == 2)
		m->saw[2] = (u32)READ_ONCE(m->x);
}
LITMUS(n6, 2);

/* All stores of a vCPU are forwarded to it, the youngest at an address. */
static void youngest_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->x, 1);
		WRITE_ONCE(m->x, 2);
		m->saw[0] = (u32)READ_ONCE(m->x);
	} else {
		m->saw[1] = (u32)READ_ONCE(m->x);
	}
}
LITMUS(youngest, 2);

Test(tso, own_stores_are_forwarded)
{
	expect_outcomes(&forward, false, 4, "1011 1110 1111");
	expect_outcomes(&forward, true, 4, "1010 1011 1110 1111");
	expect_outcomes(&youngest, true, 2, "20 21 22");
}

/* R: whoever's store of y is the last, does CPU1 see x? */
static void r_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->x, 1);
		WRITE_ONCE(m->y, 1);
	} else {
		WRITE_ONCE(m->y, 2);
		m->saw[0] = (u32)READ_ONCE(m->x);
	}
	if (atomic_inc_return(&m->finished) == 2)
		m->saw[1] = (u32)READ_ONCE(m->y);
}
LITMUS(r, 2);

/* Where two vCPUs store to one address without locking it, x86-TSO lets the stores become visible
 * in the other order than they were made, and has one outcome more: 101 for n6, 02 for R. */
Test(tso, is_narrower_where_two_store_to_one_address)
{
	expect_outcomes(&n6, false, 3, "102 121 122 222");
	expect_outcomes(&n6, true, 3, "102 121 122 222");
	expect_outcomes(&r, false, 2, "01 11 12");
	expect_outcomes(&r, true, 2, "01 11 12");
}

/* --- Sizes ---------------------------------------------------------------------------------------
 */

static void wide_store_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->mixed.word, 1ULL << 32 | 1);
	} else {
		m->saw[0] = READ_ONCE(m->mixed.half[0]);
		m->saw[1] = READ_ONCE(m->mixed.half[1]);
	}
}
LITMUS(wide_store, 2);

static void wide_load_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	u64 word;

	if (v->id == 0) {
		WRITE_ONCE(m->mixed.half[1], 1);
		smp_mb();
		WRITE_ONCE(m->mixed.half[0], 1);
	} else {
		m->saw[0] = READ_ONCE(m->mixed.half[1]);
		word = READ_ONCE(m->mixed.word);
		m->saw[1] = (u32)word;
		m->saw[2] = (u32)(word >> 32);
	}
}
LITMUS(wide_load, 2);

Test(tso, accesses_may_overlap)
{
	expect_outcomes(&wide_store, true, 2, "00 01 11");
	expect_outcomes(&wide_load, true, 3, "000 001 011 101 111");
}

/* --- Waiting, interrupts, full buffers, ends -----------------------------------------------------
 */

/* Nobody ever chooses to drain, or to go on with another vCPU before the one that runs waits. */
static struct strategy *strategy_of_nothing(void)
{
	static const struct recording nothing;

	return strategy_replay_create(&nothing, NULL, 0);
}

static void run_without_choices(const struct bare_program *p, struct litmus_memory *result)
{
	struct machine_config config = litmus_config(p, 1, true);
	struct bare_machine b;

	bare_create(&b, p, 1);
	strategy_destroy(b.strategy);
	b.strategy = strategy_of_nothing();
	cr_assert_not_null(b.strategy);
	cr_assert_eq(machine_reset(b.m, &config), 0);
	bare_share(&b, p);
	bare_expect_finished(&b, bare_explore(&b));
	*result = *(struct litmus_memory *)b.shared;
	bare_destroy(&b);
}

static void wait_for(u64 *word, u64 value)
{
	struct spin spin = {0};

	while (READ_ONCE(*word) != value)
		cpu_relax_on(word, &spin);
}

/* Whoever waits has its own stores drained, and is woken when the other's become visible. */
static void ping_pong_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	for (u64 i = 1; i <= 5; i++) {
		if (v->id == 0) {
			WRITE_ONCE(m->x, i);
			wait_for(&m->y, i);
		} else {
			wait_for(&m->x, i);
			WRITE_ONCE(m->y, i);
		}
	}
	m->saw[v->id] = 5;
}
LITMUS(ping_pong, 2);

/* CPU0 goes first and waits; nothing else would drain its store before CPU1 looks. */
static void waiter_drains_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		WRITE_ONCE(m->x, 1);
		wait_for(&m->y, 1);
	} else {
		m->saw[0] = (u32)READ_ONCE(m->x);
		WRITE_ONCE(m->y, 1);
	}
}
LITMUS(waiter_drains, 2);

Test(tso, waiters_are_drained_and_woken)
{
	struct litmus_memory result;

	run_without_choices(&waiter_drains, &result);
	cr_expect_eq(result.saw[0], 1);
	run_without_choices(&ping_pong, &result);
	expect_outcomes(&ping_pong, true, 2, "55");
}

/* The last store of a vCPU that ends, and the one that wakes somebody who has nobody else to wait
 * for. */
static void last_word_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id) {
		wait_for(&m->x, 1);
		m->saw[0] = 1;
	} else {
		WRITE_ONCE(m->x, 1);
	}
}
LITMUS(last_word, 2);

Test(tso, nothing_is_left_behind)
{
	struct litmus_memory result;

	run_without_choices(&last_word, &result);
	cr_expect_eq(result.saw[0], 1);
	expect_outcomes(&last_word, true, 1, "1");
}

/* More stores than a buffer has room for, and nobody drains: the oldest ones become visible. CPU1
 * runs when CPU0 stands at its last store. */
#define MANY_STORES 100
#define STORE_BUFFER_ROOM 56

static void many_stores_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	if (v->id == 0) {
		for (u32 i = 1; i <= MANY_STORES; i++) {
			WRITE_ONCE(m->x, i);
			init_once(m->inside, i);
		}
	} else {
		u64 x = READ_ONCE(m->x), stored = __atomic_load_n(&m->inside, __ATOMIC_RELAXED);

		/* At least what no longer fits, at most what was stored. */
		EXPECT(x <= stored && x + STORE_BUFFER_ROOM >= stored);
		m->saw[0] = x < stored;
		m->saw[1] = stored > STORE_BUFFER_ROOM && x == stored - STORE_BUFFER_ROOM;
	}
}
LITMUS(many_stores, 2);

Test(tso, a_buffer_is_bounded)
{
	struct litmus_memory result;

	run_without_choices(&many_stores, &result);
	expect_outcomes(&many_stores, true, 1, "0 1");
}

/* An interrupt drains on its way in: CPU0 sees, after it has interrupted CPU1, what CPU1 stored. */
static void drained_interrupt(struct vcpu *v, u32 bits)
{
	struct litmus_memory *m = shared_of(v);

	(void)bits;
	if (v->id != 1)
		return;
	init_once(m->inside, 1 + READ_ONCE(m->y)); /* visible at once */
	safepoint();
}

static void drained_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);

	v->preempt_count = 0;
	if (v->id == 0) {
		wait_for(&m->x, 1);
		(void)vcpu_raise(&v->machine->vcpus[1], PENDING_CALL_FUNCTION);
		for (u32 i = 0; i < 4; i++) {
			safepoint();
			m->saw[0] = (u32)__atomic_load_n(&m->inside, __ATOMIC_RELAXED);
			if (m->saw[0]) {
				m->saw[1] = (u32)READ_ONCE(m->y);
				break;
			}
		}
	} else {
		(void)xchg(&m->x, 1);
		WRITE_ONCE(m->y, 1);
		for (u32 i = 0; i < 4; i++)
			safepoint();
	}
}
static const struct bare_program drained = {
	.cpus = 2,
	.vcpu_main = drained_main,
	.interrupt = drained_interrupt,
	.shared_bytes = sizeof(struct litmus_memory),
};

Test(tso, an_interrupt_drains)
{
	/* 00: it was not taken in time. 10, 11: taken before the store of y. Not 20. */
	expect_outcomes(&drained, true, 2, "00 10 11 21");
}

/* --- Locks ---------------------------------------------------------------------------------------
 */

/* How Dekker's and Peterson's locks begin: right under SC, needs its barrier under TSO. */
static void flags_first(struct vcpu *v, bool barrier)
{
	struct litmus_memory *m = shared_of(v);
	u64 *own = v->id ? &m->y : &m->x, *other = v->id ? &m->x : &m->y;

	WRITE_ONCE(*own, 1);
	if (barrier)
		smp_mb();
	if (!READ_ONCE(*other)) {
		/* Alone here? */
		if (__atomic_fetch_add(&m->inside, 1, __ATOMIC_RELAXED))
			m->saw[0] = 1;
		safepoint();
		__atomic_fetch_sub(&m->inside, 1, __ATOMIC_RELAXED);
	}
	smp_store_release(own, 0);
}

static void flags_bare_main(struct vcpu *v)
{
	flags_first(v, false);
}
LITMUS(flags_bare, 2);

static void flags_fenced_main(struct vcpu *v)
{
	flags_first(v, true);
}
LITMUS(flags_fenced, 2);

/* A test-and-set lock is released by a plain store. */
static void locked_main(struct vcpu *v)
{
	struct litmus_memory *m = shared_of(v);
	struct spin spin = {0};

	for (u32 i = 0; i < 3; i++) {
		while (xchg(&m->lock, 1)) {
			while (READ_ONCE(m->lock))
				cpu_relax_on(&m->lock, &spin);
		}
		WRITE_ONCE(m->x, READ_ONCE(m->x) + 1);
		smp_store_release(&m->lock, 0);
	}
	if (atomic_inc_return(&m->finished) == v->machine->nr_vcpus)
		m->saw[0] = (u32)READ_ONCE(m->x);
}
LITMUS(locked, 3);

Test(tso, locks)
{
	expect_outcomes(&flags_bare, false, 1, "0");
	expect_outcomes(&flags_bare, true, 1, "0 1");
	expect_outcomes(&flags_fenced, true, 1, "0");
	expect_outcomes(&locked, true, 1, "9");
}

/* --- Replay --------------------------------------------------------------------------------------
 */

static void expect_replays(const struct bare_program *p, u64 seed)
{
	struct machine_config config = litmus_config(p, seed, true);
	struct litmus_memory first;
	struct recording kept = {0};
	struct strategy *again;
	struct bare_machine b;
	u64 history, steps;

	bare_create(&b, p, seed);
	cr_assert_eq(machine_reset(b.m, &config), 0);
	bare_share(&b, p);
	memset(b.shared, 0, p->shared_bytes);
	bare_expect_finished(&b, bare_explore(&b));
	first = *(struct litmus_memory *)b.shared;
	history = b.m->explored.history;
	steps = b.m->explored.steps;
	cr_assert_eq(recording_copy(&kept, &b.m->recorded), 0);
	again = strategy_replay_create(&kept, NULL, 0);
	cr_assert_not_null(again);
	cr_assert_eq(machine_reset(b.m, &config), 0);
	bare_share(&b, p);
	memset(b.shared, 0, p->shared_bytes);
	bare_expect_finished(&b, machine_run(b.m, EXECUTOR_EXPLORE, again));
	cr_expect(!strategy_replay_state(again)->diverged);
	cr_expect_eq(b.m->explored.history, history);
	cr_expect_eq(b.m->explored.steps, steps);
	cr_expect_eq(memcmp(&first, b.shared, sizeof(first)), 0);
	strategy_destroy(again);
	recording_destroy(&kept);
	bare_destroy(&b);
}

Test(tso, replays_are_exact)
{
	for (u64 seed = 1; seed <= REPEAT(500); seed++) {
		expect_replays(&locked, seed);
		expect_replays(&forward, seed);
	}
}
