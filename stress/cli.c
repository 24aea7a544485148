// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/cli.h"

#include "engine/types.h"
#include "stress/group.h"
#include "stress/jobfile.h"
#include "stress/jobpath.h"
#include "stress/options.h"
#include "stress/program.h"
#include "stress/version.h"

#include <string.h>

static const char *const action_names[] = {"list", "check"};
static const struct name_list action_list = {"action", action_names, ARRAY_SIZE(action_names)};

/* What --help says about a verb. Options are options.c's. */
struct verb_help {
	const char *operands; /* after the options; "" for none */
	const char *summary;
	const char *example;
};

static const struct verb_help help[NR_VERBS] = {
	[VERB_SOAK] =
		{
			"",
			"run a job on all cores, with the oracle watching",
			"mmtorture soak --job mixed --cpus 64 --duration 60s --json out.json",
		},
	[VERB_EXPLORE] =
		{
			"",
			"run a job under a scheduler that owns every choice, over and over",
			"mmtorture explore --job zap-storm --cpus 2 --seed 1 --iterations 100000",
		},
	[VERB_REPLAY] =
		{
			"FILE",
			"run a recorded schedule again, step by step",
			"mmtorture replay found.schedule",
		},
	[VERB_MINIMIZE] =
		{
			"FILE",
			"make a recorded schedule as short as the violation allows",
			"mmtorture minimize found.schedule --schedule small.schedule",
		},
	[VERB_BUGS] =
		{
			"list | check [SLUG]...",
			"list the bugs that can be planted; check that the explorer finds them",
			"mmtorture bugs check",
		},
	[VERB_BENCH] =
		{
			"[MEASURE]...",
			"measure the emulated machine against the host's kernel",
			"mmtorture bench --repetitions 15 --json bench.json",
		},
	[VERB_TOPOLOGY] =
		{
			"",
			"show where the emulated CPUs are placed",
			"mmtorture topology --topology two-sockets.xml --cpus 64",
		},
};

/* The state of reading an argument list. */
struct reading {
	const struct cli_context *context;
	int argc;
	char *const *argv;
	int next;
	struct config *config;
	enum cli_action *action;
	const char *given[NR_OPTIONS]; /* values, of options given already */
	unsigned int operands;
	struct error *err;
};

static int unknown_option(const struct reading *reading, const char *argument)
{
	enum verb verb = reading->config->verb;
	const char *applying[NR_OPTIONS + 2];
	struct name_list list = {"option", applying, 0};
	const char *name = argument + strspn(argument, "-");
	char bare[CONFIG_NAME_SIZE];
	const char *near;

	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(name, "="), name);
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (option_applies(id, verb))
			applying[list.nr++] = option_names.names[id];
	}
	applying[list.nr++] = "help";
	applying[list.nr++] = "version";
	near = nearest_name(&list, bare);
	if (near)
		return error_input(reading->err, "\"%.80s\" is no option; did you mean \"--%s\"?",
				   argument, near);
	return error_input(reading->err, "\"%.80s\" is no option; `mmtorture %s --help` lists them",
			   argument, verb_names.names[verb]);
}

static int option_of_other_verbs(const struct reading *reading, enum option_id id)
{
	char verbs[NEAREST_HINT_SIZE];
	size_t used = 0;

	verbs[0] = '\0';
	for (enum verb verb = 0; verb < NR_VERBS; verb++) {
		if (option_applies(id, verb) && used < sizeof(verbs))
			used += (size_t)snprintf(verbs + used, sizeof(verbs) - used, "%s%s",
						 used ? ", " : "", verb_names.names[verb]);
	}
	return error_input(reading->err, "--%s: means nothing to %s; it is for: %s",
			   option_names.names[id], verb_names.names[reading->config->verb], verbs);
}

static int missing_value(const struct reading *reading, enum option_id id)
{
	return error_input(reading->err, "--%s: has no value; give --%s %s", option_names.names[id],
			   option_names.names[id], option_table[id].argument);
}

