// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/explore.h"
#include "engine/explore_coverage.h"
#include "engine/race_report.h"

#include <string.h>

#include "engine/explore_tso.h"

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#else
#define __tsan_acquire(addr) ((void)(addr))
#define __tsan_release(addr) ((void)(addr))
#endif

__thread u64 mmt_current;

void vcpu_set_current(struct vcpu *v)
{
	mmt_current = (u64)v;
	if (v && v->explorer)
		mmt_current |= v->explorer->current_bits;
}

#ifndef __x86_64__
__noinline u64 vcpu_current_word(void)
{
	return *(volatile u64 *)&mmt_current;
}
#endif

INVARIANT(inv_no_progress, "no-progress", "a schedule ends within its decision points");
INVARIANT(inv_deadlock, "deadlock", "some vCPU can always go on until the machine has finished");

void explore_note(u64 value)
{
	struct vcpu *v = this_vcpu();

	if (v && v->explorer)
		history_mix(v->explorer, value);
}

u64 explore_history(void)
{
	const struct vcpu *v = this_vcpu();

	return v && v->explorer ? v->explorer->stats.history : 0;
}

static inline void make_runnable(struct explorer *x, struct vcpu *v)
{
	if (unlikely(x->strategy->ops->woken) && !x->quiet) {
		machinery_begin();
		x->strategy->ops->woken(x->strategy, v->id);
		machinery_end();
	}
	v->run_state = VCPU_RUNNING;
	x->d.runnable |= 1ULL << v->id;
	x->spinning &= ~(1ULL << v->id);
	/* What others than the last one look at may stay in it. */
	x->spun_on &= -(u64)(x->spinning != 0);
}

/* A place in explorer.spun_on for @addr, if @really; none otherwise. It keeps most stores from
 * looking at every spinner, with one branch that is hardly ever taken. */
static inline u64 spin_bit(const volatile void *addr, bool really)
{
	return (u64)really << (((unsigned long)addr >> 2 ^ (unsigned long)addr >> 9) & 63);
}

/* Gives the thread to @next; returns when @v is chosen again. */
static inline void run_vcpu(struct explorer *x, struct vcpu *v, u32 next)
{
	struct vcpu *to = &x->machine->vcpus[next];

	x->stats.switches++;
	x->d.last = next;
	/* For the thread that started the run, which looks at everything afterwards. */
	__tsan_release(&x->end);
	vcpu_set_current(to);
	if (unlikely(v->run_state == VCPU_DONE))
		fiber_switch_vcpu_final(v->fiber, to->fiber);
	else
		fiber_switch_vcpu(v->fiber, to->fiber);
}

/* Asks the strategy which of several runnable vCPUs goes on. */
static inline u32 ask_pick(struct explorer *x)
{
	u32 next;

	if (!(x->d.runnable & (x->d.runnable - 1)))
		return (u32)__builtin_ctzll(x->d.runnable);
	if (unlikely(x->quiet))
		return decision_default(&x->d);
	machinery_begin();
	next = x->strategy->ops->pick(x->strategy, &x->d);
	machinery_end();
	recording_add_if(x->recorded, next != decision_default(&x->d), RECORDED_PICK, next);
	x->recorded->calls++;
	return next;
}

u32 explore_choose(struct vcpu *v, enum choice kind, u32 n)
{
	struct explorer *x = v->explorer;
	u32 value;

	if (unlikely(x->quiet))
		return 0;
	machinery_begin();
	value = x->strategy->ops->choose(x->strategy, kind, v->id, n);
	machinery_end();
	if (value) {
		recording_add(x->recorded, kind, value);
		if (x->coverage) {
			machinery_begin();
			coverage_choice(x->coverage, v->id, kind, value);
			machinery_end();
		}
	}
	x->recorded->calls++;
	return value;
}

static __cold_path void explore_end(struct explorer *x, struct vcpu *v, enum machine_end end)
{
	x->end = end;
	explore_leave(v);
}

