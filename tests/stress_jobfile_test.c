// SPDX-License-Identifier: GPL-2.0-or-later
/* Job files: what they say, what is refused, and that a written job reads back as the same one. */
#include "engine/random.h"
#include "engine/types.h"
#include "stress/cpulist.h"
#include "stress/default_job.h"
#include "stress/duration.h"
#include "stress/jobfile.h"
#include "stress/jobpath.h"
#include "tests/stress_known_names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

static struct config config;
static struct error err;

static int parse_bytes(enum verb verb, const char *text, size_t length)
{
	const struct jobfile_text job = {
		.text = text,
		.length = length,
		.file = "t.ini",
		.first_line = 1,
		.name = "t",
	};

	config_destroy(&config);
	config_init(&config, verb);
	err = (struct error){0};
	return jobfile_parse(&config, &test_names, &job, &err);
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

/* A text and the complaint about it. */
struct refusal {
	const char *text;
	const char *line;
};

static void expect_refusals(const struct refusal *rows, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		cr_expect_eq(parse(rows[i].text), -1, "passes: %s", rows[i].text);
		cr_expect_str_eq(err.line, rows[i].line);
		cr_expect_eq(err.status, 64);
		cr_expect_eq(config.job.nr_groups, 0u);
	}
}

#define OPS "ops = yield:1\n"

Test(jobfile, refuses_what_is_no_ini)
{
	static const struct refusal rows[] = {
		{"",
		 "t.ini:1: there is no section; give a section for each group of tasks, such as "
		 "[workers]"},
		{"\n\n; only a comment\n",
		 "t.ini:3: there is no section; give a section for each group "
		 "of tasks, such as [workers]"},
		{"[global]\ncpus = 4\n",
		 "t.ini:2: [global] is the only section; give a section for "
		 "each group of tasks, such as [workers]"},
		{"cpus = 4\n[a]\n" OPS,
		 "t.ini:1: \"cpus = 4\" stands before the first section; begin "
		 "with [global] or [GROUP]"},
		{"[a\n" OPS, "t.ini:1: \"[a\" has no ']'; give [NAME]"},
		{"[a] x\n" OPS,
		 "t.ini:1: \"[a] x\" has something behind the ']'; give [NAME] alone, "
		 "comments on lines of their own"},
		{"[a] ; x\n" OPS,
		 "t.ini:1: \"[a]; x\" has something behind the ']'; give [NAME] alone, "
		 "comments on lines of their own"},
		{"[]\n" OPS,
		 "t.ini:1: \"[]\" has no valid name; give 1 to 31 letters, digits, '_', '-' "
		 "or '.'"},
		{"[ a ]\n" OPS,
		 "t.ini:1: \"[ a ]\" has no valid name; give 1 to 31 letters, digits, "
		 "'_', '-' or '.'"},
		{"[a12345678901234567890123456789012]\n" OPS,
		 "t.ini:1: \"[a12345678901234567890123456789012]\" has no valid name; give 1 to 31 "
		 "letters, digits, '_', '-' or '.'"},
		{"[a]\n" OPS "[b]\n" OPS "[a]\n" OPS,
		 "t.ini:5: [a]: this section already begins on line 1; give each group a name of its "
		 "own"},
		{"[a]\n" OPS "[global]\n[global]\n",
		 "t.ini:4: [global]: this section already begins on "
		 "line 3; give each group a name of its own"},
		{"[a]\ntasks\n" OPS,
		 "t.ini:2: \"tasks\" is neither a section nor a key with a value; "
		 "give [NAME] or key = value"},
		{"[a]\n= 4\n" OPS, "t.ini:2: \"= 4\" has no key; give key = value"},
		{"[a]\n tasks = 4\n" OPS,
		 "t.ini:2: \"tasks = 4\" is indented, as if it continued the "
		 "line before; begin a key at the start of the line"},
		{"[a]\ntasks = 4\n 5\n" OPS,
		 "t.ini:3: \"5\" is indented, as if it continued the line "
		 "before; begin a key at the start of the line"},
		{"[a]\n" OPS " [b]\n" OPS,
		 "t.ini:3: \"[b]\" is indented; begin a section at the start "
		 "of the line"},
		{"[a]\ntasks = 4 ; four\n" OPS,
		 "t.ini:2: tasks: \"4; four\" has something after the "
		 "number; give 1 to 4096"},
		{"[a]\ntasks = 4 # four\n" OPS,
		 "t.ini:2: tasks: \"4 # four\" has something after the "
		 "number; give 1 to 4096"},
		{"[a]\ntasks = 4\rops = yield:1\n",
		 "t.ini:2: has a control character (0x0d); give a "
		 "text file"},
		{"[a]\n\x7f\n", "t.ini:2: has a control character (0x7f); give a text file"},
	};

	expect_refusals(rows, ARRAY_SIZE(rows));
}

