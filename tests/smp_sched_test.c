// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scheduler: tasks, sleeping and waking, preemption, affinity, stealing, the end of tasks.
 */
#include <stdio.h>

#include <criterion/criterion.h>

#include "smp/mutex.h"
#include "smp/rcu.h"
#include "smp/vmstat.h"
#include "smp/wait.h"
#include "tests/support/test_machine.h"

/* --- Many tasks ------------------------------------------------------------------------------- */

#define MANY_TASKS 64

struct tally {
	u64 ran; /* atomic */
};

static void count_run(void *arg)
{
	struct tally *tally = arg;

	for (u32 i = 0; i < 3; i++)
		yield();
	atomic_inc(&tally->ran);
}

static void many_tasks(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct tally));
	for (u32 i = 0; i < MANY_TASKS; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, count_run, t->data);
}

static void all_ran(const struct test_machine *t)
{
	const struct tally *tally = t->data;

	cr_assert_eq(tally->ran, MANY_TASKS);
}

Test(smp_sched, many_tasks_all_run)
{
	static const struct scenario s = {.cpus = 4, .setup = many_tasks, .check = all_ran};

	run_scenario(&s, REPEAT(200), REPEAT(30));
}

Test(smp_sched, from_1_to_256_vcpus)
{
	static const u32 sizes[] = {1, 2, 3, 17, 64, 65, 128, 256};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct scenario s = {.cpus = sizes[i], .setup = many_tasks, .check = all_ran};

		if (sizes[i] <= MAX_VCPUS_EXPLORE)
			(void)explore_scenario(&s, 3);
		thread_scenario(&s, 2);
	}
}

/* --- Tasks that make tasks, and what is left of them -------------------------------------------
 */

struct family {
	u64 born; /* atomic */
};

#define CHILDREN 5

static void child(void *arg)
{
	struct family *f = arg;

	atomic_inc(&f->born);
}

static void parent(void *arg)
{
	for (u32 i = 0; i < CHILDREN; i++) {
		struct machine *m = this_vcpu()->machine;

		EXPECT(test_task(m, sched_pick_cpu(m, NULL), child, arg));
		safepoint();
	}
	child(arg);
}

static void parents(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct family));
	for (u32 i = 0; i < 4; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, parent, t->data);
}

static void all_born(const struct test_machine *t)
{
	const struct family *f = t->data;

	cr_assert_eq(f->born, 4 * (CHILDREN + 1));
	cr_assert_eq(t->m->smp->nr_tasks, 0);
	cr_assert(cds_list_empty(&t->m->smp->all_tasks));
	cr_assert_eq(rcu_callbacks_pending(t->m), 0);
}

/* expect_finished() sees that all task_structs were freed. */
Test(smp_sched, tasks_make_tasks_and_all_are_freed)
{
	static const struct scenario s = {.cpus = 3, .setup = parents, .check = all_born};

	run_scenario(&s, REPEAT(500), REPEAT(30));
}

/* --- Sleeping and waking -----------------------------------------------------------------------
 */

#define WAKERS 2
#define ROUNDS 3

/* One sleeper, many wakers: each round a waker sets its word and wakes the sleeper, who sleeps
 * until the word of each has been seen, round after round. A wake-up that is lost is a deadlock. */
struct post {
	struct task_struct *sleeper;
	u64 letters[WAKERS]; /* atomic: written by the waker, cleared by the sleeper */
	u64 received;
};

struct waker {
	struct post *post;
	u32 nr;
};

static bool take_letters(struct post *p)
{
	bool any = false;

	for (u32 i = 0; i < WAKERS; i++) {
		if (READ_ONCE(p->letters[i])) {
			p->received += xchg(&p->letters[i], 0);
			any = true;
		}
	}
	return any;
}

static void sleeper(void *arg)
{
	struct post *p = arg;

	while (p->received < WAKERS * ROUNDS) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (take_letters(p)) {
			__set_current_state(TASK_RUNNING);
			continue;
		}
		schedule();
	}
	EXPECT_EQ(p->received, WAKERS * ROUNDS);
}

static void waker(void *arg)
{
	struct waker *w = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		atomic_inc(&w->post->letters[w->nr]);
		(void)wake_up_process(w->post->sleeper);
	}
	put_task_struct(w->post->sleeper);
}

static void post_office(struct test_machine *t)
{
	struct post *p = test_shared(t, sizeof(*p));

	t->data = p;
	p->sleeper = test_task(t->m, 0, sleeper, p);
	for (u32 i = 0; i < WAKERS; i++) {
		struct waker *w = test_shared(t, sizeof(*w));

		*w = (struct waker){.post = p, .nr = i};
		get_task_struct(p->sleeper);
		(void)test_task(t->m, i % t->m->nr_vcpus, waker, w);
	}
}

/* Two wakers of one sleeper on three vCPUs: one still looks at the run queue where the task slept
 * while the other has already moved it to another. */
