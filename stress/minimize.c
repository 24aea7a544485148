// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/minimize.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/machine.h"
#include "stress/explored.h"
#include "stress/job_edit.h"
#include "stress/minimize_private.h"

/* The clock is looked at once in so many schedules. */
#define CLOCK_INTERVAL 16

/* Schedules for each smaller program: most that still show the violation do so soon, so the ones
 * that do not are first given up early. The last number is what the result promises. */
static const uint64_t budgets[] = {MINIMIZE_FIRST_BUDGET, MINIMIZE_ROUGH_BUDGET, 128,
				   MINIMIZE_BUDGET};

/* When the schedule has become another one, the programs that were given up are followed along it.
 */
#define BUDGET_AGAIN 64

/* Program and schedule in turn; rarely more than two rounds are needed. */
#define ROUNDS_MAX 16

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void found_destroy(struct found *f)
{
	recording_destroy(&f->recorded);
	guide_destroy(&f->guide);
}

bool minimize_fail(struct minimizer *m)
{
	if (!m->err->status)
		error_no_memory(m->err);
	m->over = true;
	return false;
}

static bool same_violation(const struct minimizer *m)
{
	const struct machine *machine = world_machine(m->world);
	const struct violation *v = &machine->violations.first;

	return machine->violations.ready && !machine->recorded.lost &&
	       !strncmp(v->invariant->slug, m->invariant, SCHEDULE_WORD_SIZE - 1) &&
	       !strncmp(v->where, m->where, SCHEDULE_WORD_SIZE - 1);
}

static bool told_to_end(struct minimizer *m)
{
	if (m->options->stop && m->options->stop(m->options->stop_arg))
		return true;
	return m->limit_s > 0 && now_s() - m->started_s >= m->limit_s;
}

bool minimize_probe(struct minimizer *m, const struct job *job, uint64_t seed,
		    struct strategy *strategy)
{
	/* Not before the first one: that repeats what is to be minimised. */
	if (m->schedules % CLOCK_INTERVAL == 1 && told_to_end(m))
		m->over = true;
	if (m->over)
		return false;
	m->schedules++;
	world_set_job(m->world, job);
	return world_run(m->world, EXECUTOR_EXPLORE, seed, strategy) != MACHINE_STOPPED &&
	       same_violation(m);
}

/* ---- taking over ---- */

/* Runs the job at hand with a note of what @strategy answers. */
static bool probe_noted(struct minimizer *m, uint64_t seed, struct strategy *strategy,
			struct guide *note)
{
	struct strategy *noting = strategy ? strategy_guide_note_create(strategy, note) : NULL;
	bool met;

	if (!noting)
		return minimize_fail(m);
	met = minimize_probe(m, &m->config.job, seed, noting);
	strategy_destroy(noting);
	return note->lost ? minimize_fail(m) : met;
}

/* What the machine has recorded and @note, which is empty afterwards. */
static bool take_noted(struct minimizer *m, uint64_t seed, struct guide *note)
{
	const struct machine *machine = world_machine(m->world);
	struct found *f = &m->found;

	if (recording_copy(&f->recorded, &machine->recorded))
		return minimize_fail(m);
	guide_destroy(&f->guide);
	f->guide = *note;
	*note = (struct guide){0};
	f->seed = seed;
	f->stats = machine->explored;
	return true;
}

bool minimize_follow(struct minimizer *m, const struct guide *guide)
{
	struct strategy *s = strategy_guide_create(guide);
	struct guide note = {0};
	bool met = probe_noted(m, m->found.seed, s, &note) && note.nr < m->found.guide.nr &&
		   take_noted(m, m->found.seed, &note);

	guide_destroy(&note);
	strategy_destroy(s);
	return met;
}

/* Replays what was recorded, with a note. */
static bool replay_noted(struct minimizer *m, const struct recording *recorded, uint64_t seed)
{
	struct strategy *s = strategy_replay_create(recorded, NULL, 0);
	struct guide note = {0};
	bool met = probe_noted(m, seed, s, &note) && !strategy_replay_state(s)->diverged &&
		   take_noted(m, seed, &note);

	guide_destroy(&note);
	strategy_destroy(s);
	return met;
}

bool minimize_take(struct minimizer *m, uint64_t seed)
{
	struct recording recorded = {0};
	bool met;

	if (recording_copy(&recorded, &world_machine(m->world)->recorded))
		return minimize_fail(m);
	met = replay_noted(m, &recorded, seed);
	recording_destroy(&recorded);
	return met;
}