static __cold_path void nothing_runnable(struct explorer *x, struct vcpu *v)
{
	const struct machine *m = x->machine;
	char who[VIOLATION_MESSAGE_SIZE] = "";
	size_t len = 0;

	/* A machine that is being stopped ends as machine_stop() was told. */
	if (x->nr_done == m->nr_vcpus || machine_stopping(m))
		explore_end(x, v, MACHINE_FINISHED);
	for (u32 i = 0; i < m->nr_vcpus && len < sizeof(who); i++) {
		const struct vcpu *w = &m->vcpus[i];
		int n;

		if (w->run_state == VCPU_DONE)
			continue;
		n = snprintf(who + len, sizeof(who) - len, "%sCPU%u %s", len ? "; " : "", i,
			     w->run_state == VCPU_HALTED ? "idle" : "spins in ");
		len += n > 0 ? (size_t)n : 0;
		if (w->run_state == VCPU_SPINNING && w->site && len < sizeof(who)) {
			n = snprintf(who + len, sizeof(who) - len, "%s", w->site->func);
			len += n > 0 ? (size_t)n : 0;
		}
	}
	violation_from_outside(x->machine, &inv_deadlock, v->id, "nothing can run: %s", who);
	explore_end(x, v, MACHINE_DEADLOCK);
}

/* May @v's task be preempted where it stands? */
static inline bool preemptible(const struct vcpu *v)
{
	return !v->preempt_count && !v->irqs_off && !v->in_interrupt && !v->oracle_depth;
}

bool explore_rests(const struct vcpu *v)
{
	explore_touch(&v->run_state, false);
	return v->run_state == VCPU_HALTED || v->run_state == VCPU_DONE ||
	       (v->run_state == VCPU_SPINNING && preemptible(v));
}

/* Tasks that wait behind one that spins with preemption on: its time slice ends some day. */
static void preempt_spinners(struct explorer *x)
{
	for (u64 left = x->spinning; left; left &= left - 1) {
		struct vcpu *w = &x->machine->vcpus[__builtin_ctzll(left)];

		if (w->nr_waiting && preemptible(w))
			make_runnable(x, w);
	}
}

/* @v has left the runnable set: somebody else must go on. Returns when @v is chosen again. */
static void give_up_cpu(struct explorer *x, struct vcpu *v)
{
	u32 next;

	/* What somebody waits for may still be in the buffer of one that has ended. */
	if (unlikely(!x->d.runnable))
		tso_drain_all(x);
	if (unlikely(!x->d.runnable))
		preempt_spinners(x);
	if (unlikely(!x->d.runnable))
		nothing_runnable(x, v);
	next = ask_pick(x);
	if (next != v->id)
		run_vcpu(x, v, next);
}

void explore_stored(struct explorer *x, const volatile void *addr)
{
	u64 left = x->spinning;

	while (left) {
		struct vcpu *w = &x->machine->vcpus[__builtin_ctzll(left)];

		left &= left - 1;
		if (w->spin_addr != addr)
			continue;
		if (preemptible(w))
			explore_touch(&w->run_state, true);
		make_runnable(x, w);
	}
}

static inline bool deliverable(const struct vcpu *v)
{
	return v->pending && !v->irqs_off;
}

static __cold_path void no_progress(struct explorer *x, struct vcpu *v, const struct site *site)
{
	violation_from_outside(x->machine, &inv_no_progress, v->id,
			       "not finished after %llu decision points; the last one in %s",
			       (unsigned long long)x->d.step, site->func);
	explore_end(x, v, MACHINE_NO_PROGRESS);
}

static __noinline void interrupts_and_preemption(struct explorer *x, struct vcpu *v)
{
	if (deliverable(v) && (x->quiet || explore_choose(v, CHOICE_INTERRUPT, 2)))
		vcpu_run_interrupts(v);
	/* A handler may have ended in a switch of tasks: v is still the vCPU we run on. */
	if (v->preempt_count || v->irqs_off || v->in_interrupt)
		return;
	if (!v->need_resched && v->nr_waiting && explore_choose(v, CHOICE_TICK, 2))
		v->need_resched = 1;
	if (v->need_resched)
		v->machine->ops.preempt(v);
}

static __noinline void watched_step(struct explorer *x, struct vcpu *v,
				    const struct pending_access *access)
{
	const struct explore_observer *o = x->machine->observer;

	if (x->watch & WATCH_STRATEGY) {
		machinery_begin();
		x->strategy->ops->step(x->strategy, v->id, access, x->stats.history);
		machinery_end();
	}
	if (x->watch & WATCH_OBSERVER) {
		machinery_begin();
		o->step(o->arg, x->d.step, v, access);
		machinery_end();
	}
}

