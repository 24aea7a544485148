// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads executor: every vCPU is a pthread. The thread that called machine_run() watches:
 * it calls the monitor, looks for vCPUs that make no progress, and collects the threads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/explore.h"

INVARIANT(inv_soft_lockup, "soft-lockup",
	  "every vCPU that is not idle completes a system call or a context switch in time");
INVARIANT(inv_hung, "hung-tasks",
	  "while tasks are left, not all vCPUs are idle with nothing pending");

/* Rounds of polling before the processor is given to another thread. One round is about 0.1 us
 * (a shared line polled), a round trip between cores 0.15 to 0.3 us: an answer from a vCPU that
 * runs comes within this, and one that does not run needs our processor. */
#define SPIN_ROUNDS 24

/* The same while every vCPU has a processor of its own: whoever is waited for runs, and a yield
 * would only make the answer late. Still bounded: other programs may have taken a processor. */
#define SPIN_ROUNDS_ALONE 1000

/* The first rounds do without the pause instruction, which takes 40 to 140 cycles. */
#define SPIN_ROUNDS_TIGHT 16

static inline void cpu_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* For at most @limit; NULL: no limit. */
static void futex_wait(u32 *word, u32 value, const struct timespec *limit)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0);
}

static void futex_wake(u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool vcpu_raise(struct vcpu *target, u32 bit)
{
	u32 old = atomic_fetch_or(bit, &target->pending);

	if (target->explorer) {
		explore_raised(target);
	} else if (__atomic_load_n(&target->halted, __ATOMIC_SEQ_CST) &&
		   __atomic_exchange_n(&target->halted, 0, __ATOMIC_SEQ_CST)) {
		futex_wake(&target->halted);
	}
	return !(old & bit);
}

static void progress_made(struct vcpu *v)
{
	__atomic_store_n(&v->progress, v->progress + 1, __ATOMIC_RELAXED);
}

void vcpu_run_interrupts(struct vcpu *v)
{
	for (;;) {
		u32 bits = __atomic_load_n(&v->pending, __ATOMIC_RELAXED);

		explore_touch(&v->pending, false);
		if (unlikely(bits & PENDING_STOP))
			vcpu_leave();
		if (!bits || v->irqs_off)
			return;
		if (unlikely(buffering_stores()))
			explore_drain();
		v->irqs_off = 1;
		v->in_interrupt++;
		v->preempt_count++;
		explore_touch(&v->pending, true);
		if (v->explorer)
			explore_interrupted(v);
		bits = __atomic_exchange_n(&v->pending, 0, __ATOMIC_ACQ_REL);
		if (unlikely(bits & PENDING_STOP))
			vcpu_leave();
		v->machine->ops.interrupt(v, bits);
		if (unlikely(buffering_stores()))
			explore_drain();
		v->preempt_count--;
		v->in_interrupt--;
		v->irqs_off = 0;
	}
}

void vcpu_take_interrupts(struct vcpu *v)
{
	if (unlikely(v->oracle_depth)) {
		/* The next safepoint outside takes them, or finds that the slice has ended. */
		if (v->ticks == 0)
			v->ticks = 1;
		return;
	}
	vcpu_run_interrupts(v);
	if (v->ticks == 0 && !v->explorer) {
		v->ticks = TICK_SAFEPOINTS;
		if (__atomic_load_n(&v->nr_waiting, __ATOMIC_RELAXED))
			v->need_resched = 1;
	}
	if (v->need_resched && !v->preempt_count && !v->irqs_off)
		v->machine->ops.preempt(v);
}

/* What we wait for may be done by a task that waits for this vCPU. */
static void relax_preempt(struct vcpu *v)
{
	if (v->preempt_count || v->irqs_off || v->oracle_depth)
		return;
	if (__atomic_load_n(&v->nr_waiting, __ATOMIC_RELAXED))
		v->need_resched = 1;
	if (v->need_resched)
		v->machine->ops.preempt(v);
}

void cpu_relax_on(const volatile void *addr, struct spin *s)
{
	struct vcpu *v = this_vcpu();

	if (v->explorer) {
		explore_relax_on(v, addr);
		return;
	}
	vcpu_run_interrupts(v);
	if (likely(++s->rounds < v->machine->spin_rounds)) {
		if (s->rounds > SPIN_ROUNDS_TIGHT)
			cpu_pause();
		return;
	}
	relax_preempt(v);
	sched_yield();
}

void vcpu_halt(void)
{
	struct vcpu *v = this_vcpu();

	if (v->explorer) {
		explore_halt(v);
		return;
	}
	/* Pairs with vcpu_raise(): either it sees halted, or we see its bit. */
	__atomic_store_n(&v->halted, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&v->pending, __ATOMIC_SEQ_CST)) {
		if (v->machine->ops.vcpu_sleep)
			v->machine->ops.vcpu_sleep(v);
		while (__atomic_load_n(&v->halted, __ATOMIC_SEQ_CST) &&
		       !__atomic_load_n(&v->pending, __ATOMIC_SEQ_CST))
			futex_wait(&v->halted, 1, NULL);
		if (v->machine->ops.vcpu_wake)
			v->machine->ops.vcpu_wake(v);
	}
	__atomic_store_n(&v->halted, 0, __ATOMIC_SEQ_CST);
	v->irqs_off = 0;
	vcpu_run_interrupts(v);
}

