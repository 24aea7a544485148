// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress/bench_cpus.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* sched_getaffinity(2): EINVAL while the set is smaller than the kernel's own mask. */
#define CPU_SET_FIRST_GUESS 1024
#define CPU_SET_LARGEST (1 << 20)
/* Odd, so that the median is one of the values; takes well under a millisecond. */
#define CLOCK_PAIRS 1001
/* A hand-over between two running threads takes under 1 us; so many looks last longer. */
#define SPINS_BEFORE_SLEEP 2000

enum sibling_state { SIBLING_STARTING, SIBLING_PARKED, SIBLING_RUNNING, SIBLING_ENDED };

struct bench_affinity {
	cpu_set_t *set;
	size_t size; /* bytes, as the CPU_*_S macros take them */
};

int bench_fail(struct bench_error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -1;
}

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double clock_pair_ns(void)
{
	uint64_t apart[CLOCK_PAIRS];

	for (int i = 0; i < CLOCK_PAIRS; i++) {
		uint64_t before = bench_now_ns();

		apart[i] = bench_now_ns() - before;
	}
	qsort(apart, CLOCK_PAIRS, sizeof(apart[0]), compare_u64);
	return (double)apart[CLOCK_PAIRS / 2];
}

static void affinity_free(struct bench_affinity *affinity)
{
	if (!affinity)
		return;
	if (affinity->set)
		CPU_FREE(affinity->set);
	free(affinity);
}

static struct bench_affinity *affinity_of_this_thread(int *nr_bits, struct bench_error *err)
{
	struct bench_affinity *affinity = calloc(1, sizeof(*affinity));

	if (!affinity) {
		bench_fail(err, "no memory for a CPU mask");
		return NULL;
	}
	for (int bits = CPU_SET_FIRST_GUESS; bits <= CPU_SET_LARGEST; bits *= 2) {
		affinity->set = CPU_ALLOC(bits);
		affinity->size = CPU_ALLOC_SIZE(bits);
		if (!affinity->set) {
			bench_fail(err, "no memory for a CPU mask of %d bits", bits);
			break;
		}
		CPU_ZERO_S(affinity->size, affinity->set);
		if (!sched_getaffinity(0, affinity->size, affinity->set)) {
			*nr_bits = bits;
			return affinity;
		}
		bench_fail(err, "sched_getaffinity: %s", strerror(errno));
		if (errno != EINVAL)
			break;
		CPU_FREE(affinity->set);
		affinity->set = NULL;
	}
	affinity_free(affinity);
	return NULL;
}

int bench_env_init(struct bench_env *env, struct bench_error *err)
{
	int nr_bits = 0;

	memset(env, 0, sizeof(*env));
	env->allowed = affinity_of_this_thread(&nr_bits, err);
	if (!env->allowed)
		return -1;
	for (int cpu = 0; cpu < nr_bits && env->nr_cpus < BENCH_CPUS; cpu++)
		if (CPU_ISSET_S(cpu, env->allowed->size, env->allowed->set))
			env->cpu[env->nr_cpus++] = cpu;
	env->page_size = (size_t)sysconf(_SC_PAGESIZE);
	env->clock_pair_ns = clock_pair_ns();
	return 0;
}

void bench_env_destroy(struct bench_env *env)
{
	affinity_free(env->allowed);
	memset(env, 0, sizeof(*env));
}

int bench_pin(const struct bench_env *env, int which, struct bench_error *err)
{
	size_t size = env->allowed->size;
	cpu_set_t *one;
	int rc;

	if (which >= env->nr_cpus)
		return bench_fail(err, "needs %d CPUs, the process may use %d", which + 1,
				  env->nr_cpus);
	one = CPU_ALLOC(size * 8);
	if (!one)
		return bench_fail(err, "no memory for a CPU mask");
	CPU_ZERO_S(size, one);
	CPU_SET_S(env->cpu[which], size, one);
	rc = sched_setaffinity(0, size, one);
	if (rc)
		bench_fail(err, "sched_setaffinity to CPU %d: %s", env->cpu[which],
			   strerror(errno));
	CPU_FREE(one);
	return rc;
}