Test(smp_sched, no_wake_up_is_lost)
{
	static const struct scenario s = {.cpus = 3, .setup = post_office};

	run_scenario(&s, REPEAT(4000), REPEAT(30));
}

/* A waker that looks at a task which has just seen for itself that it need not sleep, and exits: it
 * must not bring the dead task back. */
struct note {
	struct task_struct *reader;
	u32 there; /* atomic */
};

static void read_note_and_die(void *arg)
{
	struct note *n = arg;

	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (READ_ONCE(n->there))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static void leave_note(void *arg)
{
	struct note *n = arg;

	WRITE_ONCE(n->there, 1);
	(void)wake_up_process(n->reader);
	put_task_struct(n->reader);
}

static void notes(struct test_machine *t)
{
	struct note *n = test_shared(t, sizeof(*n));

	n->reader = test_task(t->m, 0, read_note_and_die, n);
	get_task_struct(n->reader);
	(void)test_task(t->m, 1, leave_note, n);
}

Test(smp_sched, a_late_waker_does_not_revive_the_dead)
{
	static const struct scenario s = {.cpus = 2, .setup = notes};

	run_scenario(&s, REPEAT(4000), REPEAT(30));
}

/* --- Preemption ----------------------------------------------------------------------------------
 */

/* On one vCPU: a task that never gives way, and one that ends the first one's loop. */
struct loop {
	u32 stop;   /* atomic */
	u32 unsafe; /* the looping task is in a section without preemption; plain: one vCPU */
	bool begun, stopped_first; /* the explorer may let the second task run first */
};

static void loop_until_stopped(void *arg)
{
	struct loop *l = arg;

	l->begun = true;
	while (!READ_ONCE(l->stop)) {
		preempt_disable();
		l->unsafe = 1;
		safepoint();
		safepoint();
		l->unsafe = 0;
		preempt_enable();
		rcu_read_lock();
		l->unsafe = 1;
		safepoint();
		l->unsafe = 0;
		rcu_read_unlock();
		safepoint();
	}
}

static void stop_loop(void *arg)
{
	struct loop *l = arg;

	EXPECT_EQ(l->unsafe, 0);
	l->stopped_first = !l->begun;
	WRITE_ONCE(l->stop, 1);
}

static void loop_setup(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct loop));
	(void)test_task(t->m, 0, loop_until_stopped, t->data);
	(void)test_task(t->m, 0, stop_loop, t->data);
}

static void was_preempted(const struct test_machine *t)
{
	const struct loop *l = t->data;

	cr_assert(l->stopped_first || vmstat_sum(t->m, VMSTAT_nr_preemptions) >= 1);
}

Test(smp_sched, preempted_where_allowed_and_nowhere_else)
{
	static const struct scenario s = {.cpus = 1, .setup = loop_setup, .check = was_preempted};

	run_scenario(&s, REPEAT(500), REPEAT(30));
}

/* A task that spins with preemption on for what another task of its vCPU has to do. */
static void spin_for_the_other(void *arg)
{
	struct loop *l = arg;
	struct spin spin = {0};

	while (!READ_ONCE(l->stop))
		cpu_relax_on(&l->stop, &spin);
}

static void spin_setup(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct loop));
	(void)test_task(t->m, 0, spin_for_the_other, t->data);
	(void)test_task(t->m, 0, spin_for_the_other, t->data);
	(void)test_task(t->m, 0, stop_loop, t->data);
}

Test(smp_sched, who_spins_preemptibly_gives_way)
{
	static const struct scenario s = {.cpus = 1, .setup = spin_setup};

	run_scenario(&s, REPEAT(100), REPEAT(20));
}

/* --- Where tasks run
 * ------------------------------------------------------------------------------ */

#define PINNED 6
#define HOPS 10

struct pinned {
	u64 allowed[PINNED][CPU_WORDS];
	struct task_struct *task[PINNED];
	struct completion go;
	u64 seen[PINNED]; /* vCPUs it ran on; its own */
	u32 next;	  /* atomic */
};

static void run_pinned(void *arg)
{
	struct pinned *p = arg;
	u32 self = 0;

	while (p->task[self] != current)
		self++;
	for (u32 i = 0; i < HOPS; i++) {
		EXPECT(p->allowed[self][0] & (1ULL << smp_processor_id()));
		p->seen[self] |= 1ULL << smp_processor_id();
		if (i % 3)
			yield();
		else
			synchronize_rcu(); /* sleeps, and is woken from somewhere */
	}
}

static void pinned_setup(struct test_machine *t)
{
	struct pinned *p = test_shared(t, sizeof(*p));
	u32 cpus = t->m->nr_vcpus;

	t->data = p;
	for (u32 i = 0; i < PINNED; i++) {
		/* Two neighbours each; started on the first. */
		u32 first = i % cpus;

		p->allowed[i][0] = 1ULL << first | 1ULL << (first + 1) % cpus;
		p->task[i] = task_create(t->m, "pinned", PF_KTHREAD, first, run_pinned, p);
		cr_assert_not_null(p->task[i]);
		p->task[i]->cpus_allowed = p->allowed[i];
		wake_up_new_task(p->task[i]);
	}
}

