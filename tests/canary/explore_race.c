// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Canary: two emulated CPUs write one variable by plain stores, in a run on one thread. The test
 * asserts nothing about it, so only ThreadSanitizer makes it fail, and only as long as the engine
 * tells it about each switch from one vCPU to another without ordering the two.
 */
#include <criterion/criterion.h>

#include "engine/access.h"
#include "engine/executor.h"
#include "engine/machine.h"
#include "engine/strategy.h"

#define WRITES 100
#define SEED 1

static void write_unordered(struct vcpu *v)
{
	volatile u32 *counter = v->machine->config.user;

	for (u32 i = 0; i < WRITES; i++) {
		safepoint();
		*counter = i;
	}
}

static void ignore_interrupt(struct vcpu *v, u32 bits)
{
	(void)v;
	(void)bits;
}

static void ignore_preemption(struct vcpu *v)
{
	(void)v;
}

Test(canary, explore_race)
{
	static const struct machine_ops ops = {
		.vcpu_main = write_unordered,
		.interrupt = ignore_interrupt,
		.preempt = ignore_preemption,
	};
	volatile u32 counter = 0;
	struct machine_config config = {.nr_vcpus = 2, .seed = SEED, .user = (void *)&counter};
	struct machine *m = machine_create(&config, &ops);
	struct strategy *strategy = strategy_random_create();

	cr_assert_not_null(m);
	cr_assert_not_null(strategy);
	cr_assert_eq(machine_run(m, EXECUTOR_EXPLORE, strategy), MACHINE_FINISHED);
	strategy_destroy(strategy);
	machine_destroy(m);
}
