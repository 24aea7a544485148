// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Job files: what they say, where they are found, and that a written job reads back as the same
 * one.
 */
#include "engine/types.h"
#include "stress/cpulist.h"
#include "stress/default_job.h"
#include "stress/duration.h"
#include "stress/jobfile.h"
#include "stress/jobpath.h"
#include "tests/stress_job_text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

static struct config config;
static struct error err;

static int parse_bytes(enum verb verb, const char *text, size_t length)
{
	return job_from_bytes(&config, &err, verb, text, length);
}

static int parse(const char *text)
{
	return parse_bytes(VERB_SOAK, text, strlen(text));
}

static void finish(void)
{
	config_destroy(&config);
}

TestSuite(jobfile, .fini = finish);

Test(jobfile, reads_globals_and_groups)
{
	const struct job_group *group;
	char cpus[CPULIST_TEXT_SIZE];

	cr_assert_eq(parse("; comment\n"
			   "[global]\n"
			   "cpus = 16\n"
			   "duration: 3h\n"
			   "bug = flush-short,\n"
			   "   mask-late\n"
			   "no-bind=yes\n"
			   "\n"
			   "# another\n"
			   "[a]\n"
			   "tasks = 4\n"
			   "anon = 256\n"
			   "file = log.1\n"
			   "file-pages = 32\n"
			   "map = private\n"
			   "cpu = 0-3,\n"
			   "\t8\n"
			   "think = 7\n"
			   "op-pages = 2-8\n"
			   "ops = read:20 , write : 10,\n"
			   "\n"
			   "  ; a comment between\n"
			   "\tdontneed:5\n"
			   "[b]\n"
			   "kthread = yes\n"
			   "ops = kthread:1"),
		     0, "%s", err.line);
	cr_expect_eq(config.cpus, 16u);
	cr_expect_eq(config.duration_ns, 3 * NSEC_PER_HOUR);
	cr_expect_eq(config.bugs.nr, 2u);
	cr_expect(config.no_bind);
	cr_expect_eq(config.origin[OPT_CPUS], ORIGIN_JOB);
	cr_expect_eq(config.origin[OPT_PAGES], ORIGIN_DEFAULT);
	cr_expect_str_eq(config.job.name, "t");
	cr_assert_eq(config.job.nr_groups, 2u);

	group = &config.job.groups[0];
	cr_expect_str_eq(group->name, "a");
	cr_expect_eq(group->line, 10u);
	cr_expect_eq(group->tasks, 4u);
	cr_expect_eq(group->mm_group, MM_OF_TASK);
	cr_expect_eq(group->anon, 256u);
	cr_expect_eq(group->shared, 0u);
	cr_expect_str_eq(group->file, "log.1");
	cr_expect_eq(group->file_pages, 32u);
	cr_expect_eq(group->map, JOB_MAP_PRIVATE);
	cr_expect_str_eq(cpulist_format(&group->cpus, cpus, sizeof(cpus)), "0-3,8");
	cr_expect_eq(group->think, 7u);
	cr_expect_not(group->kthread);
	cr_expect_eq(group->op_pages.lo, 2u);
	cr_expect_eq(group->op_pages.hi, 8u);
	cr_assert_eq(group->mix.nr, 3u);
	cr_expect_eq(group->mix.total, 35u);
	cr_expect_eq(group->mix.entries[1].op, JOB_OP_WRITE);
	cr_expect_eq(group->mix.entries[1].weight, 10);
	cr_expect_eq(group->mix.entries[2].op, JOB_OP_DONTNEED);
	cr_expect_eq(group->program.nr, 0u);

	group = &config.job.groups[1];
	cr_expect(group->kthread);
	cr_expect_eq(group->tasks, 1u);
	cr_expect_eq(job_tasks(&config.job), 5u);
	cr_expect_eq(job_working_set(&config.job), 4u * 256 + 32);
}