void vcpu_progress(void)
{
	progress_made(this_vcpu());
}

u32 machine_choose(u32 kind, u32 n)
{
	struct vcpu *v = this_vcpu();

	if (v->explorer)
		return explore_choose(v, kind, n);
	if (kind == CHOICE_WAKE || kind == CHOICE_DATA)
		return random_below(&v->rng, n);
	return 0;
}

void vcpu_leave(void)
{
	struct vcpu *v = this_vcpu();

	if (v->explorer)
		explore_leave(v);
	fiber_switch_final(v->fiber, &v->host_fiber);
	__builtin_unreachable();
}

void machine_stop(struct machine *m, enum machine_end why)
{
	u32 none = 0;

	__atomic_compare_exchange_n(&m->stopping, &none, (u32)why + 1, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	/* The explorer looks at stopping by itself. */
	if (__atomic_load_n(&m->executor, __ATOMIC_RELAXED) == EXECUTOR_EXPLORE)
		return;
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		__atomic_fetch_or(&v->pending, PENDING_STOP, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&v->halted, 0, __ATOMIC_SEQ_CST))
			futex_wake(&v->halted);
	}
}

static void threads_vcpu_main(void *arg)
{
	struct vcpu *v = arg;

	v->machine->ops.vcpu_main(v);
	vcpu_leave();
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	struct machine *m = v->machine;

	fiber_init_host(&v->host_fiber);
	vcpu_set_current(v);
	if (m->ops.vcpu_online)
		m->ops.vcpu_online(v);
	fiber_restart(&v->main_fiber, threads_vcpu_main, v);
	v->fiber = &v->main_fiber;
	fiber_switch(&v->host_fiber, &v->main_fiber);
	/* vcpu_leave() came here, from whatever fiber was running. */
	if (m->ops.vcpu_offline)
		m->ops.vcpu_offline(v);
	vcpu_set_current(NULL);
	__atomic_store_n(&v->run_state, VCPU_DONE, __ATOMIC_RELAXED);
	if (!__atomic_sub_fetch(&m->vcpus_left, 1, __ATOMIC_SEQ_CST))
		futex_wake(&m->vcpus_left);
	return NULL;
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/*
 * The watchdog. A vCPU is stuck if it is not idle and makes no progress for the limit, although it
 * had processor time: with more vCPUs than cores, and other programs on the host, a vCPU may just
 * not have been run. Its fair share is what one of all vCPUs would get; STALL_SHARE of that since
 * half of the limit is enough to be blamed. One that has none at all (it sleeps in the host, which
 * nothing here should do) is blamed after STALL_HARD limits.
 */
#define STALL_SHARE 2 /* half */
#define STALL_HARD 8

struct watch {
	u64 progress;
	u64 since; /* ms on the watchdog's clock: when progress was seen to change */
	u64 ran;   /* ms of processor time at half of the limit; 0: not looked at yet */
};

struct watchdog {
	struct machine *machine;
	const pthread_t *threads;
	struct watch *vcpus;
	struct watch all;
	u64 share; /* vCPUs for each core of the host */
	u64 limit; /* ms */
	/* The watchdog's own clock, ms. It stops while nobody looks, so that a process that was
	 * stopped for a minute (SIGSTOP, a debugger, a paused virtual machine) is not stuck. */
	u64 now, last_look;
};

/* Processor time that the vCPU's thread has had, at least 1 ms. */
static u64 thread_ran_ms(pthread_t thread)
{
	struct timespec ts = {0};
	clockid_t clock;

	if (!pthread_getcpuclockid(thread, &clock))
		clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000 + 1;
}

/* No progress of vCPU @i for @quiet ms: is it stuck? */
static bool stuck(struct watchdog *w, u32 i, u64 quiet)
{
	struct watch *watch = &w->vcpus[i];

	if (quiet <= w->limit / 2)
		return false;
	if (!watch->ran)
		watch->ran = thread_ran_ms(w->threads[i]);
	if (quiet <= w->limit)
		return false;
	return quiet > STALL_HARD * w->limit ||
	       (thread_ran_ms(w->threads[i]) - watch->ran) * w->share * STALL_SHARE >= w->limit / 2;
}

/* Looks for a vCPU that is neither idle nor getting on, and for a machine that is all idle. */
static void watchdog_look(struct watchdog *w)
{
	struct machine *m = w->machine;
	u64 now = now_ms(), sum = 0;
	bool all_idle = true;

	w->now += min(now - w->last_look, 2 * (u64)MONITOR_INTERVAL_MS);
	w->last_look = now;
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];
		u64 progress = __atomic_load_n(&v->progress, __ATOMIC_RELAXED);
		bool done = __atomic_load_n(&v->run_state, __ATOMIC_RELAXED) == VCPU_DONE;
		bool idle = __atomic_load_n(&v->halted, __ATOMIC_RELAXED) &&
			    !__atomic_load_n(&v->pending, __ATOMIC_RELAXED);

		sum += progress;
		all_idle &= idle || done;
		if (idle || done || progress != w->vcpus[i].progress) {
			w->vcpus[i] = (struct watch){.progress = progress, .since = w->now};
		} else if (stuck(w, i, w->now - w->vcpus[i].since)) {
			violation_from_outside(m, &inv_soft_lockup, i,
					       "CPU%u made no progress for %u s", i,
					       m->config.stall_seconds);
			machine_stop(m, MACHINE_NO_PROGRESS);
			return;
		}
	}
	if (!all_idle || sum != w->all.progress) {
		w->all = (struct watch){.progress = sum, .since = w->now};
	} else if (w->now - w->all.since > w->limit) {
		violation_from_outside(m, &inv_hung, 0,
				       "all CPUs have been idle for %u s and tasks are left",
				       m->config.stall_seconds);
		machine_stop(m, MACHINE_DEADLOCK);
	}
}