Test(jobfile, refuses_bad_keys_and_values)
{
	static const struct refusal rows[] = {
		{"[a]\ntsaks = 4\n" OPS, "t.ini:2: \"tsaks\" is no key of groups; did you mean "
					 "\"tasks\"?"},
		{"[a]\ncpus = 4\n" OPS, "t.ini:2: cpus: is an option of the machine; give it in "
					"[global]"},
		{"[global]\ntasks = 4\n[a]\n" OPS,
		 "t.ini:2: tasks: is a key of groups; give it in a "
		 "group's section"},
		{"[global]\njson = x\n[a]\n" OPS,
		 "t.ini:2: json: a job can't set this; give --json on "
		 "the command line"},
		{"[global]\njob = x\n[a]\n" OPS,
		 "t.ini:2: job: a job can't set this; give --job on the "
		 "command line"},
		{"[global]\ncpu-s = 4\n[a]\n" OPS,
		 "t.ini:2: \"cpu-s\" is no known option; did you mean "
		 "\"cpus\"?"},
		{"[global]\ncpus = 0\n[a]\n" OPS,
		 "t.ini:2: cpus: \"0\" is out of range; give 1 to 1024 "
		 "CPUs"},
		{"[global]\ncpus = 4\ncpus = 4\n[a]\n" OPS,
		 "t.ini:3: cpus: already given on line 2; "
		 "give it once"},
		{"[global]\nbug = nosuch\n[a]\n" OPS,
		 "t.ini:2: bug: \"nosuch\" is no known bug; valid: "
		 "flush-short, free-early, mask-late"},
		{"[a]\n" OPS OPS, "t.ini:3: ops: already given on line 2; give it once"},
		{"[a]\ntasks =\n" OPS, "t.ini:2: tasks: \"\" is empty; give 1 to 4096"},
		{"[a]\ntasks = 0\n" OPS, "t.ini:2: tasks: 0 is out of range; give 1 to 4096"},
		{"[a]\ntasks = 4097\n" OPS, "t.ini:2: tasks: 4097 is out of range; give 1 to 4096"},
		{"[a]\nanon = 16777217\n" OPS, "t.ini:2: anon: 16777217 is out of range; give 0 to "
					       "16777216"},
		{"[a]\nshare = nm\n" OPS,
		 "t.ini:2: share: \"nm\" is not valid; did you mean \"mm\"?"},
		{"[a]\nshare = mm:\n" OPS,
		 "t.ini:2: share: \"\" is no name of a group; give mm:GROUP"},
		{"[a]\nshare = mm:b\n" OPS "[b]\n" OPS,
		 "t.ini:2: share: [b] has no mm to join; give "
		 "share = mm there"},
		{"[a]\nshare = mm:wrker\n" OPS "[worker]\nshare = mm\n" OPS,
		 "t.ini:2: share: [wrker] is no group with share = mm; did you mean \"worker\"?"},
		{"[a]\nshare = mm:b\nshared = 4\n" OPS "[b]\nshare = mm\n" OPS,
		 "t.ini:3: shared: comes from the group whose mm is joined; leave it out"},
		{"[a]\nmap = share\n" OPS, "t.ini:2: map: \"share\" is not valid; did you mean "
					   "\"shared\"?"},
		{"[a]\nmap = shared\n" OPS,
		 "t.ini:2: map: means nothing without file; give file too, "
		 "or leave it out"},
		{"[a]\nfile = a/b\n" OPS,
		 "t.ini:2: file: \"a/b\" is no name of an emulated file; give "
		 "1 to 31 letters, digits, '_', '-' or '.'"},
		{"[a]\nfile = f\nfile-pages = 4\n" OPS "[b]\nfile = f\nfile-pages = 5\n" OPS,
		 "t.ini:7: file-pages: the file f has 4 pages on line 3; give one size"},
		{"[a]\nkthread = 1\n" OPS, "t.ini:2: kthread: \"1\" is not valid; valid: no, yes"},
		{"[a]\nkthread = yes\nanon = 4\n" OPS,
		 "t.ini:3: anon: a kernel thread has no address "
		 "space; leave it out"},
		{"[a]\ncpu = 3-1\n" OPS,
		 "t.ini:2: cpu: \"3-1\" has a range that runs backwards; give "
		 "a list like 0-3,8"},
		{"[a]\nthink = -1\n" OPS, "t.ini:2: think: \"-1\" is negative; give 0 to 1000000"},
		{"[a]\nop-pages = 8-2\n" OPS,
		 "t.ini:2: op-pages: the range 8-2 runs backwards; give "
		 "LO-HI"},
		{"[a]\nop-pages = 0\n" OPS,
		 "t.ini:2: op-pages: 0 is out of range; give 1 to 16777216"},
		{"[a]\nop-pages = 1-\n" OPS,
		 "t.ini:2: op-pages: \"\" is empty; give 1 to 16777216"},
		{"[a]\nanon = 4\nop-pages = 8\nops = read:1\n",
		 "t.ini:3: op-pages: 8 is more than the 4 pages of the group's largest region; give at "
		 "most that"},
		{"[a]\nrepeat = 2\n" OPS,
		 "t.ini:2: repeat: means nothing without program; give program "
		 "too, or leave it out"},
		{"[a]\nop-pages = 2\nprogram = exit\n",
		 "t.ini:2: op-pages: means nothing without ops; "
		 "give ops too, or leave it out"},
	};

	expect_refusals(rows, ARRAY_SIZE(rows));
}

