// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two CPUs of a bench run: which they are, pinning to them, and a second thread there.
 *
 * Both sides of a measure are to run on the same two CPUs, or their ratio compares CPUs. They
 * are the first two that the process was allowed to use when the run began; on a host that
 * allows one only, nr_cpus is 1 and whatever needs a second CPU is skipped with that reason.
 *
 * Threads: struct bench_env is written once by bench_env_init() and read-only afterwards, so
 * any thread may read it. A struct bench_sibling belongs to the thread that started it; only
 * that thread may run, park or stop it.
 *
 * Waiting: the hand-overs below spin for a moment and then sleep on a futex. What a sibling's
 * body does while it runs is its own affair; it must come back soon after
 * bench_sibling_should_run() says no.
 *
 * Errors: functions that return int return 0, or -1 with the reason in *err.
 */
#ifndef STRESS_BENCH_CPUS_H
#define STRESS_BENCH_CPUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bench needs at most two CPUs: one that acts and one that answers. */
#define BENCH_CPUS 2

/* Why a side could not be set up or run; empty where all went well. */
struct bench_error {
	char text[512];
};

/* Writes the reason into @err (which may be NULL) and returns -1. */
int bench_fail(struct bench_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct bench_affinity;

/* What a run found out about the host before the first measure. */
struct bench_env {
	int nr_cpus;	      /* 1 or 2 */
	int cpu[BENCH_CPUS];  /* host CPU numbers, as sched_setaffinity takes them */
	size_t page_size;     /* bytes of a host page */
	double clock_pair_ns; /* what two bench_now_ns() in a row lie apart, ns, median */
	struct bench_affinity *allowed;
};

int bench_env_init(struct bench_env *env, struct bench_error *err);
void bench_env_destroy(struct bench_env *env);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t bench_now_ns(void);

/* Pins the calling thread to env->cpu[@which]. */
int bench_pin(const struct bench_env *env, int which, struct bench_error *err);
/* Lets the calling thread use again all CPUs that the run was given. */
void bench_unpin(const struct bench_env *env);

/*
 * A thread pinned to the second CPU, parked until it is told to run. body() is called at each
 * bench_sibling_run() and has to return soon after bench_sibling_should_run() turned false.
 */
struct bench_sibling {
	_Atomic uint32_t wanted; /* what the owner asks for: enum in bench_cpus.c */
	_Atomic uint32_t doing;	 /* what the thread acknowledged */
	pthread_t thread;
	const struct bench_env *env;
	void (*body)(struct bench_sibling *self, void *arg);
	void *arg;
	bool pinned; /* written by the thread before its first acknowledgement */
};

/* Creates the thread, pinned and parked. Fails where the host has one CPU for us only. */
int bench_sibling_start(struct bench_sibling *s, const struct bench_env *env,
			void (*body)(struct bench_sibling *self, void *arg), void *arg,
			struct bench_error *err);
/* Returns once body() is about to run. */
void bench_sibling_run(struct bench_sibling *s);
/* Returns once body() has returned; what it wrote is visible to the caller. */
void bench_sibling_park(struct bench_sibling *s);
/* Parks where it runs, ends and joins the thread. */
void bench_sibling_stop(struct bench_sibling *s);
/* For body(): one relaxed load, cheap enough for the innermost loop. */
bool bench_sibling_should_run(const struct bench_sibling *s);

#endif