/* Reads "--name", "--name=value" or "--name value". */
static int take_option(struct reading *reading, const char *argument)
{
	struct config *config = reading->config;
	char place[CONFIG_NAME_SIZE + 2];
	struct option_source source = {ORIGIN_COMMAND_LINE, place, reading->context->directory};
	const char *equals = strchr(argument, '=');
	const char *value = equals ? equals + 1 : NULL;
	char name[CONFIG_NAME_SIZE];
	int id;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
	id = name_list_find(&option_names, name);
	if (id < 0)
		return unknown_option(reading, argument);
	if (!option_applies(id, config->verb))
		return option_of_other_verbs(reading, id);
	if (!value && option_table[id].type == OPTION_FLAG)
		value = "yes";
	if (!value && reading->next < reading->argc &&
	    strncmp(reading->argv[reading->next], "--", 2) != 0)
		value = reading->argv[reading->next++];
	if (!value)
		return missing_value(reading, id);
	if (reading->given[id] && option_table[id].type != OPTION_NAMES)
		return error_input(
			reading->err,
			"--%s: is given twice, as \"%.60s\" and as \"%.60s\"; give it once", name,
			reading->given[id], value);
	reading->given[id] = value;
	snprintf(place, sizeof(place), "--%s", name);
	return option_set(config, reading->context->names, id, value, &source, reading->err);
}

static int take_file(struct reading *reading, const char *argument)
{
	struct config *config = reading->config;
	const char *verb = verb_names.names[config->verb];

	if (config->file[0])
		return error_input(
			reading->err,
			"\"%.80s\": %s takes one FILE and has \"%.80s\" already; give one",
			argument, verb, config->file);
	if (path_resolve(config->file, sizeof(config->file), reading->context->directory, argument,
			 verb, reading->err))
		return -1;
	return path_check_readable(config->file, verb, reading->err);
}

/* bugs check SLUG... */
static int take_bug(struct reading *reading, const char *argument)
{
	const struct name_list *list = &reading->context->names->bugs;
	struct name_set *bugs = &reading->config->bugs;
	char hint[NEAREST_HINT_SIZE];

	if (name_list_find(list, argument) < 0 || strlen(argument) >= CONFIG_NAME_SIZE)
		return error_input(reading->err, "\"%.80s\" is no known bug; %s", argument,
				   nearest_hint(list, argument, hint, sizeof(hint)));
	for (unsigned int i = 0; i < bugs->nr; i++) {
		if (!strcmp(bugs->name[i], argument))
			return error_input(reading->err, "%s: is given twice; name each bug once",
					   argument);
	}
	if (bugs->nr == CONFIG_NAMES_MAX)
		return error_input(reading->err, "more than %d bugs; give at most that many",
				   CONFIG_NAMES_MAX);
	memcpy(bugs->name[bugs->nr++], argument, strlen(argument) + 1);
	return 0;
}

static int take_action(struct reading *reading, const char *argument)
{
	struct config *config = reading->config;
	char hint[NEAREST_HINT_SIZE];

	if (!strcmp(config->action, "check"))
		return take_bug(reading, argument);
	if (config->action[0])
		return error_input(reading->err, "\"%.80s\": bugs takes one action; give %s alone",
				   argument, config->action);
	if (name_list_find(&action_list, argument) < 0)
		return error_input(reading->err, "\"%.80s\" is nothing that bugs can do; %s",
				   argument,
				   nearest_hint(&action_list, argument, hint, sizeof(hint)));
	memcpy(config->action, argument, strlen(argument) + 1);
	return 0;
}

static int add_measure(struct reading *reading, const char *name)
{
	struct name_set *measures = &reading->config->measures;

	for (unsigned int i = 0; i < measures->nr; i++) {
		if (!strcmp(measures->name[i], name))
			return error_input(reading->err,
					   "%s: is given twice; name each measure once", name);
	}
	if (measures->nr == CONFIG_NAMES_MAX)
		return error_input(reading->err, "more than %d measures; give at most that many",
				   CONFIG_NAMES_MAX);
	snprintf(measures->name[measures->nr++], CONFIG_NAME_SIZE, "%s", name);
	return 0;
}