Test(jobfile, refuses_bad_mixes)
{
	static const struct refusal rows[] = {
		{"[a]\ntasks = 4\n",
		 "t.ini:1: [a] has nothing to do; give ops = NAME:WEIGHT, ... or "
		 "program = OP; OP"},
		{"[a]\n[b]\n" OPS, "t.ini:1: [a] has nothing to do; give ops = NAME:WEIGHT, ... or "
				   "program = OP; OP"},
		{"[a]\n" OPS "program = exit\n",
		 "t.ini:3: [a] has both ops and program; give one of "
		 "them"},
		{"[a]\nops =\n", "t.ini:2: ops: is empty; give name:weight, name:weight"},
		{"[a]\nops = yield:1,,exit:1\n",
		 "t.ini:2: ops: an entry is empty; give name:weight, "
		 "name:weight"},
		{"[a]\nops = yield:1,\n", "t.ini:2: ops: an entry is empty; give name:weight, "
					  "name:weight"},
		{"[a]\nops = yield\n", "t.ini:2: ops: yield has no weight; give yield:WEIGHT"},
		{"[a]\nops = yield:\n",
		 "t.ini:2: ops: the weight \"\" of yield is empty; give 1 to "
		 "10000"},
		{"[a]\nops = yield:0\n",
		 "t.ini:2: ops: the weight 0 of yield is out of range; give 1 "
		 "to 10000"},
		{"[a]\nops = yield:1.5\n",
		 "t.ini:2: ops: the weight \"1.5\" of yield is not a whole "
		 "number; give 1 to 10000"},
		{"[a]\nops = yield:1,\n exit:2, yeild:3\n",
		 "t.ini:3: ops: \"yeild\" is no operation; did you mean \"yield\"?"},
		{"[a]\nops = yield:1, exit:1, yield:2\n",
		 "t.ini:2: ops: yield stands there twice; name "
		 "each once"},
		{"[a]\nops = read:1\n",
		 "t.ini:2: [a]: read needs a working set; give anon, shared or "
		 "file"},
		{"[a]\nanon = 4\nops = msync:1\n", "t.ini:3: [a]: msync needs a file; give file = "
						   "NAME"},
		{"[a]\nkthread = yes\nops = kthread:1, fork:1\n",
		 "t.ini:3: [a]: fork needs an address space, which a kernel thread has not"},
	};

	expect_refusals(rows, ARRAY_SIZE(rows));
}