void bench_unpin(const struct bench_env *env)
{
	/* It was the mask of this process a moment ago; if a cpuset shrank meanwhile the kernel
	 * has moved us already, and there is nothing left to restore. */
	(void)sched_setaffinity(0, env->allowed->size, env->allowed->set);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t while_it_is)
{
	/* Wakes early on a signal or a change; the callers look again in any case. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_it_is, NULL, NULL, 0);
}

static void set_and_wake(_Atomic uint32_t *word, uint32_t value)
{
	/* Release: pairs with the acquire load in wait_while(). */
	atomic_store_explicit(word, value, memory_order_release);
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Waits until *@word is something else than @old, and returns what it is then. */
static uint32_t wait_while(_Atomic uint32_t *word, uint32_t old)
{
	uint32_t now;
	int looks = 0;

	/* Acquire: pairs with the release store in set_and_wake(). */
	while ((now = atomic_load_explicit(word, memory_order_acquire)) == old)
		if (++looks > SPINS_BEFORE_SLEEP)
			futex_wait(word, old);
	return now;
}

static void *sibling_main(void *arg)
{
	struct bench_sibling *s = arg;

	s->pinned = bench_pin(s->env, 1, NULL) == 0;
	set_and_wake(&s->doing, SIBLING_PARKED);
	for (;;) {
		uint32_t wanted = wait_while(&s->wanted, SIBLING_PARKED);

		if (wanted == SIBLING_ENDED)
			return NULL;
		set_and_wake(&s->doing, SIBLING_RUNNING);
		s->body(s, s->arg);
		/* A body may come back early; it is not parked before it is told to be. */
		wait_while(&s->wanted, SIBLING_RUNNING);
		set_and_wake(&s->doing, SIBLING_PARKED);
	}
}

int bench_sibling_start(struct bench_sibling *s, const struct bench_env *env,
			void (*body)(struct bench_sibling *self, void *arg), void *arg,
			struct bench_error *err)
{
	int rc;

	if (env->nr_cpus < BENCH_CPUS)
		return bench_fail(err, "needs %d CPUs, the process may use %d", BENCH_CPUS,
				  env->nr_cpus);
	memset(s, 0, sizeof(*s));
	atomic_init(&s->wanted, SIBLING_PARKED);
	atomic_init(&s->doing, SIBLING_STARTING);
	s->env = env;
	s->body = body;
	s->arg = arg;
	rc = pthread_create(&s->thread, NULL, sibling_main, s);
	if (rc)
		return bench_fail(err, "pthread_create: %s", strerror(rc));
	wait_while(&s->doing, SIBLING_STARTING);
	if (s->pinned)
		return 0;
	bench_sibling_stop(s);
	return bench_fail(err, "could not pin a thread to CPU %d", env->cpu[1]);
}

void bench_sibling_run(struct bench_sibling *s)
{
	set_and_wake(&s->wanted, SIBLING_RUNNING);
	wait_while(&s->doing, SIBLING_PARKED);
}

void bench_sibling_park(struct bench_sibling *s)
{
	if (atomic_load_explicit(&s->wanted, memory_order_relaxed) != SIBLING_RUNNING)
		return;
	set_and_wake(&s->wanted, SIBLING_PARKED);
	wait_while(&s->doing, SIBLING_RUNNING);
}

void bench_sibling_stop(struct bench_sibling *s)
{
	bench_sibling_park(s);
	set_and_wake(&s->wanted, SIBLING_ENDED);
	pthread_join(s->thread, NULL);
}

bool bench_sibling_should_run(const struct bench_sibling *s)
{
	return atomic_load_explicit(&s->wanted, memory_order_relaxed) == SIBLING_RUNNING;
}
