// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line: `mmtorture VERB [OPTION]... [ARGUMENT]...`.
 *
 * Options are long ones, as --name VALUE or --name=VALUE; a flag stands alone, or as
 * --name=yes|no. They may stand before, between and behind the arguments; after `--` everything is
 * an argument. An option is given once, but for --bug. Names are not abbreviated: a wrong one is
 * answered with the nearest valid one. --help and --version end the reading where they stand.
 *
 * No state; nothing is printed but by cli_help() and cli_version(). Errors: see error.h.
 */
#ifndef STRESS_CLI_H
#define STRESS_CLI_H

#include "stress/config.h"

#include <stdio.h>

enum cli_action { CLI_RUN, CLI_HELP, CLI_VERSION };

/* What the command line is read against. */
struct cli_context {
	const struct known_names *names;
	const struct host_facts *host;
	const char *directory; /* relative paths start here; NULL: the current directory */
};

/*
 * Reads the argument list, reads the job where the verb has one, and resolves: with CLI_RUN in
 * *@action @config is complete. With CLI_HELP config->verb is the verb asked about, NR_VERBS for
 * the program. Returns 0, or -1 with @err filled. config_destroy() is due in any case.
 */
int cli_parse(const struct cli_context *context, int argc, char *const argv[],
	      struct config *config, enum cli_action *action, struct error *err);

/* Writes what `mmtorture VERB --help` shows; NR_VERBS: `mmtorture --help`. */
void cli_help(FILE *out, enum verb verb, const struct known_names *names);

void cli_version(FILE *out);

#endif
