// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The minimiser's edits of the program: tasks, operations, vCPUs, arguments and working sets.
 *
 * A smaller program has other schedules. The one that was found is translated: what stood at a step
 * of a vCPU stands so many steps earlier as that vCPU had spent in what has been taken away. It is
 * followed, then shaken; and schedules are drawn without it.
 */
#include "stress/minimize_private.h"

#include <stdlib.h>
#include <string.h>

#include "stress/explored.h"
#include "stress/job_edit.h"

/* ---- translating the schedule ---- */

static bool is_removed(const struct job_change *change, uint32_t operation)
{
	return change->removed && operation && change->removed[operation - 1];
}

/* The number of vCPU @cpu after the change; -1: it is gone. */
static int cpu_after(const struct job_change *change, u32 cpu)
{
	if (change->cpu < 0 || (int)cpu < change->cpu)
		return (int)cpu;
	return (int)cpu == change->cpu ? -1 : (int)cpu - 1;
}

/* Steps of one vCPU that are gone, below its own step number @step: looked up in entries that
 * come in the vCPU's own order. */
struct gone {
	size_t owner; /* where we are in the minimizer's owners */
	u32 own, gone;
};

static u32 steps_gone(const struct minimizer *m, const struct job_change *change, struct gone *g,
		      u32 cpu, u32 step)
{
	while (g->own < step && g->owner < m->nr_owners) {
		const struct step_owner *o = &m->owners[g->owner++];

		if (o->cpu != cpu)
			continue;
		g->own++;
		g->gone += is_removed(change, o->operation);
	}
	return g->gone;
}

/* The found schedule's guide for the changed job; guide_destroy() is due. */
static bool translate(struct minimizer *m, const struct job_change *change, struct guide *to)
{
	struct gone gone[MAX_VCPUS_EXPLORE] = {0};
	u32 kept = 0;

	if (guide_copy(to, &m->found.guide))
		return minimize_fail(m);
	for (u32 i = 0; i < to->nr; i++) {
		struct guide_entry e = to->entries[i];
		bool picks = e.kind == GUIDE_PREEMPT || e.kind == GUIDE_HANDOVER;
		int cpu = cpu_after(change, e.cpu);
		int value = picks ? cpu_after(change, e.value) : (int)e.value;

		if (cpu < 0 || value < 0)
			continue;
		e.step -= steps_gone(m, change, &gone[e.cpu], e.cpu, e.step);
		e.cpu = (u32)cpu;
		e.value = (u32)value;
		to->entries[kept++] = e;
	}
	to->nr = kept;
	return true;
}

/* ---- the search ---- */

/* Noise in turn: steps to move an entry by (a few accesses to a few functions), and one entry in so
 * many that is left out. */
#define MOVE_LOG2_MAX 7
#define DROP 8
#define SPARSE_PREEMPTIONS_MAX 4

struct search {
	struct guide guide;
	struct strategy *around; /* follows it, with noise */
	struct guide none;
	struct strategy *sparse;
	uint64_t seed; /* of the last schedule */
};

static bool search_begin(struct minimizer *m, struct search *s, const struct job_change *change)
{
	*s = (struct search){0};
	if (!translate(m, change, &s->guide))
		return false;
	s->around = strategy_guide_create(&s->guide);
	s->sparse = strategy_guide_create(&s->none);
	return (s->around && s->sparse) || minimize_fail(m);
}

static void search_end(struct search *s)
{
	strategy_destroy(s->around);
	strategy_destroy(s->sparse);
	guide_destroy(&s->guide);
}

/* Schedule number @i of a search: which strategy, from which seed. Every second one is near to the
 * found one. */
static struct strategy *search_strategy(struct minimizer *m, struct search *s, uint64_t i)
{
	u32 picks = m->found.guide.picks;

	s->seed = m->found.seed;
	if (i % 2 == 0) {
		struct guide_noise noise = {.salt = i};

		if (i) {
			noise.move = 1u << (i / 2 % MOVE_LOG2_MAX);
			noise.drop = DROP;
			noise.preemptions = i / 2 % 3;
			noise.picks = picks;
		}
		strategy_guide_noise(s->around, &noise);
		return s->around;
	}
	s->seed += i;
	if (i % 4 == 1 || !m->nr_strategies) {
		strategy_guide_noise(s->sparse,
				     &(struct guide_noise){
					     .preemptions = 1 + i / 4 % SPARSE_PREEMPTIONS_MAX,
					     .picks = picks,
					     .free = true,
				     });
		return s->sparse;
	}
	return m->strategies[i / 4 % m->nr_strategies];
}

