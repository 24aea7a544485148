// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Minimising: what each planted bug shows is still shown by a smaller program under a smaller
 * schedule; the result repeats, can be written down, and nothing more can be taken away.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "engine/guide.h"
#include "stress/bug_catalog.h"
#include "stress/explored.h"
#include "stress/job_edit.h"
#include "stress/jobfile.h"
#include "stress/minimize.h"
#include "stress/schedule.h"
#include "stress/verbs.h"
#include "tests/stress_all_bugs.h"

/* Sanitizers make a schedule 10 to 100 times slower: there a few bugs are enough, and each is ended
 * after so many looks (of 16 schedules each), minimal or not. None of those bugs is a data race or
 * a use after free, for which the sanitizers end the program themselves. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#define EVERY 13
#define LAST_BUG 26
#define EARLY_STEP 100
#else
#define SANITIZED false
#define EVERY 1
#define LAST_BUG (nr_bug_cases - 1)
#define EARLY_STEP 37
#endif
#define SANITIZED_LOOKS 16

static struct config config;
static struct schedule schedule;
static struct minimize_report report;
static struct error err;

/* Looks for @c's bug with random schedules; false where it hides. */
static bool find(const struct bug_case *c)
{
	enum machine_end end = MACHINE_FINISHED;
	struct strategy *s = strategy_create("random");
	struct world *w;
	u64 seed;

	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	w = explored_world(&config, &err);
	cr_assert(s && w, "%s", err.line);
	for (seed = config.seed; end == MACHINE_FINISHED && seed < config.seed + c->schedules;)
		end = world_run(w, EXECUTOR_EXPLORE, seed++, s);
	if (end != MACHINE_FINISHED)
		cr_assert_eq(schedule_of_world(&schedule, w, seed - 1, &err), 0, "%s", err.line);
	world_destroy(w);
	strategy_destroy(s);
	return end != MACHINE_FINISHED;
}

static bool after_some(void *arg)
{
	unsigned int *left = arg;

	return (*left)-- == 0;
}

static void minimize(void)
{
	unsigned int left = SANITIZED_LOOKS;
	struct minimize_options options = {
		.stop = SANITIZED ? after_some : NULL,
		.stop_arg = &left,
	};

	cr_assert_eq(schedule_minimize(&config, &schedule, &options, &report, &err), 0, "%s",
		     err.line);
}

static void end(void)
{
	schedule_destroy(&schedule);
	config_destroy(&config);
}

static bool same(struct world *w)
{
	const struct machine *m = world_machine(w);

	return m->violations.ready &&
	       !strncmp(m->violations.first.invariant->slug, schedule.invariant,
			SCHEDULE_WORD_SIZE - 1) &&
	       !strncmp(m->violations.first.where, schedule.where, SCHEDULE_WORD_SIZE - 1);
}

static struct world *new_world(void)
{
	struct world *w = explored_world(&config, &err);

	cr_assert(w, "%s", err.line);
	return w;
}

/* On a machine of its own, step by step. */
static void expect_repeats(void)
{
	struct world *w = new_world();
	struct replay_state state;

	cr_assert_not_null(schedule.checks);
	cr_assert_leq(schedule.nr_checks, schedule.steps);
	for (int i = 0; i < 2; i++) {
		(void)schedule_run(w, &schedule, &state, &err);
		cr_assert_not(state.diverged, "step %llu: %s", (unsigned long long)state.step,
			      state.reason);
		cr_assert(same(w));
	}
	world_destroy(w);
}

/* Through a file, as another program would get it. */
static void expect_file(void)
{
	char path[] = "/tmp/mmtorture.minimize.XXXXXX";
	int fd = mkstemp(path);
	struct schedule read = {0};
	struct known_names names;
	struct host_facts host;
	struct config *recorded = calloc(1, sizeof(*recorded));
	struct replay_state state;
	struct world *w;

	cr_assert(recorded);
	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(schedule_write(path, &config, &schedule, &err), 0, "%s", err.line);
	verbs_known_names(&names);
	config_init(recorded, VERB_EXPLORE);
	cr_assert_eq(host_facts_read(&host, &err), 0);
	cr_assert_eq(schedule_read(path, &read, recorded, &names, &host, &err), 0, "%s", err.line);
	unlink(path);
	cr_expect_eq(recorded->cpus, config.cpus);
	w = explored_world(recorded, &err);
	cr_assert(w, "%s", err.line);
	(void)schedule_run(w, &read, &state, &err);
	cr_expect_not(state.diverged, "step %llu: %s", (unsigned long long)state.step,
		      state.reason);
	world_destroy(w);
	schedule_destroy(&read);
	config_destroy(recorded);
	free(recorded);
}

