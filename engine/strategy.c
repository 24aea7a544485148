// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/strategy.h"

#include <string.h>

const char *const strategy_names[] = {"random", NULL};

struct strategy *strategy_create(const char *name)
{
	if (!strcmp(name, "random"))
		return strategy_random_create();
	return NULL;
}
