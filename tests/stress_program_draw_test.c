// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drawn programs: valid by construction, written and read back as the same job, the same for the
 * same seed, within their limits; and that they run, silently, on the machine that they are drawn
 * for.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "stress/explored.h"
#include "stress/jobfile.h"
#include "stress/program_draw.h"
#include "stress/verbs.h"
#include "stress/world.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define PROGRAMS 500
#define PROGRAMS_RUN 60
#else
#define PROGRAMS 5000
#define PROGRAMS_RUN 2000
#endif

/* Beyond those that are run in any case: as many as it takes until each operation has come up. */
#define PROGRAMS_MOST (50 * PROGRAMS_RUN)

static struct config config, other;
static struct error err;
static struct program_draw_limits limits;

static void configure(struct config *c)
{
	static const struct host_facts host = {.pus = 2, .memory_bytes = 1ULL << 34, .seed = 1};

	config_init(c, VERB_EXPLORE);
	c->programs = PROGRAMS_RANDOM;
	c->origin[OPT_PROGRAMS] = ORIGIN_COMMAND_LINE;
	cr_assert_eq(config_resolve(c, &host, &err), 0, "%s", err.line);
	c->programs = PROGRAMS_JOB;
}

static void setup(void)
{
	configure(&config);
	limits = program_draw_limits_of(&config);
}

static void teardown(void)
{
	config_destroy(&config);
	config_destroy(&other);
}

TestSuite(program_draw, .init = setup, .fini = teardown);

/* ---- comparing jobs ---- */

static void expect_same_op(const struct program_op *a, const struct program_op *b)
{
	cr_assert_eq(a->op, b->op);
	cr_assert_eq(a->nr_args, b->nr_args, "%s", job_ops[a->op].name);
	for (u32 i = 0; i < a->nr_args; i++) {
		cr_assert_eq(a->args[i].kind, b->args[i].kind);
		cr_assert_eq(a->args[i].lo, b->args[i].lo);
		cr_assert_eq(a->args[i].hi, b->args[i].hi);
		cr_assert_str_eq(a->args[i].region, b->args[i].region);
	}
}

static void expect_same_group(const struct job_group *a, const struct job_group *b)
{
	cr_assert_str_eq(a->name, b->name);
	cr_assert_eq(a->tasks, b->tasks);
	cr_assert_eq(a->mm_group, b->mm_group, "%s: %d, %d", a->name, a->mm_group, b->mm_group);
	cr_assert_eq(a->threads, b->threads);
	cr_assert_eq(a->anon, b->anon);
	cr_assert_eq(a->shared, b->shared);
	cr_assert_str_eq(a->file, b->file);
	cr_assert_eq(a->file_pages, b->file_pages);
	cr_assert_eq(a->map, b->map);
	cr_assert_eq(a->op_pages.lo, b->op_pages.lo);
	cr_assert_eq(a->op_pages.hi, b->op_pages.hi, "%s: %u, %u", a->name, a->op_pages.hi,
		     b->op_pages.hi);
	cr_assert_eq(memcmp(&a->cpus, &b->cpus, sizeof(a->cpus)), 0);
	cr_assert_eq(a->think, b->think);
	cr_assert_eq(a->kthread, b->kthread);
	cr_assert_eq(a->mix.nr, 0u);
	cr_assert_eq(b->mix.nr, 0u);
	cr_assert_eq(a->program.repeat, b->program.repeat);
	cr_assert_eq(a->program.nr, b->program.nr);
	for (size_t i = 0; i < a->program.nr; i++)
		expect_same_op(&a->program.ops[i], &b->program.ops[i]);
}

static void expect_same_job(const struct job *a, const struct job *b)
{
	cr_assert_eq(a->nr_groups, b->nr_groups);
	for (size_t i = 0; i < a->nr_groups; i++)
		expect_same_group(&a->groups[i], &b->groups[i]);
}

/* Writes config's job and reads it back, with all the checks of a job file. */
static void expect_round_trip(uint64_t seed)
{
	char *text = jobfile_write(&config);
	struct jobfile_text job = {.file = "drawn", .first_line = 1, .name = "drawn"};
	struct known_names names;

	verbs_known_names(&names);
	cr_assert_not_null(text);
	job.text = text;
	job.length = strlen(text);
	config_destroy(&other);
	config_init(&other, VERB_EXPLORE);
	cr_assert_eq(jobfile_parse(&other, &names, &job, &err), 0, "seed %llu: %s\n%s",
		     (unsigned long long)seed, err.line, text);
	expect_same_job(&config.job, &other.job);
	free(text);
}