/* The schedule as a guide. */
static void guide_of(struct world *w, struct guide *g)
{
	struct strategy *replay = strategy_replay_create(&schedule.recorded, NULL, 0);
	struct strategy *note = strategy_guide_note_create(replay, g);

	cr_assert(replay && note);
	(void)world_run(w, EXECUTOR_EXPLORE, schedule.seed, note);
	cr_assert(same(w));
	cr_assert_eq(g->nr, schedule.recorded.nr);
	strategy_destroy(note);
	strategy_destroy(replay);
}

/* No single decision, a switch or another, can be taken away. */
static void expect_no_decision_less(const char *slug)
{
	struct world *w = new_world();
	struct guide g = {0};

	guide_of(w, &g);
	for (u32 i = 0; i < g.nr; i++) {
		struct guide less = {0};
		struct strategy *s;

		cr_assert_eq(guide_copy(&less, &g), 0);
		memmove(less.entries + i, less.entries + i + 1,
			(less.nr - i - 1) * sizeof(*less.entries));
		less.nr--;
		s = strategy_guide_create(&less);
		cr_assert_not_null(s);
		(void)world_run(w, EXECUTOR_EXPLORE, schedule.seed, s);
		cr_expect_not(same(w), "%s: decision %u of %u is of no use", slug, i, g.nr);
		strategy_destroy(s);
		guide_destroy(&less);
	}
	guide_destroy(&g);
	world_destroy(w);
}

/* Schedules of every smaller program that a search of our own looks at. */
#define SEARCH_LESS 200

/* No operation can be taken away: nobody else finds the violation either. */
static void expect_no_operation_less(const char *slug)
{
	struct strategy *s = strategy_create("random");
	struct world *w = new_world();
	unsigned int nr = job_name_operations(&config.job);

	cr_assert(s);
	for (unsigned int i = 0; i < nr; i++) {
		bool *removed = calloc(nr, sizeof(*removed));
		struct job job;

		cr_assert(removed);
		removed[i] = true;
		cr_assert_eq(job_copy(&job, &config.job), 0);
		job_remove_operations(&job, removed);
		for (u64 seed = 1; seed <= SEARCH_LESS && job_is_valid(&job); seed++) {
			world_set_job(w, &job);
			(void)world_run(w, EXECUTOR_EXPLORE, seed, s);
			cr_assert_not(same(w), "%s: operation %u of %u is of no use: seed %llu",
				      slug, i, nr, (unsigned long long)seed);
		}
		job_destroy(&job);
		free(removed);
	}
	world_destroy(w);
	strategy_destroy(s);
}

ParameterizedTestParameters(minimize, every_bug)
{
	return every_nth_bug(EVERY, LAST_BUG);
}

ParameterizedTest(size_t *index, minimize, every_bug)
{
	const struct bug_case *c = &bug_cases[*index];
	char invariant[SCHEDULE_WORD_SIZE], where[SCHEDULE_WORD_SIZE];

	/* The catalog's own test is to say whether random schedules must find it. */
	if (!find(c)) {
		end();
		return;
	}
	memcpy(invariant, schedule.invariant, sizeof(invariant));
	memcpy(where, schedule.where, sizeof(where));
	minimize();
	cr_expect_str_eq(schedule.invariant, invariant);
	cr_expect_str_eq(schedule.where, where);
	cr_expect(report.minimal || SANITIZED);
	cr_expect_leq(report.after.operations, report.before.operations);
	cr_expect_leq(report.after.tasks, report.before.tasks);
	cr_expect_leq(report.after.cpus, report.before.cpus);
	cr_expect_leq(report.after.preemptions, report.before.preemptions);
	cr_expect_eq(report.after.operations, job_operations(&config.job));
	cr_expect_eq(report.after.cpus, config.cpus);
	cr_expect_eq(report.after.preemptions, schedule.preemptions);
	cr_expect_eq(report.after.decisions, schedule.recorded.nr);
	expect_repeats();
	expect_file();
	if (report.minimal) {
		expect_no_decision_less(c->slug);
		expect_no_operation_less(c->slug);
	}
	end();
}

