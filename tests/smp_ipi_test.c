// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Call-function interrupts: who runs what, when, and what the sender may rely on.
 */
#include <criterion/criterion.h>

#include "smp/ipi.h"
#include "smp/knobs.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"
#include "tests/support/test_machine.h"

#define SENDS 5
#define MOST_CPUS 256

static void all_cpus(const struct machine *m, u64 *mask)
{
	for (u32 w = 0; w < CPU_WORDS; w++)
		mask[w] = 0;
	for (u32 i = 0; i < m->nr_vcpus; i++)
		mask[i / 64] |= 1ULL << (i & 63);
}

/* --- Everybody, exactly once ---------------------------------------------------------------------
 */

struct shared {
	/* Plain: written by the handler on the vCPU, read by the sender after it was acknowledged.
	 * A row a sender, so that one sender's rounds are told apart. */
	u64 runs[MOST_CPUS][8];
	u64 sender_of[MOST_CPUS];
	spinlock_t lock;
	u64 in_lock;
	u32 next;		    /* atomic */
	u32 irqs_off_on[MOST_CPUS]; /* of the vCPU itself; plain */
	u64 late;		    /* atomic: interrupts that a vCPU took after it had them off */
	u32 sent;		    /* atomic */
};

static void count_run(const struct call_args *args)
{
	struct shared *s = (struct shared *)args->v[0];

	EXPECT(irqs_disabled());
	EXPECT(this_vcpu()->in_interrupt);
	EXPECT_EQ(args->v[2], 0x1234);
	EXPECT_EQ(args->v[3], ~args->v[1]);
	s->runs[smp_processor_id()][args->v[1]]++;
	safepoint();
}

static void send_to_all(void *arg)
{
	struct shared *s = arg;
	struct machine *m = this_vcpu()->machine;
	u32 row = atomic_inc_return(&s->next) - 1;
	u64 mask[CPU_WORDS];

	all_cpus(m, mask);
	for (u32 n = 0; n < SENDS; n++) {
		struct call_args args = {{(u64)s, row, 0x1234, ~(u64)row}};
		u64 before[MOST_CPUS];
		u32 self;

		preempt_disable();
		self = smp_processor_id();
		for (u32 i = 0; i < m->nr_vcpus; i++)
			before[i] = s->runs[i][row];
		EXPECT_EQ(smp_call_function_many(mask, count_run, &args), m->nr_vcpus - 1);
		for (u32 i = 0; i < m->nr_vcpus; i++)
			EXPECT_EQ(s->runs[i][row], before[i] + (i != self));
		preempt_enable();
		yield();
	}
}

static void storm_setup(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct shared));
	for (u32 i = 0; i < min(t->m->nr_vcpus, 8u); i++)
		(void)test_task(t->m, i, send_to_all, t->data);
}

static void all_received(const struct test_machine *t)
{
	u64 tasks = min(t->m->nr_vcpus, 8u), expected = tasks * SENDS * (t->m->nr_vcpus - 1);

	cr_assert_eq(vmstat_sum(t->m, VMSTAT_nr_ipi_sent), expected);
	cr_assert_eq(vmstat_sum(t->m, VMSTAT_nr_ipi_received), expected);
}

/* Every vCPU sends to every other at once: nobody may wait for one that waits for him. */
Test(smp_ipi, storm_reaches_everybody_exactly_once)
{
	static const struct scenario s = {.cpus = 4, .setup = storm_setup, .check = all_received};

	run_scenario(&s, REPEAT(500), REPEAT(30));
}

Test(smp_ipi, storm_on_more_vcpus_than_a_word_has_bits)
{
	static const struct scenario s = {
		.cpus = MOST_CPUS, .setup = storm_setup, .check = all_received};

	thread_scenario(&s, 2);
}

/* --- Only who is named ---------------------------------------------------------------------------
 */

static void send_to_few(void *arg)
{
	struct shared *s = arg;
	struct machine *m = this_vcpu()->machine;

	for (u64 set = 0; set < 1u << m->nr_vcpus; set++) {
		struct call_args args = {{(u64)s, 0, 0x1234, ~0ULL}};
		u64 mask[CPU_WORDS] = {set}, before[8], targets;

		preempt_disable();
		targets = set & ~(1ULL << smp_processor_id());
		for (u32 i = 0; i < m->nr_vcpus; i++)
			before[i] = s->runs[i][0];
		EXPECT_EQ(smp_call_function_many(mask, count_run, &args),
			  __builtin_popcountll(targets));
		for (u32 i = 0; i < m->nr_vcpus; i++)
			EXPECT_EQ(s->runs[i][0], before[i] + ((targets >> i) & 1));
		preempt_enable();
	}
}

static void few_setup(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct shared));
	(void)test_task(t->m, 1, send_to_few, t->data);
}

Test(smp_ipi, only_who_is_in_the_mask)
{
	static const struct scenario s = {.cpus = 3, .setup = few_setup};

	run_scenario(&s, REPEAT(200), REPEAT(20));
}

/* --- Senders that hold locks
 * ---------------------------------------------------------------------- */

/* A shootdown under a spinlock, as in the zap path, while others spin on that lock with interrupts
 * on: they take the interrupt where they spin. */
static void send_under_lock(void *arg)
{
	struct shared *s = arg;
	u32 row = atomic_inc_return(&s->next) - 1;
	u64 mask[CPU_WORDS];

	all_cpus(this_vcpu()->machine, mask);
	for (u32 n = 0; n < SENDS; n++) {
		struct call_args args = {{(u64)s, row, 0x1234, ~(u64)row}};

		spin_lock(&s->lock);
		s->in_lock++;
		(void)smp_call_function_many(mask, count_run, &args);
		spin_unlock(&s->lock);
	}
}