void explore_observe_event(struct vcpu *v, const struct event *e)
{
	const struct explore_observer *o = v->machine->observer;

	if (!v->explorer->quiet) {
		machinery_begin();
		o->event(o->arg, v->explorer->d.step, v, e);
		machinery_end();
	}
}

void explore_touched(const volatile void *addr, bool write)
{
	struct vcpu *v = this_vcpu();
	struct explorer *x = v->explorer;
	u64 address = arena_offset(&x->machine->arena, addr);

	if (x->quiet)
		return;
	if (x->coverage && x->coverage->touches) {
		machinery_begin();
		coverage_touch(x->coverage, v->id, address, write);
		machinery_end();
	}
	if (x->strategy->ops->touch) {
		machinery_begin();
		x->strategy->ops->touch(x->strategy, v->id, address, write);
		machinery_end();
	}
}

void explore_interrupted(struct vcpu *v)
{
	struct explorer *x = v->explorer;

	/* When an interrupt is taken depends on when it was raised, and the other way round. */
	if (x->coverage && !x->quiet) {
		machinery_begin();
		coverage_touch(x->coverage, v->id, arena_offset(&x->machine->arena, &v->pending),
			       true);
		machinery_end();
	}
	if (x->strategy->ops->interrupted && !x->quiet) {
		machinery_begin();
		x->strategy->ops->interrupted(x->strategy, v->id);
		machinery_end();
	}
}

void explore_quiet(bool quiet)
{
	struct vcpu *v = this_vcpu();

	if (!v->explorer)
		return;
	tso_drain_all(v->explorer);
	v->explorer->quiet = quiet;
}

/* So many steps of a quiet stretch, then the next vCPU that can go on has its turn: whoever waits
 * by looking again and again, as the last audit does for other vCPUs' callbacks, starves nobody.
 * Far more than a small program's set-up takes. */
#define QUIET_TURN 4096

/* The next turn; x->quiet_steps counts the steps of those before it, and of this one. */
static void quiet_turn_begin(struct explorer *x)
{
	x->quiet_left = min((u64)QUIET_TURN, x->max_steps - x->quiet_steps);
	x->quiet_steps += x->quiet_left;
}

/* Returns when @v has its turn again. The stretch may have ended then. */
static __noinline void quiet_turn(struct explorer *x, struct vcpu *v)
{
	struct decision others = x->d;

	others.runnable &= ~(1ULL << v->id);
	if (!others.runnable)
		return;
	x->pending[v->id] = (struct pending_access){NULL, 0};
	run_vcpu(x, v, decision_default(&others));
}

/* The turn that was given has been used up. Returns false if the stretch goes on. */
static bool quiet_turn_over(struct explorer *x, struct vcpu *v, const struct site *site)
{
	if (unlikely(x->quiet_steps >= x->max_steps))
		no_progress(x, v, site);
	if (unlikely(machine_stopping(x->machine)))
		explore_leave(v);
	quiet_turn_begin(x);
	quiet_turn(x, v);
	return !x->quiet;
}

/* A decision point where nothing is to be decided, but something else has to be done. */
static __noinline bool quiet_point_slow(struct explorer *x, struct vcpu *v,
					const volatile void *addr, const struct site *site)
{
	if (unlikely(!x->quiet_left) && quiet_turn_over(x, v, site))
		return explore_point(addr, site);
	if (unlikely(machine_stopping(x->machine)))
		explore_leave(v);
	if (unlikely(v->pending) || unlikely(!v->preempt_count && v->need_resched))
		interrupts_and_preemption(x, v);
	if (x->spinning && site->kind != ACCESS_LOAD)
		explore_stored(x, addr);
	return false;
}

/* Most of them, and set-up has many: few instructions, none of whose branches is ever taken. That
 * somebody spins, or that a task is to be switched once preemption is on, is rare enough. */
static __always_inline_fn bool quiet_point(struct explorer *x, struct vcpu *v,
					   const volatile void *addr, const struct site *site)
{
	v->site = site;
	if (unlikely(!--x->quiet_left) ||
	    unlikely(x->spun_on | v->pending | v->need_resched | machine_stop_word(x->machine)))
		return quiet_point_slow(x, v, addr, site);
	return false;
}

