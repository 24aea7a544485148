// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small machines for tests: vCPUs and tasks (smp/), nothing above.
 *
 * A scenario is a machine's size and a function that makes its tasks. It is run under the explorer
 * over a range of seeds, or under the threads executor a number of times, each time on a machine as
 * new, and must end as the caller says: finished, or with one violation. When it ends otherwise,
 * the violation with its events is printed and the test fails.
 *
 * Code that runs on a vCPU stands on a fiber's stack: it must not use Criterion's assertions, which
 * jump out of it. EXPECT() stops the machine with a violation of the kernel-bug kind instead.
 *
 * Memory that tasks share comes from the machine's arena (test_shared()), so that it has the same
 * offsets in every run and is gone with the machine.
 */
#ifndef TESTS_SUPPORT_TEST_MACHINE_H
#define TESTS_SUPPORT_TEST_MACHINE_H

#include "engine/executor.h"
#include "engine/machine.h"
#include "engine/strategy.h"
#include "smp/sched.h"

#define EXPECT(cond) BUG_ON(!(cond), "line %d: expected %s", __LINE__, #cond)
#define EXPECT_EQ(a, b)                                                                            \
	do {                                                                                       \
		u64 _ee_a = (u64)(a), _ee_b = (u64)(b);                                            \
		BUG_ON(_ee_a != _ee_b, "line %d: %s is %llu, expected %llu", __LINE__, #a,         \
		       (unsigned long long)_ee_a, (unsigned long long)_ee_b);                      \
	} while (0)

/* Far more decision points than any scenario here needs: a livelock ends the test. */
#define TEST_MAX_STEPS 2000000

/* A vCPU that gets nowhere for so long is stuck, not just without a core. */
#define TEST_STALL_SECONDS 60

/* Repetitions for a build: ThreadSanitizer makes a switch of fibers 20 times as expensive,
 * AddressSanitizer 5 times (measured here). */
#ifdef __SANITIZE_THREAD__
#define REPEAT(n) ((n) / 20 + 1)
#elif defined(__SANITIZE_ADDRESS__)
#define REPEAT(n) ((n) / 5 + 1)
#else
#define REPEAT(n) (n)
#endif

/* No planted deviation. */
#define NO_KNOB (~0u)

struct test_machine {
	struct machine *m;
	struct strategy *strategy;
	void *data; /* the scenario's own, from test_shared() */
};

struct scenario {
	u32 cpus;
	u64 max_steps; /* 0: TEST_MAX_STEPS */
	/* Makes the tasks; on the host's stack, before anything runs. */
	void (*setup)(struct test_machine *t);
	/* Looks at the machine after it has finished; on the host's stack. May be NULL. */
	void (*check)(const struct test_machine *t);
};

/* Zeroed memory that lives as long as the run. */
void *test_shared(struct test_machine *t, u64 size);

/* A kernel thread on @cpu, ready to run. From setup() and from tasks. */
struct task_struct *test_task(struct machine *m, u32 cpu, void (*entry)(void *), void *arg);

/* Explores @s with seeds 1 to @seeds: every run must finish, run check() and give back all tasks.
 * Returns the decision points of all runs together. */
u64 explore_scenario(const struct scenario *s, u64 seeds);

/* The same for @rounds runs in parallel reality. */
void thread_scenario(const struct scenario *s, u64 rounds);

/* Both. */
void run_scenario(const struct scenario *s, u64 seeds, u64 rounds);

/*
 * Explores @s with @knob planted until a run ends with violation @slug, which must happen within
 * @seeds seeds, and then without it over the same seeds, which must be silent. No run may end in
 * another violation. With NO_KNOB the second half is left out. Returns the seed that found it.
 */
u64 find_violation(const struct scenario *s, u32 knob, u64 seeds, const char *slug);

/* Every run must end in violation @slug: those of seeds 1 to @seeds explored, and @rounds under
 * threads. */
void always_violation(const struct scenario *s, const char *slug, u64 seeds, u64 rounds);

/* One run under each executor must. */
void expect_violation(const struct scenario *s, const char *slug);

#endif
