// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RCU: readers, grace periods, callbacks, and what happens without them.
 */
#include <criterion/criterion.h>

#include "smp/knobs.h"
#include "smp/rcu.h"
#include "tests/support/test_machine.h"

/* --- Readers never see a freed object --------------------------------------------------------- */

#define READERS 2
#define UPDATES 6
#define ALIVE 0x600dULL
#define DEAD 0xdeadULL

struct node {
	struct rcu_head rcu;
	u64 state; /* plain: written before it is published and after its grace period */
	u64 value;
};

struct world_of_one {
	struct node *node;
	struct kmem_cache *nodes;
	u32 done; /* atomic */
};

static void free_node(struct rcu_head *head)
{
	struct node *n = container_of(head, struct node, rcu);
	struct world_of_one *w = this_vcpu()->machine->config.user;

	n->state = DEAD;
	kmem_cache_free(w->nodes, n);
}

static struct node *new_node(struct world_of_one *w, u64 value)
{
	struct node *n = kmem_cache_alloc(w->nodes);

	if (n) {
		n->state = ALIVE;
		n->value = value;
	}
	return n;
}

static void read_node(void *arg)
{
	struct world_of_one *w = arg;
	u64 last = 0;

	while (!READ_ONCE(w->done)) {
		const struct node *n;

		rcu_read_lock();
		n = rcu_dereference(w->node);
		for (u32 i = 0; i < 3; i++) {
			EXPECT_EQ(n->state, ALIVE);
			EXPECT(n->value >= last);
			safepoint();
		}
		last = n->value;
		rcu_read_unlock();
		yield();
	}
}

static void update_node(void *arg)
{
	struct world_of_one *w = arg;

	for (u64 i = 1; i <= UPDATES; i++) {
		struct node *old = w->node, *n = new_node(w, i);

		EXPECT(n);
		rcu_assign_pointer(w->node, n);
		call_rcu(&old->rcu, free_node);
		if (random_below(&current->rng, 2))
			yield();
	}
	WRITE_ONCE(w->done, 1);
}

static void readers_setup(struct test_machine *t)
{
	struct world_of_one *w = test_shared(t, sizeof(*w));

	t->data = w;
	t->m->config.user = w;
	w->nodes = kmem_cache_create(t->m, "node", sizeof(struct node), CACHE_LINE);
	cr_assert_not_null(w->nodes);
	w->node = new_node(w, 0);
	for (u32 i = 0; i < READERS; i++)
		(void)test_task(t->m, i, read_node, w);
	(void)test_task(t->m, READERS, update_node, w);
}

static void one_node_left(const struct test_machine *t)
{
	const struct world_of_one *w = t->data;

	cr_assert_eq(rcu_callbacks_pending(t->m), 0);
	cr_assert_eq(kmem_cache_in_use(w->nodes), 1);
	cr_assert_eq(w->node->state, ALIVE);
	cr_assert_eq(w->node->value, UPDATES);
}

static const struct scenario readers = {
	.cpus = READERS + 1, .setup = readers_setup, .check = one_node_left};

Test(smp_rcu, readers_never_see_a_freed_object)
{
	run_scenario(&readers, REPEAT(1000), REPEAT(30));
}

/* The planted bug frees under the readers' eyes: explored, one of them sees it. Not under
 * ThreadSanitizer or AddressSanitizer: they would stop the test at the access itself. */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
Test(smp_rcu, free_without_grace_period_is_found)
{
	(void)find_violation(&readers, KNOB_RCU_NO_GRACE, 20, "rcu-grace-period");
}
#endif

/* --- synchronize_rcu() -------------------------------------------------------------------------
 */

#define SECTIONS 8

struct sections {
	u64 entered[READERS], left[READERS]; /* atomic */
	u32 next;			     /* atomic: number of the next reader */
};

static void read_sections(void *arg)
{
	struct sections *s = arg;
	u32 self = atomic_inc_return(&s->next) - 1;

	for (u32 i = 0; i < SECTIONS; i++) {
		rcu_read_lock();
		EXPECT(rcu_read_lock_held());
		atomic_inc(&s->entered[self]);
		rcu_read_lock(); /* nests */
		safepoint();
		rcu_read_unlock();
		safepoint();
		atomic_inc(&s->left[self]);
		rcu_read_unlock();
		EXPECT(!rcu_read_lock_held());
		safepoint();
	}
}

static void wait_for_sections(void *arg)
{
	struct sections *s = arg;

	for (u32 n = 0; n < 3; n++) {
		u64 entered[READERS];

		for (u32 i = 0; i < READERS; i++)
			entered[i] = atomic_read(&s->entered[i]);
		synchronize_rcu();
		for (u32 i = 0; i < READERS; i++)
			EXPECT(atomic_read(&s->left[i]) >= entered[i]);
	}
}

static void sections_setup(struct test_machine *t)
{
	struct sections *s = test_shared(t, sizeof(*s));

	for (u32 i = 0; i < READERS; i++)
		(void)test_task(t->m, i, read_sections, s);
	(void)test_task(t->m, READERS, wait_for_sections, s);
}

Test(smp_rcu, synchronize_waits_for_the_readers_before_it)
{
	static const struct scenario s = {.cpus = READERS + 1, .setup = sections_setup};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

/* On one vCPU there is nobody to wait for but oneself. */
static void synchronize_alone(void *arg)
{
	(void)arg;
	synchronize_rcu();
	synchronize_rcu();
}

static void alone_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, synchronize_alone, NULL);
}

