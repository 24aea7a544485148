// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both kinds of grace periods, and the ripe callbacks that they share.
 */
#include "smp/rcu.h"

#include <errno.h>

#include "smp/knobs.h"
#include "smp/qsbr.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#else
#define __tsan_acquire(addr) ((void)(addr))
#define __tsan_release(addr) ((void)(addr))
#endif

/* The callbacks of one vCPU. They run in the order in which they were queued: rcu_barrier() relies
 * on that. */
struct rcu_ripe {
	struct rcu_head *list; /* grace period over; newest first; atomic */
	u64 queued;	       /* callbacks ever queued; written by the vCPU; atomic */
	u64 ran;	       /* of them, those that have run; written by the vCPU; atomic */
	char pad[CACHE_LINE - 24];
};

INVARIANT(inv_grace, "rcu-grace-period",
	  "an RCU callback runs when all read sections that it found open have ended");

struct rcu_state {
	u64 pending; /* callbacks queued and not yet run; atomic */

	/* threads */
	struct qsbr_worker *worker;
	char grace;	 /* names liburcu's grace periods to ThreadSanitizer */
	char worker_end; /* and the end of what its thread did for us */

	/* explore: used inside the oracle's brackets, so nobody comes between; the lock is there to
	 * show that to ThreadSanitizer, as the order that a grace period gives */
	u32 lock;
	u64 waiting_for;	  /* vCPUs that have yet to pass a quiescent state */
	struct rcu_head *running; /* callbacks of the running grace period */
	struct rcu_head *next;	  /* of the one after it */

	/* explore, oracle: calls of call_rcu() so far, and how many there had been when each vCPU's
	 * read section began */
	u64 calls;
	u64 *section_began;

	struct rcu_ripe *ripe; /* one a vCPU */
};

int rcu_setup(struct machine *m)
{
	struct rcu_state *r = arena_alloc(&m->arena, sizeof(*r), CACHE_LINE);

	if (!r)
		return -ENOMEM;
	r->ripe = arena_alloc(&m->arena, m->nr_vcpus * sizeof(*r->ripe), CACHE_LINE);
	r->section_began = arena_alloc(&m->arena, m->nr_vcpus * sizeof(*r->section_began), 8);
	if (!r->ripe || !r->section_began)
		return -ENOMEM;
	m->smp->rcu = r;
	return 0;
}

void rcu_teardown(struct machine *m)
{
	struct rcu_state *r = m->smp->rcu;

	if (r && r->worker) {
		qsbr_worker_destroy(r->worker);
		__tsan_acquire(&r->worker_end);
		r->worker = NULL;
	}
}

u64 rcu_callbacks_pending(const struct machine *m)
{
	explore_touch(&m->smp->rcu->pending, false);
	return oracle_read(m->smp->rcu->pending);
}

/* Hands a callback whose grace period has ended to its vCPU. From any thread. */
static void ripen(struct rcu_head *head)
{
	struct vcpu *owner = head->owner;
	struct rcu_ripe *ripe = &owner->machine->smp->rcu->ripe[owner->id];

	explore_touch(&ripe->list, true);
	head->next = __atomic_load_n(&ripe->list, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&ripe->list, &head->next, head, true, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED))
		;
	vcpu_raise(owner, PENDING_RCU);
}

/* Turns round a list that was built by pushing. */
static struct rcu_head *oldest_first(struct rcu_head *list)
{
	struct rcu_head *in_order = NULL, *next;

	for (; list; list = next) {
		next = list->next;
		list->next = in_order;
		in_order = list;
	}
	return in_order;
}

static void qsbr_ripe(struct qsbr_head *q)
{
	struct rcu_head *head = container_of(q, struct rcu_head, liburcu);
	struct rcu_state *r;

	__tsan_acquire(head);
	r = head->owner->machine->smp->rcu;
	/* Everything readers did before their quiescent states comes before the callback. */
	__tsan_acquire(&r->grace);
	ripen(head);
	__tsan_release(&r->worker_end);
}

/* explore: starts a grace period for what has been queued, if none is running. */
static void explore_start(struct machine *m, struct rcu_state *r)
{
	u64 need = 0;

	if (r->running || !r->next)
		return;
	init_once(r->running, r->next);
	r->next = NULL;
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		/* An idle vCPU is quiescent until it takes its next interrupt, one that spins
		 * outside of read sections until it goes on. */
		if (!explore_rests(&m->vcpus[i]))
			need |= 1ULL << i;
	}
	r->waiting_for = need;
}

static void explore_lock(struct rcu_state *r)
{
	oracle_enter();
	BUG_ON(__atomic_exchange_n(&r->lock, 1, __ATOMIC_ACQUIRE), "RCU state entered twice");
}

static void explore_unlock(struct rcu_state *r)
{
	__atomic_store_n(&r->lock, 0, __ATOMIC_RELEASE);
	oracle_exit();
}

static void explore_quiescent(struct vcpu *v, struct rcu_state *r)
{
	struct rcu_head *list, *next;

	explore_touch(&r->running, oracle_read(r->running) != NULL);
	if (!oracle_read(r->running))
		return;
	explore_lock(r);
	/* A grace period that starts here finds this vCPU quiescent, too. */
	while (r->running && !(r->waiting_for &= ~(1ULL << v->id))) {
		list = oldest_first(r->running);
		init_once(r->running, NULL);
		for (; list; list = next) {
			next = list->next;
			ripen(list);
		}
		explore_start(v->machine, r);
	}
	explore_unlock(r);
}

void rcu_section_begins(struct vcpu *v)
{
	struct rcu_state *r = v->machine->smp->rcu;

	explore_touch(&v->rcu_nesting, true);
	explore_touch(&r->calls, false);
	__atomic_store_n(&r->section_began[v->id], oracle_read(r->calls), __ATOMIC_RELAXED);
}