Test(smp_sched, affinity_is_kept)
{
	static const struct scenario s = {.cpus = 4, .setup = pinned_setup};

	run_scenario(&s, REPEAT(300), REPEAT(20));
}

static void expect_allowed(struct machine *m)
{
	u64 allowed[CPU_WORDS] = {0};

	EXPECT(sched_pick_cpu(m, NULL) < m->nr_vcpus);
	for (u32 cpu = 0; cpu < m->nr_vcpus; cpu++) {
		allowed[cpu / 64] = 1ULL << (cpu & 63);
		EXPECT_EQ(sched_pick_cpu(m, allowed), cpu);
		allowed[cpu / 64] = 0;
	}
	/* A choice: one of them. */
	allowed[0] = 0x6;
	EXPECT(sched_pick_cpu(m, allowed) - 1 < 2);
}

static void pick_often(void *arg)
{
	(void)arg;
	expect_allowed(this_vcpu()->machine);
	yield();
	expect_allowed(this_vcpu()->machine);
}

static void pick_setup(struct test_machine *t)
{
	u64 last[CPU_WORDS] = {0};

	/* From set-up, too. */
	last[(t->m->nr_vcpus - 1) / 64] = 1ULL << ((t->m->nr_vcpus - 1) & 63);
	cr_assert_eq(sched_pick_cpu(t->m, last), t->m->nr_vcpus - 1);
	for (u32 i = 0; i < 4; i++)
		(void)test_task(t->m, i % t->m->nr_vcpus, pick_often, NULL);
}

Test(smp_sched, pick_cpu_keeps_to_what_is_allowed)
{
	static const struct scenario s = {.cpus = 3, .setup = pick_setup};
	static const struct scenario large = {.cpus = 70, .setup = pick_setup};

	run_scenario(&s, REPEAT(100), REPEAT(10));
	thread_scenario(&large, 3);
}

/* All tasks start on CPU 0, each as long as the others: the idle ones come and take some. */
static void work(void *arg)
{
	struct tally *tally = arg;

	for (u32 i = 0; i < 50; i++)
		safepoint();
	atomic_inc(&tally->ran);
}

static void lopsided(struct test_machine *t)
{
	t->data = test_shared(t, sizeof(struct tally));
	for (u32 i = 0; i < MANY_TASKS; i++)
		(void)test_task(t->m, 0, work, t->data);
}

static void was_shared_out(const struct test_machine *t)
{
	all_ran(t);
	/* Fairly enough: of four vCPUs, the three that were idle did a quarter of all at least. */
	cr_assert_geq(vmstat_sum(t->m, VMSTAT_nr_migrations), MANY_TASKS / 4);
}

Test(smp_sched, idle_vcpus_steal)
{
	static const struct scenario s = {.cpus = 4, .setup = lopsided, .check = was_shared_out};

	(void)explore_scenario(&s, REPEAT(100));
	thread_scenario(&(struct scenario){.cpus = 4, .setup = lopsided, .check = all_ran},
			REPEAT(20));
}

/* --- A machine that is stopped in the middle
 * --------------------------------------------------------- */

/* Tasks come and go until one finds something. */
static void die_soon(void *arg)
{
	(void)arg;
	yield();
}

static void come_and_go(void *arg)
{
	for (u32 i = 0; i < 10; i++) {
		struct machine *m = this_vcpu()->machine;

		EXPECT(test_task(m, random_below(&current->rng, m->nr_vcpus), die_soon, arg));
		yield();
	}
}

static void find_something(void *arg)
{
	for (u32 i = random_below(&current->rng, 200); i; i--)
		safepoint();
	BUG_ON(true, "found by pid %u", current->pid + (arg != NULL));
}

static void stopped_setup(struct test_machine *t)
{
	for (u32 i = 0; i < 3; i++)
		(void)test_task(t->m, i, come_and_go, NULL);
	(void)test_task(t->m, 2, find_something, NULL);
}

static const struct scenario stopped = {.cpus = 3, .setup = stopped_setup};

Test(smp_sched, a_stopped_machine_can_start_over)
{
	always_violation(&stopped, "kernel-bug", REPEAT(500), REPEAT(50));
}

/* A task whose stack nobody gives back costs address space: the machine's pool does not know it. */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
static u64 address_space_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	u64 pages = 0;

	cr_assert_not_null(f);
	cr_assert_eq(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	return pages;
}

Test(smp_sched, a_stopped_machine_gives_back_all_stacks)
{
	u64 before, pages_a_stack = MACHINE_STACK_SIZE / 4096;

	/* The first ones leave the host's own caches behind. */
	always_violation(&stopped, "kernel-bug", 10, 0);
	before = address_space_pages();
	always_violation(&stopped, "kernel-bug", 2000, 0);
	cr_assert_leq(address_space_pages(), before + 4 * pages_a_stack);
}
#endif