/* As minimize_change_job(); the world has the right number of vCPUs. */
static bool search_job(struct minimizer *m, struct job *job, const struct job_change *change,
		       uint64_t budget)
{
	struct search s;
	bool met = false, taken = false;

	if (search_begin(m, &s, change)) {
		for (uint64_t i = 0; i < budget && !met && !m->over; i++)
			met = minimize_probe(m, job, s.seed, search_strategy(m, &s, i));
	}
	if (met) {
		struct job before = m->config.job;

		m->config.job = *job;
		*job = before;
		taken = minimize_take(m, s.seed);
		if (!taken) {
			before = m->config.job;
			m->config.job = *job;
			*job = before;
		}
	}
	search_end(&s);
	return taken;
}

/* A world of the changed machine; NULL: the host has no room. */
static struct world *changed_world(struct minimizer *m, const struct job_change *change)
{
	struct error err = {0};

	m->config.cpus -= change->cpu >= 0;
	if (change->pages)
		m->config.pages = change->pages;
	return explored_world(&m->config, &err);
}

bool minimize_change_job(struct minimizer *m, struct job *job, const struct job_change *change,
			 uint64_t budget)
{
	struct world *world = m->world;
	unsigned int cpus = m->config.cpus;
	uint64_t pages = m->config.pages;
	bool other = change->cpu >= 0 || change->pages, taken = false;

	if (other)
		m->world = changed_world(m, change);
	if (m->world)
		taken = search_job(m, job, change, budget);
	if (other && taken) {
		world_destroy(world);
	} else if (other) {
		world_destroy(m->world);
		m->world = world;
		m->config.cpus = cpus;
		m->config.pages = pages;
	}
	if (taken) {
		if (budget > MINIMIZE_FIRST_BUDGET)
			minimize_decisions(m, budget <= MINIMIZE_ROUGH_BUDGET);
		if (!minimize_owners(m))
			m->over = true;
	}
	return taken;
}

/* ---- what is tried ---- */

/* An edit of a copy of the job at hand; false: it makes no sense here. */
struct edit {
	bool (*make)(struct job *job, const struct edit *e);
	size_t group, op, arg;
	uint64_t value;
	struct job_change change;
};

static bool try_edit(struct minimizer *m, const struct edit *e, uint64_t budget)
{
	struct job job;
	bool taken = false;

	if (m->over)
		return false;
	if (job_copy(&job, &m->config.job))
		return minimize_fail(m);
	if (e->make(&job, e) && job_is_valid(&job))
		taken = minimize_change_job(m, &job, &e->change, budget);
	job_destroy(&job);
	return taken;
}

static bool edit_operations(struct job *job, const struct edit *e)
{
	job_remove_operations(job, e->change.removed);
	return true;
}

static bool edit_cpu(struct job *job, const struct edit *e)
{
	return job_remove_cpu(job, (unsigned int)e->change.cpu);
}

/* The names of all operations, in order; returns how many. */
static size_t all_names(const struct job *job, uint32_t *names)
{
	size_t nr = 0;

	for (size_t i = 0; i < job->nr_groups; i++) {
		for (size_t j = 0; j < job->groups[i].program.nr; j++)
			names[nr++] = job->groups[i].program.ops[j].line;
	}
	return nr;
}

struct names {
	uint32_t *all; /* of the job at hand */
	size_t nr;
	bool *removed; /* by name - 1 */
	size_t highest;
};

static bool names_begin(struct minimizer *m, struct names *n)
{
	size_t nr = 0;

	for (size_t i = 0; i < m->config.job.nr_groups; i++)
		nr += m->config.job.groups[i].program.nr;
	*n = (struct names){.all = calloc(nr, sizeof(*n->all))};
	if (!n->all)
		return minimize_fail(m);
	n->nr = all_names(&m->config.job, n->all);
	for (size_t i = 0; i < nr; i++)
		n->highest = n->all[i] > n->highest ? n->all[i] : n->highest;
	n->removed = calloc(n->highest, sizeof(*n->removed));
	return n->removed || minimize_fail(m);
}