static __noinline bool decision_point(struct explorer *x, struct vcpu *v, const volatile void *addr,
				      const struct site *site)
{
	struct pending_access access;

	if (RACE_REPORTS && unlikely(x->raced))
		race_violation(v);
	access.site = site;
	access.address = arena_offset(&x->machine->arena, addr);
	v->site = site;
	/* Word by word: a copy of the whole just after its parts were written has to wait. */
	x->pending[v->id].site = site;
	x->pending[v->id].address = access.address;
	if (unlikely(++x->d.step >= x->max_steps))
		no_progress(x, v, site);
	if (unlikely(machine_stopping(x->machine)))
		explore_leave(v);
	if (unlikely(x->buffered))
		tso_decide(x, v);
	if (x->d.runnable & (x->d.runnable - 1)) {
		u32 next = ask_pick(x);

		if (next != v->id) {
			x->stats.preemptions++;
			run_vcpu(x, v, next);
			/* The schedule has ended meanwhile: what comes is no part of it. */
			if (unlikely(x->quiet))
				return quiet_point(x, v, addr, site);
		}
	}
	if (unlikely(v->pending | ((v->need_resched | v->nr_waiting) & -(u32)!v->preempt_count))) {
		interrupts_and_preemption(x, v);
		/* The task may have moved; the access belongs to wherever it runs now. */
		v = this_vcpu();
		v->site = site;
		if (unlikely(x->quiet))
			return quiet_point(x, v, addr, site);
	}
	history_mix(x, (u64)v->id << 56 ^ (u64)site->line << 32 ^ access.address);
	if (x->coverage) {
		machinery_begin();
		coverage_step(x->coverage, v->id, site, access.address);
		machinery_end();
	}
	if (unlikely(x->watch))
		watched_step(x, v, &access);
	if (unlikely(x->tso))
		return tso_access(x, v, addr, site);
	if (unlikely(x->spun_on & spin_bit(addr, site->kind != ACCESS_LOAD)))
		explore_stored(x, addr);
	return false;
}

/* No decision here, but whoever spins on a lock that the oracle takes is told. */
static __noinline bool oracle_point(struct explorer *x, const volatile void *addr,
				    const struct site *site)
{
	if (x->spinning && site->kind != ACCESS_LOAD)
		explore_stored(x, addr);
	return x->buffered != 0;
}

/* All calls are tail calls: a quiet point saves no registers. */
bool explore_point(const volatile void *addr, const struct site *site)
{
	struct vcpu *v = this_vcpu();
	struct explorer *x = v->explorer;

	if (likely(!(v->oracle_depth | x->quiet)))
		return decision_point(x, v, addr, site);
	if (unlikely(v->oracle_depth))
		return oracle_point(x, addr, site);
	if (RACE_REPORTS && unlikely(x->raced))
		race_violation(v);
	return quiet_point(x, v, addr, site);
}

void explore_relax_on(struct vcpu *v, const volatile void *addr)
{
	struct explorer *x = v->explorer;

	explore_touch(&v->pending, false);
	if (deliverable(v)) {
		vcpu_run_interrupts(v);
		return;
	}
	if (x->strategy->ops->yielded && !x->quiet) {
		machinery_begin();
		x->strategy->ops->yielded(x->strategy, v->id);
		machinery_end();
	}
	explore_touch(&v->nr_waiting, false);
	if ((v->need_resched || v->nr_waiting) && preemptible(v)) {
		v->need_resched = 1;
		v->machine->ops.preempt(v);
		return;
	}
	tso_drain(x, v);
	if (preemptible(v)) {
		/* As in user mode, or idle: nobody waits for it (explore_rests()). */
		if (v->machine->ops.vcpu_sleep)
			v->machine->ops.vcpu_sleep(v);
		if (deliverable(v)) {
			vcpu_run_interrupts(v);
			return;
		}
		explore_touch(&v->run_state, true);
	}
	v->run_state = VCPU_SPINNING;
	v->spin_addr = addr;
	x->spinning |= 1ULL << v->id;
	x->spun_on |= spin_bit(addr, true);
	x->d.runnable &= ~(1ULL << v->id);
	give_up_cpu(x, v);
	v->spin_addr = NULL;
	if (deliverable(v))
		vcpu_run_interrupts(v);
}