Test(minimize, twice_is_the_same)
{
	const struct bug_case *c = bug_case_find("zap-dirty-before-flush");
	struct config again;
	struct schedule second = {0};
	char *one, *two;

	cr_assert(find(c));
	minimize();
	again = config;
	config = (struct config){0};
	second = schedule;
	schedule = (struct schedule){0};
	cr_assert(find(c));
	minimize();
	cr_expect_eq(schedule.history, second.history);
	cr_expect_eq(schedule.seed, second.seed);
	cr_expect_eq(schedule.recorded.nr, second.recorded.nr);
	one = jobfile_write(&config);
	two = jobfile_write(&again);
	cr_assert(one && two);
	cr_expect_str_eq(one, two);
	free(one);
	free(two);
	schedule_destroy(&second);
	config_destroy(&again);
	end();
}

/* What is minimal stays so. */
Test(minimize, a_minimal_one_is_left_alone)
{
	struct minimize_size first;

	cr_assert(find(bug_case_find("flush-skips-cpu")));
	minimize();
	first = report.after;
	minimize();
	cr_expect_eq(report.after.operations, first.operations);
	cr_expect_eq(report.after.tasks, first.tasks);
	cr_expect_eq(report.after.cpus, first.cpus);
	cr_expect_leq(report.after.preemptions, first.preemptions);
	cr_expect_leq(report.after.decisions, first.decisions);
	end();
}

static bool at_once(void *arg)
{
	(void)arg;
	return true;
}

/* Ended early there is less to show, but an exact schedule of the violation in any case. */
Test(minimize, ended_early_it_keeps_what_it_has)
{
	for (unsigned int looks = 2; looks < 200; looks += EARLY_STEP) {
		unsigned int left = looks;
		struct minimize_options options = {.stop = after_some, .stop_arg = &left};

		cr_assert(find(bug_case_find("ipi-ack-before-flush")));
		cr_assert_eq(schedule_minimize(&config, &schedule, &options, &report, &err), 0,
			     "%s", err.line);
		cr_expect_not(report.minimal);
		expect_repeats();
		expect_file();
		end();
	}
}

Test(minimize, ended_at_once_it_changes_nothing)
{
	struct minimize_options options = {.stop = at_once};
	uint64_t history;

	cr_assert(find(bug_case_find("cow-no-flush")));
	history = schedule.history;
	cr_assert_eq(schedule_minimize(&config, &schedule, &options, &report, &err), 0, "%s",
		     err.line);
	cr_expect_not(report.minimal);
	cr_expect_eq(schedule.history, history);
	expect_repeats();
	end();
}

Test(minimize, refuses_what_it_cannot_do)
{
	struct minimize_options options = {0};

	cr_assert(find(bug_case_find("flush-skips-cpu")));
	/* Another schedule than it says. */
	schedule.history ^= 1;
	cr_expect_eq(schedule_minimize(&config, &schedule, &options, &report, &err), -1);
	cr_expect_eq(err.status, VERDICT_DIVERGED);
	cr_expect(strstr(err.line, "does not repeat"), "%s", err.line);
	schedule.history ^= 1;
	/* No violation. */
	snprintf(schedule.invariant, sizeof(schedule.invariant), "-");
	cr_expect_eq(schedule_minimize(&config, &schedule, &options, &report, &err), -1);
	cr_expect_eq(err.status, VERDICT_SKIPPED);
	end();
}

/* ---- edits of jobs ---- */

static void parse(const char *text)
{
	struct known_names names;
	struct jobfile_text job = {
		.text = text,
		.length = strlen(text),
		.file = "test.ini",
		.first_line = 1,
		.name = "test",
	};

	verbs_known_names(&names);
	config_init(&config, VERB_EXPLORE);
	cr_assert_eq(jobfile_parse(&config, &names, &job, &err), 0, "%s", err.line);
}