/* Returns true as soon as all vCPUs' threads have ended, false after MONITOR_INTERVAL_MS. */
static bool wait_for_vcpus(struct machine *m)
{
	u64 end = now_ms() + MONITOR_INTERVAL_MS;

	for (;;) {
		u32 left = __atomic_load_n(&m->vcpus_left, __ATOMIC_SEQ_CST);
		u64 now = now_ms();
		struct timespec limit = {0};

		if (!left)
			return true;
		if (now >= end)
			return false;
		limit.tv_nsec = (long)(end - now) * 1000000;
		futex_wait(&m->vcpus_left, left, &limit);
	}
}

static void watch_until_done(struct machine *m, const pthread_t *threads)
{
	u64 cores = (u64)max(sysconf(_SC_NPROCESSORS_ONLN), 1L);
	struct watchdog w = {
		.machine = m,
		.threads = threads,
		.vcpus = calloc(m->nr_vcpus, sizeof(*w.vcpus)),
		.share = (m->nr_vcpus + cores - 1) / cores,
		.limit = (u64)m->config.stall_seconds * 1000,
		.last_look = now_ms(),
	};
	bool done;

	do {
		done = wait_for_vcpus(m);
		if (m->ops.monitor)
			m->ops.monitor(m);
		if (!done && w.vcpus && w.limit && !machine_stopping(m))
			watchdog_look(&w);
	} while (!done);
	free(w.vcpus);
}

enum machine_end threads_run(struct machine *m)
{
	pthread_t *threads = calloc(m->nr_vcpus, sizeof(*threads));
	u32 started = 0;
	int err = threads ? 0 : ENOMEM;
	u32 stop;

	__atomic_store_n(&m->vcpus_left, m->nr_vcpus, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		m->vcpus[i].explorer = NULL;
		m->vcpus[i].ticks = TICK_SAFEPOINTS;
	}
	m->spin_rounds = (long)m->nr_vcpus <= sysconf(_SC_NPROCESSORS_ONLN) ? SPIN_ROUNDS_ALONE
									    : SPIN_ROUNDS;
	if (m->ops.threads_prepare)
		m->ops.threads_prepare(m);
	while (!err && started < m->nr_vcpus) {
		err = pthread_create(&threads[started], NULL, vcpu_thread, &m->vcpus[started]);
		if (!err)
			started++;
	}
	if (err) {
		__atomic_fetch_sub(&m->vcpus_left, m->nr_vcpus - started, __ATOMIC_SEQ_CST);
		violation_from_outside(m, &inv_kernel_bug, started,
				       "could not start vCPU thread %u: %s", started,
				       strerror(err));
		machine_stop(m, MACHINE_STOPPED);
	}
	watch_until_done(m, threads);
	for (u32 i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	if (m->violations.ready && m->stopping != MACHINE_NO_PROGRESS + 1 &&
	    m->stopping != MACHINE_DEADLOCK + 1)
		return MACHINE_VIOLATION;
	stop = __atomic_load_n(&m->stopping, __ATOMIC_SEQ_CST);
	return stop ? (enum machine_end)(stop - 1) : MACHINE_FINISHED;
}