Test(jobfile, reads_programs)
{
	const struct job_program *program;
	static const struct program_op expected[] = {
		{.op = JOB_OP_MMAP, .nr_args = 2, .line = 2},
		{.op = JOB_OP_WRITE, .nr_args = 3, .line = 2},
		{.op = JOB_OP_DONTNEED, .nr_args = 3, .line = 3},
		{.op = JOB_OP_READ, .nr_args = 2, .line = 3},
		{.op = JOB_OP_EXEC, .nr_args = 0, .line = 5},
		{.op = JOB_OP_EXIT, .nr_args = 0, .line = 5},
	};

	cr_assert_eq(parse("[p]\n"
			   "program = mmap A 4 ; write A 0  4;\n"
			   "   dontneed A 0 1-2;read A 0x0;\n"
			   "\n"
			   "   exec; exit;\n"
			   "repeat = 10\n"),
		     0, "%s", err.line);
	program = &config.job.groups[0].program;
	cr_expect_eq(program->repeat, 10u);
	cr_assert_eq(program->nr, ARRAY_SIZE(expected));
	for (size_t i = 0; i < program->nr; i++) {
		cr_expect_eq(program->ops[i].op, expected[i].op, "operation %zu", i);
		cr_expect_eq(program->ops[i].nr_args, expected[i].nr_args, "operation %zu", i);
		cr_expect_eq(program->ops[i].line, expected[i].line, "operation %zu", i);
	}
	cr_expect_eq(program->ops[0].args[0].kind, OP_ARG_REGION);
	cr_expect_str_eq(program->ops[0].args[0].region, "A");
	cr_expect_eq(program->ops[0].args[1].kind, OP_ARG_NUMBER);
	cr_expect_eq(program->ops[0].args[1].lo, 4u);
	cr_expect_eq(program->ops[0].args[1].hi, 4u);
	cr_expect_eq(program->ops[2].args[2].kind, OP_ARG_RANGE);
	cr_expect_eq(program->ops[2].args[2].lo, 1u);
	cr_expect_eq(program->ops[2].args[2].hi, 2u);
}

Test(jobfile, groups_can_join_an_mm)
{
	cr_assert_eq(
		parse("[touch]\nshare = mm:zap\nanon = 2\nprogram = write shared 0 4; read A 0\n"
		      "[zap]\nshare = mm\nshared = 8\nfile = f\nfile-pages = 16\nmap = private\n"
		      "program = mmap A 4; dontneed shared; msync\n"
		      "[own]\nshare = mm\nshared = 4\nops = read:1\n"),
		0, "%s", err.line);
	cr_expect_eq(config.job.groups[0].mm_group, 1);
	cr_expect_eq(config.job.groups[1].mm_group, 1);
	cr_expect_eq(config.job.groups[2].mm_group, 2);
	cr_expect_eq(config.job.groups[0].shared, 8u);
	cr_expect_str_eq(config.job.groups[0].file, "f");
	cr_expect_eq(config.job.groups[0].file_pages, 16u);
	cr_expect_eq(config.job.groups[0].map, JOB_MAP_PRIVATE);
	cr_expect_eq(job_working_set(&config.job), 2u + 8 + 16 + 4);
}

Test(jobfile, one_file_has_one_size)
{
	cr_assert_eq(
		parse("[a]\nfile = f\nops = read:1\n[b]\nfile = f\nfile-pages = 9\nops = read:1\n"
		      "[c]\nfile = g\nops = read:1\n"),
		0, "%s", err.line);
	cr_expect_eq(config.job.groups[0].file_pages, 9u);
	cr_expect_eq(config.job.groups[1].file_pages, 9u);
	cr_expect_eq(config.job.groups[2].file_pages, 64u);
}

Test(jobfile, op_pages_fit_the_regions)
{
	cr_assert_eq(parse("[a]\nanon = 4\nops = read:1\n[b]\nanon = 400\nops = read:1\n"), 0);
	cr_expect_eq(config.job.groups[0].op_pages.lo, 1u);
	cr_expect_eq(config.job.groups[0].op_pages.hi, 4u);
	cr_expect_eq(config.job.groups[1].op_pages.hi, 16u);
}

Test(jobfile, takes_byte_order_mark_and_crlf)
{
	static const char text[] = "\xef\xbb\xbf[a]\r\nanon = 4\r\nops = read:1,\r\n write:2\r\n";

	cr_assert_eq(parse(text), 0, "%s", err.line);
	cr_expect_eq(config.job.groups[0].anon, 4u);
	cr_expect_eq(config.job.groups[0].mix.nr, 2u);
	cr_expect_str_eq(config.job.groups[0].name, "a");
}

/* Two groups say the same, wherever their lines stand. */
static void expect_same_group(const struct job_group *a, const struct job_group *b)
{
	struct job_group left = *a, right = *b;

	cr_assert_eq(a->mix.nr, b->mix.nr);
	if (a->mix.nr)
		cr_expect_arr_eq(a->mix.entries, b->mix.entries,
				 a->mix.nr * sizeof(*a->mix.entries));
	cr_assert_eq(a->program.nr, b->program.nr);
	for (size_t i = 0; i < a->program.nr; i++) {
		struct program_op op = a->program.ops[i];

		op.line = b->program.ops[i].line;
		cr_expect_arr_eq(&op, &b->program.ops[i], sizeof(op), "operation %zu", i);
	}
	left.line = right.line;
	left.cpus_line = right.cpus_line;
	left.mix.entries = right.mix.entries;
	left.program.ops = right.program.ops;
	cr_expect_arr_eq(&left, &right, sizeof(left), "[%s]", a->name);
}

