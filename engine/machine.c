// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/explore.h"
#include "engine/explore_coverage.h"

static void vcpu_init(struct vcpu *v, struct machine *m, u32 id)
{
	struct fiber main_fiber = v->main_fiber;
	struct event *slots = v->events.slots;

	memset(v, 0, sizeof(*v));
	v->main_fiber = main_fiber;
	v->events.slots = slots;
	v->machine = m;
	v->id = id;
	/* The idle task and the boot path run with preemption off until the scheduler starts. */
	v->preempt_count = 1;
	random_seed(&v->rng, m->config.seed, id);
}

static int machine_init(struct machine *m)
{
	const struct machine_config *c = &m->config;

	m->nr_vcpus = c->nr_vcpus;
	memcpy(m->knobs, c->knobs, sizeof(m->knobs));
	m->vcpus = arena_alloc_dirty(&m->arena, c->nr_vcpus * sizeof(*m->vcpus), CACHE_LINE);
	if (!m->vcpus)
		return -ENOMEM;
	return 0;
}

static int vcpus_create(struct machine *m)
{
	/* All of them first: machine_destroy() looks at them if this fails half way. */
	memset(m->vcpus, 0, m->nr_vcpus * sizeof(*m->vcpus));
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		v->events.slots = arena_alloc_dirty(
			&m->arena, EVENT_RING_SIZE * sizeof(struct event), CACHE_LINE);
		if (!v->events.slots || fiber_create(&v->main_fiber, m->stacks, NULL, NULL))
			return -ENOMEM;
		vcpu_init(v, m, i);
	}
	return 0;
}

/* What the configuration asks for; by default as much as the host gives, which is less than all
 * under valgrind, ulimit -v or vm.overcommit_memory=2. */
static int reserve_arena(struct machine *m)
{
	u64 bytes = m->config.arena_bytes;
	int err;

	if (bytes)
		return arena_create(&m->arena, bytes);
	for (bytes = MACHINE_ARENA_BYTES; bytes >= MACHINE_ARENA_BYTES_MIN; bytes /= 2) {
		err = arena_create(&m->arena, bytes);
		if (!err)
			break;
	}
	return err;
}

struct machine *machine_create(const struct machine_config *config, const struct machine_ops *ops)
{
	struct machine *m;

	if (!config->nr_vcpus || config->nr_vcpus > MAX_VCPUS)
		return NULL;
	m = aligned_alloc(CACHE_LINE, round_up_to(sizeof(*m), CACHE_LINE));
	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->ops = *ops;
	m->stacks = fiber_stack_pool_create(config->stack_size ? config->stack_size
							       : MACHINE_STACK_SIZE);
	if (!m->stacks || reserve_arena(m) || machine_init(m) || vcpus_create(m)) {
		machine_destroy(m);
		return NULL;
	}
	return m;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	for (u32 i = 0; m->vcpus && i < m->nr_vcpus; i++)
		fiber_release(&m->vcpus[i].main_fiber, m->stacks);
	fiber_stack_pool_destroy(m->stacks);
	arena_destroy(&m->arena);
	recording_destroy(&m->recorded);
	explore_coverage_destroy(m->coverage);
	free(m);
}

int machine_reset(struct machine *m, const struct machine_config *config)
{
	struct machine_ops ops = m->ops;
	struct arena arena = m->arena;
	struct fiber_stack_pool *stacks = m->stacks;
	const struct placement *placement = m->placement;
	struct recording recorded = m->recorded;
	const struct explore_observer *observer = m->observer;
	struct explore_coverage *coverage = m->coverage;
	struct vcpu *vcpus = m->vcpus;
	u32 nr = m->nr_vcpus;
	int err;

	if (nr != config->nr_vcpus) {
		for (u32 i = 0; i < nr; i++)
			fiber_release(&vcpus[i].main_fiber, stacks);
	}
	arena_reset(&arena);
	memset(m, 0, sizeof(*m));
	m->arena = arena;
	m->stacks = stacks;
	m->ops = ops;
	m->config = *config;
	m->placement = placement;
	m->recorded = recorded;
	m->observer = observer;
	m->coverage = coverage;
	err = machine_init(m);
	if (err)
		return err;
	if (nr != config->nr_vcpus)
		return vcpus_create(m);
	/* The vCPUs come first in the arena: the same number lies where it lay before. */
	m->arena.used = (u64)((char *)vcpus[nr - 1].events.slots - m->arena.base) +
			EVENT_RING_SIZE * sizeof(struct event);
	for (u32 i = 0; i < nr; i++)
		vcpu_init(&m->vcpus[i], m, i);
	return 0;
}

enum machine_end machine_run(struct machine *m, enum executor executor, struct strategy *strategy)
{
	__atomic_store_n(&m->executor, executor, __ATOMIC_RELAXED);
	if (executor == EXECUTOR_EXPLORE && m->nr_vcpus > MAX_VCPUS_EXPLORE) {
		violation_from_outside(m, &inv_kernel_bug, 0,
				       "%u vCPUs to explore, expected at most %u", m->nr_vcpus,
				       MAX_VCPUS_EXPLORE);
		return MACHINE_STOPPED;
	}
	if (executor == EXECUTOR_EXPLORE)
		return explore_run(m, strategy);
	return threads_run(m);
}