/* ---- random programs ---- */

Test(program_draw, a_random_program_is_a_job_like_any_other)
{
	for (uint64_t seed = 0; seed < PROGRAMS; seed++) {
		cr_assert_eq(program_draw_random(&config.job, seed, &limits, &err), 0);
		expect_round_trip(seed);
	}
}

static void expect_within_limits(const struct job *job)
{
	cr_assert(job->nr_groups >= 2 && job->nr_groups <= limits.tasks);
	cr_assert_leq(job_working_set(job), limits.pages);
	for (size_t i = 0; i < job->nr_groups; i++) {
		const struct job_group *g = &job->groups[i];

		cr_assert_eq(g->tasks, 1u);
		cr_assert(g->program.nr >= 1 && g->program.nr <= limits.ops);
		for (u32 cpu = limits.cpus; cpu < JOB_CPUS_MAX; cpu++)
			cr_assert_not(cpu_list_has(&g->cpus, cpu));
	}
}

Test(program_draw, what_is_drawn_keeps_to_its_limits)
{
	static const struct program_draw_limits all[] = {
		{.cpus = 1, .pages = 64, .tasks = 2, .ops = 1},
		{.cpus = 2, .pages = 64, .tasks = 3, .ops = 3},
		{.cpus = 64, .pages = 1 << 20, .tasks = 4, .ops = 40},
	};

	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		limits = all[i];
		for (uint64_t seed = 0; seed < PROGRAMS / 5; seed++) {
			cr_assert_eq(program_draw_random(&config.job, seed, &limits, &err), 0);
			expect_within_limits(&config.job);
			if (seed % 20 == 0)
				expect_round_trip(seed);
		}
	}
}

Test(program_draw, a_seed_always_draws_the_same)
{
	struct config before = config;
	u32 same = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		cr_assert_eq(program_draw_random(&config.job, seed, &limits, &err), 0);
		cr_assert_eq(program_draw_random(&other.job, seed, &limits, &err), 0);
		expect_same_job(&config.job, &other.job);
		cr_assert_eq(program_draw_random(&other.job, seed + 1, &limits, &err), 0);
		same += config.job.nr_groups == other.job.nr_groups &&
			config.job.groups[0].program.nr == other.job.groups[0].program.nr &&
			!memcmp(config.job.groups[0].program.ops, other.job.groups[0].program.ops,
				config.job.groups[0].program.nr * sizeof(struct program_op));
	}
	cr_expect_lt(same, 20u, "%u of 200 programs are like the one before", same);
	cr_expect_eq(before.programs, config.programs);
}

static bool does(const struct job *job, u32 op)
{
	for (size_t g = 0; g < job->nr_groups; g++) {
		for (size_t i = 0; i < job->groups[g].program.nr; i++) {
			if (job->groups[g].program.ops[i].op == op)
				return true;
		}
	}
	return false;
}

/* Swarm testing: all operations come, and most programs do without any one of them. */
Test(program_draw, each_operation_is_in_some_programs_and_missing_in_others)
{
	u32 with[NR_JOB_OPS] = {0}, kthreads = 0, shared = 0, pinned = 0, files = 0, poor = 0,
	    threads = 0;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		const struct job *job = &config.job;
		u32 different = 0;

		cr_assert_eq(program_draw_random(&config.job, seed, &limits, &err), 0);
		for (u32 op = 0; op < NR_JOB_OPS; op++) {
			with[op] += does(job, op);
			different += does(job, op);
		}
		poor += job->nr_groups >= 3 && different <= 4;
		for (size_t g = 0; g < job->nr_groups; g++) {
			kthreads += job->groups[g].kthread;
			shared += job->groups[g].mm_group != MM_OF_TASK &&
				  job->groups[g].mm_group != (int)g;
			threads += job->groups[g].threads;
			pinned += !cpu_list_empty(&job->groups[g].cpus);
			files += job->groups[g].file[0] != '\0';
		}
	}
	for (u32 op = 0; op < NR_JOB_OPS; op++)
		cr_expect(with[op] >= 20 && with[op] <= 900, "%s is in %u of 1000",
			  job_ops[op].name, with[op]);
	cr_expect_gt(poor, 60u, "%u of 1000 have 3 tasks or more and 4 operations or fewer", poor);
	cr_expect(kthreads > 100 && shared > 300 && pinned > 300 && files > 300 && threads > 100);
}