void explore_halt(struct vcpu *v)
{
	struct explorer *x = v->explorer;

	tso_drain(x, v);
	explore_touch(&v->pending, false);
	while (!v->pending) {
		x->pending[v->id] = (struct pending_access){NULL, 0};
		if (v->machine->ops.vcpu_sleep)
			v->machine->ops.vcpu_sleep(v);
		if (v->pending)
			break;
		explore_touch(&v->run_state, true);
		v->run_state = VCPU_HALTED;
		x->d.runnable &= ~(1ULL << v->id);
		give_up_cpu(x, v);
	}
	v->irqs_off = 0;
	vcpu_run_interrupts(v);
}

void explore_raised(struct vcpu *target)
{
	struct explorer *x = target->explorer;

	explore_touch(&target->pending, true);
	if (target->run_state == VCPU_HALTED)
		explore_touch(&target->run_state, true);
	if (target->run_state == VCPU_HALTED ||
	    (target->run_state == VCPU_SPINNING && !target->irqs_off))
		make_runnable(x, target);
}

void explore_leave(struct vcpu *v)
{
	struct explorer *x = v->explorer;

	vcpu_set_current(NULL);
	__tsan_release(&x->end);
	fiber_switch_final(v->fiber, &x->host);
	__builtin_unreachable();
}

static void explore_vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct explorer *x = v->explorer;

	__tsan_acquire(&x->strategy); /* what was set up before the run */
	v->machine->ops.vcpu_main(v);
	v->run_state = VCPU_DONE;
	x->nr_done++;
	x->d.runnable &= ~(1ULL << v->id);
	give_up_cpu(x, v);
	__builtin_unreachable();
}

enum machine_end explore_run(struct machine *m, struct strategy *strategy)
{
	struct explorer x = {
		.machine = m,
		.strategy = strategy,
		.max_steps = m->config.max_steps ? m->config.max_steps : ~0ULL,
		.end = MACHINE_FINISHED,
	};
	u32 first;

	quiet_turn_begin(&x);
	if (m->config.tso) {
		x.buffers = store_buffers_begin(m);
		if (!x.buffers)
			return MACHINE_STOPPED;
		x.tso = true;
	}
	if (!m->recorded.choices)
		(void)recording_reserve(&m->recorded);
	m->recorded.nr = 0;
	m->recorded.calls = 0;
	m->recorded.lost = false;
	x.recorded = &m->recorded;
	x.coverage = m->coverage;
	if (x.coverage)
		coverage_begin(x.coverage, m->nr_vcpus);
	x.current_bits = MMT_CURRENT_EXPLORE | (x.tso ? MMT_CURRENT_TSO : 0);
	if (strategy->ops->touch || (x.coverage && x.coverage->touches))
		x.current_bits |= MMT_CURRENT_TOUCH;
	x.d.pending = x.pending;
	x.watch = (strategy->ops->step ? WATCH_STRATEGY : 0) | (m->observer ? WATCH_OBSERVER : 0);
	x.quiet = m->config.quiet_start;
	x.stats.history = m->config.seed;
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		v->explorer = &x;
		v->run_state = VCPU_RUNNING;
		event_ring_begin(&v->events);
		v->ticks = 0; /* explore: ticks are a choice, never counted */
		v->fiber = &v->main_fiber;
		fiber_restart(&v->main_fiber, explore_vcpu_main, v);
		x.d.runnable |= 1ULL << i;
	}
	fiber_init_host(&x.host);
	__tsan_release(&x.strategy);
	strategy->ops->begin(strategy, m->config.seed, m->nr_vcpus);
	first = ask_pick(&x);
	x.d.last = first;
	vcpu_set_current(&m->vcpus[first]);
	fiber_switch_vcpu(&x.host, &m->vcpus[first].main_fiber);

	/* Back for good. */
	__tsan_acquire(&x.end);
	vcpu_set_current(NULL);
	fiber_forget_host(&x.host);
	if (RACE_REPORTS && x.raced)
		race_violation_at_end(&x);
	if (x.coverage)
		coverage_end(x.coverage, m->nr_vcpus);
	x.stats.steps = x.d.step;
	m->explored = x.stats;
	if (strategy->ops->end)
		strategy->ops->end(strategy, &x.stats);
	for (u32 i = 0; i < m->nr_vcpus; i++)
		m->vcpus[i].explorer = NULL;
	if (machine_stopping(m))
		x.end = (enum machine_end)(m->stopping - 1);
	if (m->violations.ready && x.end != MACHINE_DEADLOCK && x.end != MACHINE_NO_PROGRESS)
		return MACHINE_VIOLATION;
	return x.end;
}