static void names_end(struct names *n)
{
	free(n->all);
	free(n->removed);
}

/* Tries the job without the operations [from, from + nr). */
static bool try_without(struct minimizer *m, struct names *n, size_t from, size_t nr,
			uint64_t budget)
{
	struct edit e = {
		.make = edit_operations,
		.change = {.removed = n->removed, .cpu = -1},
	};
	bool taken;

	memset(n->removed, 0, n->highest * sizeof(*n->removed));
	for (size_t i = from; i < from + nr; i++)
		n->removed[n->all[i] - 1] = true;
	taken = try_edit(m, &e, budget);
	if (taken)
		n->nr = all_names(&m->config.job, n->all);
	return taken;
}

/* Whole groups: what a group does stands together in the list of names. Those of one operation are
 * for remove_operations(). */
static bool remove_groups(struct minimizer *m, struct names *n, uint64_t budget)
{
	bool changed = false;

	for (size_t g = m->config.job.nr_groups; g-- > 0 && m->config.job.nr_groups > 1;) {
		size_t from = 0;

		size_t nr = m->config.job.groups[g].program.nr;

		for (size_t i = 0; i < g; i++)
			from += m->config.job.groups[i].program.nr;
		if (nr > 1)
			changed |= try_without(m, n, from, nr, budget);
	}
	return changed;
}

/* ddmin: halves, quarters, and so on to single operations; the last ones first, since what comes
 * after the violation is of no use. @thorough: single ones only. */
static bool remove_operations(struct minimizer *m, struct names *n, bool thorough, uint64_t budget)
{
	bool changed = false;

	for (size_t chunk = thorough ? 1 : (n->nr + 1) / 2; chunk; chunk /= 2) {
		for (size_t end = n->nr; end && n->nr > 1;) {
			size_t nr = end < chunk ? end : chunk;

			if (nr < n->nr && try_without(m, n, end - nr, nr, budget))
				changed = true;
			end -= nr;
		}
	}
	return changed;
}

/* Without affinity lists one vCPU is as good as another. */
static bool cpus_differ(const struct job *job)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (!cpu_list_empty(&job->groups[i].cpus))
			return true;
	}
	return false;
}

static bool remove_cpus(struct minimizer *m, uint64_t budget)
{
	unsigned int cpus = m->config.cpus;
	bool changed = false;

	for (unsigned int cpu = m->config.cpus; cpu-- > 0 && m->config.cpus > 1;) {
		struct edit e = {.make = edit_cpu, .change = {.cpu = (int)cpu}};

		changed |= try_edit(m, &e, budget);
		if (!cpus_differ(&m->config.job) && m->config.cpus == cpus)
			break;
		cpus = m->config.cpus;
	}
	return changed;
}

static bool edit_nothing(struct job *job, const struct edit *e)
{
	(void)job;
	(void)e;
	return true;
}

/* Page frames of a small machine: what random programs have, or the job's working sets with room
 * for page tables, forks and execs. Every frame is set up for each schedule: a large machine makes
 * the search slow. */
#define PAGES_SMALL 256
#define PAGES_A_WORKING_SET 4

static bool reduce_pages(struct minimizer *m, uint64_t budget)
{
	struct edit e = {.make = edit_nothing, .change = {.cpu = -1}};
	uint64_t pages = PAGES_A_WORKING_SET * job_working_set(&m->config.job);

	e.change.pages = pages > PAGES_SMALL ? pages : PAGES_SMALL;
	return e.change.pages < m->config.pages / 2 && try_edit(m, &e, budget);
}

/* ---- arguments and working sets ---- */

static bool edit_argument(struct job *job, const struct edit *e)
{
	struct op_arg *arg = &job->groups[e->group].program.ops[e->op].args[e->arg];

	arg->kind = OP_ARG_NUMBER;
	arg->lo = arg->hi = e->value;
	return true;
}

/* The letter of argument @arg in a signature, which has '[' between them. */
static char argument_letter(const char *signature, size_t arg)
{
	for (; *signature; signature++) {
		if (*signature != '[' && !arg--)
			return *signature;
	}
	return '\0';
}