/* Writes the job and reads it back: the same job, and the same text when written again. */
static void expect_round_trip(void)
{
	char *first, *second;
	enum verb verb = config.verb;
	struct job before;

	cr_assert_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);
	first = jobfile_write(&config);
	cr_assert_not_null(first);
	before = config.job;
	config.job = (struct job){0};
	cr_assert_eq(parse_bytes(verb, first, strlen(first)), 0, "%s in:\n%s", err.line, first);
	cr_assert_eq(config.job.nr_groups, before.nr_groups);
	for (size_t i = 0; i < before.nr_groups; i++)
		expect_same_group(&before.groups[i], &config.job.groups[i]);
	job_destroy(&before);
	second = jobfile_write(&config);
	cr_expect_str_eq(second, first);
	free(first);
	free(second);
}

Test(jobfile, a_written_job_reads_back)
{
	static const char text[] =
		"[global]\nbug = flush-short,free-early,mask-late\nprofile = v4.9\n"
		"strategy = pct:3\nmemory-model = tso\ntable-free = rcu\ncpus = 1024\n"
		"iterations = 5\nseed = 0xffffffffffffffff\n"
		"[one]\ntasks = 3\nanon = 7\nfile = f\nmap = private\nthink = 4\n"
		"cpu = 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,38,40,42,44,46,48,50,52,\n"
		"  54,56,58,60,62,64,66,68,70,72,74,76,78,80,82,84,86,88,90,92,94,96,98,100,102,104,\n"
		"  106,108,110,112,114,116,118,120,122,124,126,128,130,132,134,136,138,140,142,144\n"
		"op-pages = 2-5\n"
		"ops = read:1,write:2,dontneed:3,mmap:4,munmap:5,mprotect:6,brk:7,mlock:8,munlock:9,\n"
		"  fork:10,exec:11,exec-fail:12,exit:13,msync:14,truncate:15,dropcache:16,yield:17,\n"
		"  sleep:18,getmm:19,kthread:10000,age:21,threads:22,\n"
		"  hotplug:23,device:24,peek:25,poke:26,access:27,coredump:28,\n"
		"  readexe:29,setexe:30,mergeable:31,unmergeable:32,\n"
		"  hugepage:33,ksmd:34,khugepaged:35,aio:36,swapuse:37,\n"
		"  swapoff:38,rmmod:39,probe:40,unprobe:41,execute:42,\n"
		"  library:43\n"
		"[two]\nshare = mm\nshared = 9\nrepeat = 3\n"
		"program = mmap a_very_long_name_of_a_region 4-5; read a_very_long_name_of_a_region 0;\n"
		"  mprotect shared 0 1 2-3; brk; brk 4; exit\n"
		"[three]\nshare = mm:two\nanon = 3\nprogram = write shared 0; write anon 0 2\n"
		"[four]\nkthread = yes\nops = kthread:1\n";

	cr_assert_eq(parse_bytes(VERB_EXPLORE, text, strlen(text)), 0, "%s", err.line);
	expect_round_trip();
	cr_expect_eq(config.bugs.nr, 3u);
	cr_expect_eq(config.seed, UINT64_MAX);
	cr_expect_eq(config.iterations, 5u);
	cr_expect_eq(config.duration_ns, 0u);
	cr_expect_eq(config.job.groups[0].mix.nr, (size_t)NR_JOB_OPS);
	cr_expect_eq(config.job.groups[1].program.nr, 6u);
	cr_expect_eq(config.job.groups[2].mm_group, 1);
}

Test(jobfile, the_tasks_of_an_mm_can_be_one_process)
{
	cr_assert_eq(
		parse("[helper]\nshare = mm:crowd\nprogram = exec\n"
		      "[crowd]\ntasks = 3\nshare = threads\nshared = 8\nprogram = write shared 0\n"
		      "[mm]\nshare = mm\nprogram = exec\n[alone]\nprogram = exec\n"),
		0, "%s", err.line);
	cr_expect_eq(config.job.groups[0].mm_group, 1);
	cr_expect_eq(config.job.groups[1].mm_group, 1);
	cr_expect(config.job.groups[0].threads && config.job.groups[1].threads);
	cr_expect_not(config.job.groups[2].threads || config.job.groups[3].threads);
	expect_round_trip();
	cr_expect_eq(parse("[a]\nkthread = yes\nshare = threads\nprogram = exec\n"), -1);
}

static const char *const shipped[] = {"default", "exec-storm",	   "zap-storm", "fork-exit",
				      "mixed",	 "file-writeback", "lazy-idle", "cpu-hotplug",
				      "devices", "thread-storm"};