static const char threads_job[] = "[global]\ncpus = 4\n"
				  "[a]\nshare = mm\nshared = 2\ntasks = 3\nrepeat = 2\n"
				  "program = write shared 0; mmap X 1; munmap X\n"
				  "[b]\nshare = mm:a\nprogram = read shared 0; dontneed shared\n"
				  "[c]\nanon = 1\ncpu = 1,3\nprogram = write anon 0\n";

Test(job_edit, spreads_to_a_group_for_each_task)
{
	parse(threads_job);
	cr_assert_eq(job_operations(&config.job), 3u * 2 * 3 + 2 + 1);
	cr_assert_eq(job_spread(&config.job, &err), 0);
	cr_assert_eq(config.job.nr_groups, 5u);
	cr_expect_eq(job_tasks(&config.job), 5u);
	cr_expect_eq(job_operations(&config.job), 3u * 2 * 3 + 2 + 1);
	cr_expect_str_eq(config.job.groups[1].name, "a-2");
	cr_expect_str_eq(config.job.groups[2].name, "a-3");
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(config.job.groups[i].mm_group, 0);
	cr_expect_eq(config.job.groups[4].mm_group, MM_OF_TASK);
	cr_expect(job_is_valid(&config.job));
	config_destroy(&config);
}

Test(job_edit, an_mm_is_inherited)
{
	bool removed[32] = {false};

	parse(threads_job);
	cr_assert_eq(job_spread(&config.job, &err), 0);
	/* All of the first task, and what the second one maps. */
	for (int i = 0; i < 6; i++)
		removed[i] = true;
	job_remove_operations(&config.job, removed);
	cr_assert_eq(config.job.nr_groups, 4u);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(config.job.groups[i].mm_group, 0);
	cr_expect_eq(config.job.groups[0].shared, 2u);
	cr_expect(job_is_valid(&config.job));
	/* Nobody makes X any more. */
	memset(removed, 0, sizeof(removed));
	for (size_t g = 0; g < 2; g++) {
		for (size_t i = 0; i < config.job.groups[g].program.nr; i++) {
			const struct program_op *op = &config.job.groups[g].program.ops[i];

			if (op->op == JOB_OP_MMAP)
				removed[op->line - 1] = true;
		}
	}
	job_remove_operations(&config.job, removed);
	cr_expect_not(job_is_valid(&config.job));
	config_destroy(&config);
}

Test(job_edit, an_heir_need_not_be_the_next)
{
	parse("[a]\nshare = mm\nshared = 1\nprogram = write shared 0\n"
	      "[other]\nanon = 1\nprogram = write anon 0\n"
	      "[b]\nshare = mm:a\nprogram = read shared 0\n"
	      "[c]\nshare = mm:a\nprogram = read shared 0\n");
	job_remove_group(&config.job, 0);
	cr_assert_eq(config.job.nr_groups, 3u);
	cr_expect_eq(config.job.groups[0].mm_group, MM_OF_TASK);
	cr_expect_eq(config.job.groups[1].mm_group, 1);
	cr_expect_eq(config.job.groups[2].mm_group, 1);
	cr_expect(job_is_valid(&config.job));
	config_destroy(&config);
}

Test(job_edit, a_cpu_goes_and_those_above_move_down)
{
	parse(threads_job);
	cr_assert(job_remove_cpu(&config.job, 1));
	cr_expect(cpu_list_has(&config.job.groups[2].cpus, 2));
	cr_expect_not(cpu_list_has(&config.job.groups[2].cpus, 1));
	cr_expect_not(cpu_list_has(&config.job.groups[2].cpus, 3));
	cr_assert(job_remove_cpu(&config.job, 0));
	cr_expect(cpu_list_has(&config.job.groups[2].cpus, 1));
	/* Its last one. */
	cr_expect_not(job_remove_cpu(&config.job, 1));
	config_destroy(&config);
}

Test(job_edit, long_programs_are_repeated_less_often)
{
	parse("[a]\nanon = 1\nrepeat = 1000000\nprogram = write anon 0; read anon 0\n"
	      "[b]\nanon = 1\ntasks = 100\nprogram = write anon 0\n");
	cr_assert_eq(job_spread(&config.job, &err), 0);
	cr_expect_leq(job_operations(&config.job), (uint64_t)JOB_SPREAD_MAX + 100);
	cr_expect_eq(config.job.nr_groups, 2u);
	cr_expect(job_is_valid(&config.job));
	config_destroy(&config);
}