/* The callback is about to run. Does any vCPU still read what it was queued to free? Not for
 * ThreadSanitizer: what is read of other vCPUs is ordered by nothing but the explorer. */
__attribute__((no_sanitize("thread"), noinline)) static void
check_grace_period(const struct machine *m, const struct rcu_head *head)
{
	const struct rcu_state *r = m->smp->rcu;

	for (u32 i = 0; i < m->nr_vcpus; i++) {
		explore_touch(&m->vcpus[i].rcu_nesting, false);
		if (unlikely(oracle_read(m->vcpus[i].rcu_nesting) &&
			     oracle_read(r->section_began[i]) < head->call))
			VIOLATION_WITH(&inv_grace, i,
				       "CPU%u is in a read section that began before the callback "
				       "was queued",
				       i);
	}
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	struct vcpu *v = this_vcpu();
	struct rcu_state *r = v->machine->smp->rcu;
	struct rcu_ripe *own = &r->ripe[v->id];

	count_vm_event(VMSTAT_nr_rcu_callbacks);
	explore_touch(&r->calls, true);
	if (exploring())
		head->call = __atomic_add_fetch(&r->calls, 1, __ATOMIC_RELAXED);
	if (planted(KNOB_RCU_NO_GRACE)) {
		if (exploring())
			check_grace_period(v->machine, head);
		func(head);
		return;
	}
	head->func = func;
	head->owner = v;
	explore_touch(&r->pending, true);
	__atomic_fetch_add(&r->pending, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&own->queued, own->queued + 1, __ATOMIC_RELAXED);
	if (v->explorer) {
		/* Readers that begin after the grace period see all that came before it. */
		explore_drain();
		explore_touch(&r->running, true);
		explore_lock(r);
		head->next = r->next;
		r->next = head;
		explore_start(v->machine, r);
		explore_unlock(r);
	} else {
		__tsan_release(head);
		qsbr_call(&head->liburcu, qsbr_ripe);
	}
}

void rcu_note_quiescent(void)
{
	struct vcpu *v = this_vcpu();
	struct rcu_state *r = v->machine->smp->rcu;

	if (v->explorer) {
		explore_quiescent(v, r);
	} else {
		__tsan_release(&r->grace);
		qsbr_quiescent();
	}
}

void rcu_interrupt(struct vcpu *v)
{
	v->softirq = 1;
	/* An idle vCPU runs it in its loop; another one at its next switch or return to user. */
}

void run_softirq_slow(void)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	struct rcu_state *r = m->smp->rcu;
	struct rcu_ripe *own = &r->ripe[v->id];
	struct rcu_head *list, *next;
	u64 nr = 0;

	preempt_disable();
	v->softirq = 0;
	explore_touch(&own->list, true);
	list = oldest_first(__atomic_exchange_n(&own->list, NULL, __ATOMIC_ACQUIRE));
	for (; list; list = next) {
		next = list->next;
		if (exploring())
			check_grace_period(m, list);
		list->func(list);
		nr++;
		smp_store_release(&own->ran, own->ran + 1);
	}
	explore_touch(&r->pending, true);
	if (nr && !__atomic_sub_fetch(&r->pending, nr, __ATOMIC_ACQ_REL) &&
	    READ_ONCE(m->smp->finish)) {
		for (u32 i = 0; i < m->nr_vcpus; i++)
			vcpu_raise(&m->vcpus[i], PENDING_RESCHEDULE);
	}
	preempt_enable_no_resched();
}

struct rcu_waiter {
	struct rcu_head head;
	struct completion done;
};

static void wake_waiter(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_waiter, head)->done);
}

void synchronize_rcu(void)
{
	struct rcu_waiter w;

	might_sleep();
	init_completion(&w.done);
	call_rcu(&w.head, wake_waiter);
	wait_for_completion(&w.done);
}

void rcu_barrier_cpu(u32 cpu)
{
	struct rcu_ripe *ripe = &this_vcpu()->machine->smp->rcu->ripe[cpu];
	u64 queued = READ_ONCE(ripe->queued);

	/* What is queued while we wait does not concern us: else we might never return. */
	while (smp_load_acquire(&ripe->ran) < queued)
		synchronize_rcu();
}

bool rcu_cpu_has_callbacks(const struct machine *m, u32 cpu)
{
	const struct rcu_ripe *ripe = &m->smp->rcu->ripe[cpu];

	return oracle_read(ripe->queued) != oracle_read(ripe->ran);
}

void rcu_barrier(void)
{
	const struct machine *m = this_vcpu()->machine;

	for (u32 i = 0; i < m->nr_vcpus; i++)
		rcu_barrier_cpu(i);
}

void rcu_vcpu_online(struct vcpu *v)
{
	struct rcu_state *r = v->machine->smp->rcu;

	qsbr_register(r->worker);
}

void rcu_vcpu_offline(struct vcpu *v)
{
	(void)v;
	qsbr_unregister();
}

void rcu_vcpu_sleep(struct vcpu *v)
{
	struct rcu_state *r = v->machine->smp->rcu;

	if (v->explorer) {
		explore_quiescent(v, r);
		return;
	}
	__tsan_release(&r->grace);
	qsbr_offline();
}

void rcu_vcpu_wake(struct vcpu *v)
{
	(void)v;
	qsbr_online();
}

void rcu_start_threads(struct machine *m)
{
	/* Created at the first run under threads: an explored machine needs none. */
	if (!m->smp->rcu->worker)
		m->smp->rcu->worker = qsbr_worker_create();
}