/* ---- owners ---- */

/* Observers are the explorer's side of the machine, which ThreadSanitizer does not see
 * (engine/explore.h). */
__attribute__((no_sanitize("thread"))) static void
note_owner(void *arg, u64 step, const struct vcpu *v, const struct pending_access *access)
{
	struct minimizer *m = arg;
	struct step_owner *o;
	u32 slot, op;

	(void)step;
	(void)access;
	if (m->nr_owners == m->owners_size)
		return;
	o = &m->owners[m->nr_owners++];
	*o = (struct step_owner){.cpu = v->id};
	if (world_task_op(v, &slot, &op)) {
		const struct job_group *g = job_group_of_task(&m->config.job, slot);

		if (g && op < g->program.nr)
			o->operation = g->program.ops[op].line;
	}
}

static void no_event(void *arg, u64 step, const struct vcpu *v, const struct event *e)
{
	(void)arg;
	(void)step;
	(void)v;
	(void)e;
}

bool minimize_owners(struct minimizer *m)
{
	struct explore_observer observer = {m, note_owner, no_event};
	struct machine *machine = world_machine(m->world);
	struct strategy *s;
	size_t steps = (size_t)m->found.stats.steps + 1;
	bool met;

	if (m->owners_size < steps) {
		struct step_owner *owners = realloc(m->owners, steps * sizeof(*owners));

		if (!owners)
			return minimize_fail(m);
		m->owners = owners;
		m->owners_size = steps;
	}
	s = strategy_replay_create(&m->found.recorded, NULL, 0);
	if (!s)
		return minimize_fail(m);
	m->nr_owners = 0;
	machine->observer = &observer;
	met = minimize_probe(m, &m->config.job, m->found.seed, s);
	machine->observer = NULL;
	strategy_destroy(s);
	return met;
}

/* ---- begin and end ---- */

static void measure(struct minimize_size *size, const struct minimizer *m)
{
	*size = (struct minimize_size){
		.operations = job_operations(&m->config.job),
		.tasks = job_tasks(&m->config.job),
		.cpus = m->config.cpus,
		.steps = m->found.stats.steps,
		.preemptions = m->found.stats.preemptions,
		.decisions = m->found.recorded.nr,
	};
}

static int refuse(const struct config *config, const struct schedule *s, struct error *err)
{
	if (!strcmp(s->invariant, "-"))
		return error_set(err, VERDICT_SKIPPED,
				 "the schedule breaks no invariant: there is nothing to minimise");
	if (!job_has_programs(&config->job))
		return error_set(err, VERDICT_SKIPPED,
				 "%s: a group has a mix (ops) and no program; only schedules of "
				 "programs can be minimised",
				 config->job.path);
	return 0;
}

/* The schedule as it is given. */
static int reproduce(struct minimizer *m, const struct schedule *s)
{
	if (replay_noted(m, &s->recorded, s->seed) && m->found.stats.history == s->history)
		return 0;
	if (m->err->status)
		return -1;
	return error_set(m->err, VERDICT_DIVERGED,
			 "the schedule does not repeat: %s in %s was recorded, and the same "
			 "decisions do not lead there",
			 s->invariant, s->where);
}

static int make_strategies(struct minimizer *m)
{
	static const char *const names[MINIMIZE_STRATEGIES_MAX] = {"random", "pct:1-4",
								   "portfolio"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strategy_refusal(names[i]))
			continue;
		m->strategies[m->nr_strategies] = strategy_create(names[i]);
		if (!m->strategies[m->nr_strategies])
			return error_no_memory(m->err);
		m->nr_strategies++;
	}
	return 0;
}

/* The job spread out, if it still shows the violation then: it does the same, with other objects.
 */
static int spread(struct minimizer *m)
{
	const struct job_change change = {.cpu = -1};
	struct job job;

	if (job_copy(&job, &m->config.job))
		return error_no_memory(m->err);
	if (!job_spread(&job, m->err))
		(void)(minimize_change_job(m, &job, &change, MINIMIZE_FIRST_BUDGET) ||
		       minimize_change_job(m, &job, &change, MINIMIZE_BUDGET));
	job_destroy(&job);
	if (m->err->status)
		return -1;
	(void)job_name_operations(&m->config.job);
	if (!minimize_owners(m))
		m->over = true;
	return 0;
}

