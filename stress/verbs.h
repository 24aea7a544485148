// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each verb does, for main() to call with the resolved configuration.
 *
 * A verb prints its results on stdout and its progress on stderr, and returns the exit status: an
 * enum verdict. The first and the last line of a run are the verb's to print (banner.h), since
 * only it knows when the run begins and how it ended. When config->json is set it writes the
 * document (record.h) and answers VERDICT_UNTRUSTWORTHY where that fails, after a line on stderr
 * that begins with "mmtorture: ". Nothing here outlives the call.
 *
 * The configuration is complete and checked: names are on the lists of verbs_known_names(), the
 * job of soak and explore is read, files to read exist, the JSON's folder can be written.
 */
#ifndef STRESS_VERBS_H
#define STRESS_VERBS_H

#include "stress/config.h"

/* Fills in the names that options may have as values. The lists are constant data. */
void verbs_known_names(struct known_names *names);

int verb_soak(const struct config *config);
int verb_explore(const struct config *config);
int verb_replay(const struct config *config);	/* of config->file */
int verb_minimize(const struct config *config); /* of config->file */
int verb_bugs(const struct config *config);	/* config->action says what */
int verb_bench(const struct config *config);	/* config->measures, all where it is empty */
int verb_topology(const struct config *config);

#endif
