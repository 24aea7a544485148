// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Schedules between a world and memory: taken from a run, and run again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stress/schedule.h"

#include "engine/executor.h"

void schedule_destroy(struct schedule *s)
{
	recording_destroy(&s->recorded);
	free(s->checks);
	*s = (struct schedule){0};
}

static const char *slug_of(const struct machine *m)
{
	return m->violations.ready ? m->violations.first.invariant->slug : "-";
}

int schedule_of_world(struct schedule *s, struct world *w, uint64_t seed, struct error *err)
{
	const struct machine *m = world_machine(w);

	if (m->recorded.lost)
		return error_set(err, VERDICT_UNTRUSTWORTHY,
				 "the schedule is too long to be recorded; give --max-steps");
	schedule_destroy(s);
	if (recording_copy(&s->recorded, &m->recorded))
		return error_no_memory(err);
	s->seed = seed;
	s->steps = m->explored.steps;
	s->preemptions = m->explored.preemptions;
	s->history = m->explored.history;
	snprintf(s->invariant, sizeof(s->invariant), "%s", slug_of(m));
	snprintf(s->where, sizeof(s->where), "%s",
		 m->violations.ready ? m->violations.first.where : "-");
	return 0;
}

/* Not at any single step, but in what came of it. */
static void compare_ends(const struct machine *m, const struct schedule *s,
			 struct replay_state *state)
{
	if (state->diverged ||
	    (m->explored.steps == s->steps && m->explored.history == s->history &&
	     !strcmp(slug_of(m), s->invariant)))
		return;
	state->diverged = true;
	state->step = m->explored.steps;
	snprintf(state->reason, sizeof(state->reason),
		 "it ended after %" PRIu64 " steps with %s, and was recorded as %" PRIu64
		 " steps with %s",
		 m->explored.steps, slug_of(m), s->steps, s->invariant);
}

enum machine_end schedule_run(struct world *w, const struct schedule *s, struct replay_state *state,
			      struct error *err)
{
	struct strategy *strategy = strategy_replay_create(&s->recorded, s->checks, s->nr_checks);
	enum machine_end end;

	if (!strategy) {
		error_no_memory(err);
		return MACHINE_STOPPED;
	}
	end = world_run(w, EXECUTOR_EXPLORE, s->seed, strategy);
	*state = *strategy_replay_state(strategy);
	strategy_destroy(strategy);
	compare_ends(world_machine(w), s, state);
	return end;
}

struct check_writer {
	struct schedule *s;
	bool full;
};

/* The history after each step, as the exact replay will be asked to compare it. */
static void note_check(void *arg, u64 step, const struct vcpu *v,
		       const struct pending_access *access)
{
	struct check_writer *c = arg;

	(void)v;
	(void)access;
	if (step > c->s->steps)
		c->full = true;
	else
		c->s->checks[c->s->nr_checks++] = (uint16_t)explore_history();
}

static void no_event(void *arg, u64 step, const struct vcpu *v, const struct event *e)
{
	(void)arg;
	(void)step;
	(void)v;
	(void)e;
}

int schedule_fill_checks(struct world *w, struct schedule *s, struct error *err)
{
	struct machine *m = world_machine(w);
	struct check_writer c = {.s = s};
	struct explore_observer observer = {&c, note_check, no_event};
	const struct explore_observer *before = m->observer;
	struct replay_state state;

	free(s->checks);
	s->nr_checks = 0;
	s->checks = calloc(s->steps + 1, sizeof(*s->checks));
	if (!s->checks)
		return error_no_memory(err);
	m->observer = &observer;
	/* The checks are being made: there is nothing to compare with yet. */
	{
		struct schedule unchecked = *s;

		unchecked.checks = NULL;
		unchecked.nr_checks = 0;
		*err = (struct error){0};
		(void)schedule_run(w, &unchecked, &state, err);
	}
	m->observer = before;
	if (err->line[0])
		return -1;
	if (state.diverged || c.full)
		return error_set(err, VERDICT_DIVERGED,
				 "the schedule cannot be repeated: step %" PRIu64 ": %s",
				 state.step, state.reason);
	return 0;
}