/* Program and schedule in turn, until neither becomes smaller. */
static void shrink(struct minimizer *m, bool *minimal)
{
	bool changed = true;

	for (size_t b = 0; b + 1 < ARRAY_SIZE(budgets); b++) {
		if (budgets[b] > MINIMIZE_FIRST_BUDGET)
			minimize_decisions(m, budgets[b] <= MINIMIZE_ROUGH_BUDGET);
		while (minimize_program(m, budgets[b]))
			continue;
	}
	for (u32 round = 0; changed && round < ROUNDS_MAX && !m->over; round++) {
		while (minimize_program(m, MINIMIZE_BUDGET))
			continue;
		minimize_preemptions(m);
		changed = minimize_program(m, BUDGET_AGAIN);
	}
	*minimal = !m->over && !changed;
}

/* Hands over what has been found. */
static int finish(struct minimizer *m, struct config *config, struct schedule *s)
{
	struct replay_state state;
	struct schedule found = {.seed = m->found.seed};
	enum machine_end end;

	world_set_job(m->world, &m->config.job);
	/* Once more, exactly, for the figures. */
	found.recorded = m->found.recorded;
	found.steps = m->found.stats.steps;
	found.history = m->found.stats.history;
	end = schedule_run(m->world, &found, &state, m->err);
	if (m->err->status)
		return -1;
	if (end == MACHINE_STOPPED || !same_violation(m))
		return error_set(m->err, VERDICT_DIVERGED, "what was minimised does not repeat: %s",
				 state.reason);
	found = (struct schedule){0};
	if (schedule_of_world(&found, m->world, m->found.seed, m->err) ||
	    schedule_fill_checks(m->world, &found, m->err)) {
		schedule_destroy(&found);
		return -1;
	}
	schedule_destroy(s);
	*s = found;
	job_destroy(&config->job);
	config->job = m->config.job;
	m->config.job = (struct job){0};
	config->cpus = m->config.cpus;
	config->pages = m->config.pages;
	return 0;
}

/* Far more decision points than a smaller program needs, for those that get lost. */
#define STEPS_MARGIN 100000

static int begin(struct minimizer *m, const struct config *config, const struct schedule *s,
		 const struct minimize_options *options, struct error *err)
{
	uint64_t most = 16 * s->steps + STEPS_MARGIN;

	*m = (struct minimizer){
		.config = *config,
		.started_s = now_s(),
		.options = options,
		.limit_s = (double)options->duration_ns * 1e-9,
		.err = err,
	};
	snprintf(m->invariant, sizeof(m->invariant), "%s", s->invariant);
	snprintf(m->where, sizeof(m->where), "%s", s->where);
	/* An endless schedule is only that with the limit that it was found with. */
	if (strcmp(s->invariant, "no-progress") &&
	    (!m->config.max_steps || m->config.max_steps > most))
		m->config.max_steps = most;
	m->config.job = (struct job){0};
	if (job_copy(&m->config.job, &config->job))
		return error_no_memory(err);
	if (make_strategies(m))
		return -1;
	m->world = explored_world(&m->config, err);
	return m->world ? 0 : -1;
}

static void end(struct minimizer *m)
{
	world_destroy(m->world);
	for (unsigned int i = 0; i < m->nr_strategies; i++)
		strategy_destroy(m->strategies[i]);
	found_destroy(&m->found);
	free(m->owners);
	job_destroy(&m->config.job);
}

int schedule_minimize(struct config *config, struct schedule *s,
		      const struct minimize_options *options, struct minimize_report *report,
		      struct error *err)
{
	struct minimizer *m;
	int ret;

	*err = (struct error){0};
	*report = (struct minimize_report){0};
	if (refuse(config, s, err))
		return -1;
	m = malloc(sizeof(*m)); /* a configuration is too large for a stack */
	if (!m)
		return error_no_memory(err);
	ret = begin(m, config, s, options, err);
	if (!ret)
		ret = reproduce(m, s);
	if (!ret) {
		measure(&report->before, m);
		ret = spread(m);
	}
	if (!ret) {
		shrink(m, &report->minimal);
		ret = err->status ? -1 : finish(m, config, s);
	}
	if (!ret) {
		m->config.job = config->job;
		measure(&report->after, m);
		m->config.job = (struct job){0};
	}
	report->schedules = m->schedules;
	report->seconds = now_s() - m->started_s;
	end(m);
	free(m);
	return ret;
}