Test(program_draw, the_machine_is_drawn_where_nobody_has_given_it)
{
	u32 rcu = 0, silent = 0, small = 0, failing = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		configure(&other);
		program_draw_machine(&other, seed);
		rcu += other.table_free == TABLE_FREE_RCU;
		silent += !other.write_notify;
		small += other.gather_bundle == 2;
		failing += other.fail_alloc.nr;
		other.origin[OPT_TABLE_FREE] = ORIGIN_COMMAND_LINE;
		other.origin[OPT_WRITE_NOTIFY] = ORIGIN_COMMAND_LINE;
		other.origin[OPT_GATHER_BUNDLE] = ORIGIN_JOB;
		other.origin[OPT_FAIL_ALLOC] = ORIGIN_JOB;
		other.table_free = TABLE_FREE_IPI;
		other.write_notify = true;
		other.gather_bundle = 5;
		other.fail_alloc.nr = 0;
		program_draw_machine(&other, seed);
		cr_assert(other.table_free == TABLE_FREE_IPI && other.write_notify &&
			  other.gather_bundle == 5 && !other.fail_alloc.nr);
		config_destroy(&other);
	}
	cr_expect(rcu > 20 && rcu < 80 && silent > 20 && silent < 80 && small > 20 && small < 80);
	cr_expect(failing > 10 && failing < 40);
}

Test(program_draw, random_programs_have_a_small_machine_and_no_job)
{
	static const struct host_facts host = {.pus = 2, .memory_bytes = 1ULL << 34, .seed = 1};

	cr_expect_eq(config.cpus, 3u);
	cr_expect_eq(config.pages, 192u);
	cr_expect_str_eq(config.tlb, "tiny");
	config_init(&other, VERB_EXPLORE);
	other.programs = PROGRAMS_RANDOM;
	other.origin[OPT_JOB] = ORIGIN_COMMAND_LINE;
	cr_expect_eq(config_resolve(&other, &host, &err), -1);
	cr_expect_str_eq(err.line, "--programs: random programs take the place of a job's; leave "
				   "out --job, or give --programs job");
}

/* ---- programs from a mix ---- */

static void load(struct config *c, const char *job)
{
	struct known_names names;

	verbs_known_names(&names);
	config_destroy(c);
	config_init(c, VERB_EXPLORE);
	snprintf(c->job_name, sizeof(c->job_name), "%s", job);
	cr_assert_eq(jobfile_load(c, &names, NULL, &err), 0, "%s", err.line);
}

static bool mix_has(const struct job_group *g, u32 op)
{
	for (size_t i = 0; i < g->mix.nr; i++) {
		if (g->mix.entries[i].op == op)
			return true;
	}
	return false;
}

/* The parts of @g begin at @drawn. Returns how many there are. */
static size_t expect_parts_of(const struct job_group *g, const struct job_group *drawn, u32 ops)
{
	u32 tasks = 0;
	size_t nr = 0;

	for (; tasks < g->tasks; nr++) {
		const struct job_program *p = &drawn[nr].program;

		tasks += drawn[nr].tasks;
		cr_assert_eq(drawn[nr].kthread, g->kthread);
		cr_assert_eq(drawn[nr].anon, g->anon);
		cr_assert_eq(drawn[nr].shared, g->shared);
		cr_assert_eq(drawn[nr].mm_group == MM_OF_TASK, g->mm_group == MM_OF_TASK);
		cr_assert(p->nr >= 1 && p->nr <= 2 * ops);
		for (size_t i = 0; i < p->nr; i++)
			cr_assert(mix_has(g, p->ops[i].op) || p->ops[i].op == JOB_OP_YIELD ||
					  p->ops[i - 1].op == JOB_OP_MMAP,
				  "%s", job_ops[p->ops[i].op].name);
	}
	cr_assert_eq(tasks, g->tasks);
	return nr;
}

