// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exact replay: the recorded choices at the recorded calls. See engine/recording.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/access.h"
#include "engine/explore.h"
#include "engine/machine.h"
#include "engine/recording.h"

struct strategy_replay {
	struct strategy base;
	const struct recording *r;
	const u16 *checks;
	u64 nr_checks;
	u64 steps;
	u32 next, calls;
	struct replay_state state;
};

static const char *const choice_words[] = {
	[CHOICE_INTERRUPT] = "an interrupt",
	[CHOICE_TICK] = "a tick",
	[CHOICE_WAKE] = "a wake-up",
	[CHOICE_TLB_EVICT] = "a TLB eviction",
	[CHOICE_TLB_FILL] = "a speculative TLB fill",
	[CHOICE_ALLOC_FAIL] = "a failing allocation",
	[CHOICE_DATA] = "random data",
	[CHOICE_DRAIN] = "a drained store",
	[RECORDED_PICK] = "a switch to another CPU",
};

__attribute__((cold, format(printf, 2, 3))) static void diverge(struct strategy_replay *r,
								const char *fmt, ...)
{
	const struct vcpu *v = this_vcpu();
	va_list args;

	if (r->state.diverged)
		return;
	r->state.diverged = true;
	va_start(args, fmt);
	vsnprintf(r->state.reason, sizeof(r->state.reason), fmt, args);
	va_end(args);
	/* Nobody is there yet when the first vCPU is picked: it is stopped at its first step. */
	if (v) {
		r->state.step = v->explorer->d.step;
		machine_stop(v->machine, MACHINE_STOPPED);
	}
}

static void replay_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct strategy_replay *r = (struct strategy_replay *)s;

	(void)seed;
	(void)nr_vcpus;
	r->next = 0;
	r->calls = 0;
	r->steps = 0;
	r->state = (struct replay_state){0};
}

/* The recorded choice for this call, which @cpu makes, or NULL for the default. */
static const struct recorded_choice *recorded(struct strategy_replay *r, u32 kind, u32 cpu)
{
	const struct recorded_choice *c;
	u32 at = r->calls++;

	if (r->state.diverged || r->next == r->r->nr || r->r->choices[r->next].at != at)
		return NULL;
	c = &r->r->choices[r->next++];
	if (c->kind == kind)
		return c;
	diverge(r, "CPU%u asks for %s, and what was recorded here is %s", cpu, choice_words[kind],
		c->kind <= RECORDED_PICK ? choice_words[c->kind] : "nothing known");
	return NULL;
}

static u32 replay_pick(struct strategy *s, const struct decision *d)
{
	struct strategy_replay *r = (struct strategy_replay *)s;
	const struct recorded_choice *c = recorded(r, RECORDED_PICK, d->last);

	if (c && (c->value >= MAX_VCPUS_EXPLORE || !(d->runnable & (1ULL << c->value)))) {
		diverge(r, "CPU%u was recorded to go on after CPU%u, and cannot", c->value,
			d->last);
		c = NULL;
	}
	return c ? c->value : decision_default(d);
}

static u32 replay_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	struct strategy_replay *r = (struct strategy_replay *)s;
	const struct recorded_choice *c = recorded(r, kind, cpu);

	if (c && c->value >= n) {
		diverge(r, "CPU%u asks for %s: %u was recorded, of %u possible", cpu,
			choice_words[kind], c->value, n);
		c = NULL;
	}
	return c ? c->value : 0;
}

static void replay_step(struct strategy *s, u32 cpu, const struct pending_access *access,
			u64 history)
{
	struct strategy_replay *r = (struct strategy_replay *)s;

	if (r->state.diverged)
		machine_stop(this_vcpu()->machine, MACHINE_STOPPED);
	else if (r->checks && r->steps >= r->nr_checks)
		diverge(r, "CPU%u goes on in %s, where what was recorded ended", cpu,
			access->site->func);
	else if (r->checks && r->checks[r->steps] != (u16)history)
		diverge(r,
			"CPU%u in %s: the history is ...%04x, and was recorded as ...%04x (%s:%u)",
			cpu, access->site->func, (u16)history, r->checks[r->steps],
			access->site->file, access->site->line);
	r->steps++;
}

static void replay_destroy(struct strategy *s)
{
	free(s);
}

static const struct strategy_ops replay_ops = {
	.name = "replay",
	.begin = replay_begin,
	.pick = replay_pick,
	.choose = replay_choose,
	.step = replay_step,
	.destroy = replay_destroy,
};

struct strategy *strategy_replay_create(const struct recording *recording, const u16 *checks,
					u64 nr_checks)
{
	struct strategy_replay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->base.ops = &replay_ops;
	r->r = recording;
	r->checks = checks;
	r->nr_checks = checks ? nr_checks : 0;
	return &r->base;
}

const struct replay_state *strategy_replay_state(const struct strategy *s)
{
	return &((const struct strategy_replay *)s)->state;
}
