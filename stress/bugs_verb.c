// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bugs: the catalog of what can be planted.
 */
#include <stdio.h>

#include "stress/bugs.h"
#include "stress/verbs.h"

int verb_bugs(const struct config *config)
{
	(void)config; /* "list" is the only action, and the parser has checked it */
	for (size_t i = 0; i < nr_bugs; i++)
		printf("%-28s %-9s %s\n", bugs[i].slug, bugs[i].part, bugs[i].what);
	return VERDICT_CLEAN;
}