Test(jobfile, shipped_jobs_are_found_and_fit_the_default_machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
		config_destroy(&config);
		config_init(&config, VERB_SOAK);
		snprintf(config.job_name, sizeof(config.job_name), "%s", shipped[i]);
		cr_assert_eq(jobfile_load(&config, &test_names, NULL, &err), 0, "%s", err.line);
		cr_expect_str_eq(config.job.name, shipped[i]);
		cr_assert_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);
		/* Room for copies, page tables and images: a quarter of the machine at most. */
		cr_expect_leq(job_working_set(&config.job), config.pages / 4, "%s", shipped[i]);
		cr_expect_not(config_is_busted(&config));
		expect_round_trip();
	}
}

Test(jobfile, shipped_jobs_do_every_operation)
{
	bool done[NR_JOB_OPS] = {false};

	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
		config_destroy(&config);
		config_init(&config, VERB_SOAK);
		snprintf(config.job_name, sizeof(config.job_name), "%s", shipped[i]);
		cr_assert_eq(jobfile_load(&config, &test_names, NULL, &err), 0, "%s", err.line);
		for (size_t g = 0; g < config.job.nr_groups; g++) {
			const struct job_mix *mix = &config.job.groups[g].mix;

			for (size_t e = 0; e < mix->nr; e++)
				done[mix->entries[e].op] = true;
		}
	}
	for (size_t op = 0; op < NR_JOB_OPS; op++)
		cr_expect(done[op], "no shipped job does %s", job_ops[op].name);
}

static void write_file(const char *path, const char *text, size_t length)
{
	FILE *out = fopen(path, "w");

	cr_assert_not_null(out);
	cr_assert_eq(fwrite(text, 1, length, out), length);
	cr_assert_eq(fclose(out), 0);
}

static int load(const char *job, const char *directory)
{
	config_destroy(&config);
	config_init(&config, VERB_SOAK);
	err = (struct error){0};
	snprintf(config.job_name, sizeof(config.job_name), "%s", job);
	return jobfile_load(&config, &test_names, directory, &err);
}

Test(jobfile, a_file_is_read_from_where_the_person_was)
{
	static const char text[] = "[global]\ntopology = t.xml\n[a]\nops = yield:1\n";
	char folder[] = "/tmp/mmtorture.test.XXXXXX";
	char path[64], xml[64];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/my job.ini", folder);
	snprintf(xml, sizeof(xml), "%s/t.xml", folder);
	write_file(path, text, strlen(text));
	write_file(xml, "", 0);
	cr_expect_eq(load("my job.ini", folder), 0, "%s", err.line);
	cr_expect_str_eq(config.job.name, "my_job");
	cr_expect_str_eq(config.job.path, path);
	cr_expect_str_eq(config.topology, xml);
	cr_expect_eq(load(path, "/nonexistent"), 0, "%s", err.line);
	cr_expect_eq(load("my job.ini", NULL), -1);
	cr_expect_str_eq(err.line,
			 "--job: can't open my job.ini: No such file or directory; give a "
			 "readable job file");
	cr_expect_eq(load(folder, NULL), -1);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(unlink(xml), 0);
	cr_assert_eq(rmdir(folder), 0);
}

Test(jobfile, an_endless_file_is_refused)
{
	cr_expect_eq(load("/dev/zero", NULL), -1);
	cr_expect_str_eq(err.line,
			 "--job: /dev/zero is larger than 1048576 bytes; give a job file");
	cr_expect_eq(load("/dev/null", NULL), -1);
	cr_expect_str_eq(err.line,
			 "/dev/null:1: there is no section; give a section for each group of "
			 "tasks, such as [workers]");
}

Test(jobfile, an_unknown_job_is_answered_with_the_nearest)
{
	cr_expect_eq(load("mixd", NULL), -1);
	cr_expect_str_eq(err.line,
			 "--job: \"mixd\" is no shipped job, and a file's name would end in "
			 ".ini; did you mean \"mixed\"?");
	cr_expect_eq(err.status, 64);
	cr_expect_eq(load("", NULL), -1);
}

Test(jobfile, the_built_in_job_is_the_shipped_one)
{
	struct job_location location;

	cr_assert_eq(jobpath_locate("default", NULL, &location, &err), 0);
	cr_expect(location.built_in);
	cr_expect_eq(strncmp(default_job_text, "# SPDX", 6), 0);
	cr_expect_eq(default_job_text[strlen(default_job_text) - 1], '\n');
}

Test(jobfile, the_command_line_wins)
{
	static const char text[] = "[global]\ncpus = 9\npages = 128\n[a]\nops = yield:1\n";
	const struct jobfile_text job = {
		.text = text,
		.length = strlen(text),
		.file = "t.ini",
		.first_line = 1,
		.name = "t",
	};

	config_init(&config, VERB_SOAK);
	config.cpus = 3;
	config.origin[OPT_CPUS] = ORIGIN_COMMAND_LINE;
	cr_assert_eq(jobfile_parse(&config, &test_names, &job, &err), 0, "%s", err.line);
	cr_expect_eq(config.cpus, 3u);
	cr_expect_eq(config.pages, 128u);
}
