// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: what it comes to, what is refused, and what --help shows. */
#include "engine/types.h"
#include "stress/cli.h"
#include "stress/options.h"
#include "tests/stress_known_names.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define ARGS_MAX 16

static struct config config;
static enum cli_action action;
static struct error err;

/* Reads a command line, whose words are separated by single spaces. */
static int parse(const char *line)
{
	const struct cli_context context = {&test_names, &test_host, NULL};
	char text[1024];
	char *argv[ARGS_MAX + 1] = {NULL};
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = text; word && argc < ARGS_MAX;) {
		char *space = strchr(word, ' ');

		if (space)
			*space++ = '\0';
		argv[argc++] = word;
		word = space;
	}
	config_destroy(&config);
	err = (struct error){0};
	return cli_parse(&context, argc, argv, &config, &action, &err);
}

static void finish(void)
{
	config_destroy(&config);
}

TestSuite(cli, .fini = finish);

Test(cli, reads_options_in_both_forms_and_any_order)
{
	cr_assert_eq(parse("mmtorture explore --cpus 3 --pages=1k --until-found --job=zap-storm "
			   "--pages=1M"),
		     -1);
	cr_assert_eq(parse("mmtorture explore --cpus 3 --pages=128k --until-found --job=zap-storm "
			   "--strategy pct:2 --no-bind=no"),
		     0, "%s", err.line);
	cr_expect_eq(action, CLI_RUN);
	cr_expect_eq(config.verb, VERB_EXPLORE);
	cr_expect_eq(config.cpus, 3u);
	cr_expect_eq(config.pages, 131072u);
	cr_expect(config.until_found);
	cr_expect_not(config.no_bind);
	cr_expect_str_eq(config.strategy, "pct:2");
	cr_expect_str_eq(config.job.name, "zap-storm");
	cr_expect_str_eq(config.tlb, "tiny");
	cr_expect_str_eq(config.command[2], "--cpus");
	cr_expect_null(config.command[10]);
}

Test(cli, soak_alone_is_enough)
{
	cr_assert_eq(parse("mmtorture soak"), 0, "%s", err.line);
	cr_expect_str_eq(config.job.name, "default");
	cr_expect_eq(config.cpus, 4u);
	cr_expect_eq(config.seed, test_host.seed);
}

Test(cli, arguments_of_the_verbs)
{
	cr_assert_eq(parse("mmtorture bench exec --repetitions 3 fault-zap"), 0, "%s", err.line);
	cr_expect_eq(config.measures.nr, 2u);
	cr_expect_str_eq(config.measures.name[1], "fault-zap");
	cr_expect_eq(config.repetitions, 3u);
	/* The first words stand for all that begin so. */
	cr_assert_eq(parse("mmtorture bench fault"), 0, "%s", err.line);
	cr_expect_eq(config.measures.nr, 1u);
	cr_expect_str_eq(config.measures.name[0], "fault-zap");
	cr_assert_eq(parse("mmtorture bugs list"), 0, "%s", err.line);
	cr_expect_str_eq(config.action, "list");
	cr_assert_eq(parse("mmtorture bugs check free-early mask-late"), 0, "%s", err.line);
	cr_expect_str_eq(config.action, "check");
	cr_expect_eq(config.bugs.nr, 2u);
	cr_expect_str_eq(config.bugs.name[1], "mask-late");
	cr_assert_eq(parse("mmtorture replay -- /dev/null"), 0, "%s", err.line);
	cr_expect_str_eq(config.file, "/dev/null");
	cr_assert_eq(parse("mmtorture topology --cpus 8"), 0, "%s", err.line);
	cr_expect_eq(config.job.nr_groups, 0u);
}