Test(jobfile, refuses_bad_programs)
{
	static const struct refusal rows[] = {
		{"[a]\nprogram =\n",
		 "t.ini:2: program: is empty; give operations separated by ';'"},
		{"[a]\nprogram = exit;;exit\n",
		 "t.ini:2: program: nothing stands before a ';'; give "
		 "operations separated by ';'"},
		{"[a]\nprogram = exit\n  ; exit\n",
		 "t.ini:3: program: a line that begins with ';' is a "
		 "comment; put the ';' at the end of the line "
		 "before"},
		{"[a]\nprogram = mmap A 4;\n wirte A 0\n", "t.ini:3: program: \"wirte\" is no "
							   "operation; did you mean \"write\"?"},
		{"[a]\nprogram = mmap A\n",
		 "t.ini:2: program: mmap has too few arguments; give mmap "
		 "REGION PAGES"},
		{"[a]\nprogram = mmap A 4 5\n", "t.ini:2: program: mmap does not take the argument "
						"\"5\"; give mmap REGION PAGES"},
		{"[a]\nprogram = exit 4\n",
		 "t.ini:2: program: exit does not take the argument \"4\"; "
		 "give exit"},
		{"[a]\nprogram = mmap 4 A\n",
		 "t.ini:2: program: mmap: \"4\" is no name of a region; "
		 "give a letter, then letters, digits or _"},
		{"[a]\nprogram = mmap A x\n",
		 "t.ini:2: program: mmap: PAGES: \"x\" is not a number; give a "
		 "number or LO-HI"},
		{"[a]\nprogram = mmap A 4x\n",
		 "t.ini:2: program: mmap: PAGES: \"4x\" has something after the "
		 "number; give a number or LO-HI"},
		{"[a]\nprogram = mmap A 4-\n",
		 "t.ini:2: program: mmap: PAGES: \"4-\" is empty; give a number "
		 "or LO-HI"},
		{"[a]\nprogram = mmap A 4-2\n",
		 "t.ini:2: program: mmap: PAGES: the range 4-2 runs backwards; "
		 "give LO-HI"},
		{"[a]\nprogram = mmap A 99999999\n",
		 "t.ini:2: program: mmap: PAGES: 99999999 is out of range; "
		 "give 0 to 16777216"},
		{"[a]\nprogram = mmap A 4; mprotect A 4\n",
		 "t.ini:2: program: mprotect: PROT: 4 is out of range; give 0 to 3"},
		{"[a]\nprogram = mmap anon 4\n",
		 "t.ini:2: program: mmap: \"anon\" is the name of a "
		 "region that a group has by itself; give another "
		 "name"},
		{"[a]\nprogram = write A 0\n",
		 "t.ini:2: program: write: no region \"A\" is ever made "
		 "here; make it with mmap A PAGES"},
		{"[a]\nprogram = mmap heap 4;\n\twrite haep 0\n",
		 "t.ini:3: program: write: no region \"haep\" is ever made here; did you mean "
		 "\"heap\"?"},
		{"[a]\nprogram = mmap A 4\n[b]\nprogram = write A 0\n",
		 "t.ini:4: program: write: no region \"A\" is ever made here; make it with mmap A "
		 "PAGES"},
		{"[a]\nkthread = yes\nprogram = yield; mmap A 4\n",
		 "t.ini:3: [a]: mmap needs an address space, which a kernel thread has not"},
		{"[a]\nprogram = truncate 4\n", "t.ini:2: [a]: truncate needs a file; give file = "
						"NAME"},
		{"[a]\nrepeat = 0\nprogram = exit\n",
		 "t.ini:2: repeat: 0 is out of range; give 1 to "
		 "1000000"},
	};

	expect_refusals(rows, ARRAY_SIZE(rows));
}

Test(jobfile, a_line_that_inih_would_cut_is_refused)
{
	/* inih's buffer has 200 bytes: 198 and the line's end fit. */
	char text[1024] = "[a]\n; ";
	size_t start = strlen(text);

	memset(text + start, 'x', 196);
	strcpy(text + start + 196, "\n" OPS);
	cr_expect_eq(parse(text), 0, "%s", err.line);
	memset(text + start, 'x', 197);
	strcpy(text + start + 197, "\n" OPS);
	cr_expect_eq(parse(text), -1);
	cr_expect_str_eq(err.line,
			 "t.ini:2: the line has 199 bytes, at most 198 are possible; go on on "
			 "the next line, indented");
	/* And the last line, without an end. */
	strcpy(text, "[a]\nops = yield:1\n;");
	start = strlen(text);
	memset(text + start, 'x', 198);
	text[start + 198] = '\0';
	cr_expect_eq(parse(text), -1);
	text[start + 197] = '\0';
	cr_expect_eq(parse(text), 0, "%s", err.line);
}

Test(jobfile, nothing_is_lost_behind_a_nul)
{
	static const char text[] = "[a]\nops = yield:1\n\0[b]\nbad\n";

	cr_expect_eq(parse_bytes(VERB_SOAK, text, sizeof(text) - 1), -1);
	cr_expect_str_eq(err.line, "t.ini:3: has a control character (0x00); give a text file");
}

