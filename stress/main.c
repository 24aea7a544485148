// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program: reads the command line, hands over to the verb, and is the only place that prints
 * errors and exits.
 */
#include "stress/cli.h"
#include "stress/verbs.h"
#include "stress/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
const char *__tsan_default_options(void);

/*
 * ThreadSanitizer's defaults for this program. The explorer meets the same race again when it makes
 * its schedule small or replays it, so it must be told each time; and what a race means for the
 * exit status is the verdict's to say (engine/race_report.h). TSAN_OPTIONS still decides.
 */
const char *__tsan_default_options(void)
{
	return "suppress_equal_stacks=0:suppress_equal_addresses=0:exitcode=0";
}
#endif

static int complain(const struct error *err)
{
	fprintf(stderr, "mmtorture: %s\n", err->line);
	return err->status;
}

/*
 * Makes sure that descriptors 0 to 2 are taken: a program started without them would find its
 * banner in the first file that it opens.
 */
static void take_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Results that stdout did not take are lost, whatever the verdict was. */
static int flush_results(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "mmtorture: can't write to stdout: %s\n", strerror(errno));
	return VERDICT_UNTRUSTWORTHY;
}

static int run_verb(const struct config *config)
{
	struct error err = {0};

	if (config->json[0] && whole_file_probe(config->json, "--json", &err))
		return complain(&err);
	if (config->schedule[0] && whole_file_probe(config->schedule, "--schedule", &err))
		return complain(&err);
	if (config->trace[0] && whole_file_probe(config->trace, "--trace", &err))
		return complain(&err);
	switch (config->verb) {
	case VERB_SOAK:
		return verb_soak(config);
	case VERB_EXPLORE:
		return verb_explore(config);
	case VERB_REPLAY:
		return verb_replay(config);
	case VERB_MINIMIZE:
		return verb_minimize(config);
	case VERB_BUGS:
		return verb_bugs(config);
	case VERB_BENCH:
		return verb_bench(config);
	case VERB_TOPOLOGY:
		return verb_topology(config);
	case NR_VERBS:
		break;
	}
	return VERDICT_USAGE;
}

static int run(struct config *config, int argc, char *const argv[])
{
	struct error err = {0};
	struct known_names names = {0};
	struct host_facts host;
	struct cli_context context = {
		.names = &names,
		.host = &host,
		/* Set by `bazel run`, which starts the program inside its runfiles. */
		.directory = getenv("BUILD_WORKING_DIRECTORY"),
	};
	enum cli_action action;

	verbs_known_names(&names);
	if (host_facts_read(&host, &err) || cli_parse(&context, argc, argv, config, &action, &err))
		return complain(&err);
	switch (action) {
	case CLI_HELP:
		cli_help(stdout, config->verb, &names);
		return VERDICT_CLEAN;
	case CLI_VERSION:
		cli_version(stdout);
		return VERDICT_CLEAN;
	case CLI_RUN:
		break;
	}
	return run_verb(config);
}

int main(int argc, char *argv[])
{
	struct config *config = calloc(1, sizeof(*config));
	int status;

	take_standard_descriptors();
	/* A file that may not grow (ulimit -f) is an error of write(), as a full disk is. */
	signal(SIGXFSZ, SIG_IGN);
	if (!config) {
		fprintf(stderr, "mmtorture: out of host memory\n");
		return VERDICT_UNTRUSTWORTHY;
	}
	status = flush_results(run(config, argc, argv));
	config_destroy(config);
	free(config);
	return status;
}