Test(smp_rcu, synchronize_on_one_vcpu)
{
	static const struct scenario s = {.cpus = 1, .setup = alone_setup};

	run_scenario(&s, REPEAT(50), REPEAT(10));
}

/* --- Callbacks -------------------------------------------------------------------------------- */

#define CALLBACKS 5

struct call {
	struct rcu_head rcu;
	u32 cpu; /* that queued it */
	u32 nr;	 /* of those that its task queued */
	u32 *turn;
	u32 ran; /* atomic */
};

static void note_turn(struct rcu_head *head)
{
	struct call *c = container_of(head, struct call, rcu);

	EXPECT_EQ(smp_processor_id(), c->cpu);
	EXPECT_EQ(*c->turn, c->nr);
	(*c->turn)++;
	atomic_set(&c->ran, 1);
}

struct caller {
	struct call calls[CALLBACKS];
	u32 turn;
	u32 queued; /* atomic */
};

static void queue_callbacks(void *arg)
{
	struct caller *c = arg;

	/* All on one vCPU: only these are ordered. */
	preempt_disable();
	for (u32 i = 0; i < CALLBACKS; i++) {
		c->calls[i].cpu = smp_processor_id();
		c->calls[i].nr = i;
		c->calls[i].turn = &c->turn;
		call_rcu(&c->calls[i].rcu, note_turn);
		atomic_inc(&c->queued);
	}
	preempt_enable();
}

struct callers {
	struct caller caller[READERS];
	u32 stop; /* atomic */
	struct kmem_cache *calls;
};

static void queue_setup(struct test_machine *t)
{
	struct callers *c = test_shared(t, sizeof(*c));

	t->data = c;
	for (u32 i = 0; i < READERS; i++)
		(void)test_task(t->m, i, queue_callbacks, &c->caller[i]);
}

static void callbacks_ran(const struct test_machine *t)
{
	const struct callers *c = t->data;

	cr_assert_eq(rcu_callbacks_pending(t->m), 0);
	for (u32 i = 0; i < READERS; i++)
		cr_assert_eq(c->caller[i].turn, CALLBACKS);
}

/* The tasks that queued them are long gone when the machine finishes. */
Test(smp_rcu, callbacks_run_in_order_before_the_end)
{
	static const struct scenario s = {
		.cpus = READERS, .setup = queue_setup, .check = callbacks_ran};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

static void wait_for_callbacks(void *arg)
{
	struct callers *c = arg;
	u32 queued[READERS];

	for (u32 i = 0; i < READERS; i++)
		queued[i] = atomic_read(&c->caller[i].queued);
	rcu_barrier();
	for (u32 i = 0; i < READERS; i++) {
		for (u32 j = 0; j < queued[i]; j++)
			EXPECT(atomic_read(&c->caller[i].calls[j].ran));
	}
	WRITE_ONCE(c->stop, 1);
}

static void barrier_setup(struct test_machine *t)
{
	queue_setup(t);
	(void)test_task(t->m, READERS - 1, wait_for_callbacks, t->data);
}

Test(smp_rcu, barrier_waits_for_all_callbacks)
{
	static const struct scenario s = {
		.cpus = READERS, .setup = barrier_setup, .check = callbacks_ran};

	run_scenario(&s, REPEAT(1000), REPEAT(30));
}

static void free_call(struct rcu_head *head)
{
	struct callers *c = this_vcpu()->machine->config.user;

	kmem_cache_free(c->calls, container_of(head, struct call, rcu));
}

/* Always has callbacks under way. */
static void never_quiet(void *arg)
{
	struct callers *c = arg;

	while (!READ_ONCE(c->stop)) {
		struct call *call = kmem_cache_alloc(c->calls);

		EXPECT(call);
		call_rcu(&call->rcu, free_call);
		yield();
	}
}

static void busy_setup(struct test_machine *t)
{
	struct callers *c;

	barrier_setup(t);
	c = t->data;
	t->m->config.user = c;
	c->calls = kmem_cache_create(t->m, "call", sizeof(struct call), CACHE_LINE);
	cr_assert_not_null(c->calls);
	for (u32 i = 0; i < READERS; i++)
		(void)test_task(t->m, i, never_quiet, c);
}

static void all_calls_freed(const struct test_machine *t)
{
	const struct callers *c = t->data;

	callbacks_ran(t);
	cr_assert_eq(kmem_cache_in_use(c->calls), 0);
}

Test(smp_rcu, barrier_returns_though_callbacks_keep_coming)
{
	static const struct scenario s = {
		.cpus = READERS, .setup = busy_setup, .check = all_calls_freed};

	run_scenario(&s, REPEAT(300), REPEAT(10));
}

/* --- Misuse ----------------------------------------------------------------------------------- */

static void sleep_in_section(void *arg)
{
	(void)arg;
	rcu_read_lock();
	synchronize_rcu();
}

static void sleep_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, sleep_in_section, NULL);
}

Test(smp_rcu, sleeping_in_a_section_is_reported)
{
	static const struct scenario s = {.cpus = 2, .setup = sleep_setup};

	expect_violation(&s, "sleeping-in-atomic");
}

static void schedule_in_section(void *arg)
{
	(void)arg;
	rcu_read_lock();
	yield();
}

static void schedule_setup(struct test_machine *t)
{
	(void)test_task(t->m, 0, schedule_in_section, NULL);
}

Test(smp_rcu, scheduling_in_a_section_is_reported)
{
	static const struct scenario s = {.cpus = 2, .setup = schedule_setup};

	expect_violation(&s, "scheduler-state");
}
