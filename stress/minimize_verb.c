// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "stress/verbs.h"

int verb_minimize(const struct config *config)
{
	(void)config;
	fprintf(stderr, "mmtorture: minimize: this version cannot shrink a schedule; replay it\n");
	return VERDICT_SKIPPED;
}