/* A copy without a NUL behind it, so that a sanitizer sees whoever reads on. */
static void parse_copy(const char *text, size_t length)
{
	char *copy = malloc(length);

	memcpy(copy, text, length);
	if (parse_bytes(VERB_SOAK, copy, length)) {
		cr_expect_eq(err.status, 64);
		cr_expect_gt(strlen(err.line), strlen("t.ini:"));
		cr_expect_eq(config.job.nr_groups, 0u);
	}
	free(copy);
}

Test(jobfile, no_bytes_crash_it)
{
	static const char alphabet[] = "[]=:;,#- \t\n\r\nab4opsreadmmap\xff\xef";
	struct rng rng;
	char text[256];

	random_seed(&rng, 1, 0);
	for (int round = 0; round < 20000; round++) {
		size_t length = random_below(&rng, sizeof(text) + 1);

		for (size_t i = 0; i < length; i++)
			text[i] = alphabet[random_below(&rng, sizeof(alphabet) - 1)];
		parse_copy(text, length);
	}
}

Test(jobfile, no_damaged_job_crashes_it)
{
	static const char program[] = "[p]\nshare = mm:q\nprogram = mmap A 4; write A 0-2 4;\n"
				      "\tdontneed A 0 2 ; read shared 0; exit\nrepeat = 2\n"
				      "[q]\nshare = mm\nshared = 8\ncpu = 0-3,8\nops = read:1\n";
	char text[4096];
	struct rng rng;
	size_t base;

	random_seed(&rng, 2, 0);
	base = (size_t)snprintf(text, sizeof(text), "%s%s", default_job_text, program);
	cr_assert_eq(parse_bytes(VERB_SOAK, text, base), 0, "%s", err.line);
	for (int round = 0; round < 20000; round++) {
		char damaged[sizeof(text)];
		size_t length = base;

		memcpy(damaged, text, base);
		for (u32 i = 0; i < 3 && length > 1; i++) {
			size_t at = random_below(&rng, length);

			switch (random_below(&rng, 3)) {
			case 0:
				damaged[at] = (char)random_below(&rng, 256);
				break;
			case 1:
				memmove(damaged + at, damaged + at + 1, length - at - 1);
				length--;
				break;
			default:
				length = at + 1;
				break;
			}
		}
		parse_copy(damaged, length);
	}
}

Test(jobfile, too_many_groups_are_refused)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (int i = 0; i < JOB_GROUPS_MAX; i++)
		fprintf(out, "[g%d]\n" OPS, i);
	fflush(out);
	cr_expect_eq(parse(text), 0, "%s", err.line);
	/* With [global] beside them too. */
	fprintf(out, "[global]\n");
	fflush(out);
	cr_expect_eq(parse(text), 0, "%s", err.line);
	fprintf(out, "[more]\n" OPS);
	fclose(out);
	cr_expect_eq(parse(text), -1);
	free(text);
}

Test(jobfile, line_numbers_can_start_elsewhere)
{
	const struct jobfile_text job = {
		.text = "[a]\ntask = 1\n",
		.length = strlen("[a]\ntask = 1\n"),
		.file = "found.schedule",
		.first_line = 40,
		.name = "t",
	};

	config_init(&config, VERB_EXPLORE);
	cr_expect_eq(jobfile_parse(&config, &test_names, &job, &err), -1);
	cr_expect_str_eq(
		err.line,
		"found.schedule:41: \"task\" is no key of groups; did you mean \"tasks\"?");
}

Test(jobfile, what_the_machine_has_not_is_refused)
{
	cr_assert_eq(parse("[a]\nanon = 4\ncpu = 0-7\nops = read:1\n"), 0);
	config.cpus = 7;
	cr_expect_eq(config_resolve(&config, &test_host, &err), -1);
	cr_expect_str_eq(err.line,
			 "t.ini:3: cpu: the machine has no CPU 7; give CPUs below 7, or a "
			 "larger --cpus");
	config.cpus = 8;
	cr_expect_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);

	cr_assert_eq(parse("[a]\ntasks = 2\nanon = 32768\nops = read:1\n"), 0);
	cr_expect_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);
	cr_assert_eq(parse("[a]\ntasks = 2\nanon = 32769\nops = read:1\n"), 0);
	cr_expect_eq(config_resolve(&config, &test_host, &err), -1);
	cr_expect_str_eq(err.line,
			 "--pages: the working sets of t.ini are 65538 pages and the machine "
			 "has 65536; give more pages, or the job less");
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
	static const char text[] = "[global]\ncpus = 9\npages = 128\n[a]\n" OPS;
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
