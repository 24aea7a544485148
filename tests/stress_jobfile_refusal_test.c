// SPDX-License-Identifier: GPL-2.0-or-later
/* Job files that are refused: with which words, and that no bytes whatever do harm. */
#include "engine/random.h"
#include "engine/types.h"
#include "stress/default_job.h"
#include "stress/jobfile.h"
#include "tests/stress_job_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

/* A text and the complaint about it. */
struct refusal {
	const char *text;
	const char *line;
};

static void expect_refusals(const struct refusal *rows, size_t nr)
{
	struct config config = {0};
	struct error err;

	for (size_t i = 0; i < nr; i++) {
		cr_expect_eq(job_from_text(&config, &err, rows[i].text), -1, "passes: %s",
			     rows[i].text);
		cr_expect_str_eq(err.line, rows[i].line);
		cr_expect_eq(err.status, 64);
		cr_expect_eq(config.job.nr_groups, 0u);
	}
	config_destroy(&config);
}

#define OPS "ops = yield:1\n"

Test(jobfile_refusal, refuses_what_is_no_ini)
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

Test(jobfile_refusal, refuses_bad_keys_and_values)
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

Test(jobfile_refusal, refuses_bad_mixes)
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

Test(jobfile_refusal, refuses_bad_programs)
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

Test(jobfile_refusal, a_line_that_inih_would_cut_is_refused)
{
	struct config config = {0};
	struct error err;
	/* inih's buffer has 200 bytes: 198 and the line's end fit. */
	char text[1024] = "[a]\n; ";
	size_t start = strlen(text);

	memset(text + start, 'x', 196);
	strcpy(text + start + 196, "\n" OPS);
	cr_expect_eq(job_from_text(&config, &err, text), 0, "%s", err.line);
	memset(text + start, 'x', 197);
	strcpy(text + start + 197, "\n" OPS);
	cr_expect_eq(job_from_text(&config, &err, text), -1);
	cr_expect_str_eq(err.line,
			 "t.ini:2: the line has 199 bytes, at most 198 are possible; go on on "
			 "the next line, indented");
	/* And the last line, without an end. */
	strcpy(text, "[a]\nops = yield:1\n;");
	start = strlen(text);
	memset(text + start, 'x', 198);
	text[start + 198] = '\0';
	cr_expect_eq(job_from_text(&config, &err, text), -1);
	text[start + 197] = '\0';
	cr_expect_eq(job_from_text(&config, &err, text), 0, "%s", err.line);
	config_destroy(&config);
}

Test(jobfile_refusal, nothing_is_lost_behind_a_nul)
{
	struct config config = {0};
	struct error err;
	static const char text[] = "[a]\nops = yield:1\n\0[b]\nbad\n";

	cr_expect_eq(job_from_bytes(&config, &err, VERB_SOAK, text, sizeof(text) - 1), -1);
	cr_expect_str_eq(err.line, "t.ini:3: has a control character (0x00); give a text file");
	config_destroy(&config);
}

/* A copy without a NUL behind it, so that a sanitizer sees whoever reads on. */
static void parse_copy(const char *text, size_t length)
{
	struct config config = {0};
	struct error err;
	char *copy = malloc(length);

	memcpy(copy, text, length);
	if (job_from_bytes(&config, &err, VERB_SOAK, copy, length)) {
		cr_expect_eq(err.status, 64);
		cr_expect_gt(strlen(err.line), strlen("t.ini:"));
		cr_expect_eq(config.job.nr_groups, 0u);
	}
	free(copy);
	config_destroy(&config);
}

Test(jobfile_refusal, no_bytes_crash_it)
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

Test(jobfile_refusal, no_damaged_job_crashes_it)
{
	struct config config = {0};
	struct error err;
	static const char program[] = "[p]\nshare = mm:q\nprogram = mmap A 4; write A 0-2 4;\n"
				      "\tdontneed A 0 2 ; read shared 0; exit\nrepeat = 2\n"
				      "[q]\nshare = mm\nshared = 8\ncpu = 0-3,8\nops = read:1\n";
	char text[4096];
	struct rng rng;
	size_t base;

	random_seed(&rng, 2, 0);
	base = (size_t)snprintf(text, sizeof(text), "%s%s", default_job_text, program);
	cr_assert_eq(job_from_bytes(&config, &err, VERB_SOAK, text, base), 0, "%s", err.line);
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
	config_destroy(&config);
}

Test(jobfile_refusal, too_many_groups_are_refused)
{
	struct config config = {0};
	struct error err;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (int i = 0; i < JOB_GROUPS_MAX; i++)
		fprintf(out, "[g%d]\n" OPS, i);
	fflush(out);
	cr_expect_eq(job_from_text(&config, &err, text), 0, "%s", err.line);
	/* With [global] beside them too. */
	fprintf(out, "[global]\n");
	fflush(out);
	cr_expect_eq(job_from_text(&config, &err, text), 0, "%s", err.line);
	fprintf(out, "[more]\n" OPS);
	fclose(out);
	cr_expect_eq(job_from_text(&config, &err, text), -1);
	free(text);
	config_destroy(&config);
}

Test(jobfile_refusal, line_numbers_can_start_elsewhere)
{
	struct config config = {0};
	struct error err = {0};
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
	config_destroy(&config);
}

Test(jobfile_refusal, what_the_machine_has_not_is_refused)
{
	struct config config = {0};
	struct error err;

	cr_assert_eq(job_from_text(&config, &err, "[a]\nanon = 4\ncpu = 0-7\nops = read:1\n"), 0);
	config.cpus = 7;
	cr_expect_eq(config_resolve(&config, &test_host, &err), -1);
	cr_expect_str_eq(err.line,
			 "t.ini:3: cpu: the machine has no CPU 7; give CPUs below 7, or a "
			 "larger --cpus");
	config.cpus = 8;
	cr_expect_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);

	cr_assert_eq(job_from_text(&config, &err, "[a]\ntasks = 2\nanon = 32768\nops = read:1\n"),
		     0);
	cr_expect_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);
	cr_assert_eq(job_from_text(&config, &err, "[a]\ntasks = 2\nanon = 32769\nops = read:1\n"),
		     0);
	cr_expect_eq(config_resolve(&config, &test_host, &err), -1);
	cr_expect_str_eq(err.line,
			 "--pages: the working sets of t.ini are 65538 pages and the machine "
			 "has 65536; give more pages, or the job less");
	config_destroy(&config);
}