/* A measure, or the first words of several: "explore" stands for all explore-... */
static int take_measure(struct reading *reading, const char *argument)
{
	const struct name_list *list = &reading->context->names->measures;
	size_t length = strlen(argument);
	char hint[NEAREST_HINT_SIZE];
	bool any = false;

	if (name_list_find(list, argument) >= 0)
		return add_measure(reading, argument);
	for (size_t i = 0; i < list->nr; i++) {
		const char *name = list->names[i];

		if (strncmp(name, argument, length) || name[length] != '-')
			continue;
		any = true;
		if (add_measure(reading, name))
			return -1;
	}
	if (any)
		return 0;
	return error_input(reading->err, "\"%.80s\" is no measure of bench; %s", argument,
			   nearest_hint(list, argument, hint, sizeof(hint)));
}

static int take_operand(struct reading *reading, const char *argument)
{
	enum verb verb = reading->config->verb;

	reading->operands++;
	switch (verb) {
	case VERB_REPLAY:
	case VERB_MINIMIZE:
		return take_file(reading, argument);
	case VERB_BUGS:
		return take_action(reading, argument);
	case VERB_BENCH:
		return take_measure(reading, argument);
	default:
		break;
	}
	if (argument[0] && option_applies(OPT_JOB, verb))
		return error_input(
			reading->err,
			"\"%.80s\": %s takes options only; to run a job give --job %.80s", argument,
			verb_names.names[verb], argument);
	return error_input(reading->err, "\"%.80s\": %s takes options only; leave it out", argument,
			   verb_names.names[verb]);
}

static int check_operands(const struct reading *reading)
{
	enum verb verb = reading->config->verb;
	bool wanted = verb == VERB_REPLAY || verb == VERB_MINIMIZE || verb == VERB_BUGS;

	if (!wanted || reading->operands)
		return 0;
	return error_input(reading->err, "%s needs an argument; give `mmtorture %s %s`",
			   verb_names.names[verb], verb_names.names[verb], help[verb].operands);
}

static bool is_help(const char *argument)
{
	return !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

static int read_arguments(struct reading *reading)
{
	bool only_operands = false;

	while (reading->next < reading->argc) {
		const char *argument = reading->argv[reading->next++];
		int ret;

		if (!only_operands && !strcmp(argument, "--")) {
			only_operands = true;
			continue;
		}
		if (!only_operands && is_help(argument)) {
			*reading->action = CLI_HELP;
			return 0;
		}
		if (!only_operands && !strcmp(argument, "--version")) {
			*reading->action = CLI_VERSION;
			return 0;
		}
		if (only_operands || argument[0] != '-')
			ret = take_operand(reading, argument);
		else if (!strncmp(argument, "--", 2))
			ret = take_option(reading, argument);
		else
			ret = unknown_option(reading, argument);
		if (ret)
			return ret;
	}
	return check_operands(reading);
}

/* The verb, which comes first. Returns 0 with *@action set where there is none to run. */
static int read_verb(int argc, char *const argv[], enum verb *verb, enum cli_action *action,
		     struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	int index;

	*verb = NR_VERBS;
	if (argc < 2)
		return error_input(err, "no verb is given; %s, or --help",
				   nearest_hint(&verb_names, "", hint, sizeof(hint)));
	if (is_help(argv[1])) {
		*action = CLI_HELP;
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		*action = CLI_VERSION;
		return 0;
	}
	if (argv[1][0] == '-')
		return error_input(err,
				   "\"%.80s\" stands before the verb; give mmtorture VERB "
				   "[OPTION]...",
				   argv[1]);
	index = name_list_find(&verb_names, argv[1]);
	if (index < 0)
		return error_input(err, "\"%.80s\" is no verb; %s", argv[1],
				   nearest_hint(&verb_names, argv[1], hint, sizeof(hint)));
	*verb = (enum verb)index;
	return 0;
}

int cli_parse(const struct cli_context *context, int argc, char *const argv[],
	      struct config *config, enum cli_action *action, struct error *err)
{
	struct reading reading = {
		.context = context,
		.argc = argc,
		.argv = argv,
		.next = 2,
		.config = config,
		.action = action,
		.err = err,
	};
	enum verb verb;

	memset(config, 0, sizeof(*config));
	config->verb = NR_VERBS;
	*action = CLI_RUN;
	if (read_verb(argc, argv, &verb, action, err))
		return -1;
	if (*action != CLI_RUN)
		return 0;
	config_init(config, verb);
	if (config_keep_command(config, argc, argv, err) || read_arguments(&reading))
		return -1;
	if (*action != CLI_RUN)
		return 0;
	if (option_applies(OPT_JOB, verb) &&
	    jobfile_load(config, context->names, context->directory, err))
		return -1;
	return config_resolve(config, context->host, err);
}

void cli_version(FILE *out)
{
	fputs("mmtorture " MMTORTURE_VERSION "\n", out);
}

static void help_program(FILE *out)
{
	fputs("mmtorture: an emulated SMP machine on which address spaces are torn down under stress\n"
	      "\n"
	      "Usage: mmtorture VERB [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Verbs:\n",
	      out);
	for (enum verb verb = 0; verb < NR_VERBS; verb++)
		fprintf(out, "  %-10s %s\n", verb_names.names[verb], help[verb].summary);
	fputs("\n"
	      "`mmtorture VERB --help` lists a verb's options; --version shows the version.\n"
	      "\n"
	      "Example:\n"
	      "  mmtorture soak --duration 1m\n",
	      out);
}

static void help_statuses(FILE *out)
{
	fputs("\n"
	      "Exit status: 0 clean; 1 violation; 2 planted bug found; 3 planted bug not found;\n"
	      "4 skipped or not supported here; 5 no progress or deadlock; 6 a replay diverged;\n"
	      "7 results not trustworthy or not written; 64 usage or bad input.\n",
	      out);
}

static void help_names(FILE *out, const char *title, const struct name_list *list)
{
	if (list->nr == 0)
		return;
	fprintf(out, "\n%s\n", title);
	for (size_t i = 0; i < list->nr; i++)
		fprintf(out, "  %s\n", list->names[i]);
}

static bool has_options(enum verb verb)
{
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (option_applies(id, verb))
			return true;
	}
	return false;
}