static bool shrink_argument(struct minimizer *m, size_t group, size_t op, size_t arg,
			    uint64_t budget)
{
	const struct program_op *o = &m->config.job.groups[group].program.ops[op];
	const struct op_arg *a = &o->args[arg];
	char letter = argument_letter(job_ops[o->op].signature, arg);
	struct edit e = {edit_argument, group, op, arg, 0, {.cpu = -1}};
	uint64_t least = letter == 'f' ? 0 : 1;
	uint64_t lo = a->lo, hi = a->hi;

	if (a->kind == OP_ARG_REGION)
		return false;
	/* Protections have no order. */
	if (letter != 'm' && hi > least && lo >= least) {
		e.value = least;
		if (try_edit(m, &e, budget))
			return true;
	}
	if (lo == hi)
		return false;
	e.value = lo;
	if (try_edit(m, &e, budget))
		return true;
	e.value = hi;
	return try_edit(m, &e, budget);
}

static bool shrink_arguments(struct minimizer *m, uint64_t budget)
{
	bool changed = false;

	for (size_t g = 0; g < m->config.job.nr_groups; g++) {
		for (size_t o = 0; o < m->config.job.groups[g].program.nr; o++) {
			for (size_t a = 0; a < m->config.job.groups[g].program.ops[o].nr_args; a++)
				changed |= shrink_argument(m, g, o, a, budget);
		}
	}
	return changed;
}

/* What a group may have less of. */
enum working_set { ANON, SHARED, FILE_PAGES, THINK, NR_WORKING_SETS };

static uint32_t *working_set(struct job_group *g, size_t which)
{
	uint32_t *sets[NR_WORKING_SETS] = {&g->anon, &g->shared, &g->file_pages, &g->think};

	return sets[which];
}

/* @e->group has e->value of e->arg; so have all that share it. */
static bool edit_working_set(struct job *job, const struct edit *e)
{
	const struct job_group *g = &job->groups[e->group];

	for (size_t i = 0; i < job->nr_groups; i++) {
		struct job_group *o = &job->groups[i];
		bool same = i == e->group;

		if (e->arg == SHARED)
			same |= g->mm_group != MM_OF_TASK && o->mm_group == g->mm_group;
		if (e->arg == FILE_PAGES)
			same |= !strcmp(o->file, g->file);
		if (same && i != e->group)
			*working_set(o, e->arg) = (uint32_t)e->value;
	}
	*working_set(&job->groups[e->group], e->arg) = (uint32_t)e->value;
	return true;
}

static bool shrink_working_set(struct minimizer *m, size_t group, size_t which, uint64_t budget)
{
	uint32_t now = *working_set(&m->config.job.groups[group], which);
	uint32_t least = which == FILE_PAGES ? 1 : 0;
	struct edit e = {edit_working_set, group, 0, which, 0, {.cpu = -1}};

	if (now <= least)
		return false;
	e.value = least;
	if (try_edit(m, &e, budget))
		return true;
	e.value = now / 2;
	if (now / 2 > least && try_edit(m, &e, budget))
		return true;
	e.value = now - 1;
	return now - 1 > least && now - 1 != now / 2 && try_edit(m, &e, budget);
}

static bool shrink_working_sets(struct minimizer *m, uint64_t budget)
{
	bool changed = false;

	for (size_t g = 0; g < m->config.job.nr_groups; g++) {
		for (size_t which = 0; which < NR_WORKING_SETS; which++)
			changed |= shrink_working_set(m, g, which, budget);
	}
	return changed;
}

/* What does not show in the number of operations is not worth a long search. */
#define BUDGET_OF_DETAILS 64

bool minimize_program(struct minimizer *m, uint64_t budget)
{
	uint64_t little = budget < BUDGET_OF_DETAILS ? budget : BUDGET_OF_DETAILS;
	bool rough = budget <= MINIMIZE_ROUGH_BUDGET;
	bool thorough = budget >= MINIMIZE_BUDGET;
	struct names n;
	bool changed = false;

	if (m->over || !names_begin(m, &n))
		return false;
	if (!rough && !thorough)
		changed |= remove_groups(m, &n, budget);
	changed |= remove_operations(m, &n, thorough, budget);
	names_end(&n);
	changed |= remove_cpus(m, budget);
	if (!thorough)
		changed |= reduce_pages(m, budget);
	if (!rough && !thorough) {
		changed |= shrink_arguments(m, little);
		changed |= shrink_working_sets(m, little);
	}
	return changed && !m->over;
}