static void locked_setup(struct test_machine *t)
{
	struct shared *s = test_shared(t, sizeof(*s));

	t->data = s;
	spin_lock_init(&s->lock, LOCK_CLASS_test_a);
	for (u32 i = 0; i < 4; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, send_under_lock, s);
}

static void locked_check(const struct test_machine *t)
{
	const struct shared *s = t->data;

	cr_assert_eq(s->in_lock, 4 * SENDS);
}

Test(smp_ipi, who_spins_on_the_senders_lock_answers)
{
	static const struct scenario s = {.cpus = 3, .setup = locked_setup, .check = locked_check};

	run_scenario(&s, REPEAT(500), REPEAT(30));
}

/* --- Interrupts off
 * -------------------------------------------------------------------------------- */

static void not_while_off(const struct call_args *args)
{
	struct shared *s = (struct shared *)args->v[0];

	EXPECT(!s->irqs_off_on[smp_processor_id()]);
}

static void mask_often(void *arg)
{
	struct shared *s = arg;

	while (!READ_ONCE(s->sent)) {
		u32 flags, self;

		preempt_disable();
		flags = local_irq_save();
		self = smp_processor_id();
		s->irqs_off_on[self] = 1;
		for (u32 i = 0; i < 4; i++)
			safepoint();
		s->irqs_off_on[self] = 0;
		local_irq_restore(flags);
		preempt_enable();
		yield();
	}
}

static void send_to_masked(void *arg)
{
	struct shared *s = arg;
	struct call_args args = {{(u64)s}};
	u64 mask[CPU_WORDS];

	all_cpus(this_vcpu()->machine, mask);
	for (u32 n = 0; n < SENDS; n++) {
		preempt_disable();
		(void)smp_call_function_many(mask, not_while_off, &args);
		preempt_enable();
	}
	WRITE_ONCE(s->sent, 1);
}

static void masked_setup(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct shared));
	(void)test_task(t->m, 0, mask_often, t->data);
	(void)test_task(t->m, 1, mask_often, t->data);
	(void)test_task(t->m, 2, send_to_masked, t->data);
}

Test(smp_ipi, delayed_while_the_target_has_interrupts_off)
{
	static const struct scenario s = {.cpus = 3, .setup = masked_setup};

	run_scenario(&s, REPEAT(500), REPEAT(10));
}

/* --- Refusals
 * -------------------------------------------------------------------------------------- */

static void nothing(const struct call_args *args)
{
	(void)args;
}

static void send_nothing(void)
{
	struct call_args args = {{0}};
	u64 mask[CPU_WORDS];

	all_cpus(this_vcpu()->machine, mask);
	(void)smp_call_function_many(mask, nothing, &args);
}

static void send_with_irqs_off(void *arg)
{
	(void)arg;
	preempt_disable();
	local_irq_disable();
	send_nothing();
}

static void irqs_off_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, send_with_irqs_off, NULL);
}

Test(smp_ipi, refused_with_interrupts_off)
{
	static const struct scenario s = {.cpus = 2, .setup = irqs_off_setup};

	expect_violation(&s, "ipi-wait-irqs-off");
}

static void send_from_handler(const struct call_args *args)
{
	(void)args;
	send_nothing();
}

static void make_handler_send(void *arg)
{
	struct call_args args = {{0}};
	u64 mask[CPU_WORDS];

	(void)arg;
	all_cpus(this_vcpu()->machine, mask);
	preempt_disable();
	(void)smp_call_function_many(mask, send_from_handler, &args);
}

static void from_handler_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, make_handler_send, NULL);
}

Test(smp_ipi, refused_from_a_handler)
{
	static const struct scenario s = {.cpus = 2, .setup = from_handler_setup};

	expect_violation(&s, "ipi-wait-irqs-off");
}

static void send_preemptible(void *arg)
{
	(void)arg;
	send_nothing();
}

static void preemptible_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, send_preemptible, NULL);
}

Test(smp_ipi, refused_with_preemption_on)
{
	static const struct scenario s = {.cpus = 2, .setup = preemptible_setup};

	expect_violation(&s, "kernel-bug");
}

/* --- Planted
 * --------------------------------------------------------------------------------------- */

/* The "flush" of this test: the handler forgets something, and takes a decision point to do so. The
 * sender relies on it once it is acknowledged. Atomic: the planted bug makes this a race. */
static void forget(const struct call_args *args)
{
	struct shared *s = (struct shared *)args->v[0];

	safepoint();
	atomic_set(&s->sender_of[smp_processor_id()], 0);
}

static void flush_and_rely(void *arg)
{
	struct shared *s = arg;
	struct machine *m = this_vcpu()->machine;
	struct call_args args = {{(u64)s}};
	u64 mask[CPU_WORDS];

	all_cpus(m, mask);
	preempt_disable();
	for (u32 i = 0; i < m->nr_vcpus; i++)
		atomic_set(&s->sender_of[i], i != smp_processor_id());
	(void)smp_call_function_many(mask, forget, &args);
	for (u32 i = 0; i < m->nr_vcpus; i++)
		EXPECT_EQ(atomic_read(&s->sender_of[i]), 0);
	preempt_enable();
}

static void flush_setup(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct shared));
	(void)test_task(t->m, 0, flush_and_rely, t->data);
}

static const struct scenario flush = {.cpus = 3, .setup = flush_setup};

Test(smp_ipi, acknowledging_early_is_found)
{
	thread_scenario(&flush, REPEAT(20));
	(void)find_violation(&flush, KNOB_IPI_ACK_EARLY, 50, "kernel-bug");
}

Test(smp_ipi, waiting_with_interrupts_off_is_found)
{
	(void)find_violation(&flush, KNOB_IPI_WAIT_IRQS_OFF, 1, "ipi-wait-irqs-off");
}