static void help_line(FILE *out, const struct name_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		fprintf(out, "%s%s", i ? ", " : " ", list->names[i]);
	fputc('\n', out);
}

/* The values of options that are names known only to the parts below. */
static void help_values(FILE *out, enum verb verb, const struct known_names *names)
{
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		const struct option_row *row = &option_table[id];
		const struct name_list *list =
			(const struct name_list *)((const char *)names + row->list_offset);

		/* The bugs have a verb of their own. */
		if ((row->type != OPTION_NAME && row->type != OPTION_STRATEGY) ||
		    !option_applies(id, verb) || list->nr == 0)
			continue;
		fprintf(out, "  --%s:", option_names.names[id]);
		help_line(out, list);
	}
}

void cli_help(FILE *out, enum verb verb, const struct known_names *names)
{
	if (verb == NR_VERBS) {
		help_program(out);
		return;
	}
	fprintf(out, "mmtorture %s: %s\n\nUsage: mmtorture %s%s%s%s\n", verb_names.names[verb],
		help[verb].summary, verb_names.names[verb], has_options(verb) ? " [OPTION]..." : "",
		help[verb].operands[0] ? " " : "", help[verb].operands);
	if (has_options(verb)) {
		fputs("\nOptions:\n", out);
		options_help(out, verb);
	}
	if (option_applies(OPT_STRATEGY, verb) || option_applies(OPT_TLB, verb)) {
		fputs("\nNames:\n", out);
		help_values(out, verb, names);
	}
	if (option_applies(OPT_JOB, verb)) {
		fputs("\nShipped jobs:\n", out);
		jobpath_list(out);
		fputs("\nKeys of a group's section in a job file; [global] takes the options:\n",
		      out);
		group_help(out);
		fputs("\nOperations of a job file, with the arguments that they take in a program:\n",
		      out);
		program_help(out);
	}
	if (verb == VERB_BENCH)
		help_names(out, "Measures:", &names->measures);
	fprintf(out, "\nExample:\n  %s\n", help[verb].example);
	help_statuses(out);
}