static const char *const mixes[] = {"default", "exec-storm",	 "zap-storm", "fork-exit",
				    "mixed",   "file-writeback", "lazy-idle", "cpu-hotplug",
				    "devices", "thread-storm"};

Test(program_draw, a_mix_becomes_a_program_for_each_task)
{
	static struct config from;

	for (u32 i = 0; i < ARRAY_SIZE(mixes); i++) {
		load(&from, mixes[i]);
		cr_assert(program_draw_has_mix(&from.job));
		for (uint64_t seed = 0; seed < PROGRAMS / 250; seed++) {
			size_t next = 0;

			cr_assert_eq(program_draw_from_mix(&config.job, &from.job, seed, 8, &err),
				     0);
			cr_assert_not(program_draw_has_mix(&config.job));
			cr_assert_leq(config.job.nr_groups, (size_t)JOB_GROUPS_MAX);
			for (size_t g = 0; g < from.job.nr_groups; g++)
				next += expect_parts_of(&from.job.groups[g],
							&config.job.groups[next], 8);
			cr_assert_eq(next, config.job.nr_groups);
			expect_round_trip(seed);
		}
	}
	config_destroy(&from);
}

Test(program_draw, groups_with_programs_stay_as_they_are)
{
	load(&other, "bugs/mmap-sem");
	cr_assert_not(program_draw_has_mix(&other.job));
	cr_assert_eq(program_draw_from_mix(&config.job, &other.job, 1, 8, &err), 0);
	expect_same_job(&config.job, &other.job);
}

/* ---- running them ---- */

static void run(struct world *w, struct strategy *s, uint64_t seed)
{
	enum machine_end end = world_run(w, EXECUTOR_EXPLORE, seed, s);
	const struct machine *m = world_machine(w);
	char *text = NULL;

	if (end == MACHINE_FINISHED)
		return;
	text = jobfile_write(&config);
	cr_assert_fail("seed %llu ends with %d: %s\n%s", (unsigned long long)seed, end,
		       m->violations.ready ? m->violations.first.message : "", text);
}

/* Has @job an operation that @done has not? */
static bool does_new(const struct job *job, const u64 *done)
{
	for (u32 op = 0; op < NR_JOB_OPS; op++) {
		if (!done[op] && does(job, op))
			return true;
	}
	return false;
}

static bool all_done(const u64 *done)
{
	for (u32 op = 0; op < NR_JOB_OPS; op++) {
		if (!done[op])
			return false;
	}
	return true;
}

Test(program_draw, the_kernel_is_silent_under_random_programs)
{
	struct strategy *s = strategy_random_create();
	struct world *w = explored_world(&config, &err);
	u64 done[NR_JOB_OPS] = {0};

	cr_assert(s && w, "%s", err.line);
	for (uint64_t seed = 0; seed < PROGRAMS_RUN || (seed < PROGRAMS_MOST && !all_done(done));
	     seed++) {
		program_draw_machine(&config, seed);
		cr_assert_eq(program_draw_random(&config.job, seed, &limits, &err), 0);
		if (seed >= PROGRAMS_RUN && !does_new(&config.job, done))
			continue;
		world_set_config(w, &config);
		world_set_job(w, &config.job);
		run(w, s, seed);
		for (u32 op = 0; op < NR_JOB_OPS; op++)
			done[op] += world_op_count(w, op);
	}
	for (u32 op = 0; op < NR_JOB_OPS; op++)
		cr_expect_gt(done[op], 0u, "%s was never done", job_ops[op].name);
	world_destroy(w);
	strategy_destroy(s);
}

static void parse(const char *text)
{
	struct jobfile_text job = {.text = text,
				   .length = strlen(text),
				   .file = "t.ini",
				   .first_line = 1,
				   .name = "t"};
	struct known_names names;

	verbs_known_names(&names);
	cr_assert_eq(jobfile_parse(&config, &names, &job, &err), 0, "%s", err.line);
}

/* Runs @text under @schedules schedules; all operations of the last one are in @done. */
static void explore_text(const char *text, u32 schedules, u64 *done)
{
	struct strategy *s = strategy_random_create();
	struct world *w;

	parse(text);
	w = explored_world(&config, &err);
	cr_assert(s && w, "%s", err.line);
	for (u32 seed = 0; seed < schedules; seed++)
		run(w, s, seed);
	for (u32 op = 0; op < NR_JOB_OPS; op++)
		done[op] = world_op_count(w, op);
	world_destroy(w);
	strategy_destroy(s);
}

