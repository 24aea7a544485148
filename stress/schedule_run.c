// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Schedules between a world and memory: taken from a run, and run again.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
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

static const char *where_of(const struct machine *m)
{
	return m->violations.ready ? m->violations.first.where : "-";
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
	snprintf(s->where, sizeof(s->where), "%s", where_of(m));
	return 0;
}

static bool same_word(const char *whole, const char *kept)
{
	return !strncmp(whole, kept, SCHEDULE_WORD_SIZE - 1);
}

__attribute__((format(printf, 3, 4))) static void
diverge(const struct machine *m, struct replay_state *state, const char *format, ...)
{
	va_list args;

	state->diverged = true;
	state->step = m->explored.steps;
	va_start(args, format);
	vsnprintf(state->reason, sizeof(state->reason), format, args);
	va_end(args);
}

/* Not at any single step, but in what came of it. */
static void compare_ends(const struct machine *m, enum machine_end end, const struct schedule *s,
			 struct replay_state *state)
{
	const struct explore_stats *e = &m->explored;

	if (state->diverged)
		return;
	if (end == MACHINE_STOPPED)
		diverge(m, state,
			"the machine has no room for the job, and had when it was recorded");
	else if (e->steps != s->steps || !same_word(slug_of(m), s->invariant) ||
		 !same_word(where_of(m), s->where))
		diverge(m, state,
			"it ended after %" PRIu64 " steps with %s in %s, and was recorded as "
			"%" PRIu64 " steps with %s in %s",
			e->steps, slug_of(m), where_of(m), s->steps, s->invariant, s->where);
	else if (m->recorded.calls != s->recorded.calls)
		diverge(m, state,
			"it made %u choices, and was recorded with %u; some decisions were never "
			"asked for",
			m->recorded.calls, s->recorded.calls);
	else if (e->history != s->history || e->preemptions != s->preemptions)
		diverge(m, state,
			"its history is %016" PRIx64 " with %" PRIu64 " preemptions, and was "
			"recorded as %016" PRIx64 " with %" PRIu64,
			e->history, e->preemptions, s->history, s->preemptions);
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
	compare_ends(world_machine(w), end, s, state);
	return end;
}

struct check_writer {
	struct schedule *s;
	bool full;
};

/* The history after each step, as the exact replay will be asked to compare it. Observers are the
 * explorer's side of the machine, which ThreadSanitizer does not see (engine/explore.h). */
__attribute__((no_sanitize("thread"))) static void
note_check(void *arg, u64 step, const struct vcpu *v, const struct pending_access *access)
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