Test(cli, mistakes_are_answered_with_one_line)
{
	static const struct {
		const char *command;
		const char *line;
	} rows[] = {
		{"mmtorture",
		 "no verb is given; valid: soak, explore, replay, minimize, bugs, bench, "
		 "topology, or --help"},
		{"mmtorture sok", "\"sok\" is no verb; did you mean \"soak\"?"},
		{"mmtorture --cpus 4 soak",
		 "\"--cpus\" stands before the verb; give mmtorture VERB "
		 "[OPTION]..."},
		{"mmtorture soak --cpu 4", "\"--cpu\" is no option; did you mean \"--cpus\"?"},
		{"mmtorture soak --cpu=4", "\"--cpu=4\" is no option; did you mean \"--cpus\"?"},
		{"mmtorture soak --zzz",
		 "\"--zzz\" is no option; `mmtorture soak --help` lists them"},
		{"mmtorture soak --hepl", "\"--hepl\" is no option; did you mean \"--help\"?"},
		{"mmtorture soak -cpus 4", "\"-cpus\" is no option; did you mean \"--cpus\"?"},
		{"mmtorture soak -", "\"-\" is no option; `mmtorture soak --help` lists them"},
		{"mmtorture soak ", "\"\": soak takes options only; leave it out"},
		{"mmtorture soak --cpus", "--cpus: has no value; give --cpus N"},
		{"mmtorture soak --cpus --pages 64", "--cpus: has no value; give --cpus N"},
		{"mmtorture soak --cpus=", "--cpus: \"\" is empty; give 1 to 1024 CPUs"},
		{"mmtorture soak --cpus 0", "--cpus: \"0\" is out of range; give 1 to 1024 CPUs"},
		{"mmtorture soak --cpus 2 --cpus 2",
		 "--cpus: is given twice, as \"2\" and as \"2\"; "
		 "give it once"},
		{"mmtorture soak --no-bind --no-bind",
		 "--no-bind: is given twice, as \"yes\" and as "
		 "\"yes\"; give it once"},
		{"mmtorture soak --no-bind=1",
		 "--no-bind: \"1\" is no known value; valid: no, yes"},
		{"mmtorture soak --no-bind yes",
		 "\"yes\": soak takes options only; to run a job give "
		 "--job yes"},
		{"mmtorture soak --bug mask-late --bug mask-late",
		 "--bug: mask-late is given twice; name each bug once"},
		{"mmtorture soak --strategy random",
		 "--strategy: means nothing to soak; it is for: "
		 "explore"},
		{"mmtorture bugs list --json x", "--json: means nothing to bugs; it is for: soak, "
						 "explore, replay, minimize, bench, topology"},
		{"mmtorture soak mixed",
		 "\"mixed\": soak takes options only; to run a job give --job "
		 "mixed"},
		{"mmtorture topology x", "\"x\": topology takes options only; leave it out"},
		{"mmtorture replay", "replay needs an argument; give `mmtorture replay FILE`"},
		{"mmtorture replay /dev/null /dev/zero",
		 "\"/dev/zero\": replay takes one FILE and has \"/dev/null\" already; give one"},
		{"mmtorture replay /nonexistent",
		 "replay: can't read /nonexistent: No such file or "
		 "directory; give a readable file"},
		{"mmtorture minimize /tmp", "minimize: /tmp is a directory; give a file"},
		{"mmtorture bugs", "bugs needs an argument; give `mmtorture bugs list | check "
				   "[SLUG]...`"},
		{"mmtorture bugs lits", "\"lits\" is nothing that bugs can do; did you mean "
					"\"list\"?"},
		{"mmtorture bugs list list", "\"list\": bugs takes one action; give list alone"},
		{"mmtorture bugs check mask-lat",
		 "\"mask-lat\" is no known bug; did you mean \"mask-late\"?"},
		{"mmtorture bugs check free-early free-early",
		 "free-early: is given twice; name each bug once"},
		{"mmtorture bench exce", "\"exce\" is no measure of bench; did you mean \"exec\"?"},
		{"mmtorture bench exec exec", "exec: is given twice; name each measure once"},
		{"mmtorture bench fault-zap fault",
		 "fault-zap: is given twice; name each measure once"},
		{"mmtorture soak --job", "--job: has no value; give --job NAME|FILE.ini"},
		{"mmtorture soak --pages 64",
		 "--pages: the working sets of the built-in default.ini are 4480 pages and the machine "
		 "has 64; give more pages, or the job less"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(parse(rows[i].command), -1, "passes: %s", rows[i].command);
		cr_expect_str_eq(err.line, rows[i].line);
		cr_expect_eq(err.status, 64);
	}
}

Test(cli, paths_start_where_the_person_was)
{
	struct cli_context context = {&test_names, &test_host, "/dev"};
	char *argv[] = {(char[]){"mmtorture"}, (char[]){"replay"}, (char[]){"null"},
			(char[]){"--json"},    (char[]){"x.json"}, NULL};

	cr_assert_eq(cli_parse(&context, 5, argv, &config, &action, &err), 0, "%s", err.line);
	cr_expect_str_eq(config.file, "/dev/null");
	cr_expect_str_eq(config.json, "/dev/x.json");
}

Test(cli, nothing_points_into_argv)
{
	struct cli_context context = {&test_names, &test_host, NULL};
	char verb[] = "explore", option[] = "--strategy", value[] = "pct:3";
	char *argv[] = {verb, verb, option, value, NULL};

	cr_assert_eq(cli_parse(&context, 4, argv, &config, &action, &err), 0, "%s", err.line);
	memset(value, 'x', sizeof(value) - 1);
	memset(option, 'x', sizeof(option) - 1);
	cr_expect_str_eq(config.strategy, "pct:3");
	cr_expect_str_eq(config.command[2], "--strategy");
	cr_expect_str_eq(config.command[3], "pct:3");
}

Test(cli, help_and_version_end_the_reading)
{
	cr_expect_eq(parse("mmtorture --help --nonsense"), 0);
	cr_expect_eq(action, CLI_HELP);
	cr_expect_eq(config.verb, NR_VERBS);
	cr_expect_eq(parse("mmtorture --version"), 0);
	cr_expect_eq(action, CLI_VERSION);
	cr_expect_eq(parse("mmtorture bench -h --nonsense"), 0);
	cr_expect_eq(action, CLI_HELP);
	cr_expect_eq(config.verb, VERB_BENCH);
	cr_expect_eq(parse("mmtorture replay --version"), 0);
	cr_expect_eq(action, CLI_VERSION);
	cr_expect_eq(parse("mmtorture soak --nonsense --help"), -1);
}

#define HELP_SIZE 16384

static void help_of(enum verb verb, char *text)
{
	FILE *out = fmemopen(text, HELP_SIZE, "w");

	cr_assert_not_null(out);
	cli_help(out, verb, &test_names);
	cr_assert_eq(fclose(out), 0);
}

Test(cli, help_has_an_example_that_works)
{
	for (enum verb verb = 0; verb < NR_VERBS; verb++) {
		char text[HELP_SIZE];
		char *example;

		help_of(verb, text);
		example = strstr(text, "\nExample:\n  ");
		cr_assert_not_null(example, "%s", verb_names.names[verb]);
		example += strlen("\nExample:\n  ");
		example[strcspn(example, "\n")] = '\0';
		/* Files of examples aren't there, but the reading gets as far as them. */
		if (parse(example))
			cr_expect_not_null(strstr(err.line, "No such file"), "%s: %s", example,
					   err.line);
	}
}

Test(cli, help_lists_names_and_statuses)
{
	char text[HELP_SIZE];

	help_of(VERB_EXPLORE, text);
	cr_expect_not_null(strstr(text, "--strategy: random, pct, dfs\n"));
	cr_expect_not_null(strstr(text, "\n  zap-storm\n"));
	cr_expect_not_null(strstr(text, "64 usage or bad input"));
	help_of(VERB_BENCH, text);
	cr_expect_not_null(strstr(text, "\n  fault-zap\n"));
	help_of(NR_VERBS, text);
	for (enum verb verb = 0; verb < NR_VERBS; verb++)
		cr_expect_not_null(strstr(text, verb_names.names[verb]));
}