Test(program_draw, a_successor_goes_on_with_the_program)
{
	u64 done[NR_JOB_OPS];

	explore_text(
		"[a]\nanon = 1\nprogram = write anon 0; exit; read anon 0; exec-fail 1; brk 1\n"
		"[b]\nkthread = yes\nprogram = exec; getmm 0; exit; age 4 0\n"
		"[c]\nshare = mm\nshared = 1\nprogram = exit; mlock shared\nrepeat = 2\n",
		20, done);
	cr_expect_eq(done[JOB_OP_READ], 1u);
	cr_expect_eq(done[JOB_OP_BRK], 1u);
	cr_expect_eq(done[JOB_OP_GETMM], 1u);
	cr_expect_eq(done[JOB_OP_AGE], 1u);
	cr_expect_eq(done[JOB_OP_EXIT], 4u);
	cr_expect_eq(done[JOB_OP_MLOCK], 2u);
}

/* Mapped afresh a file has its contents, memory has none; unmapped it is there no more. */
Test(program_draw, munmap_takes_pages_afresh_or_for_good)
{
	u64 done[NR_JOB_OPS];

	explore_text("[a]\nfile = f\nfile-pages = 2\nanon = 2\n"
		     "program = write file 0 2; munmap file 0 2; read file 0 2; write anon 0 2;\n"
		     "  munmap anon 0 2; read anon 0 2; munmap anon; read anon 0\n"
		     "[b]\nfile = f\nprogram = read file 0 2; write file 0; read file 0\n",
		     200, done);
	cr_expect_eq(done[JOB_OP_READ], 4u);
	cr_expect_eq(done[JOB_OP_MUNMAP], 3u);
}

/* Threads that map, use and unmap regions of one name: what one knows of a region that another
 * takes away must not be held against the memory that comes in its place. */
Test(program_draw, named_regions_of_one_mm_may_come_and_go)
{
	u64 done[NR_JOB_OPS];

	explore_text(
		"[global]\ncpus = 3\npages = 192\n"
		"[a]\nshare = mm\nprogram = mmap A 2; write A 0 2; munmap A; mmap B 1\nrepeat = 2\n"
		"[b]\nshare = mm:a\nprogram = mmap A 1; write A 0; read A 0; dontneed A; munmap A\n"
		"repeat = 2\n"
		"[c]\nshare = mm:a\nprogram = write A 1; read B 0; munmap B; mmap B 2; read B 0 2\n"
		"repeat = 2\n",
		PROGRAMS_RUN, done);
	cr_expect_gt(done[JOB_OP_MMAP], 0u);
}

/* The same for a file: what was written through a mapping while it went is in the file. */
Test(program_draw, a_mapping_of_a_file_may_go_under_a_writer)
{
	u64 done[NR_JOB_OPS];

	explore_text(
		"[global]\ncpus = 3\npages = 192\nwrite-notify = yes\n"
		"[a]\nfile = f\nfile-pages = 1\nprogram = read file 0; read file 0; read file 0\n"
		"[b]\nshare = mm\nfile = f\nprogram = munmap file\n"
		"[c]\nshare = mm:b\nprogram = write file 0; write file 0\n",
		10 * PROGRAMS_RUN, done);
	cr_expect_eq(done[JOB_OP_READ], 3u);
}

/* And for what comes to be where the writer still writes. */
Test(program_draw, a_region_may_come_where_another_one_is_still_used)
{
	u64 done[NR_JOB_OPS];

	explore_text(
		"[global]\ncpus = 3\npages = 192\n"
		"[a]\nshare = mm\nprogram = mmap A 2; yield; munmap A; mmap B 2; read B 0 2; read B 0 2\n"
		"repeat = 2\n"
		"[b]\nshare = mm:a\nprogram = write A 0 2\nrepeat = 4\n"
		"[c]\nshare = mm:a\nprogram = dontneed A 0 2\nrepeat = 4\n",
		5 * PROGRAMS_RUN, done);
	cr_expect_gt(done[JOB_OP_READ], 1u);
}
